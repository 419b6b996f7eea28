//! Cursors over lookup joins: read in parts, held, scrolled, several on one plan.

use super::*;

const QUERY: &str = "SELECT o.id, u.email FROM own.orders o LEFT JOIN clerk.users u USING (user_id) ORDER BY o.id";

fn copied(oracle: &Oracle) -> Vec<Vec<Option<String>>> {
    oracle.texts(&QUERY.replace(" clerk.", " copy.")).unwrap()
}

/// A cursor gives all rows, in whatever parts they are fetched.
#[test]
fn partial_fetches() {
    let oracle = orders();
    let all = copied(&oracle);
    assert_eq!(all.len(), 250);
    for step in [1, 7, 100, 249, 251] {
        oracle.run(&format!("BEGIN; DECLARE c CURSOR FOR {QUERY}"));
        let mut found = Vec::new();
        while found.len() < all.len() {
            let rows = oracle.texts(&format!("FETCH {step} FROM c")).unwrap();
            assert!(!rows.is_empty(), "{} of 250 rows, by {step}", found.len());
            found.extend(rows);
        }
        assert!(oracle.texts("FETCH 5 FROM c").unwrap().is_empty());
        oracle.run("COMMIT");
        assert_eq!(found, all, "by {step}");
    }
}

/// A cursor WITH HOLD outlives its transaction, and one with SCROLL goes backwards and starts again.
#[test]
fn with_hold_and_scroll() {
    let oracle = orders();
    let all = copied(&oracle);
    oracle.run(&format!("BEGIN; DECLARE held CURSOR WITH HOLD FOR {QUERY}"));
    let mut found = oracle.texts("FETCH 25 FROM held").unwrap();
    oracle.run("COMMIT");
    found.extend(oracle.texts("FETCH ALL FROM held").unwrap());
    assert_eq!(found, all);
    oracle.run("CLOSE held");

    oracle.run(&format!("BEGIN; DECLARE back SCROLL CURSOR FOR {QUERY}"));
    assert_eq!(oracle.texts("FETCH 120 FROM back").unwrap(), all[..120]);
    let again = oracle.texts("FETCH BACKWARD 60 FROM back").unwrap();
    assert!(again.iter().eq(all[59..119].iter().rev()));
    assert_eq!(oracle.texts("FETCH ABSOLUTE 200 FROM back").unwrap(), all[199..200]);
    assert_eq!(oracle.texts("FETCH FIRST FROM back").unwrap(), all[..1]);
    oracle.run("MOVE ABSOLUTE 0 IN back");
    assert_eq!(oracle.texts("FETCH ALL FROM back").unwrap(), all);
    oracle.run("COMMIT");
}

/// Two cursors on one cached plan, read in turns, each give their own rows.
#[test]
fn two_on_one_plan() {
    let oracle = orders();
    oracle.run(
        "SET plan_cache_mode = force_generic_plan;
         CREATE FUNCTION own.of(wanted int) RETURNS refcursor LANGUAGE plpgsql AS $$
         DECLARE found refcursor;
         BEGIN
           OPEN found FOR SELECT o.id, u.email FROM own.orders o JOIN clerk.users u USING (user_id) WHERE o.amount = wanted ORDER BY o.id;
           RETURN found;
         END $$",
    );
    oracle.run("BEGIN");
    let cursors = [1, 2].map(|amount| oracle.one::<String>(&format!("SELECT own.of({amount})::text")));
    let mut found = [Vec::new(), Vec::new()];
    for turn in 0..60 {
        let of = turn % 2;
        found[of].extend(oracle.texts(&format!("FETCH {} FROM \"{}\"", 1 + turn % 5, cursors[of])).unwrap());
    }
    oracle.run("COMMIT");
    for (amount, found) in [1, 2].into_iter().zip(found) {
        let expected = format!(
            "SELECT o.id, u.email FROM own.orders o JOIN copy.users u USING (user_id) WHERE o.amount = {amount} ORDER BY o.id"
        );
        assert_eq!(found, oracle.texts(&expected).unwrap());
    }

    // The same with portals of the protocol, on one statement.
    let mut client = oracle.client();
    let mut transaction = client.transaction().unwrap();
    let statement = transaction
        .prepare("SELECT o.id FROM own.orders o JOIN clerk.users u USING (user_id) WHERE o.amount = $1 ORDER BY o.id")
        .unwrap();
    let portals = [3, 4].map(|amount: i32| transaction.bind(&statement, &[&amount]).unwrap());
    let mut found = [Vec::new(), Vec::new()];
    for turn in 0..60 {
        let rows = transaction.query_portal(&portals[turn % 2], 3).unwrap();
        found[turn % 2].extend(rows.iter().map(|row| row.get::<_, i32>(0)));
    }
    for (amount, found) in [3, 4].into_iter().zip(found) {
        let expected = format!(
            "SELECT o.id FROM own.orders o JOIN copy.users u USING (user_id) WHERE o.amount = {amount} ORDER BY o.id"
        );
        let expected: Vec<i32> = transaction.query(&expected, &[]).unwrap().iter().map(|row| row.get(0)).collect();
        assert_eq!(found, expected, "{amount}");
    }
}

/// Joins that are read in turns, none of them to its end before another, do not wait for each other.
#[test]
fn interleaved() {
    let oracle = orders();
    oracle.run("ALTER SERVER clerk OPTIONS (ADD max_concurrency '2')");
    oracle.run("BEGIN");
    for cursor in 0..6 {
        let by = ["user_id", "email", "external_id"][cursor % 3];
        oracle.run(&format!("DECLARE c{cursor} CURSOR FOR SELECT o.id, u.user_id FROM own.orders o LEFT JOIN clerk.users u USING ({by}) ORDER BY o.id"));
    }
    oracle.run("DECLARE list CURSOR FOR SELECT * FROM clerk.users");
    let mut rows = [0; 6];
    for turn in 0..120 {
        rows[turn % 6] += oracle.rows(&format!("FETCH {} FROM c{}", 1 + turn % 17, turn % 6)).len();
        oracle.rows("FETCH 1 FROM list");
    }
    oracle.run("ROLLBACK");
    assert!(rows.iter().all(|rows| *rows > 100), "{rows:?}");
}
