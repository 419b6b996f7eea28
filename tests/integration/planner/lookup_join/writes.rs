//! Statements that write what a join gives, locally and to Clerk.

use super::*;

/// UPDATE, DELETE, MERGE and INSERT of local rows do to them what they do when they are joined with local users.
#[test]
fn local_rows() {
    let oracle = orders();
    oracle.run("CREATE TABLE own.kept (id int PRIMARY KEY, email text)");
    let state = "SELECT o.*, k.email AS kept FROM own.orders o FULL JOIN own.kept k USING (id)";
    let mut wrong = String::new();
    for statement in [
        "UPDATE own.orders o SET note = u.email FROM clerk.users u WHERE u.user_id = o.user_id",
        "UPDATE own.orders o SET note = u.email, amount = p.amount FROM own.orders p JOIN clerk.users u USING (user_id) WHERE p.id = o.id + 1",
        "UPDATE own.orders o SET note = 'known' WHERE EXISTS (SELECT FROM clerk.users u WHERE u.email = o.email)",
        "UPDATE own.orders o SET note = 'unknown' WHERE NOT EXISTS (SELECT FROM clerk.users u WHERE u.user_id = o.user_id)",
        "UPDATE own.orders o SET note = (SELECT u.email FROM clerk.users u WHERE u.user_id = o.user_id)",
        "DELETE FROM own.orders o USING clerk.users u WHERE u.user_id = o.user_id AND length(u.email) > 18",
        "DELETE FROM own.orders o WHERE o.user_id IN (SELECT u.user_id FROM clerk.users u WHERE u.banned)",
        "DELETE FROM own.orders o WHERE NOT EXISTS (SELECT FROM clerk.users u WHERE u.user_id = o.user_id)",
        "INSERT INTO own.kept SELECT o.id, u.email FROM own.orders o LEFT JOIN clerk.users u USING (user_id)",
        "INSERT INTO own.kept SELECT DISTINCT ON (u.user_id) o.id, u.email FROM own.orders o JOIN clerk.users u USING (user_id) ORDER BY u.user_id, o.id ON CONFLICT DO NOTHING",
        "MERGE INTO own.orders o USING clerk.users u ON u.user_id = o.user_id WHEN MATCHED AND o.flag THEN DELETE WHEN MATCHED THEN UPDATE SET note = u.email",
        "WITH gone AS (DELETE FROM own.orders o USING clerk.users u WHERE u.user_id = o.user_id RETURNING o.id, u.email) INSERT INTO own.kept SELECT * FROM gone",
    ] {
        let run = |statement: &str| {
            oracle.run("BEGIN");
            let written = oracle.client().batch_execute(statement).map_err(|error| format!("{error:?}"));
            let rows = written.and_then(|()| oracle.texts(state).map(sorted));
            oracle.run("ROLLBACK");
            rows
        };
        let (found, expected) = (run(statement), run(&statement.replace(" clerk.", " copy.")));
        if found != expected || found.is_err() {
            let changed = found.iter().flatten().filter(|row| !expected.iter().flatten().any(|other| other == *row));
            wrong += &format!("\n{statement}\n{:?}\n{:?}\n", found.as_ref().err(), changed.take(3).collect::<Vec<_>>());
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    for query in [
        "UPDATE own.orders o SET note = u.email FROM clerk.users u WHERE u.user_id = o.user_id RETURNING o.id, o.note, u.first_name, u::text",
        "DELETE FROM own.orders o USING clerk.users u WHERE u.user_id = o.user_id RETURNING o.*, u.email",
    ] {
        let plan = plan_of(&oracle, query);
        assert!(plan.contains(NODE), "{query}\n{plan}");
        let run = |query: &str| oracle.texts(&format!("BEGIN; {query}; ROLLBACK")).map(sorted);
        assert_eq!(run(query), run(&query.replace(" clerk.", " copy.")), "{query}");
    }
}

/// Rows of Clerk's are found by a join with local rows when they are written, and only those are.
#[test]
fn clerk_rows() {
    let world = writable(Config { users: 40, lone_surrogates: false, ..small() });
    world.run(ONLY_LOOKUPS);
    world.run("CREATE SCHEMA own; CREATE TABLE own.names AS SELECT user_id, 'Name ' || row_number() OVER () AS name FROM clerk.users ORDER BY user_id LIMIT 12");
    world.run("INSERT INTO own.names VALUES (NULL, 'x'), ('user_nobody', 'y'); ANALYZE own.names");
    lines(&world);
    world.run("UPDATE clerk.users u SET first_name = n.name FROM own.names n WHERE u.user_id = n.user_id");
    assert_eq!(count_writes(&world), 12);
    let right =
        "SELECT count(*) FROM clerk.users u JOIN own.names n ON n.user_id = u.user_id AND n.name = u.first_name";
    assert_eq!(world.one::<i64>(right), 12);
    let others = "SELECT count(*) FROM clerk.users WHERE first_name LIKE 'Name %'";
    assert_eq!(world.one::<i64>(others), 12);
    lines(&world);
    world.run("DELETE FROM clerk.users u USING own.names n WHERE u.user_id = n.user_id AND n.name <> 'Name 3'");
    assert_eq!(count_writes(&world), 11);
    assert_eq!(world.sim.users().len(), 29);
    assert_eq!(world.one::<i64>("SELECT count(*) FROM own.names n JOIN clerk.users u USING (user_id)"), 1);
    world.run("DELETE FROM clerk.users u WHERE u.user_id IN (SELECT n.user_id FROM own.names n)");
    assert_eq!(world.sim.users().len(), 28);
}

/// A row that a trigger changes before it is written is not the next one's.
#[test]
fn changed_by_a_trigger() {
    let oracle = orders();
    oracle.run(
        "CREATE TABLE own.parted (id int, organization_id text, role text) PARTITION BY RANGE (id);
         CREATE TABLE own.part PARTITION OF own.parted DEFAULT;
         CREATE FUNCTION own.change() RETURNS trigger LANGUAGE plpgsql AS
           $$BEGIN NEW.id := NEW.id + 1000; NEW.organization_id := NEW.organization_id || '!'; RETURN NEW; END$$;
         CREATE TRIGGER change BEFORE INSERT ON own.parted FOR EACH ROW EXECUTE FUNCTION own.change()",
    );
    let insert = "INSERT INTO own.parted SELECT o.id, o.organization_id, m.role
                    FROM own.orders o JOIN clerk.organization_memberships m ON m.organization_id = o.organization_id";
    assert!(plan_of(&oracle, insert).contains(NODE));
    let written = |statement: &str| {
        oracle.run(&format!("TRUNCATE own.parted; {statement}"));
        sorted(oracle.texts("SELECT * FROM own.parted").expect("rows"))
    };
    let found = written(insert);
    assert!(found.len() > 200 && found == written(&insert.replace(" clerk.", " copy.")));
}

/// A statement that writes to Clerk joins all rows first, also where lists of them go to disk.
#[test]
fn lists_on_disk() {
    let config = Config { users: 400, organizations: 3, memberships: 900, lone_surrogates: false, ..small() };
    let world = writable(config);
    world.run(ONLY_LOOKUPS);
    world.run(
        "SET work_mem = '64kB'; CREATE SCHEMA own;
         CREATE TABLE own.known AS SELECT g, organization_id FROM clerk.organizations, generate_series(1, 3) g; ANALYZE own.known",
    );
    let join = "SELECT count(*), sum(length(m::text)) FROM own.known k JOIN clerk.organization_memberships m USING (organization_id)";
    let query = format!(
        "WITH written AS (INSERT INTO clerk.organizations (name) SELECT 'n' WHERE false RETURNING 1) {join}, generate_series(1, 2)"
    );
    let sums = |query: &str| world.rows(query).iter().map(|row| (row.get(0), row.get(1))).collect::<Vec<(i64, i64)>>();
    let once = sums(join)[0];
    assert_eq!(sums(&query), [(2 * once.0, 2 * once.1)]);
    assert!(plan_of(&world, &query).contains(NODE));
}
