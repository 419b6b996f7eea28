//! LIMIT: how many objects are asked for.

use clerk_sim::Config;

use crate::support::*;

fn world() -> Oracle {
    Oracle::new(Config { users: 120, organizations: 12, ..small() }, "page_size '50'")
}

/// A limit sizes the first page where Clerk evaluates every condition, and only there.
#[test]
fn limit_pushdown() {
    let oracle = world();
    oracle.check(
        "",
        &[
            ("SELECT created_at FROM clerk.users ORDER BY created_at DESC LIMIT 10", &["/users?limit=10&order_by=-created_at"]),
            ("SELECT created_at FROM clerk.users ORDER BY created_at LIMIT 10", &["/users?limit=10"]),
            ("SELECT updated_at FROM clerk.users ORDER BY updated_at DESC LIMIT 10", &["/users?limit=10&order_by=-updated_at"]),
            ("SELECT created_at FROM clerk.users ORDER BY created_at DESC LIMIT 10 OFFSET 5", &["/users?limit=15&order_by=-created_at"]),
            ("SELECT created_at FROM clerk.users ORDER BY created_at DESC LIMIT 0", &[]),
            ("SELECT created_at FROM clerk.users ORDER BY created_at DESC FETCH FIRST 10 ROWS WITH TIES", &["/users?limit=50&order_by=-created_at"]),
            ("SELECT user_id FROM clerk.users LIMIT 3", &["/users?limit=3"]),
            ("SELECT user_id FROM clerk.users WHERE NOT banned LIMIT 3", &["/users?banned=false&limit=3"]),
            ("SELECT user_id FROM clerk.users WHERE email LIKE '%@example.com' LIMIT 1", &["/users?email_address_query=@example.com&limit=50"]),
            ("SELECT user_id FROM clerk.users WHERE user_id <> 'x' LIMIT 1", &["/users?limit=50"]),
            ("SELECT members_count FROM clerk.organizations ORDER BY members_count DESC LIMIT 2", &["/organizations?include_members_count=true&limit=2&order_by=-members_count"]),
            ("SELECT created_at FROM clerk.organization_memberships ORDER BY created_at DESC LIMIT 2", &["/organization_memberships?limit=2&order_by=-created_at"]),
            ("SELECT user_id FROM clerk.organization_memberships WHERE organization_id = 'org_acme' LIMIT 1", &["/organizations/org_acme/memberships?limit=1"]),
            ("PREPARE q(int) AS SELECT created_at FROM clerk.users ORDER BY created_at DESC LIMIT $1; EXECUTE q(3)", &["/users?limit=3&order_by=-created_at"]),
            ("SELECT n, s.created_at FROM generate_series(1, 2) n, LATERAL (SELECT created_at FROM clerk.users ORDER BY created_at DESC LIMIT n) s ORDER BY n, s.created_at", &["/users?limit=50&order_by=-created_at", "/users?limit=50&order_by=-created_at"]),
        ],
    );
}

/// A LIMIT on a whole table asks for as many objects as it needs, in one request.
#[test]
fn limit_is_one_request() {
    let world = World::new(Config { users: 1200, organizations: 30, ..small() });
    for (table, path) in [
        ("users", "/v1/users"),
        ("organizations", "/v1/organizations"),
        ("organization_memberships", "/v1/organization_memberships"),
    ] {
        for (limit, asked) in [("LIMIT 10", 10), ("LIMIT 3 OFFSET 4", 7), ("FETCH FIRST ROW ONLY", 1)] {
            world.rows(&format!("SELECT * FROM clerk.{table} {limit}"));
            let requests = world.requests();
            assert_eq!(requests.len(), 1, "{table} {limit}: {requests:?}");
            assert_eq!(requests[0].path, path);
            assert_eq!(requests[0].parameter("limit"), Some(asked.to_string().as_str()));
        }
    }
    world.run("PREPARE few(int) AS SELECT user_id FROM clerk.users LIMIT $1");
    assert_eq!(world.rows("EXECUTE few(20)").len(), 20);
    assert_eq!(world.requests().len(), 1);
}
