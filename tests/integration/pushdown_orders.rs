//! Orders, limits and counts: what Clerk is trusted with, and what it is not.

use clerk_sim::Config;
use serde_json::json;

use crate::common::*;
use crate::twin::*;

fn world() -> Twin {
    Twin::new(Config { users: 120, organizations: 12, ..small() }, "page_size '50'")
}

/// Orders of Clerk's are read in that order; Postgres sorts nothing, or only what Clerk cannot.
#[test]
fn orders() {
    let twin = world();
    let sorts = |query: &str| {
        let plan = twin.plan(query);
        match (plan.contains("Incremental Sort"), plan.contains("Sort")) {
            (true, _) => "more",
            (_, true) => "all",
            _ => "nothing",
        }
    };
    for (order, sorted) in [
        ("users ORDER BY created_at", "nothing"),
        ("users ORDER BY created_at DESC", "nothing"),
        ("users ORDER BY created_at NULLS FIRST", "nothing"),
        ("users ORDER BY created_at DESC LIMIT 10", "nothing"),
        ("users ORDER BY updated_at DESC LIMIT 10", "nothing"),
        ("users ORDER BY updated_at LIMIT 10", "nothing"),
        ("users WHERE banned ORDER BY created_at DESC", "nothing"),
        ("users ORDER BY created_at LIMIT 10 OFFSET 5", "nothing"),
        ("users ORDER BY created_at DESC, user_id LIMIT 10", "more"),
        ("users ORDER BY last_sign_in_at", "all"),
        ("users ORDER BY last_active_at DESC LIMIT 3", "all"),
        ("users ORDER BY email", "all"),
        ("users ORDER BY first_name DESC LIMIT 3", "all"),
        ("users ORDER BY created_at + interval '1 day'", "all"),
        ("users WHERE user_id IN ('user_ada', 'user_bob') ORDER BY created_at", "all"),
        ("organizations ORDER BY created_at", "nothing"),
        ("organizations ORDER BY created_at DESC LIMIT 3", "nothing"),
        ("organizations ORDER BY members_count DESC LIMIT 3", "nothing"),
        ("organizations ORDER BY name LIMIT 3", "all"),
        ("organization_memberships ORDER BY created_at", "nothing"),
        ("organization_memberships ORDER BY created_at DESC LIMIT 3", "nothing"),
        ("organization_memberships WHERE organization_id = 'org_acme' ORDER BY created_at DESC", "nothing"),
        ("organization_memberships WHERE user_id = 'user_ada' ORDER BY created_at", "all"),
        ("organization_memberships ORDER BY updated_at", "all"),
    ] {
        let (table, by) = order.split_once(" ").unwrap_or_default();
        let key = by.split("ORDER BY ").nth(1).and_then(|by| by.split(" LIMIT").next()).unwrap_or_default();
        let key = key.split(" DESC").next().and_then(|key| key.split(" NULLS").next()).unwrap_or_default();
        let query = format!("SELECT {key} FROM clerk.{table} {by}");
        // Several requests side by side and a sort may take less time than one request after the other.
        twin.run(&format!("SET enable_sort = {}", if query.contains("LIMIT") { "on" } else { "off" }));
        assert_eq!(sorts(&query), sorted, "{}", twin.plan(&query));
        assert_eq!(twin.difference(&query), None, "{query}");
    }
}

/// A limit sizes the first page where every condition is Clerk's, and only there.
#[test]
fn limits() {
    let twin = world();
    twin.check(
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

/// What Clerk can count it counts; everything else is read.
#[test]
fn counts() {
    let twin = world();
    twin.check(
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
        twin.requests();
        assert_eq!(twin.difference(query), None, "{query}");
        assert!(twin.requests().iter().all(|request| request.parameter("limit") != Some("1")), "{query}");
    }
}

/// Whatever surrounds a count, it is right.
#[test]
fn counts_in_company() {
    let twin = world();
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
        assert_eq!(twin.difference(query), None, "{query}");
        let plan = twin.column::<String>(&format!("EXPLAIN (VERBOSE) {query}"));
        assert!(plan.iter().any(|line| line.contains("Clerk: GET /")), "{plan:?}");
    }
    twin.run("CREATE TABLE copy.counted AS SELECT count(*) FROM clerk.users WHERE banned");
    assert_eq!(
        twin.one::<i64>("SELECT count FROM copy.counted"),
        twin.one::<i64>("SELECT count(*) FROM copy.users WHERE banned")
    );
}

/// A count belongs to the role whose key a scan would use, and to each execution of a plan.
#[test]
fn counts_have_owners_and_values() {
    let keys = [KEY, "sk_live_owner", "sk_live_reader"].map(str::to_owned).to_vec();
    let twin = Twin::new(Config { keys, ..small() }, "");
    let (owner, reader) = (&twin.role("owner"), &twin.role("reader"));
    twin.run(&format!(
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
        twin.run(&format!("SET ROLE {role}"));
        for query in
            ["SELECT count(*) FROM clerk.seen", "EXECUTE q", "SELECT count(*) FROM (SELECT * FROM clerk.seen) s"]
        {
            twin.requests();
            twin.rows(query);
            let requests = twin.requests();
            assert_eq!(requests.len(), 1, "{query}");
            assert_eq!((requests[0].path.as_str(), requests[0].key), ("/v1/users/count", Some(1)), "{role}: {query}");
        }
    }
    let refused = twin.error(&format!("SET ROLE {reader}; SELECT count(*) FROM clerk.users"));
    assert_eq!(refused.code().code(), "42501", "{refused:?}");
    twin.run(&format!("RESET ROLE; DROP OWNED BY {owner}, {reader} CASCADE; DROP ROLE {owner}, {reader}"));

    twin.run("PREPARE p(boolean) AS SELECT count(*) FROM clerk.users WHERE banned = $1");
    let banned: i64 = twin.one("SELECT count(*) FROM copy.users WHERE banned");
    for _ in 0..3 {
        assert_eq!(twin.one::<i64>("EXECUTE p(true)"), banned);
        assert_eq!(twin.one::<i64>("EXECUTE p(false)"), 64 - banned);
        assert_eq!(twin.one::<i64>("EXECUTE p(NULL)"), 0);
    }
    twin.run("BEGIN; DECLARE c SCROLL CURSOR FOR SELECT count(*) FROM clerk.users");
    for fetch in ["FETCH c", "FETCH FIRST FROM c", "FETCH ABSOLUTE 1 FROM c"] {
        assert_eq!(twin.one::<i64>(fetch), 64, "{fetch}");
    }
    twin.run("COMMIT");
}

/// What a plan was made for may be another when it is executed again, and what sorts may not be what usually does.
#[test]
fn only_what_is_fixed_and_usual_is_clerks() {
    let twin = world();
    twin.sim.create_user(json!({"id": "user_tr", "first_name": "\u{130}smet", "created_at": NOON})).unwrap();
    twin.run(
        "SET my.few = 10;
         PREPARE q AS SELECT user_id FROM clerk.users ORDER BY updated_at DESC LIMIT current_setting('my.few')::int;
         SET plan_cache_mode = force_generic_plan",
    );
    assert_eq!(twin.rows("EXECUTE q").len(), 10);
    // The order of changes does not last while more than a page is read.
    twin.run("SET my.few = 110");
    assert_eq!(twin.rows("EXECUTE q").len(), 110);
    assert!(twin.plan("EXECUTE q").contains("Sort"), "{}", twin.plan("EXECUTE q"));

    twin.run(
        "CREATE FUNCTION above(bigint, bigint) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT $1 > $2';
         CREATE FUNCTION below(bigint, bigint) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT $1 < $2';
         CREATE FUNCTION against(bigint, bigint) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT btint8cmp($2, $1)';
         CREATE OPERATOR <# (FUNCTION = above, LEFTARG = bigint, RIGHTARG = bigint, COMMUTATOR = #>);
         CREATE OPERATOR #> (FUNCTION = below, LEFTARG = bigint, RIGHTARG = bigint, COMMUTATOR = <#);
         CREATE OPERATOR CLASS backwards FOR TYPE bigint USING btree AS
           OPERATOR 1 <#, OPERATOR 3 =, OPERATOR 5 #>, FUNCTION 1 against(bigint, bigint);
         CREATE FOREIGN TABLE clerk.numbered (user_id text, created_at bigint) SERVER clerk OPTIONS (object 'users')",
    );
    let [newest, oldest] = ["<#", "#>"].map(|operator| {
        twin.one::<i64>(&format!("SELECT created_at FROM clerk.numbered ORDER BY created_at USING {operator} LIMIT 1"))
    });
    assert_eq!(newest, twin.one::<i64>("SELECT max(created_at) FROM (SELECT created_at FROM clerk.numbered) s"));
    assert_eq!(oldest, twin.one::<i64>("SELECT min(created_at) FROM (SELECT created_at FROM clerk.numbered) s"));

    twin.run("CREATE COLLATION turkish (provider = icu, locale = 'tr')");
    let found: Vec<String> =
        twin.column("SELECT user_id FROM clerk.users WHERE first_name ILIKE 'ismet' COLLATE turkish");
    assert_eq!(found, ["user_tr"], "a capital of i that Clerk does not know as one");
}
