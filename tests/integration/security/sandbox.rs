//! What a mirror's owner writes runs as that owner, leaves nothing behind, and does not touch what is the caller's.

use serde_json::json;

use crate::support::*;

/// Everything that runs a mirror's triggers, from a superuser's session.
fn everything(eve: &Eve) -> [String; 4] {
    let user = eve.world.sim.create_user(json!({"first_name": "Grace"})).unwrap();
    [
        "CALL clerk_fdw.sync('m')".to_owned(),
        format!("SELECT clerk_fdw.sync_user('m', '{user}')"),
        format!("SELECT clerk_fdw.sync_object('m', 'users', '{user}')"),
        eve.webhook(),
    ]
}

/// Eve's trigger does something, and whatever runs it, nothing comes of it.
fn is_harmless(prepare: &str, trigger: &str) {
    let eve = Eve::new();
    eve.session.run(prepare);
    eve.trigger(trigger);
    for statement in everything(&eve) {
        eve.world.run("UPDATE m.users SET first_name = NULL, updated_at = NULL WHERE false");
        let _ = eve.superuser_does(&statement);
        eve.assert_harmless(&statement);
    }
}

const OPERATORS: &str = "
    CREATE FUNCTION evil.eq(text, text) RETURNS bool LANGUAGE sql AS 'SELECT evil.payload() = 1';
    CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.eq);";

/// A search_path that a trigger sets does not outlive it.
#[test]
fn trigger_search_path_does_not_persist() {
    is_harmless(OPERATORS, "PERFORM set_config('search_path', 'evil, pg_catalog', false)");
    is_harmless(OPERATORS, "SET search_path = evil, pg_catalog");
}

/// A trigger can leave no cursor WITH HOLD behind.
#[test]
fn trigger_leaves_no_held_cursor() {
    is_harmless("", "EXECUTE 'DECLARE held CURSOR WITH HOLD FOR SELECT evil.payload()'");
}

/// A trigger can leave no prepared statement behind.
#[test]
fn trigger_leaves_no_prepared_statement() {
    is_harmless("", "EXECUTE 'PREPARE app AS SELECT evil.payload()'");
}

/// A trigger cannot get the session's role back.
#[test]
fn trigger_cannot_reset_role() {
    for command in [
        "RESET ROLE",
        "SET ROLE postgres",
        "RESET SESSION AUTHORIZATION",
        "PERFORM set_config('role', 'postgres', false)",
    ] {
        is_harmless("", &format!("{command}; PERFORM evil.payload()"));
    }
}

/// A trigger can leave nothing in the session's temporary schema.
#[test]
fn trigger_leaves_no_temporary_objects() {
    is_harmless("", "CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK (evil.payload() = 1)");
    is_harmless("", "CREATE TEMP TABLE pg_class AS SELECT evil.payload()");
}

/// A deferred trigger runs with the owner's rights or not at all.
#[test]
fn deferred_trigger_has_the_owners_rights() {
    let deferred = "
        CREATE TABLE m.late (n int);
        CREATE FUNCTION m.fire() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
          PERFORM evil.payload();
          BEGIN SET CONSTRAINTS ALL DEFERRED; EXCEPTION WHEN insufficient_privilege THEN NULL; END;
          IF NEW.n < 3 THEN INSERT INTO m.late VALUES (NEW.n + 1); END IF;
          RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER fire AFTER INSERT ON m.late DEFERRABLE INITIALLY DEFERRED
          FOR EACH ROW EXECUTE FUNCTION m.fire()";
    is_harmless(deferred, "INSERT INTO m.late VALUES (1)");
    is_harmless(deferred, "SET CONSTRAINTS ALL DEFERRED; INSERT INTO m.late VALUES (1)");
}

/// Defaults, CHECKs, index expressions and the expressions of a column map are code like any other.
#[test]
fn defaults_checks_and_column_maps() {
    let eve = Eve::new();
    let guilty = "CREATE FUNCTION evil.guilty() RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
        PERFORM set_config('search_path', 'evil, pg_catalog', false); PERFORM evil.payload(); RETURN 1; END $$;";
    eve.session.run(&format!(
        "{OPERATORS} {guilty}
         CREATE TABLE m.people (clerk_id text UNIQUE, n int DEFAULT evil.guilty(), mail text CHECK (evil.guilty() = 1));
         CREATE INDEX ON m.people ((evil.guilty()));"
    ));
    eve.session.run(
        r#"SELECT clerk_fdw.drop_mirror('m');
           SELECT clerk_fdw.create_mirror('clerk', schema => 'm', objects => '{users}', tables => '{"users": "m.people"}',
             columns => '{"users": {"clerk_id": "user_id", "mail": "coalesce(email, evil.guilty()::text)"}}')"#,
    );
    for statement in ["CALL clerk_fdw.sync('m', dry_run => true)", "CALL clerk_fdw.sync('m')"] {
        assert!(eve.superuser_does(statement).is_none());
        eve.assert_harmless(statement);
    }
    assert!(eve.world.one::<i64>("SELECT count(*) FROM m.people") > 0);
}

/// A superuser may make a mirror of a table that is somebody else's: what that table's owner wrote runs as that owner.
#[test]
fn table_of_another_owner() {
    let eve = Eve::new();
    eve.session.run(
        "CREATE TABLE m.customers (clerk_id text UNIQUE);
         CREATE FUNCTION m.count() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.payload(); RETURN NEW; END $$;
         CREATE TRIGGER count BEFORE INSERT ON m.customers FOR EACH ROW EXECUTE FUNCTION m.count()",
    );
    eve.world.run(
        r#"SELECT clerk_fdw.create_mirror('clerk', schema => 'crm', objects => '{users}', tables => '{"users": "m.customers"}')"#,
    );
    assert!(eve.superuser_does("CALL clerk_fdw.sync('crm')").is_none());
    eve.assert_harmless("a superuser's mirror");
    assert_eq!(eve.world.one::<i64>("SELECT count(*) FROM m.customers"), 60);
}

/// The webhooks role needs no rights in a mirror, and gets none by a deferred trigger of its own.
#[test]
fn callers_deferred_triggers_are_not_fired() {
    let eve = Eve::new();
    let endpoint = format!("{}_endpoint", eve.role);
    eve.world.run(&format!(
        "CREATE ROLE {endpoint};
         GRANT USAGE ON SCHEMA clerk_fdw TO {endpoint};
         GRANT EXECUTE ON FUNCTION clerk_fdw.receive_webhook TO {endpoint};
         GRANT CREATE ON SCHEMA public TO {endpoint}"
    ));
    // Her mirror's own deferred trigger is what lets constraints be looked at in the first place.
    eve.session.run(
        "CREATE FUNCTION m.late() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
         CREATE CONSTRAINT TRIGGER late AFTER INSERT ON m.users DEFERRABLE INITIALLY DEFERRED
           FOR EACH ROW EXECUTE FUNCTION m.late()",
    );
    eve.world.sim.create_user(json!({})).unwrap();
    let session = eve.world.connect();
    session.run(&format!(
        "SET SESSION AUTHORIZATION {endpoint};
         CREATE TABLE public.pending (who text DEFAULT '');
         CREATE FUNCTION public.fire() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN RAISE NOTICE 'fired as %', current_user; RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER fire AFTER INSERT ON public.pending DEFERRABLE INITIALLY DEFERRED
           FOR EACH ROW EXECUTE FUNCTION public.fire();
         BEGIN; INSERT INTO public.pending DEFAULT VALUES"
    ));
    let delivery = eve.world.sim.webhooks().pop().unwrap();
    assert_eq!(receive(&session, &delivery).unwrap(), "applied");
    assert_eq!(session.notices(), [""; 0], "not before the transaction ends");
    session.run("INSERT INTO public.pending DEFAULT VALUES");
    assert_eq!(session.notices(), [""; 0], "and it is still deferred");
    session.run("COMMIT");
    let fired = session.notices();
    assert_eq!(fired.len(), 2, "{fired:?}");
    assert!(fired.iter().all(|notice| notice.contains(&format!("fired as {endpoint}"))), "{fired:?}");
    drop(session);
    eve.world.run(&format!(
        "DROP TABLE public.pending; DROP FUNCTION public.fire; DROP OWNED BY {endpoint}; DROP ROLE {endpoint}"
    ));
}

/// Without malice: foreign keys that the caller has deferred are checked when the caller commits.
#[test]
fn callers_deferred_foreign_keys() {
    let world = World::new(small());
    let user = world.sim.users()[0].id.clone();
    world.run(
        "SELECT clerk_fdw.create_mirror('clerk', schema => 'm', objects => '{users}');
         CREATE TABLE public.plan (id int PRIMARY KEY);
         CREATE TABLE public.customer (plan int REFERENCES public.plan DEFERRABLE INITIALLY DEFERRED,
                                       clerk text REFERENCES m.users DEFERRABLE INITIALLY DEFERRED)",
    );
    world.run(&format!(
        "BEGIN;
         INSERT INTO public.customer VALUES (1, '{user}');
         SELECT clerk_fdw.sync_user('m', '{user}');
         INSERT INTO public.customer VALUES (2, '{user}');
         INSERT INTO public.plan VALUES (1), (2);
         COMMIT"
    ));
    assert_eq!(world.one::<i64>("SELECT count(*) FROM public.customer JOIN m.users ON user_id = clerk"), 2);
}

/// A constraint of a partition may be called differently from the one that it descends from, which means it as well.
#[test]
fn callers_deferred_partition_constraints() {
    let world = World::new(small());
    let user = world.sim.users()[0].id.clone();
    world.run(
        "SELECT clerk_fdw.create_mirror('clerk', schema => 'm', objects => '{users}');
         CREATE FUNCTION m.late() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
         CREATE CONSTRAINT TRIGGER late AFTER INSERT ON m.users DEFERRABLE INITIALLY DEFERRED
           FOR EACH ROW EXECUTE FUNCTION m.late();
         CREATE TABLE public.plan (id int PRIMARY KEY);
         CREATE TABLE public.customer (plan int, region int,
           CONSTRAINT whole FOREIGN KEY (plan) REFERENCES public.plan DEFERRABLE INITIALLY DEFERRED) PARTITION BY LIST (region);
         CREATE TABLE public.customer_1 (plan int, region int,
           CONSTRAINT part FOREIGN KEY (plan) REFERENCES public.plan DEFERRABLE INITIALLY DEFERRED);
         ALTER TABLE public.customer ATTACH PARTITION public.customer_1 FOR VALUES IN (1)",
    );
    world.run(&format!(
        "BEGIN;
         INSERT INTO public.customer VALUES (1, 1);
         SELECT clerk_fdw.sync_object('m', 'users', '{user}');
         INSERT INTO public.plan VALUES (1);
         COMMIT"
    ));
    assert_eq!(world.one::<i64>("SELECT count(*) FROM public.customer"), 1);
}

/// A trigger cannot fire what the caller has deferred, either.
#[test]
fn trigger_cannot_set_constraints() {
    let eve = Eve::new();
    eve.trigger("SET CONSTRAINTS ALL IMMEDIATE");
    let user = eve.world.sim.users()[0].id.clone();
    let error = eve.superuser_does(&format!("SELECT clerk_fdw.sync_user('m', '{user}')")).unwrap();
    assert_eq!(error.code().code(), "42501", "{error:?}");
    assert!(error.message().contains("SET CONSTRAINTS"), "{error:?}");
}

/// Names in a mirror's expressions mean Postgres' own, whoever syncs and whatever their search_path.
#[test]
fn callers_search_path_is_ignored() {
    let eve = Eve::new();
    eve.session.run(
        "CREATE FUNCTION evil.concat_ws(text, text, text) RETURNS text LANGUAGE sql AS 'SELECT evil.payload()::text'",
    );
    eve.world.run(
        r#"CREATE TABLE public.customers (clerk_id text UNIQUE, name text);
           SELECT clerk_fdw.create_mirror('clerk', schema => 'crm', objects => '{users}', tables => '{"users": "public.customers"}',
             columns => '{"users": {"clerk_id": "user_id", "name": "concat_ws('' '', first_name, last_name)"}}')"#,
    );
    eve.world.run("SET search_path = evil, public, pg_catalog");
    eve.world.run("CALL clerk_fdw.sync('crm')");
    eve.world.run("RESET search_path");
    eve.assert_harmless("concat_ws");
}

/// A sync in the background is its mirror's owner from its first statement, where such a role can log in.
#[test]
fn background_worker_has_the_owners_rights() {
    let eve = Eve::new();
    eve.session.run("CREATE TABLE m.who (session text, now text)");
    eve.trigger("INSERT INTO m.who VALUES (session_user, current_user); PERFORM evil.payload()");
    eve.session.run("SELECT clerk_fdw.start_sync('m')");
    wait_until("it has run", || {
        eve.world.one("SELECT count(*) > 0 FROM clerk_fdw.sync_runs WHERE state = 'succeeded'")
    });
    let who: Vec<String> = eve.world.column("SELECT DISTINCT session || ' ' || now FROM m.who");
    assert_eq!(who, [format!("{0} {0}", eve.role)]);
    eve.assert_harmless("a worker");
    // One that cannot is no way around.
    eve.world.run(&format!("ALTER ROLE {} NOLOGIN; TRUNCATE m.who", eve.role));
    eve.trigger_again("RESET ROLE; PERFORM evil.payload()");
    eve.world.sim.create_user(json!({})).unwrap();
    eve.session.run("SELECT clerk_fdw.start_sync('m')");
    wait_until("it has ended", || {
        eve.world.one("SELECT count(*) = 0 FROM clerk_fdw.sync_runs WHERE state IN ('starting', 'running')")
    });
    eve.assert_harmless("a worker whose role cannot log in");
}

impl Eve {
    fn trigger_again(&self, body: &str) {
        self.session.run("DROP TRIGGER attack ON m.users");
        self.trigger(body);
    }
}
