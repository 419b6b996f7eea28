//! A rollback does not reach Clerk, and says so.

use crate::support::*;

const NOTICE: &str = "NOTICE: what this transaction writes to Clerk stays there even if it is rolled back";
const ALL: &str = "WARNING: the transaction was rolled back, but what it wrote to Clerk stays there";
const PART: &str = "WARNING: a part of the transaction was rolled back, but what it wrote to Clerk stays there";

fn new_world() -> World {
    let world = writable(small());
    world.run("CREATE TABLE public.local (name text)");
    world
}

/// What the server says beside its answers to statements, of which one may fail.
fn said(session: &Session, statements: &str) -> Vec<String> {
    session.notices();
    let _ = session.client().batch_execute(statements);
    hear(session)
}

/// What it has said. What it says after an error arrives with the answer to the next statement.
fn hear(session: &Session) -> Vec<String> {
    session.run("");
    session.notices()
}

/// Once before the first write in a transaction block, however many there are; never without a block, nor where nothing is
/// written.
#[test]
fn notice() {
    let world = new_world();
    let insert = "INSERT INTO clerk.organizations (name) VALUES ('Acme')";
    assert!(said(&world, insert).is_empty());
    world.run("BEGIN");
    assert!(said(&world, "SELECT count(*) FROM clerk.organizations").is_empty());
    assert!(said(&world, "DELETE FROM clerk.organizations WHERE organization_id = 'org_nobody'").is_empty());
    assert_eq!(said(&world, insert), [NOTICE]);
    assert!(said(&world, insert).is_empty());
    assert!(said(&world, "SAVEPOINT one").is_empty());
    assert!(said(&world, insert).is_empty());
    assert!(said(&world, "RELEASE one").is_empty());
    assert!(said(&world, "COMMIT").is_empty(), "nothing is left to be said");
    world.run("BEGIN");
    assert_eq!(said(&world, insert), [NOTICE], "another transaction has its own");
    world.run("COMMIT");
    assert_eq!(named(&world, "Acme"), 5);
    // Several statements of one message are one transaction, which the second can end.
    assert_eq!(said(&world, &format!("{insert}; {insert}")), [NOTICE]);
}

/// What was inserted, updated and deleted is counted when all of it is rolled back.
#[test]
fn rollback() {
    let world = new_world();
    world.run("BEGIN");
    world.run("INSERT INTO clerk.organizations (name, slug) VALUES ('A', 'slug-a'), ('B', 'slug-b')");
    world.run("UPDATE clerk.organizations SET name = 'C' WHERE slug = 'slug-a'");
    world.run("DELETE FROM clerk.organizations WHERE slug = 'slug-b'");
    // Nothing changes, so that nothing is sent.
    world.run("UPDATE clerk.organizations SET name = 'C' WHERE slug = 'slug-a'");
    assert_eq!(
        said(&world, "ROLLBACK"),
        [format!(
            "{ALL} (rows deleted from organizations: 1, rows inserted into organizations: 2, rows of organizations \
             updated: 1)"
        )]
    );
    assert_eq!((named(&world, "C"), named(&world, "B")), (1, 0));
    // What was said once is not said again.
    assert!(said(&world, "BEGIN; INSERT INTO public.local VALUES ('x'); ROLLBACK").is_empty());
}

/// A savepoint's rollback tells of what was written since; what was released belongs to what is around it.
#[test]
fn savepoints() {
    let world = new_world();
    let insert = |name: &str| world.run(&format!("INSERT INTO clerk.organizations (name) VALUES ('{name}')"));
    world.run("BEGIN");
    insert("outer");
    world.run("SAVEPOINT one");
    insert("one");
    world.run("SAVEPOINT two");
    insert("two");
    world.run("RELEASE two; SAVEPOINT three");
    insert("three");
    world.notices();
    assert_eq!(said(&world, "ROLLBACK TO three"), [format!("{PART} (rows inserted into organizations: 1)")]);
    assert_eq!(said(&world, "ROLLBACK TO one"), [format!("{PART} (rows inserted into organizations: 2)")]);
    assert!(said(&world, "ROLLBACK TO one").is_empty());
    assert_eq!(said(&world, "ROLLBACK"), [format!("{ALL} (rows inserted into organizations: 1)")]);
    let made = ["outer", "one", "two", "three"].map(|name| named(&world, name));
    assert_eq!(made, [1; 4]);
    // A failed transaction's savepoint as well.
    world.run("BEGIN; SAVEPOINT one");
    insert("four");
    world.notices();
    assert_eq!(said(&world, "SELECT 1 / 0"), [format!("{PART} (rows inserted into organizations: 1)")]);
    assert!(said(&world, "ROLLBACK TO one").is_empty());
    assert!(said(&world, "COMMIT").is_empty());
}

/// Blocks of PL/pgSQL that catch an error roll back what was before it.
#[test]
fn exception_blocks() {
    let world = new_world();
    let block = |body: &str| format!("DO $$ BEGIN {body} EXCEPTION WHEN others THEN RAISE NOTICE 'caught'; END $$");
    let insert = "INSERT INTO clerk.organizations (name) VALUES ('Acme');";
    let caught = said(&world, &block(&format!("{insert} {insert} RAISE EXCEPTION 'no';")));
    assert_eq!(caught.len(), 3, "{caught:?}");
    assert_eq!(caught[1..], [format!("{PART} (rows inserted into organizations: 2)"), "NOTICE: caught".to_owned()]);
    let passed = said(&world, &block(insert));
    assert!(!passed.iter().any(|said| said.starts_with("WARNING")), "{passed:?}");
    assert_eq!(named(&world, "Acme"), 3);
}

/// A statement that fails after some of its rows: by itself it is a transaction, so that what it wrote stays and is told.
#[test]
fn failed_statement() {
    let world = new_world();
    // RETURNING has the rows written one by one.
    let statement = "INSERT INTO clerk.organizations (name)
        SELECT concat('row', 1 / (3 - number)) || number FROM generate_series(1, 4) number RETURNING name";
    let mut heard = said(&world, statement);
    assert_eq!(heard.pop(), Some(format!("{ALL} (rows inserted into organizations: 2)")));
    assert!(heard.is_empty(), "{heard:?}");
    assert_eq!((named(&world, "row01"), named(&world, "row12")), (1, 1));
    // Without it they are collected, and none is sent.
    world.requests();
    let error = world.error(&statement.replace("RETURNING name", ""));
    assert_eq!(error.code().code(), "22012");
    assert_eq!(count_writes(&world), 0);
    assert!(hear(&world).is_empty());
    // An update row by row.
    world.run("INSERT INTO clerk.organizations (name, slug) VALUES ('u', 'u-1'), ('u', 'u-2')");
    world.run("CREATE SEQUENCE public.number");
    let update =
        "UPDATE clerk.organizations SET name = concat('v', 1 / (2 - nextval('public.number'))) WHERE name = 'u'";
    let heard = said(&world, update);
    assert_eq!(heard, [format!("{ALL} (rows of organizations updated: 1)")]);
}

/// What Clerk refuses is told with how many rows it has taken, and which one it refused.
#[test]
fn refused_row() {
    let world = new_world();
    world.run("INSERT INTO clerk.organizations (name, slug) VALUES ('first', 'taken')");
    world.run("ALTER SERVER clerk OPTIONS (ADD max_concurrency '1')");
    let session = world.connect();
    let error = session.error(
        "INSERT INTO clerk.organizations (name, slug)
         VALUES ('a', 'free-1'), ('b', 'free-2'), ('c', 'taken'), ('d', 'free-3')",
    );
    assert_eq!(error.code().code(), "HV000", "{error:?}");
    assert!(error.message().contains("That slug is taken"), "{error:?}");
    assert_eq!(
        error.detail(),
        Some("2 rows of this statement had reached Clerk and stay there (rows 1 to 2); row 3 was next.")
    );
    assert_eq!(hear(&session), [format!("{ALL} (rows inserted into organizations: 2)")]);
    assert_eq!(["a", "b", "c", "d"].map(|name| named(&world, name)), [1, 1, 0, 0]);
    // What is wrong in itself is not sent, nor are the rows before it.
    world.requests();
    let error = session.error("INSERT INTO clerk.organizations (name, slug) VALUES ('e', 'free-4'), (NULL, 'free-5')");
    assert_eq!(error.code().code(), "23502", "{error:?}");
    assert_eq!(error.message(), "organizations need a value for name");
    assert_eq!(error.detail(), Some("No row of this statement had reached Clerk; row 2 was next."));
    assert_eq!(lines(&world), [""; 0]);
}

/// Of a row that several requests change, those that are done are told.
#[test]
fn half_an_update() {
    let world = new_world();
    let user = world.sim.users()[0].id.clone();
    world.sim.fault(clerk_sim::Fault::status(403).on_method("POST").under("/v1/users/"));
    let error = world.error(&format!(
        "UPDATE clerk.users SET first_name = 'Half', public_metadata = '{{\"half\": true}}', banned = true
          WHERE user_id = '{user}'"
    ));
    let detail = error.detail().unwrap_or_default();
    assert!(detail.starts_with("No row of this statement had reached Clerk; row 1 was next."), "{detail}");
    let done = format!("PATCH /users/{user}, PATCH /users/{user}/metadata");
    assert!(detail.contains(&done), "{detail}");
    let told = hear(&world);
    assert!(told.iter().any(|told| told.starts_with(ALL)), "what stays at Clerk is told: {told:?}");
}

/// After a commit, chained or not, nothing is told.
#[test]
fn commit() {
    let world = new_world();
    for end in ["COMMIT", "COMMIT AND CHAIN", "COMMIT"] {
        if end != "COMMIT AND CHAIN" {
            let _ = world.client().batch_execute("BEGIN");
        }
        world.run("INSERT INTO clerk.organizations (name) VALUES ('Acme')");
        world.notices();
        assert!(said(&world, end).is_empty(), "{end}");
    }
    assert!(said(&world, "ROLLBACK").iter().all(|told| !told.contains("Clerk")));
}
