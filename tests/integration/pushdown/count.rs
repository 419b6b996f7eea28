//! count(*), which Clerk answers where it can.

use clerk_sim::{Config, Fault};

use crate::support::*;

fn world() -> Oracle {
    Oracle::new(Config { users: 120, organizations: 12, ..small() }, "page_size '50'")
}

/// What Clerk can count it counts; everything else is read.
#[test]
fn count_pushdown() {
    let oracle = world();
    oracle.check(
        "",
        &[
            ("SELECT count(*) FROM clerk.users", &["/users/count"]),
            ("SELECT count(*) FROM clerk.organizations", &["/organizations?limit=1"]),
            ("SELECT count(*) FROM clerk.organization_memberships", &["/organization_memberships?limit=1"]),
            ("SELECT count(*), count(*) FROM clerk.users", &["/users/count"]),
            ("SELECT count(*) FROM clerk.users WHERE banned", &["/users/count?banned=true"]),
            ("SELECT count(*) FROM clerk.users WHERE created_at >= '2024-03-10 12:00Z' AND NOT banned", &["/users/count?banned=false&created_at_after=1710071999999"]),
            ("SELECT count(*) FROM clerk.users WHERE last_sign_in_at < '2024-03-10 12:00:00.011Z'", &["/users/count?last_sign_in_at_before=1710072000011"]),
            ("SELECT count(*) FROM clerk.organization_memberships WHERE organization_id = 'org_acme'", &["/organizations/org_acme/memberships?limit=1"]),
            ("SELECT count(*) FROM clerk.organization_memberships WHERE organization_id = 'org_acme' AND role = 'org:admin'", &["/organizations/org_acme/memberships?limit=1&role=org:admin"]),
            ("SELECT count(*) FROM clerk.organization_memberships WHERE user_id = 'user_ada'", &["/users/user_ada/organization_memberships?limit=1"]),
            ("SELECT count(*) FROM clerk.organization_memberships WHERE organization_id = 'acme'", &["/organizations/acme", "/organizations/acme/memberships?limit=1"]),
            ("SELECT count(*) FROM clerk.users WHERE user_id = 'user_ada'", &["/users/user_ada"]),
            ("SELECT count(*) FROM clerk.users WHERE email = 'ada@work.example'", &["/users?email_address=ada@work.example&limit=50"]),
            ("SELECT count(*) FROM clerk.users WHERE user_id = 'a' AND user_id = 'b'", &[]),
            ("SELECT count(*) FROM clerk.users WHERE created_at < '2024-01-01Z' AND created_at > '2025-01-01Z'", &[]),
            ("SELECT count(*) FROM clerk.users WHERE banned AND created_at = NULL", &[]),
            ("SELECT count(*) FROM clerk.users WHERE false", &[]),
            ("SELECT (SELECT count(*) FROM clerk.users), (SELECT count(*) FROM clerk.organizations)", &["/organizations?limit=1", "/users/count"]),
            ("SELECT s.n + 1 FROM (SELECT count(*) AS n FROM clerk.users) s", &["/users/count"]),
            ("SELECT n, (SELECT count(*) FROM clerk.organization_memberships m WHERE m.organization_id = n) FROM unnest('{org_acme,org_zoo,org_x}'::text[]) n",
                &["/organizations/org_acme/memberships?limit=1", "/organizations/org_x", "/organizations/org_x/memberships?limit=1", "/organizations/org_zoo/memberships?limit=1"]),
            ("SELECT count(*) FROM clerk.users UNION ALL SELECT count(*) FROM clerk.users WHERE banned", &["/users/count", "/users/count?banned=true"]),
        ],
    );
    // These take rows.
    for query in [
        "SELECT count(email) FROM clerk.users",
        "SELECT count(DISTINCT banned) FROM clerk.users",
        "SELECT count(*) FILTER (WHERE banned) FROM clerk.users",
        "SELECT banned, count(*) FROM clerk.users GROUP BY banned",
        "SELECT count(*) FROM clerk.users HAVING count(*) > 1000",
        "SELECT count(*), max(created_at) FROM clerk.users",
        "SELECT count(*) FROM clerk.users WHERE email LIKE '%@example.com'",
        "SELECT count(*) FROM clerk.users WHERE username IS NULL",
        "SELECT count(*) FROM clerk.users WHERE banned AND first_name = 'bob'",
        "SELECT count(*) FROM clerk.users WHERE (SELECT false)",
        "SELECT count(*) FROM (SELECT DISTINCT banned FROM clerk.users) s",
        "SELECT count(*) FROM (SELECT 1 FROM clerk.users LIMIT 7) s",
        "SELECT count(*) FROM clerk.users, generate_series(1, 2)",
        "SELECT count(*) OVER () FROM clerk.users",
        "SELECT count(*) FROM clerk.users GROUP BY GROUPING SETS ((), ())",
        "SELECT count(*), generate_series(1, 2) FROM clerk.users",
    ] {
        oracle.requests();
        assert_eq!(oracle.difference(query), None, "{query}");
        assert!(oracle.requests().iter().all(|request| request.parameter("limit") != Some("1")), "{query}");
    }
}

/// Whatever surrounds a count, it is right.
#[test]
fn count_within_expressions_and_queries() {
    let oracle = world();
    for query in [
        "SELECT count(*) + 1 FROM clerk.users",
        "SELECT count(*), 1, 'x' FROM clerk.users",
        "SELECT count(*)::int, count(*)::text FROM clerk.users",
        "SELECT count(1) FROM clerk.users WHERE NOT banned",
        "SELECT DISTINCT count(*) FROM clerk.users",
        "SELECT count(*) FROM clerk.users ORDER BY 1 LIMIT 1",
        "SELECT count(*) FROM clerk.users OFFSET 1",
        "SELECT sum(count(*)) OVER () FROM clerk.users",
        "SELECT count(u) FROM clerk.users u",
        "SELECT count(*) FROM clerk.users u WHERE u IS NOT NULL",
        "SELECT count(*) FROM clerk.users WHERE tableoid IS NOT NULL",
        "SELECT count(*) FROM clerk.users WHERE banned GROUP BY ()",
        "SELECT count(*) FROM clerk.users u WHERE EXISTS (SELECT FROM clerk.organization_memberships m WHERE m.user_id = u.user_id)",
        "SELECT (SELECT count(*) FROM clerk.users v WHERE v.created_at < u.created_at) AS older FROM clerk.users u ORDER BY 1",
        "SELECT count(*) FROM clerk.users a, clerk.users b WHERE a.banned AND b.banned",
        "SELECT CASE WHEN count(*) > 5 THEN 'many' END FROM clerk.users",
        "SELECT max(created_at), min(created_at) FROM clerk.users",
        "SELECT max(updated_at) FROM clerk.users WHERE banned",
        "SELECT u FROM clerk.users u WHERE user_id = 'user_ada'",
        "WITH n AS (SELECT count(*) AS n FROM clerk.users) SELECT n.n, o.name FROM n, clerk.organizations o",
        "SELECT row_number() OVER (ORDER BY created_at, user_id), user_id FROM clerk.users",
        "SELECT DISTINCT ON (created_at) created_at FROM clerk.users ORDER BY created_at DESC",
        "SELECT created_at, count(*) FROM clerk.users GROUP BY created_at ORDER BY created_at DESC LIMIT 5",
        "SELECT created_at, generate_series(1, 2) FROM clerk.users ORDER BY created_at LIMIT 3",
    ] {
        assert_eq!(oracle.difference(query), None, "{query}");
        let plan = oracle.column::<String>(&format!("EXPLAIN (VERBOSE) {query}"));
        assert!(plan.iter().any(|line| line.contains("Clerk: GET /")), "{plan:?}");
    }
    oracle.run("CREATE TABLE copy.counted AS SELECT count(*) FROM clerk.users WHERE banned");
    assert_eq!(
        oracle.one::<i64>("SELECT count FROM copy.counted"),
        oracle.one::<i64>("SELECT count(*) FROM copy.users WHERE banned")
    );
}

/// A count is asked with the key that a scan would use, and anew in each execution of a plan.
#[test]
fn count_uses_the_scans_key_and_parameters() {
    let keys = [KEY, "sk_live_owner", "sk_live_reader"].map(str::to_owned).to_vec();
    let oracle = Oracle::new(Config { keys, ..small() }, "");
    let (owner, reader) = (&oracle.role("owner"), &oracle.role("reader"));
    oracle.run(&format!(
        "CREATE ROLE {owner}; CREATE ROLE {reader};
         GRANT USAGE ON SCHEMA clerk TO {owner}, {reader};
         GRANT SELECT ON ALL TABLES IN SCHEMA clerk TO {owner};
         CREATE USER MAPPING FOR {owner} SERVER clerk OPTIONS (api_key 'sk_live_owner');
         CREATE USER MAPPING FOR {reader} SERVER clerk OPTIONS (api_key 'sk_live_reader');
         CREATE VIEW clerk.seen AS SELECT user_id FROM clerk.users WHERE banned;
         ALTER VIEW clerk.seen OWNER TO {owner}; GRANT SELECT ON clerk.seen TO {reader};
         PREPARE q AS SELECT (SELECT count(*) FROM clerk.seen), 1 AS one; SET plan_cache_mode = force_generic_plan"
    ));
    for role in [reader, owner, reader] {
        oracle.run(&format!("SET ROLE {role}"));
        for query in
            ["SELECT count(*) FROM clerk.seen", "EXECUTE q", "SELECT count(*) FROM (SELECT * FROM clerk.seen) s"]
        {
            oracle.requests();
            oracle.rows(query);
            let requests = oracle.requests();
            assert_eq!(requests.len(), 1, "{query}");
            assert_eq!((requests[0].path.as_str(), requests[0].key), ("/v1/users/count", Some(1)), "{role}: {query}");
        }
    }
    let refused = oracle.error(&format!("SET ROLE {reader}; SELECT count(*) FROM clerk.users"));
    assert_eq!(refused.code().code(), "42501", "{refused:?}");
    oracle.run(&format!("RESET ROLE; DROP OWNED BY {owner}, {reader} CASCADE; DROP ROLE {owner}, {reader}"));

    oracle.run("PREPARE p(boolean) AS SELECT count(*) FROM clerk.users WHERE banned = $1");
    let banned: i64 = oracle.one("SELECT count(*) FROM copy.users WHERE banned");
    for _ in 0..3 {
        assert_eq!(oracle.one::<i64>("EXECUTE p(true)"), banned);
        assert_eq!(oracle.one::<i64>("EXECUTE p(false)"), 64 - banned);
        assert_eq!(oracle.one::<i64>("EXECUTE p(NULL)"), 0);
    }
    oracle.run("BEGIN; DECLARE c SCROLL CURSOR FOR SELECT count(*) FROM clerk.users");
    for fetch in ["FETCH c", "FETCH FIRST FROM c", "FETCH ABSOLUTE 1 FROM c"] {
        assert_eq!(oracle.one::<i64>(fetch), 64, "{fetch}");
    }
    oracle.run("COMMIT");
}

/// An answer without the count that was asked for is an error, not a count of nothing.
#[test]
fn missing_total_count_is_an_error() {
    let world = World::new(small());
    world.sim.fault(Fault::body(200, r#"{"data": []}"#).on_path("/v1/organizations").always());
    world.sim.fault(Fault::body(200, r#"{"object": "total_count"}"#).on_path("/v1/users/count").always());
    for table in ["organizations", "users"] {
        let error = world.error(&format!("SELECT count(*) FROM clerk.{table}"));
        assert_eq!(error.code().code(), "HV00L", "{table}: {error:?}");
    }
}
