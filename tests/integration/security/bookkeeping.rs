//! What the extension keeps for itself is out of everybody's reach, and what shows it shows nobody else's.

use clerk_sim::webhook::Delivery;
use postgres::error::SqlState;

use crate::support::*;

/// Nobody has a right in the internal tables, nor can lock what the views show.
#[test]
fn internal_tables_are_out_of_reach() {
    let eve = Eve::new();
    let tables: Vec<String> = eve.world.column(
        "SELECT oid::regclass::text FROM pg_class WHERE relnamespace = 'clerk_fdw_internal'::regnamespace AND relkind IN ('r', 'v', 'S')",
    );
    assert!(tables.len() > 10);
    for table in tables {
        for statement in [
            format!("SELECT * FROM {table}"),
            format!("DO $$ BEGIN LOCK TABLE {table}; END $$"),
            format!("DELETE FROM {table}"),
        ] {
            let error = eve.session.error(&statement);
            assert!(matches!(error.code().code(), "42501" | "42809"), "{statement}: {error:?}");
        }
    }
    // What is shown cannot be locked against others.
    for view in ["mirror_status", "sync_runs", "webhook_events"] {
        let error = eve.session.error(&format!("DO $$ BEGIN LOCK TABLE clerk_fdw.{view}; END $$"));
        assert_eq!(*error.code(), SqlState::INSUFFICIENT_PRIVILEGE, "{view}");
    }
}

/// A table that becomes a view would run what its owner likes for everybody who looks at mirror_status.
#[test]
fn mirror_status_runs_no_foreign_code() {
    let eve = Eve::new();
    eve.session.run("DROP TABLE m.users; CREATE VIEW m.users AS SELECT evil.payload() AS user_id, now() AS synced_at, now() AS deleted_at");
    assert!(eve.superuser_does("SELECT * FROM clerk_fdw.mirror_status; CALL clerk_fdw.sync('m')").is_some());
    eve.assert_harmless("a view of the table's name");
    assert_eq!(eve.world.one::<Option<i64>>("SELECT rows FROM clerk_fdw.mirror_status WHERE mirror = 'm'"), None);

    // Policies run when rows are counted, but only for those whom they concern.
    eve.session.run("DROP VIEW m.users; SELECT clerk_fdw.drop_mirror('m', keep_tables => true)");
    eve.session.run("SELECT clerk_fdw.create_mirror('clerk', schema => 'm', objects => '{users}')");
    eve.session.run(
        "CREATE POLICY trap ON m.users USING (evil.payload() = 1);
         ALTER TABLE m.users FORCE ROW LEVEL SECURITY;
         INSERT INTO m.users (user_id) VALUES ('user_1')",
    );
    assert!(eve.superuser_does("SELECT * FROM clerk_fdw.mirror_status").is_none());
    eve.assert_harmless("a policy");
}

/// Views show nothing of others to functions that are so cheap that the planner runs them first.
#[test]
fn leaky_functions_see_no_foreign_rows() {
    let eve = Eve::new();
    eve.world.run(&format!(
        "SELECT clerk_fdw.create_mirror('clerk', schema => 'supers', objects => '{{users}}');
         SELECT clerk_fdw.add_webhook_secret('supers', '{SECRET}')"
    ));
    eve.world.run("CALL clerk_fdw.sync('supers')");
    eve.session.run(
        "CREATE FUNCTION m.leak(anyelement) RETURNS bool LANGUAGE plpgsql COST 0.0000001 AS
           $$ BEGIN RAISE NOTICE 'saw %', $1; RETURN true; END $$",
    );
    eve.session.notices();
    for view in ["mirror_status", "sync_runs", "sync_errors", "sync_progress", "webhook_events", "webhook_secrets"] {
        eve.session.run(&format!("SELECT * FROM clerk_fdw.{view} v WHERE m.leak(v.mirror::text)"));
    }
    let seen = eve.session.notices();
    assert!(seen.iter().all(|notice| !notice.contains("supers")), "{seen:?}");
}

/// No function acts on somebody else's mirror, table, schema or role.
#[test]
fn functions_refuse_foreign_mirrors() {
    let eve = Eve::new();
    eve.world.run("SELECT clerk_fdw.create_mirror('clerk', schema => 'supers', objects => '{users}')");
    let run: i64 = eve.world.one("SELECT clerk_fdw.start_sync('supers')");
    for call in [
        "sync_user('supers', 'user_1')".to_owned(),
        "sync_object('supers', 'users', 'user_1')".to_owned(),
        "start_sync('supers')".to_owned(),
        format!("cancel_sync({run})"),
        "alter_mirror('supers', keep_webhook_bodies => true)".to_owned(),
        "drop_mirror('supers')".to_owned(),
        format!("add_webhook_secret('supers', '{SECRET}')"),
        "remove_webhook_secret('supers', 1)".to_owned(),
        "retry_webhooks('supers')".to_owned(),
        "enable_row_security('supers')".to_owned(),
        "disable_row_security('supers')".to_owned(),
        "unschedule_sync('supers')".to_owned(),
    ] {
        let error = eve.session.error(&format!("SELECT clerk_fdw.{call}"));
        assert_eq!(*error.code(), SqlState::UNDEFINED_OBJECT, "{call}: {error:?}");
    }
    // Nor does she put somebody else's table, schema or role in the place of hers.
    eve.world.run("CREATE TABLE public.supers (clerk_id text UNIQUE); GRANT ALL ON public.supers TO PUBLIC");
    for (call, code) in [
        (r#"create_mirror('clerk', 'x', '{users}', '{"users": "public.supers"}')"#.to_owned(), "42501"),
        ("create_mirror('clerk', 'supers')".to_owned(), "42710"),
        ("create_mirror('clerk', 'pg_catalog')".to_owned(), "42501"),
        ("alter_mirror('m', owner => 'postgres')".to_owned(), "42501"),
    ] {
        let error = eve.session.error(&format!("SELECT clerk_fdw.{call}"));
        assert_eq!(error.code().code(), code, "{call}: {error:?}");
    }
    wait_until("the sync has ended", || {
        eve.world.one("SELECT count(*) = 0 FROM clerk_fdw.sync_runs WHERE state IN ('starting', 'running')")
    });
}

/// Advisory locks are everybody's: those that kept syncs apart once are taken here, and stop nobody.
#[test]
fn advisory_locks_block_nothing() {
    let eve = Eve::new();
    eve.session.run("SELECT pg_advisory_lock(1668047467, n) FROM generate_series(0, 100) n");
    eve.session.run(
        "SELECT pg_advisory_lock(hashtextextended(format('clerk_fdw %s users', n), 0)) FROM generate_series(0, 100) n",
    );
    eve.world.run("SET statement_timeout = '30s'");
    eve.world.run("CALL clerk_fdw.sync('m')");
    eve.world.run(&eve.webhook());
    assert_eq!(eve.world.one::<i64>("SELECT count(*) FROM clerk_fdw.webhook_events WHERE outcome = 'applied'"), 1);
}

/// How long the log is kept is not everybody's to set.
#[test]
fn log_retention_is_for_superusers() {
    let eve = Eve::new();
    let error = eve.session.error("SET clerk_fdw.log_retention = 60");
    assert_eq!(*error.code(), SqlState::INSUFFICIENT_PRIVILEGE);
}

/// A secret that a failing call quotes is in no log, however the call is made.
#[test]
fn webhook_secret_is_not_logged() {
    let eve = Eve::new();
    let secret = "whsec_R7kQ2vXz9LmN4pBt8WcY1sHd";
    eve.world.run("SET log_min_error_statement = debug5; SET log_error_verbosity = verbose");
    for statement in [
        format!("SELECT clerk_fdw.add_webhook_secret('typo', '{secret}')"),
        format!("DO $$ BEGIN PERFORM clerk_fdw.add_webhook_secret('typo', '{secret}'); END $$"),
        format!("SELECT clerk_fdw.add_webhook_secret('m', '{secret}', 'vault')"),
        format!("SELECT clerk_fdw.add_webhook_secret('m', '{secret}?')"),
    ] {
        eve.world.error(&statement);
    }
    let log = std::fs::read(std::env::var("CLERK_FDW_SERVER_LOG").unwrap()).unwrap();
    assert!(!String::from_utf8_lossy(&log).contains(&secret[6..20]));
}

/// As many secrets as anybody tries for every delivery are bounded.
#[test]
fn webhook_secrets_are_bounded() {
    let eve = Eve::new();
    for _ in 1..10 {
        eve.session.run(&format!("SELECT clerk_fdw.add_webhook_secret('m', '{SECRET}')"));
    }
    let error = eve.session.error(&format!("SELECT clerk_fdw.add_webhook_secret('m', '{SECRET}')"));
    assert_eq!(*error.code(), SqlState::PROGRAM_LIMIT_EXCEEDED);
    let short = eve.session.error("SELECT clerk_fdw.add_webhook_secret('m', 'whsec_YQ==')");
    assert_eq!(*short.code(), SqlState::INVALID_PARAMETER_VALUE);
}

/// Eve cannot put webhooks of another mirror off by listening as well: the signature says whose a delivery is.
#[test]
fn foreign_webhook_secret_intercepts_nothing() {
    let eve = Eve::new();
    let other = "whsec_YW5vdGhlciBrZXkgdGhhdCBzaWducw==";
    eve.world.run(&format!(
        "SELECT clerk_fdw.create_mirror('clerk', schema => 'supers', objects => '{{users}}');
         SELECT clerk_fdw.add_webhook_secret('supers', '{other}')"
    ));
    eve.world.run(&eve.webhook());
    assert_eq!(eve.world.column::<String>("SELECT mirror::text FROM clerk_fdw.webhook_events"), ["m"]);
}

/// Large bodies are refused before anything is computed from them.
#[test]
fn large_webhook_body_is_refused() {
    let eve = Eve::new();
    eve.world.sim.create_user(serde_json::json!({})).unwrap();
    let delivery = eve.world.sim.webhooks().pop().unwrap();
    let large = Delivery { body: " ".repeat(1 << 20) + &delivery.body, ..delivery };
    assert_eq!(refused(receive(&eve.world, &large)), SqlState::PROGRAM_LIMIT_EXCEEDED);
}

/// One object that a table does not take is one entry, however often it is tried, and costs the rest of its page little.
#[test]
fn poison_row_is_one_sync_error() {
    let eve = Eve::new();
    let poison = eve.world.sim.create_user(serde_json::json!({"first_name": "Poison"})).unwrap();
    eve.session.run("ALTER TABLE m.users ADD CHECK (first_name IS DISTINCT FROM 'Poison')");
    for mode in ["full", "incremental", "full", "incremental"] {
        eve.world.run(&format!("CALL clerk_fdw.sync('m', mode => '{mode}')"));
        let open: Vec<String> =
            eve.world.column("SELECT object_id FROM clerk_fdw.sync_errors WHERE resolved_at IS NULL");
        assert_eq!(open, [poison.as_str()], "{mode}");
        assert_eq!(eve.world.one::<i64>("SELECT count(*) FROM clerk_fdw.sync_errors"), 1, "{mode}");
    }
    assert_eq!(eve.world.one::<i64>("SELECT count(*) FROM m.users"), 60);
    eve.session.run("ALTER TABLE m.users DROP CONSTRAINT users_first_name_check");
    eve.world.run("CALL clerk_fdw.sync('m')");
    assert_eq!(eve.world.one::<i64>("SELECT count(*) FROM clerk_fdw.sync_errors WHERE resolved_at IS NULL"), 0);
}
