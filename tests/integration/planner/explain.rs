//! EXPLAIN says what would be asked without asking, and EXPLAIN ANALYZE what was.

use clerk_sim::Config;
use serde_json::Value;

use crate::support::*;

/// EXPLAIN shows what would be asked, and nothing is asked for it.
#[test]
fn explain_shows_requests() {
    let oracle = Oracle::new(small(), "");
    for (query, lines) in [
        ("clerk.users", &["Clerk: GET /users?order_by=created_at&limit=500", "Expected Requests: 1"][..]),
        (
            "clerk.users WHERE user_id = 'user_ada'",
            &["Clerk: GET /users/user_ada", "Evaluated by Clerk: user_id =", "Expected Requests: 1"],
        ),
        (
            "clerk.users WHERE user_id IN ('a', 'b')",
            &[
                "Clerk: GET /users?user_id=a&order_by=created_at&limit=500 (2 values of user_id, at most 100 per request)",
                "Evaluated by Clerk: user_id IN",
            ],
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
        (
            "clerk.organizations WHERE slug = 'acme'",
            // Parameters without which Clerk does not send some of the columns; two columns share the first.
            &[
                "Clerk: GET /organizations/acme?include_members_count=true&include_missing_member_with_elevated_permissions=true",
            ],
        ),
        (
            "clerk.organization_memberships WHERE organization_id = 'o' AND role = 'org:admin'",
            &["Clerk: GET /organizations/o/memberships?role=org:admin&order_by=created_at&limit=500"],
        ),
    ] {
        let plan = oracle.column::<String>(&format!("EXPLAIN SELECT * FROM {query}"));
        for line in lines {
            assert!(plan.iter().any(|found| found.trim() == *line), "{query}: no {line:?} in {plan:#?}");
        }
        let text = plan.join("\n");
        for word in ["sk_live", "api_key", "Some(", "None", "Text"] {
            assert!(!text.contains(word), "{word} in {text}");
        }
    }
    let count = oracle.plan("SELECT count(*) FROM clerk.users WHERE banned");
    assert!(count.contains("Clerk: GET /users/count?banned=true") && !count.contains("Aggregate"), "{count}");
    oracle.run("PREPARE q(text, text) AS SELECT * FROM clerk.users WHERE user_id = $1 AND username ILIKE $2; SET plan_cache_mode = force_generic_plan");
    let generic = oracle.plan("EXECUTE q('a', 'b')");
    assert!(generic.contains("Clerk: GET /users/{user_id}"), "{generic}");
    assert_eq!(oracle.asked(), [""; 0]);
}

fn scans(plan: &Value) -> Vec<Value> {
    let mut found: Vec<Value> = plan["Plans"].as_array().into_iter().flatten().flat_map(scans).collect();
    found.extend((plan["Node Type"] == "Foreign Scan").then(|| plan.clone()));
    found
}

/// EXPLAIN ANALYZE counts the requests, retries and rows that the simulator saw.
#[test]
fn explain_analyze_counts_requests() {
    let oracle = Oracle::new(Config { users: 700, ..small() }, "page_size '100'");
    for query in [
        "SELECT * FROM clerk.users",
        "SELECT * FROM clerk.users WHERE user_id = 'user_ada'",
        "SELECT * FROM clerk.users WHERE user_id = 'a' AND user_id = ANY('{}')",
        "SELECT * FROM clerk.users ORDER BY created_at DESC LIMIT 10",
        "SELECT count(*) FROM clerk.users",
        "SELECT * FROM unnest('{user_ada,user_bob,user_x}'::text[]) n, LATERAL (SELECT * FROM clerk.users u WHERE u.user_id = n OFFSET 0) u",
        "SELECT * FROM clerk.organizations o JOIN clerk.organization_memberships m USING (organization_id)",
    ] {
        oracle.requests();
        let plan: Value = serde_json::from_str(
            &oracle.texts(&format!("EXPLAIN (ANALYZE, FORMAT JSON) {query}")).unwrap()[0][0].clone().unwrap(),
        )
        .unwrap();
        oracle.wait_until_idle();
        let asked = oracle.requests();
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
    oracle.sim.fault(clerk_sim::Fault::status(500).on_path("/v1/users/user_ada").nth(1));
    let plan = oracle
        .column::<String>("EXPLAIN (ANALYZE, TIMING OFF) SELECT * FROM clerk.users WHERE user_id = 'user_ada'")
        .join("\n");
    assert!(plan.contains("Retries: 1") && plan.contains("Connection: reused") && !plan.contains("Waited"), "{plan}");
}
