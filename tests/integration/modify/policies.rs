//! Privileges, views and triggers around writes, as Postgres documents them.

use crate::support::*;

/// A world with a user whose id is given back.
fn world() -> (World, String) {
    let world = writable(small());
    let user = world.sim.users()[0].id.clone();
    world.sim.update_user(&user, serde_json::json!({"first_name": "Ada", "last_name": "King"})).unwrap();
    world.requests();
    (world, user)
}

/// A role that may do this on users of Clerk, and no more.
fn role(world: &World, grants: &str) -> String {
    let role = world.role("writer");
    world.run(&format!(
        "CREATE ROLE {role}; GRANT USAGE ON SCHEMA clerk TO {role}; GRANT {grants} ON clerk.users TO {role};
         CREATE USER MAPPING FOR {role} SERVER clerk OPTIONS (api_key '{}')",
        world.sim.key()
    ));
    role
}

/// Privileges on columns count before anything is sent.
#[test]
fn privileges() {
    let (world, user) = world();
    let role = role(&world, "SELECT, UPDATE (first_name), INSERT (last_name)");
    world.run(&format!("SET ROLE {role}"));
    for statement in [
        format!("UPDATE clerk.users SET last_name = 'x' WHERE user_id = '{user}'"),
        format!("UPDATE clerk.users SET first_name = 'x', banned = true WHERE user_id = '{user}'"),
        format!("UPDATE clerk.users SET attrs = '{{}}' WHERE user_id = '{user}'"),
        format!("DELETE FROM clerk.users WHERE user_id = '{user}'"),
        "INSERT INTO clerk.users (first_name) VALUES ('x')".to_owned(),
        "SELECT * FROM clerk.organizations".to_owned(),
    ] {
        assert_eq!(world.error(&statement).code().code(), "42501", "{statement}");
    }
    assert_eq!(lines(&world), [""; 0]);
    world.run(&format!("UPDATE clerk.users SET first_name = 'Grace' WHERE user_id = '{user}'"));
    assert_eq!(writes(&world), [format!("PATCH /users/{user} {{\"first_name\":\"Grace\"}}")]);
    world.run("INSERT INTO clerk.users (last_name) VALUES ('Hopper')");
    assert_eq!(count_writes(&world), 1);
    world.run(&format!("RESET ROLE; DROP OWNED BY {role}; DROP ROLE {role}"));
}

/// A view's owner writes, with the owner's key; the caller needs rights on the view alone.
#[test]
fn view_owner() {
    let (world, user) = world();
    let role = world.role("caller");
    world.run(&format!(
        "CREATE ROLE {role};
         CREATE VIEW public.names AS SELECT user_id, first_name FROM clerk.users;
         GRANT SELECT, UPDATE, DELETE, INSERT ON public.names TO {role}; SET ROLE {role}"
    ));
    world.run(&format!("UPDATE public.names SET first_name = 'Eva' WHERE user_id = '{user}'"));
    assert_eq!(count_writes(&world), 1);
    world.run("INSERT INTO public.names (first_name) VALUES ('Eva')");
    world.run(&format!("DELETE FROM public.names WHERE user_id = '{user}'"));
    let requests = world.requests();
    assert!(requests.iter().all(|request| request.key == Some(0)), "{requests:?}");
    world.run(&format!("RESET ROLE; DROP OWNED BY {role}; DROP ROLE {role}"));
}

/// Through a security-barrier view only rows that it shows can be changed.
#[test]
fn security_barrier() {
    let (world, user) = world();
    world.run("CREATE VIEW public.kings WITH (security_barrier) AS SELECT * FROM clerk.users WHERE last_name = 'King'");
    let count = |statement: &str| world.client().execute(statement, &[]).unwrap();
    assert_eq!(count("UPDATE public.kings SET first_name = 'Augusta'"), 1);
    assert_eq!(writes(&world), [format!("PATCH /users/{user} {{\"first_name\":\"Augusta\"}}")]);
    assert_eq!(count("UPDATE public.kings SET first_name = 'x' WHERE last_name = 'Hopper'"), 0);
    assert_eq!(count("DELETE FROM public.kings WHERE first_name = 'nobody'"), 0);
    assert_eq!(count_writes(&world), 0);
}

/// WITH CHECK OPTION refuses a row before it is sent, if that can be known; else afterwards, and says that it stays.
#[test]
fn check_option() {
    let (world, user) = world();
    world.run(
        "CREATE VIEW public.kings AS SELECT * FROM clerk.users WHERE last_name = 'King' WITH CHECK OPTION;
         CREATE VIEW public.young AS SELECT * FROM clerk.users WHERE created_at < '2000-01-01' WITH LOCAL CHECK OPTION",
    );
    let violation = |statement: &str| {
        let error = world.error(statement);
        assert_eq!(error.code().code(), "44000", "{statement}: {error:?}");
        count_writes(&world)
    };
    assert_eq!(violation("UPDATE public.kings SET last_name = 'Hopper'"), 0);
    assert_eq!(violation("INSERT INTO public.kings (first_name, last_name) VALUES ('Grace', 'Hopper')"), 0);
    world.run("INSERT INTO public.kings (first_name, last_name) VALUES ('Billie Jean', 'King')");
    world.run(&format!("UPDATE public.kings SET first_name = 'Augusta' WHERE user_id = '{user}'"));
    assert_eq!(count_writes(&world), 2);
    world.notices();
    // Clerk says when it was created.
    assert_eq!(violation("INSERT INTO public.young (first_name) VALUES ('Late')"), 1);
    world.run("");
    let heard = world.notices();
    assert_eq!(
        heard,
        [
            "WARNING: the transaction was rolled back, but what it wrote to Clerk stays there (rows inserted into users: 1)"
        ]
    );
    assert_eq!(violation("INSERT INTO public.young (first_name, created_at) VALUES ('Late', '2010-01-01Z')"), 0);
}

/// What `attrs` says of the columns that a view checks cannot be checked, so it is refused.
#[test]
fn attrs_through_a_view() {
    let (world, user) = world();
    world.run(
        "CREATE VIEW public.kings AS SELECT * FROM clerk.users WHERE last_name = 'King' WITH CHECK OPTION;
         CREATE VIEW public.people AS SELECT * FROM clerk.users WHERE last_name = 'King'",
    );
    for statement in [
        "UPDATE public.kings SET attrs = '{\"last_name\": \"Hopper\"}'",
        "UPDATE public.kings SET attrs = '{\"last_name\": \"Hopper\"}', last_name = 'King'",
        "INSERT INTO public.kings (last_name, attrs) VALUES ('King', '{\"first_name\": \"Grace\"}')",
    ] {
        let error = world.error(statement);
        assert_eq!(error.code().code(), "0A000", "{statement}: {error:?}");
    }
    assert_eq!(count_writes(&world), 0);
    world.run(&format!("UPDATE public.people SET attrs = '{{\"last_name\": \"Hopper\"}}' WHERE user_id = '{user}'"));
    assert_eq!(count_writes(&world), 1);
}

/// Whoever may use a server can make tables of it, but only its owner can allow more than the server does.
#[test]
fn table_owner() {
    let world = World::new(small());
    let role = world.role("low");
    world.run(&format!(
        "CREATE ROLE {role}; GRANT USAGE ON FOREIGN SERVER clerk TO {role}; GRANT CREATE ON SCHEMA clerk TO {role};
         GRANT USAGE ON SCHEMA clerk TO {role};
         CREATE USER MAPPING FOR {role} SERVER clerk OPTIONS (api_key '{}'); SET ROLE {role};
         CREATE FOREIGN TABLE clerk.own (user_id text) SERVER clerk OPTIONS (object 'users', updatable 'true')",
        world.sim.key()
    ));
    world.requests();
    assert_eq!(world.error("DELETE FROM clerk.own").code().code(), "55000");
    assert_eq!(world.one::<i32>("SELECT pg_relation_is_updatable('clerk.own', false)"), 0);
    assert_eq!(count_writes(&world), 0);
    world.run(&format!(
        "RESET ROLE; ALTER FOREIGN TABLE clerk.own OWNER TO {}",
        world.one::<String>("SELECT session_user::text")
    ));
    world.run("DELETE FROM clerk.own WHERE user_id = (SELECT min(user_id) FROM clerk.own)");
    assert_eq!(count_writes(&world), 1);
    world.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

/// A BEFORE trigger changes what is sent, an AFTER trigger sees what Clerk has made of it, a statement's trigger runs when
/// all rows are written.
#[test]
fn triggers() {
    let (world, user) = world();
    world.run(
        "CREATE TABLE public.log (number serial, what text);
         CREATE FUNCTION public.before() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           IF TG_OP = 'DELETE' THEN INSERT INTO public.log (what) VALUES ('before delete ' || OLD.first_name); RETURN OLD; END IF;
           IF NEW.first_name = 'skip' THEN RETURN NULL; END IF;
           NEW.first_name := upper(NEW.first_name); RETURN NEW; END $$;
         CREATE FUNCTION public.after() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           IF TG_OP = 'DELETE' THEN INSERT INTO public.log (what) VALUES ('delete ' || OLD.first_name); RETURN NULL; END IF;
           INSERT INTO public.log (what) VALUES (lower(TG_OP) || ' ' || left(NEW.user_id, 5) || ' ' || NEW.first_name); RETURN NULL; END $$;
         CREATE FUNCTION public.statement() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           INSERT INTO public.log (what) SELECT lower(TG_WHEN || ' ' || TG_OP) || ' statement'; RETURN NULL; END $$;
         CREATE TRIGGER before_row BEFORE INSERT OR UPDATE OR DELETE ON clerk.users FOR EACH ROW EXECUTE FUNCTION public.before();
         CREATE TRIGGER after_row AFTER INSERT OR UPDATE OR DELETE ON clerk.users FOR EACH ROW EXECUTE FUNCTION public.after();
         CREATE TRIGGER before_statement BEFORE INSERT OR UPDATE OR DELETE ON clerk.users EXECUTE FUNCTION public.statement();
         CREATE TRIGGER after_statement AFTER INSERT OR UPDATE OR DELETE ON clerk.users EXECUTE FUNCTION public.statement()",
    );
    let log = || {
        let log: Vec<String> = world.column("SELECT what FROM public.log ORDER BY number");
        world.run("DELETE FROM public.log");
        log
    };
    world.run("INSERT INTO clerk.users (first_name) VALUES ('eva'), ('skip'), ('bob')");
    assert_eq!(writes(&world), [r#"POST /users {"first_name":"EVA"}"#, r#"POST /users {"first_name":"BOB"}"#]);
    assert_eq!(log(), ["before insert statement", "insert user_ EVA", "insert user_ BOB", "after insert statement"]);
    world.run(&format!("UPDATE clerk.users SET first_name = 'ada2' WHERE user_id = '{user}'"));
    assert_eq!(writes(&world), [format!("PATCH /users/{user} {{\"first_name\":\"ADA2\"}}")]);
    assert_eq!(log(), ["before update statement", "update user_ ADA2", "after update statement"]);
    world.run(&format!("DELETE FROM clerk.users WHERE user_id = '{user}'"));
    assert_eq!(count_writes(&world), 1);
    assert_eq!(log(), ["before delete statement", "before delete ADA2", "delete ADA2", "after delete statement"]);
}

/// A statement's trigger alone finds all rows of a COPY and of an INSERT at Clerk.
#[test]
fn statement_trigger() {
    let (world, _) = world();
    world.run(
        "CREATE TABLE public.log (found bigint);
         CREATE FUNCTION public.count() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           INSERT INTO public.log SELECT count(*) FROM clerk.organizations WHERE name = 'new'; RETURN NULL; END $$;
         CREATE TRIGGER count AFTER INSERT ON clerk.organizations EXECUTE FUNCTION public.count()",
    );
    world.run("INSERT INTO clerk.organizations (name) SELECT 'new' FROM generate_series(1, 3)");
    world.copy("clerk.organizations (name)", "new\nnew\n").unwrap();
    assert_eq!(world.column::<i64>("SELECT found FROM public.log"), [3, 5]);
}
