//! Rows of the outer side that another session changes while the statement waits for them.

use postgres::SimpleQueryMessage;

use super::*;

/// What a statement gives, and the orders as they are then.
type Outcome = (Result<Vec<String>, String>, Vec<String>);

/// Two sessions, one of which changes what the other one waits for.
struct Two {
    changing: Session,
    waiting: Session,
}

impl Two {
    fn new(oracle: &Oracle) -> Two {
        let (changing, waiting) = (oracle.connect(), oracle.connect());
        waiting.run(ONLY_LOOKUPS);
        Two { changing, waiting }
    }

    /// Runs the statement while the other session holds the change, which it commits when the statement waits.
    fn run(self, oracle: &Oracle, change: &str, statement: &str) -> (Two, Outcome) {
        let Two { changing, waiting } = self;
        let waits =
            format!("SELECT wait_event_type = 'Lock' IS TRUE FROM pg_stat_activity WHERE pid = {}", waiting.pid());
        changing.run(&format!("BEGIN; {change}"));
        let (waiting, rows) = std::thread::scope(|scope| {
            let running = scope.spawn(move || {
                let answer = waiting.client().simple_query(statement);
                let rows = answer.map_err(|error| format!("{error:?}")).map(|messages| {
                    let rows = messages.into_iter().filter_map(|message| match message {
                        SimpleQueryMessage::Row(row) => {
                            Some((0..row.len()).map(|n| row.get(n).unwrap_or("NULL")).collect::<Vec<_>>().join(", "))
                        }
                        _ => None,
                    });
                    sorted(rows.collect())
                });
                (waiting, rows)
            });
            wait_until("the statement waits for a row", || oracle.one::<bool>(&waits) || running.is_finished());
            changing.run("COMMIT");
            running.join().unwrap()
        });
        let orders = oracle.column::<String>("SELECT o::text FROM own.orders o ORDER BY id");
        (Two { changing, waiting }, (rows, orders))
    }
}

/// FOR UPDATE, UPDATE and DELETE look at a changed outer row once more, as they do where both tables are local.
#[test]
fn changed_outer_row() {
    let oracle = orders();
    oracle.run("DELETE FROM own.orders WHERE id > 60; CREATE TABLE own.before AS SELECT * FROM own.orders");
    let mut two = Two::new(&oracle);
    let statements = [
        "SELECT o.id, o.note, u.email FROM own.orders o JOIN clerk.users u USING (user_id) WHERE o.amount = 3 AND o.id < 60 FOR UPDATE OF o",
        "SELECT o.id, o.note, u::text FROM own.orders o LEFT JOIN clerk.users u USING (user_id) WHERE o.amount = 3 AND o.id < 60 FOR UPDATE OF o",
        "SELECT o.id, o.note FROM own.orders o WHERE o.amount = 3 AND o.id < 60 AND EXISTS (SELECT FROM clerk.users u WHERE u.user_id = o.user_id) FOR SHARE",
        "SELECT o.id, o.note FROM own.orders o WHERE o.amount = 3 AND NOT EXISTS (SELECT FROM clerk.users u WHERE u.user_id = o.user_id) FOR UPDATE",
        "SELECT o.id, u.user_id FROM own.orders o JOIN clerk.users u ON u.user_id = o.user_id AND length(u.email) > length(o.note) WHERE o.id < 60 FOR NO KEY UPDATE OF o",
        "SELECT o.id, m.role FROM own.orders o JOIN clerk.organization_memberships m USING (organization_id) WHERE o.id BETWEEN 9 AND 13 FOR UPDATE OF o",
        "SELECT o.id, u.email, g.name FROM own.orders o JOIN clerk.users u USING (user_id) LEFT JOIN clerk.organizations g USING (organization_id) WHERE o.id < 30 FOR UPDATE OF o",
        "SELECT o.id, u.email FROM own.orders o JOIN clerk.users u USING (user_id) WHERE o.amount = 3 ORDER BY o.id LIMIT 4 FOR UPDATE OF o",
        "UPDATE own.orders o SET note = o.note || u.email FROM clerk.users u WHERE u.user_id = o.user_id AND o.amount = 3 RETURNING o.id, o.note",
        "UPDATE own.orders o SET flag = NOT flag WHERE o.amount = 3 AND EXISTS (SELECT FROM clerk.users u WHERE u.user_id = o.user_id) RETURNING o.id",
        "DELETE FROM own.orders o USING clerk.users u WHERE u.user_id = o.user_id AND o.amount = 3 RETURNING o.id, u.email",
    ];
    // Orders 10, 11 and 12 are Ada's, with the amount 3.
    let changes = [
        "UPDATE own.orders SET note = 'changed' WHERE id = 11",
        "UPDATE own.orders SET user_id = 'user_bob' WHERE id = 11",
        "UPDATE own.orders SET user_id = NULL WHERE id = 11",
        "UPDATE own.orders SET amount = 99 WHERE id = 11",
        "UPDATE own.orders SET note = 'two changed' WHERE id IN (10, 12)",
        "DELETE FROM own.orders WHERE id = 11",
    ];
    let mut wrong = String::new();
    for statement in statements {
        for change in changes {
            let mut outcomes = Vec::new();
            for statement in [statement, &statement.replace(" clerk.", " copy.")] {
                oracle.run("DELETE FROM own.orders; INSERT INTO own.orders SELECT * FROM own.before ORDER BY id");
                let (again, outcome) = two.run(&oracle, change, statement);
                two = again;
                outcomes.push(outcome);
            }
            let (found, expected) = (&outcomes[0], &outcomes[1]);
            if found != expected || found.0.is_err() {
                let odd = |of: &[String], other: &[String]| {
                    of.iter().filter(|row| !other.contains(row)).take(3).cloned().collect::<Vec<_>>()
                };
                let rows = match (&found.0, &expected.0) {
                    (Ok(found), Ok(expected)) => {
                        format!("too many {:?}, missing {:?}", odd(found, expected), odd(expected, found))
                    }
                    (found, _) => format!("{:?}", found.as_ref().err()),
                };
                wrong += &format!("\n{change}; {statement}\n   {rows}; orders {:?}\n", odd(&found.1, &expected.1));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// SKIP LOCKED and NOWAIT do what they do elsewhere.
#[test]
fn skip_locked_and_nowait() {
    let oracle = orders();
    let other = oracle.connect();
    other.run("BEGIN; UPDATE own.orders SET note = 'held' WHERE id IN (10, 12)");
    let query = "SELECT o.id, u.email FROM own.orders o JOIN clerk.users u USING (user_id) WHERE o.id IN (10, 11, 12) FOR UPDATE OF o";
    assert_eq!(
        oracle.texts(&format!("{query} SKIP LOCKED")).unwrap(),
        [[Some("11".to_owned()), Some("ada@example.com".to_owned())]]
    );
    assert_eq!(oracle.error(&format!("{query} NOWAIT")).code().code(), "55P03");
    other.run("ROLLBACK");
    assert_eq!(oracle.rows(query).len(), 3);
}
