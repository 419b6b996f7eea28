//! How many requests joins make.

use std::time::Duration;

use super::*;

/// A world of 10,000 users, which are twenty pages, and local rows about some of them: `own.hundred` with a user each,
/// `own.visits` with 300 users for 10,000 rows, `own.known` with a row for each user.
fn visited() -> World {
    let world = crowd(10_000, "");
    world.run(
        "CREATE TABLE own.hundred AS SELECT * FROM own.known WHERE n % 100 = 1;
         CREATE TABLE own.visits AS SELECT v AS id, k.user_id FROM generate_series(1, 10000) v JOIN own.known k ON k.n = v % 300 * 30 + 1 ORDER BY v;
         CREATE TABLE own.sorted_visits AS SELECT * FROM own.visits ORDER BY user_id;
         ANALYZE; ANALYZE clerk.users",
    );
    world
}

/// A hundred rows are one request.
#[test]
fn hundred_rows_are_one_request() {
    let world = visited();
    for (query, rows) in [
        ("SELECT h.n, u.email FROM own.hundred h JOIN clerk.users u USING (user_id)", 100),
        ("SELECT h.n, u.email FROM own.hundred h LEFT JOIN clerk.users u USING (user_id)", 100),
        ("SELECT h.n FROM own.hundred h WHERE EXISTS (SELECT FROM clerk.users u WHERE u.user_id = h.user_id)", 100),
        ("SELECT h.n FROM own.hundred h WHERE h.user_id IN (SELECT u.user_id FROM clerk.users u)", 100),
        ("SELECT h.n FROM own.hundred h WHERE NOT EXISTS (SELECT FROM clerk.users u WHERE u.user_id = h.user_id)", 0),
        ("SELECT u.user_id FROM clerk.users u WHERE u.user_id IN (SELECT h.user_id FROM own.hundred h)", 100),
        ("SELECT h.n FROM own.hundred h JOIN clerk.users u ON u.user_id = lower(h.user_id)", 0),
        ("SELECT h.n FROM own.hundred h JOIN clerk.users u ON u.user_id = h.user_id OR u.user_id = h.user_id", 100),
        (
            "SELECT h.n, u.email FROM own.hundred h JOIN clerk.users u USING (user_id) WHERE length(u.user_id) > 0 ORDER BY u.email",
            100,
        ),
    ] {
        let (found, requests) = rows_and_requests(&world, query);
        if !query.contains("lower") {
            assert_eq!(found, rows, "{query}");
        }
        assert_eq!(requests, 1, "{query}\n{}", plan_of(&world, query));
    }
    let emails = "CREATE TABLE own.addresses AS SELECT h.n, u.email FROM own.hundred h JOIN clerk.users u USING (user_id) WHERE u.email IS NOT NULL; ANALYZE own.addresses";
    world.run(emails);
    let query = "SELECT a.n, u.user_id FROM own.addresses a JOIN clerk.users u ON u.email = a.email";
    let (_, requests) = rows_and_requests(&world, query);
    assert_eq!(requests, 1, "{query}");
}

/// Ten thousand rows with 300 users are three requests, however the rows lie.
#[test]
fn distinct_keys_count() {
    let world = visited();
    for visits in ["visits", "sorted_visits"] {
        for query in [
            format!("SELECT v.id, u.email FROM own.{visits} v JOIN clerk.users u USING (user_id)"),
            format!("SELECT v.id, u.email FROM own.{visits} v LEFT JOIN clerk.users u USING (user_id)"),
            format!(
                "SELECT v.id FROM own.{visits} v WHERE EXISTS (SELECT FROM clerk.users u WHERE u.user_id = v.user_id)"
            ),
            format!("SELECT v.id FROM own.{visits} v WHERE v.user_id IN (SELECT u.user_id FROM clerk.users u)"),
            format!("SELECT count(*) FROM own.{visits} v JOIN clerk.users u USING (user_id)"),
        ] {
            world.assert_quiet(&query);
            let rows = world.rows(&query).len();
            assert!(rows == 10_000 || query.contains("count"), "{rows} rows of {query}");
            let requests = asked(&world);
            let keys: Vec<_> = requests.iter().map(ids_in).collect();
            assert_eq!(keys, [100, 100, 100], "{query}\n{}", plan_of(&world, &query));
        }
        let absent = format!(
            "SELECT v.id FROM own.{visits} v WHERE NOT EXISTS (SELECT FROM clerk.users u WHERE u.user_id = v.user_id)"
        );
        assert_eq!(rows_and_requests(&world, &absent), (0, 3));
        let unique =
            format!("SELECT u.user_id FROM clerk.users u WHERE u.user_id IN (SELECT v.user_id FROM own.{visits} v)");
        assert_eq!(rows_and_requests(&world, &unique), (300, 3));
    }
}

/// Where few rows are wanted, no more is asked for than a request's worth.
#[test]
fn limit_is_one_request() {
    let world = visited();
    for settings in ["RESET ALL", ONLY_LOOKUPS] {
        world.run(settings);
        for query in [
            "SELECT k.n, u.email FROM own.known k JOIN clerk.users u USING (user_id) LIMIT 10",
            "SELECT k.n, u.email FROM own.known k LEFT JOIN clerk.users u USING (user_id) LIMIT 10",
            "SELECT v.id, u.email FROM own.visits v JOIN clerk.users u USING (user_id) LIMIT 10",
            "SELECT k.n FROM own.known k WHERE EXISTS (SELECT FROM clerk.users u WHERE u.user_id = k.user_id) LIMIT 10",
            "SELECT k.n, u.email FROM own.known k JOIN clerk.users u USING (user_id) ORDER BY k.n LIMIT 10",
        ] {
            let (rows, requests) = rows_and_requests(&world, query);
            assert_eq!((rows, requests), (10, 1), "{settings}\n{query}\n{}", plan_of(&world, query));
        }
        let exists = "SELECT EXISTS (SELECT FROM own.known k JOIN clerk.users u USING (user_id))";
        assert_eq!(rows_and_requests(&world, exists).1, 1, "{settings}\n{}", plan_of(&world, exists));
        world.assert_quiet("before the cursor");
        world
            .run("BEGIN; DECLARE c CURSOR FOR SELECT k.n, u.email FROM own.known k JOIN clerk.users u USING (user_id)");
        assert_eq!(world.rows("FETCH 10 FROM c").len(), 10);
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(asked(&world).len(), 1, "{settings}: a cursor that reads ten rows");
        world.run("ROLLBACK");
    }
}

/// A LIMIT whose first batch is not enough reads on until it is met.
#[test]
fn limit_beyond_the_first_batch() {
    let world = visited();
    world.run(ONLY_LOOKUPS);
    world.run("CREATE TABLE own.late AS SELECT g AS n, CASE WHEN g <= 950 THEN 'user_nobody' || g ELSE k.user_id END AS user_id FROM generate_series(1, 3000) g JOIN own.known k ON k.n = g ORDER BY g; ANALYZE own.late");
    let query = "SELECT l.n, u.email FROM own.late l JOIN clerk.users u USING (user_id) LIMIT 120";
    let (rows, requests) = rows_and_requests(&world, query);
    assert_eq!(rows, 120);
    assert!((11..30).contains(&requests), "{requests} requests for what the first 1,070 of 3,000 rows give");
    let query = "SELECT l.n FROM own.late l LEFT JOIN clerk.users u USING (user_id) LIMIT 1000";
    let (rows, requests) = rows_and_requests(&world, query);
    assert_eq!(rows, 1000);
    assert!((10..30).contains(&requests), "{requests} requests for 1,000 of 3,000 rows");
}

/// Without a LIMIT several requests are in flight from the start, and never more than max_concurrency.
#[test]
fn side_by_side() {
    let world = crowd(5000, "max_concurrency '5'");
    world.run(ONLY_LOOKUPS);
    world.sim.set_latency(Duration::from_millis(150));
    let join = "FROM own.known k JOIN clerk.users u USING (user_id) WHERE k.n <= 2000";
    world.rows("SELECT 1");
    for (query, rows) in [
        (format!("SELECT k.n, u.email {join}"), 2000),
        // All rows are needed for the first of those that a LIMIT takes.
        (format!("SELECT k.n, u.email {join} ORDER BY u.email LIMIT 5"), 5),
        (format!("SELECT max(u.email) {join} LIMIT 1"), 1),
    ] {
        world.assert_quiet(&query);
        assert_eq!(world.rows(&query).len(), rows);
        let requests = asked(&world);
        assert_eq!(requests.len(), 20, "{query}");
        assert_eq!(requests.iter().map(|request| request.in_flight).max(), Some(5), "{query}: {requests:?}");
        // Nothing was answered yet when the second one was sent.
        let first: Vec<_> = requests.iter().take(3).map(|request| request.at).collect();
        assert!(first[2] - first[0] < Duration::from_millis(150), "{query}: the first three came at {first:?}");
    }
}

/// Rows that the join's own conditions leave without a match are not asked for.
#[test]
fn rows_without_a_match() {
    let world = visited();
    world.run(ONLY_LOOKUPS);
    for (condition, keys) in [("v.id <= 40", 40), ("v.id < 0", 0), ("current_setting('a.b', true) = 'c'", 0)] {
        let query = format!(
            "SELECT v.id, u.email FROM own.visits v LEFT JOIN clerk.users u ON u.user_id = v.user_id AND {condition}"
        );
        world.assert_quiet(&query);
        assert_eq!(world.rows(&query).len(), 10_000);
        let requests = asked(&world);
        assert_eq!(requests.iter().map(ids_in).sum::<usize>(), keys, "{query}: {requests:?}");
    }
}

/// Keys that are too long for a request read the whole list, once for all of them.
#[test]
fn too_long_keys() {
    let world = crowd(2000, "");
    world.run(ONLY_LOOKUPS);
    world.run(
        "CREATE TABLE own.long AS SELECT repeat(chr(96 + g), 7000) AS email FROM generate_series(1, 20) g;
         INSERT INTO own.long SELECT email FROM clerk.users WHERE email IS NOT NULL LIMIT 3; ANALYZE own.long",
    );
    let query = "SELECT u.user_id FROM own.long l JOIN clerk.users u ON u.email = l.email";
    let (rows, requests) = rows_and_requests(&world, query);
    assert_eq!(rows, 3);
    assert!(requests <= 8, "{requests} requests");
}

/// What was asked for once is remembered for the whole scan, found or not; so are lists below an owner.
#[test]
fn remembered() {
    let world = crowd(3000, "");
    world.run(ONLY_LOOKUPS);
    world.run(
        "CREATE TABLE own.again AS SELECT g AS n, CASE g % 4 WHEN 0 THEN NULL WHEN 1 THEN 'user_nobody' ELSE k.user_id END AS user_id
           FROM generate_series(1, 3000) g JOIN own.known k ON k.n = g % 10 + 1 ORDER BY g;
         ANALYZE own.again",
    );
    for query in [
        "SELECT a.n, u.email FROM own.again a LEFT JOIN clerk.users u USING (user_id)",
        "SELECT a.n FROM own.again a WHERE NOT EXISTS (SELECT FROM clerk.users u WHERE u.user_id = a.user_id)",
    ] {
        world.assert_quiet(query);
        world.rows(query);
        let requests = asked(&world);
        assert_eq!(requests.iter().map(ids_in).sum::<usize>(), 11, "{query}: {requests:?}");
        assert_eq!(requests.len(), 1, "{query}");
    }
    world.run("CREATE TABLE own.empty AS SELECT NULL::text AS user_id FROM generate_series(1, 100); ANALYZE own.empty");
    for query in [
        "SELECT u.email FROM own.empty e LEFT JOIN clerk.users u USING (user_id)",
        "SELECT u.email FROM own.empty e JOIN clerk.users u USING (user_id)",
        "SELECT e.* FROM own.empty e WHERE NOT EXISTS (SELECT FROM clerk.users u WHERE u.user_id = e.user_id)",
        "SELECT u.email FROM own.known k JOIN clerk.users u USING (user_id) WHERE k.n < 0",
    ] {
        assert_eq!(rows_and_requests(&world, query).1, 0, "no key, no request: {query}");
    }
}

/// Several of Clerk's tables in one query are each asked in hundreds.
#[test]
fn several_tables() {
    let world = visited();
    world.run("CREATE TABLE own.both AS SELECT h.n, h.user_id, o.organization_id FROM own.hundred h JOIN (SELECT row_number() OVER () AS n, organization_id FROM clerk.organizations) o ON o.n = h.n % 40 + 1; ANALYZE own.both; ANALYZE clerk.organizations");
    let query = "SELECT b.n, u.email, g.name FROM own.both b LEFT JOIN clerk.users u USING (user_id) LEFT JOIN clerk.organizations g USING (organization_id)";
    assert_eq!(rows_and_requests(&world, query), (100, 2), "{}", plan_of(&world, query));
    let query = "SELECT b.n, u.email, w.email FROM own.both b JOIN clerk.users u USING (user_id) JOIN own.hundred h ON h.n = b.n JOIN clerk.users w ON w.user_id = h.user_id";
    assert!(rows_and_requests(&world, query).1 <= 2, "{}", plan_of(&world, query));
}
