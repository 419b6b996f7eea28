//! EXPLAIN says what is asked without asking; ANALYZE knows the tables after a few requests.

use clerk_sim::Config;
use serde_json::Value;

use crate::common::*;
use crate::twin::*;

/// The plan in words, and nothing was asked for it.
#[test]
fn explain_says_what_would_be_asked() {
    let twin = Twin::new(small(), "");
    for (query, lines) in [
        ("clerk.users", &["Clerk: GET /users?order_by=created_at&limit=500", "Expected Requests: 1"][..]),
        (
            "clerk.users WHERE user_id = 'user_ada'",
            &["Clerk: GET /users/user_ada", "Evaluated by Clerk: user_id =", "Expected Requests: 1"],
        ),
        (
            "clerk.users WHERE user_id IN ('a', 'b')",
            &["Clerk: GET /users?user_id=a, 2 values of user_id by the hundred", "Evaluated by Clerk: user_id IN"],
        ),
        (
            "clerk.users WHERE created_at > '2024-03-10 12:00Z' AND email ILIKE '%x%' AND first_name = 'Ada' AND length(email) > 3",
            &[
                "Clerk: GET /users?created_at_after=1710072000000&email_address_query=x&order_by=created_at&limit=500",
                "Evaluated by Clerk: created_at >",
                "Narrowed by Clerk: email ILIKE",
                "Left to Postgres: first_name =, 1 other condition",
            ],
        ),
        (
            "clerk.users WHERE NOT banned ORDER BY created_at DESC LIMIT 10",
            &["Clerk: GET /users?banned=false&order_by=-created_at&limit=10", "Evaluated by Clerk: NOT banned"],
        ),
        (
            "clerk.users WHERE user_id = 'a' AND user_id = ANY('{}')",
            &["Clerk: nothing: no row can satisfy the conditions"],
        ),
        ("clerk.users WHERE user_id IN ('a', 'b') AND user_id = (SELECT 'a')", &["Clerk: GET /users/{user_id}"]),
        (
            "clerk.users WHERE first_name ILIKE (SELECT '%a%')",
            &["Clerk: GET /users?name_query={first_name}&order_by=created_at&limit=500"],
        ),
        (
            "clerk.users WHERE created_at > (SELECT now())",
            &["Clerk: GET /users?created_at_after={created_at}&order_by=created_at&limit=500"],
        ),
        ("clerk.organizations WHERE slug = 'acme'", &["Clerk: GET /organizations/acme"]),
        (
            "clerk.organization_memberships WHERE organization_id = 'o' AND role = 'org:admin'",
            &["Clerk: GET /organizations/o/memberships?role=org:admin&order_by=created_at&limit=500"],
        ),
    ] {
        let plan = twin.column::<String>(&format!("EXPLAIN SELECT * FROM {query}"));
        for line in lines {
            assert!(plan.iter().any(|found| found.trim() == *line), "{query}: no {line:?} in {plan:#?}");
        }
        let text = plan.join("\n");
        for word in ["sk_live", "api_key", "Some(", "None", "Text"] {
            assert!(!text.contains(word), "{word} in {text}");
        }
    }
    let count = twin.plan("SELECT count(*) FROM clerk.users WHERE banned");
    assert!(count.contains("Clerk: GET /users/count?banned=true") && !count.contains("Aggregate"), "{count}");
    twin.run("PREPARE q(text, text) AS SELECT * FROM clerk.users WHERE user_id = $1 AND username ILIKE $2; SET plan_cache_mode = force_generic_plan");
    let generic = twin.plan("EXECUTE q('a', 'b')");
    assert!(generic.contains("Clerk: GET /users/{user_id}"), "{generic}");
    assert_eq!(twin.asked(), [""; 0]);
}

fn scans(plan: &Value) -> Vec<Value> {
    let mut found: Vec<Value> = plan["Plans"].as_array().into_iter().flatten().flat_map(scans).collect();
    found.extend((plan["Node Type"] == "Foreign Scan").then(|| plan.clone()));
    found
}

/// In JSON the same are fields, and ANALYZE's are what the other side saw.
#[test]
fn explain_analyze_counts_what_was_asked() {
    let twin = Twin::new(Config { users: 700, ..small() }, "page_size '100'");
    for query in [
        "SELECT * FROM clerk.users",
        "SELECT * FROM clerk.users WHERE user_id = 'user_ada'",
        "SELECT * FROM clerk.users WHERE user_id = 'a' AND user_id = ANY('{}')",
        "SELECT * FROM clerk.users ORDER BY created_at DESC LIMIT 10",
        "SELECT count(*) FROM clerk.users",
        "SELECT * FROM unnest('{user_ada,user_bob,user_x}'::text[]) n, LATERAL (SELECT * FROM clerk.users u WHERE u.user_id = n OFFSET 0) u",
        "SELECT * FROM clerk.organizations o JOIN clerk.organization_memberships m USING (organization_id)",
    ] {
        twin.requests();
        let plan: Value = serde_json::from_str(
            &twin.texts(&format!("EXPLAIN (ANALYZE, FORMAT JSON) {query}")).unwrap()[0][0].clone().unwrap(),
        )
        .unwrap();
        twin.settle();
        let asked = twin.requests();
        let scans = scans(&plan[0]["Plan"]);
        let sum = |field: &str| {
            scans.iter().map(|scan| scan[field].as_i64().unwrap_or_else(|| panic!("no {field}: {scan:#}"))).sum::<i64>()
        };
        assert_eq!(sum("Requests"), asked.len() as i64, "{query}");
        assert!(sum("Expected Requests") >= 1);
        assert_eq!(sum("Retries"), 0);
        assert_eq!(sum("Bytes Received") > 0, !asked.is_empty(), "{query}");
        // A count is not one of Clerk's rows.
        if !query.contains("count") {
            assert_eq!(sum("Rows Received") > 0, plan[0]["Plan"]["Actual Rows"].as_f64() > Some(0.0), "{query}");
        }
        for scan in &scans {
            assert!(
                scan["Clerk"].is_string()
                    && scan["Waited for Clerk"].is_number()
                    && scan["Waited for Pacing"].is_number(),
                "{scan:#}"
            );
        }
    }
    twin.sim.fault(clerk_sim::Fault::status(500).on_path("/v1/users/user_ada").nth(1));
    let plan = twin
        .column::<String>("EXPLAIN (ANALYZE, TIMING OFF) SELECT * FROM clerk.users WHERE user_id = 'user_ada'")
        .join("\n");
    assert!(plan.contains("Retries: 1") && plan.contains("Connection: reused") && !plan.contains("Waited"), "{plan}");
}

/// ANALYZE counts every table right and takes a sample of those that are large.
#[test]
fn analyze_knows_the_tables() {
    let config = Config { users: 4000, organizations: 30, memberships: 3200, ..small() };
    let world = World::with(config, "page_size '100'");
    for (table, all, most) in [("users", 4000, 41), ("organizations", 30, 2), ("organization_memberships", 3200, 33)] {
        // Postgres wants 300 rows for each unit of the target.
        world.run("SET default_statistics_target = 5");
        for (target, requests) in [(5, 16), (100, most + 25)] {
            world.run(&format!("SET default_statistics_target = {target}"));
            world.requests();
            world.run(&format!("ANALYZE clerk.{table}"));
            let asked = world.requests().len();
            assert!(asked <= requests, "{asked} requests for {table} with {target}");
            let rows: f32 = world.one(&format!("SELECT reltuples FROM pg_class WHERE oid = 'clerk.{table}'::regclass"));
            assert_eq!(rows, all as f32, "{table}");
            let columns: i64 = world
                .one(&format!("SELECT count(*) FROM pg_stats WHERE schemaname = 'clerk' AND tablename = '{table}'"));
            assert!(columns > 5, "{columns} columns of {table}");
        }
    }
    let distinct: f32 = world.one(
        "SELECT n_distinct FROM pg_stats WHERE schemaname = 'clerk' AND tablename = 'users' AND attname = 'user_id'",
    );
    assert_eq!(distinct, -1.0, "every user has an id of its own");
    world.run("ALTER TABLE clerk.users DROP COLUMN email; ANALYZE clerk.users (user_id, created_at); ANALYZE");
}
