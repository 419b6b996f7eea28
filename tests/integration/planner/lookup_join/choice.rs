//! When the planner looks up and when it reads the whole list.

use super::*;

/// Against 100,000 users, few rows are looked up and as many rows as there are users make it read the list, whether the
/// number of users is known or not.
#[test]
fn compares_requests() {
    let world = crowd(100_000, "");
    world.run("SET statement_timeout = '300s'");
    for rows in [10, 1000, 100_000] {
        world.run(&format!(
            "CREATE TABLE own.rows_{rows} AS SELECT * FROM own.known WHERE n % {} = 0; ANALYZE own.rows_{rows}",
            100_000 / rows
        ));
    }
    let queries = |rows: usize| {
        [
            format!("SELECT r.n, u.email FROM own.rows_{rows} r JOIN clerk.users u USING (user_id)"),
            format!("SELECT r.n, u.email FROM own.rows_{rows} r LEFT JOIN clerk.users u USING (user_id)"),
            format!(
                "SELECT r.n FROM own.rows_{rows} r WHERE EXISTS (SELECT FROM clerk.users u WHERE u.user_id = r.user_id)"
            ),
            format!(
                "SELECT r.n FROM own.rows_{rows} r WHERE NOT EXISTS (SELECT FROM clerk.users u WHERE u.user_id = r.user_id)"
            ),
            format!("SELECT u.email FROM clerk.users u WHERE u.user_id IN (SELECT r.user_id FROM own.rows_{rows} r)"),
            format!("SELECT count(*) FROM own.rows_{rows} r JOIN clerk.users u ON u.user_id = r.user_id AND u.banned"),
        ]
    };
    let check = |known: &str| {
        let mut wrong = String::new();
        for rows in [10, 1000] {
            for query in queries(rows) {
                let plan = plan_of(&world, &query);
                if !plan.contains(NODE) {
                    wrong += &format!("\n{known}, {rows} rows: no lookup join\n{query}\n{plan}\n");
                }
            }
        }
        for query in queries(100_000) {
            let plan = plan_of(&world, &query);
            if plan.contains(NODE) || !plan.contains("Hash") {
                wrong += &format!("\n{known}, 100,000 rows: not a hash join\n{query}\n{plan}\n");
            }
        }
        assert!(wrong.is_empty(), "{wrong}");
    };
    check("unknown size");
    world.requests();
    for (rows, requests) in [(10, 1), (1000, 10)] {
        assert_eq!(rows_and_requests(&world, &queries(rows)[0]), (rows, requests), "unknown size");
    }
    world.run("ANALYZE clerk.users");
    check("after ANALYZE");
    for (rows, requests) in [(10, 1), (1000, 10)] {
        assert_eq!(rows_and_requests(&world, &queries(rows)[0]), (rows, requests), "after ANALYZE");
    }
    let other = "SELECT r.n, u.email FROM own.rows_1000 r JOIN clerk.users u ON u.email = r.user_id";
    let plan = plan_of(&world, other);
    assert!(plan.contains(NODE), "{plan}");
}

/// A scan of the whole list in the same session is as good as ANALYZE.
#[test]
fn size_known_from_a_scan() {
    let world = crowd(20_000, "");
    let few = "SELECT k.n, u.email FROM own.known k JOIN clerk.users u USING (user_id) WHERE k.n <= 1000";
    let many = "SELECT k.n, u.email FROM own.known k JOIN clerk.users u USING (user_id)";
    assert!(world.one::<i64>("SELECT count(email) FROM clerk.users WHERE attrs IS NOT NULL") > 0);
    let plan = plan_of(&world, few);
    assert!(plan.contains(NODE), "10 requests, not 40\n{plan}");
    let plan = plan_of(&world, many);
    assert!(!plan.contains(NODE), "200 requests, not 40\n{plan}");
}

/// A small list is read as a whole where that takes fewer requests.
#[test]
fn small_list_is_read() {
    let world = crowd(300, "");
    world.run("ANALYZE clerk.users");
    let query = "SELECT k.n, u.email FROM own.known k JOIN clerk.users u USING (user_id)";
    assert_eq!(rows_and_requests(&world, query), (300, 1), "{}", plan_of(&world, query));
}

/// The setting switches lookup joins off, and on again, also for statements that are prepared.
#[test]
fn enable_lookup_join() {
    let world = crowd(5000, "");
    assert_eq!(world.one::<String>("SHOW clerk_fdw.enable_lookup_join"), "on");
    let query = "SELECT k.n, u.email FROM own.known k JOIN clerk.users u USING (user_id) WHERE k.n <= 50";
    world.run(&format!("SET plan_cache_mode = force_custom_plan; PREPARE q AS {query}"));
    let rows = sorted(world.column::<i32>(query));
    for (value, is_on) in [("off", false), ("on", true), ("false", false), ("DEFAULT", true)] {
        world.run(&format!("SET clerk_fdw.enable_lookup_join = {value}"));
        for settings in [
            "RESET enable_nestloop",
            "SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_nestloop = off",
        ] {
            world.run(settings);
            for query in [query, "EXECUTE q"] {
                let plan = plan_of(&world, query);
                // A plan that is kept stays as it was made.
                if query != "EXECUTE q" {
                    assert_eq!(plan.contains(NODE), is_on, "{value}: {plan}");
                }
                assert_eq!(sorted(world.column::<i32>(query)), rows, "{value}: {query}");
            }
        }
        world.run("RESET enable_hashjoin; RESET enable_mergejoin; RESET enable_nestloop");
    }
    let context = "SELECT context FROM pg_settings WHERE name = 'clerk_fdw.enable_lookup_join'";
    assert_eq!(world.one::<String>(context), "user");
    assert_eq!(world.error("SET clerk_fdw.enable_lookup_join = maybe").code().code(), "22023");
}

/// Tables that no list of values can be asked of, and tables of others, are joined as before.
#[test]
fn no_lookup_join() {
    let world = crowd(50, "");
    world.run(ONLY_LOOKUPS);
    world.run("CREATE TABLE own.users AS SELECT user_id, email, created_at, first_name FROM clerk.users");
    for query in [
        "SELECT k.n FROM own.known k JOIN own.users u USING (user_id)",
        "SELECT u.user_id FROM own.users l JOIN clerk.users u ON u.created_at = l.created_at",
        "SELECT u.user_id FROM own.users l JOIN clerk.users u ON u.first_name = l.first_name",
        "SELECT u.user_id FROM own.users l JOIN clerk.users u ON u.user_id > l.user_id",
        "SELECT u.user_id FROM own.users l FULL JOIN clerk.users u USING (user_id)",
        "SELECT u.user_id FROM clerk.users u LEFT JOIN own.users l USING (user_id)",
        "SELECT k.n FROM own.known k WHERE k.user_id NOT IN (SELECT u.user_id FROM clerk.users u)",
    ] {
        let plan = plan_of(&world, query);
        assert!(!plan.contains(NODE), "{query}\n{plan}");
        world.rows(query);
    }
}
