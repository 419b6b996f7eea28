//! What EXPLAIN says about lookup joins.

use super::*;

/// The join shows its key, how many keys a request carries and how many requests are expected, and nothing is asked.
#[test]
fn properties() {
    let oracle = orders();
    oracle.requests();
    for (query, lines) in [
        (
            "SELECT o.id, u.email FROM own.orders o JOIN clerk.users u ON u.user_id = o.user_id",
            &[
                NODE,
                "Seq Scan on orders o",
                "Foreign Scan on users u",
                "Lookup Cond: (o.user_id = u.user_id)",
                "Keys per Request: 100",
                "Expected Requests: ",
            ][..],
        ),
        (
            "SELECT o.id FROM own.orders o JOIN clerk.users u ON u.email = lower(o.email)",
            &["Lookup Cond: (lower(o.email) = u.email)", "Keys per Request: 100"],
        ),
        (
            "SELECT o.id FROM own.orders o JOIN clerk.users u ON u.user_id = o.user_id AND u.created_at > o.at",
            &["Lookup Cond: (o.user_id = u.user_id)", "Join Filter: (u.created_at > o.at)"],
        ),
        ("SELECT o.id, u.email FROM own.orders o LEFT JOIN clerk.users u ON u.user_id = o.user_id", &[NODE, "Left"]),
        (
            "SELECT o.id FROM own.orders o WHERE EXISTS (SELECT FROM clerk.users u WHERE u.user_id = o.user_id)",
            &[NODE, "Semi"],
        ),
        (
            "SELECT o.id FROM own.orders o WHERE NOT EXISTS (SELECT FROM clerk.users u WHERE u.user_id = o.user_id)",
            &[NODE, "Anti"],
        ),
        (
            "SELECT o.id FROM own.orders o JOIN clerk.organization_memberships m ON m.organization_id = o.organization_id",
            &[
                "Lookup Cond: (o.organization_id = m.organization_id)",
                "Keys per Request: 1",
                "Foreign Scan on organization_memberships m",
            ],
        ),
    ] {
        let plan = oracle.column::<String>(&format!("EXPLAIN {query}")).join("\n");
        for line in lines {
            assert!(plan.contains(line), "{query}: no {line:?} in\n{plan}");
        }
        for word in ["sk_live", "api_key", "Some(", "None", "<null>", "unrecognized"] {
            assert!(!plan.contains(word), "{word} in {plan}");
        }
    }
    let inner = plan_of(&oracle, "SELECT o.id FROM own.orders o JOIN clerk.users u USING (user_id)");
    assert!(inner.contains("Lookup Cond: (o.user_id = u.user_id)"), "{inner}");
    for word in ["Inner", "Left", "Semi", "Anti"] {
        assert!(!inner.contains(word), "{word} in {inner}");
    }
    let verbose = "EXPLAIN (VERBOSE) SELECT o.id, u.email, o.note || u.username FROM own.orders o JOIN clerk.users u ON u.user_id = o.user_id WHERE u.email > o.email";
    let verbose = oracle.column::<String>(verbose).join("\n");
    assert!(verbose.contains("Output: o.id, u.email"), "{verbose}");
    assert_eq!(oracle.asked(), [""; 0]);
}

/// Every format has the same properties, as numbers where they are numbers.
#[test]
fn formats() {
    let oracle = orders();
    let query = "SELECT o.id, u.email FROM own.orders o JOIN clerk.users u ON u.user_id = o.user_id";
    let joins = explained(&oracle, "", query);
    assert_eq!(joins.len(), 1);
    let join = &joins[0];
    assert_eq!(join["Keys per Request"], 100, "{join:#}");
    assert!(join["Expected Requests"].as_f64() >= Some(1.0) && join["Lookup Cond"].is_string(), "{join:#}");
    assert!(join["Keys"].is_null() && join["Requests"].is_null(), "{join:#}");
    assert_eq!(join["Plans"].as_array().map(Vec::len), Some(2), "{join:#}");
    for format in ["TEXT", "XML", "YAML"] {
        let plan = oracle.texts(&format!("EXPLAIN (ANALYZE, VERBOSE, FORMAT {format}) {query}")).unwrap();
        let plan = plan.into_iter().flatten().flatten().collect::<Vec<_>>().join("\n");
        assert!(plan.contains("Lookup") && plan.contains("Remembered"), "{format}: {plan}");
    }
}

/// EXPLAIN ANALYZE counts keys, distinct keys, requests and what was remembered as they were.
#[test]
fn analyze() {
    let world = crowd(3000, "");
    world.run(ONLY_LOOKUPS);
    world.run(
        "CREATE TABLE own.visits AS SELECT v AS id, CASE WHEN v % 10 > 0 THEN k.user_id END AS user_id
           FROM generate_series(1, 4000) v JOIN own.known k ON k.n = v % 250 + 1 ORDER BY v;
         ANALYZE own.visits",
    );
    let distinct: i64 = world.one("SELECT count(DISTINCT user_id) FROM own.visits");
    let keys: i64 = world.one("SELECT count(user_id) FROM own.visits");
    let query = "SELECT v.id, u.email FROM own.visits v LEFT JOIN clerk.users u USING (user_id)";
    world.assert_quiet(query);
    let joins = explained(&world, "ANALYZE, ", query);
    let requests = asked(&world).len() as i64;
    let of = |name: &str| joins[0][name].as_i64().unwrap_or_else(|| panic!("no {name} in {:#}", joins[0]));
    assert_eq!((of("Keys"), of("Distinct Keys")), (keys, distinct), "{:#}", joins[0]);
    assert_eq!((of("Requests"), requests), (distinct.div_euclid(100) + 1, requests), "{:#}", joins[0]);
    assert!(of("Remembered") > 0 && of("Remembered") <= keys - distinct, "{:#}", joins[0]);
    assert_eq!(joins[0]["Actual Rows"].as_f64(), Some(4000.0));

    let nothing = explained(
        &world,
        "ANALYZE, ",
        "SELECT u.email FROM own.visits v JOIN clerk.users u USING (user_id) WHERE v.id < 0",
    );
    assert_eq!((&nothing[0]["Keys"], &nothing[0]["Requests"]), (&json!(0), &json!(0)), "{:#}", nothing[0]);
    let generic = "SET plan_cache_mode = force_generic_plan; PREPARE q(int) AS SELECT u.email FROM own.visits v JOIN clerk.users u USING (user_id) WHERE v.id < $1";
    world.run(generic);
    assert_eq!(explained(&world, "ANALYZE, ", "EXECUTE q(200)").len(), 1);
}
