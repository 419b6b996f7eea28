//! Nothing is written unless the server or the table says so, and Postgres's catalogues agree on what can be.

use clerk_api::catalog::OBJECTS;
use clerk_api::write::Operation;

use crate::support::*;

/// Without `updatable` no statement makes any request, whichever it is and however it is run.
#[test]
fn nothing_by_default() {
    let world = World::new(some_of_everything());
    world.run("CREATE TABLE public.source (id text)");
    world.requests();
    for object in OBJECTS {
        let (table, id) = (object.name, object.id().name);
        world.run(&format!(
            "CREATE VIEW public.{table} AS SELECT * FROM clerk.{table};
             CREATE FOREIGN TABLE public.{table}_f ({id} text, attrs jsonb) SERVER clerk OPTIONS (object '{table}')"
        ));
        let statements = [
            format!("INSERT INTO clerk.{table} DEFAULT VALUES"),
            format!("INSERT INTO clerk.{table} ({id}) VALUES ('a'), ('b')"),
            format!("INSERT INTO clerk.{table} ({id}) SELECT {id} FROM clerk.{table}"),
            format!("INSERT INTO clerk.{table} ({id}) VALUES ('a') RETURNING *"),
            format!("INSERT INTO clerk.{table} ({id}) VALUES ('a') ON CONFLICT DO NOTHING"),
            format!("INSERT INTO public.{table} ({id}) VALUES ('a')"),
            format!("INSERT INTO public.{table}_f (attrs) VALUES ('{{}}')"),
            format!("WITH x AS (INSERT INTO clerk.{table} ({id}) VALUES ('a') RETURNING 1) SELECT FROM x"),
            format!("EXPLAIN INSERT INTO clerk.{table} ({id}) VALUES ('a')"),
            format!("PREPARE p AS INSERT INTO clerk.{table} ({id}) VALUES ($1); EXECUTE p ('a')"),
            format!("COPY clerk.{table} ({id}) FROM '/dev/null'"),
            format!("UPDATE clerk.{table} SET {id} = 'a'"),
            format!("UPDATE public.{table} SET {id} = 'a'"),
            format!("UPDATE public.{table}_f SET attrs = '{{}}' WHERE {id} = 'a'"),
            format!("UPDATE clerk.{table} SET {id} = 'a' FROM public.source WHERE source.id = {id}"),
            format!("EXPLAIN ANALYZE UPDATE clerk.{table} SET {id} = 'a'"),
            format!("DELETE FROM clerk.{table}"),
            format!("DELETE FROM public.{table}_f WHERE {id} = 'a'"),
            format!("PREPARE p AS DELETE FROM clerk.{table} WHERE {id} = $1; EXECUTE p ('a')"),
            format!("DO $$ BEGIN DELETE FROM clerk.{table}; END $$"),
        ];
        for statement in statements {
            let error = world.error(&statement);
            world.run("DEALLOCATE ALL");
            assert_eq!(error.code().code(), "55000", "{statement}: {error:?}");
            // Of a view Postgres says it, in its own words.
            if !statement.contains(&format!("public.{table} ")) {
                assert!(
                    error.hint().is_some_and(|hint| hint.contains("ADD updatable 'true'")),
                    "{statement}: {error:?}"
                );
            }
        }
        let error = world.error(&format!("TRUNCATE clerk.{table}"));
        assert!(["0A000", "42809"].contains(&error.code().code()), "{error:?}");
        assert_eq!(lines(&world), [""; 0], "{table}");
    }
}

/// With it, what Clerk does not allow is refused as well, before any request.
#[test]
fn what_clerk_does_not_allow() {
    let world = writable(some_of_everything());
    world.requests();
    for object in OBJECTS {
        let (table, id) = (object.name, object.id().name);
        let allowed = Operation::of(object);
        for (operation, statement) in [
            (Operation::Insert, format!("INSERT INTO clerk.{table} ({id}) VALUES ('a')")),
            (Operation::Insert, format!("COPY clerk.{table} ({id}) FROM '/dev/null'")),
            (Operation::Update, format!("UPDATE clerk.{table} SET {id} = 'a'")),
            (Operation::Delete, format!("DELETE FROM clerk.{table}")),
        ] {
            if !allowed.contains(&operation) {
                let error = world.error(&statement);
                assert_eq!(error.code().code(), "0A000", "{statement}: {error:?}");
                assert_eq!(error.message(), format!("Clerk does not allow {} of {table}", operation.name()));
            }
        }
        let error = world.error(&format!("TRUNCATE clerk.{table}"));
        assert!(["0A000", "42809"].contains(&error.code().code()), "{error:?}");
    }
    assert_eq!(lines(&world), [""; 0]);
}

/// The catalogues say what the options and the object allow; the table's option counts before the server's.
#[test]
fn catalogues() {
    let world = World::new(small());
    let bits = |operation: Operation| match operation {
        Operation::Update => 4,
        Operation::Insert => 8,
        Operation::Delete => 16,
    };
    let check = |server: Option<bool>, of_table: Option<bool>| {
        let is_updatable = of_table.or(server).unwrap_or(false);
        for object in OBJECTS {
            let table = object.name;
            let option = of_table.map(|value| format!("ADD updatable '{value}'"));
            if let Some(option) = &option {
                world.run(&format!("ALTER FOREIGN TABLE clerk.{table} OPTIONS ({option})"));
            }
            let allowed = if is_updatable { Operation::of(object) } else { Vec::new() };
            let expected: i32 = allowed.iter().map(|operation| bits(*operation)).sum();
            let context = format!("{table}, server {server:?}, table {of_table:?}");
            let events: i32 = world.one(&format!("SELECT pg_relation_is_updatable('clerk.{table}'::regclass, false)"));
            assert_eq!(events, expected, "{context}");
            world.run(&format!("CREATE VIEW public.{table} AS SELECT * FROM clerk.{table}"));
            let row = &world.rows(&format!(
                "SELECT t.is_insertable_into, v.is_insertable_into, v.is_updatable,
                        (SELECT count(*) FROM information_schema.columns c
                          WHERE (c.table_schema, c.table_name) = ('clerk', '{table}') AND c.is_updatable = 'YES') > 0
                   FROM information_schema.tables t, information_schema.views v
                  WHERE (t.table_schema, t.table_name, v.table_schema, v.table_name) = ('clerk', '{table}', 'public', '{table}')"
            ))[0];
            let yes = |is: bool| if is { "YES" } else { "NO" };
            let inserts = allowed.contains(&Operation::Insert);
            let changes = allowed.contains(&Operation::Update) && allowed.contains(&Operation::Delete);
            assert_eq!(row.get::<_, &str>(0), yes(inserts), "{context}");
            assert_eq!(row.get::<_, &str>(1), yes(inserts), "{context}");
            assert_eq!(row.get::<_, &str>(2), yes(changes), "{context}");
            assert_eq!(row.get::<_, bool>(3), changes, "{context}");
            world.run(&format!("DROP VIEW public.{table}"));
            if option.is_some() {
                world.run(&format!("ALTER FOREIGN TABLE clerk.{table} OPTIONS (DROP updatable)"));
            }
        }
    };
    world.requests();
    check(None, None);
    check(None, Some(true));
    world.run("ALTER SERVER clerk OPTIONS (ADD updatable 'true')");
    check(Some(true), None);
    check(Some(true), Some(false));
    world.run("ALTER SERVER clerk OPTIONS (SET updatable 'false')");
    check(Some(false), Some(true));
    assert_eq!(lines(&world), [""; 0]);
    assert_eq!(world.error("ALTER SERVER clerk OPTIONS (SET updatable 'perhaps')").code().code(), "HV024");
}
