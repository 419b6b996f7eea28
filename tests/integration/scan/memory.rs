//! What a backend needs does not grow with the rows it reads, nor with the scans it gives up.
#![cfg(target_os = "linux")]

use clerk_sim::{Config, Fault, Sim};

use crate::support::*;

/// What a backend holds.
#[derive(Debug)]
struct Held {
    /// Bytes in Postgres' memory contexts.
    contexts: i64,
    /// Kilobytes of its own memory that are in use.
    resident: i64,
    /// Open files, sockets included.
    files: i64,
}

impl Held {
    fn by(session: &Session) -> Held {
        let pid = session.pid();
        Held {
            contexts: session.one("SELECT sum(total_bytes)::bigint FROM pg_backend_memory_contexts"),
            resident: process_status(pid, "RssAnon").expect("the backend's status"),
            files: open_files(pid).expect("the backend's open files"),
        }
    }
}

/// Runs it two hundred times; what the backend holds stays what it was after some.
fn assert_no_leak(world: &World, what: &str, mut scan: impl FnMut(&Session)) {
    let session = world.connect();
    for _ in 0..30 {
        scan(&session);
    }
    let before = Held::by(&session);
    for _ in 0..200 {
        scan(&session);
    }
    let after = Held::by(&session);
    let change = format!("{what}: {before:?} became {after:?}");
    assert!(after.contexts - before.contexts <= 64 * 1024, "{change}");
    assert!(after.resident - before.resident <= 3 * 1024, "{change}");
    assert!(after.files - before.files <= 8, "{change}");
}

fn world() -> World {
    World::with(Config { users: 400, organizations: 60, ..small() }, "page_size '50', max_retries '0'")
}

/// Scans that fail leave nothing behind.
#[test]
fn failed_scan_leaks_nothing() {
    let world = world();
    for (what, fault) in [("500", Fault::status(500)), ("cut JSON", Fault::cut_json()), ("reset", Fault::reset())] {
        world.sim.clear_faults();
        world.sim.fault(fault.clone().on_path("/v1/users").has("starting_after").always());
        world.sim.fault(fault.on_path("/v1/organizations").has("offset").always());
        assert_no_leak(&world, what, |session| {
            session.error("SELECT * FROM clerk.users");
            session.error("SELECT * FROM clerk.organizations");
        });
    }
}

/// A value that does not fit its column ends a scan in the middle of a row, and leaves nothing behind.
#[test]
fn conversion_error_leaks_nothing() {
    let world = world();
    world.run(
        "CREATE DOMAIN short AS text CHECK (length(VALUE) < 3);
         CREATE FOREIGN TABLE misfits (user_id text, attrs jsonb, created_at integer) SERVER clerk OPTIONS (object 'users');
         CREATE FOREIGN TABLE long (user_id text, attrs jsonb, first_name short) SERVER clerk OPTIONS (object 'users')",
    );
    assert_no_leak(&world, "misfits", |session| {
        session.error("SELECT * FROM misfits");
        session.error("SELECT * FROM long");
    });
}

/// Scans that are cut off early leave nothing behind.
#[test]
fn limit_and_closed_cursor_leak_nothing() {
    let world = world();
    assert_no_leak(&world, "LIMIT", |session| {
        session.rows("SELECT * FROM clerk.users WHERE attrs IS NOT NULL LIMIT 60");
        session.rows("SELECT * FROM clerk.organizations WHERE attrs IS NOT NULL LIMIT 1");
    });
    assert_no_leak(&world, "closed cursors", |session| {
        session.run("BEGIN; DECLARE c CURSOR FOR SELECT * FROM clerk.users; FETCH 70 FROM c; CLOSE c; COMMIT");
    });
}

/// Scans that are rolled back and scans that time out leave nothing behind.
#[test]
fn rollback_and_timeout_leak_nothing() {
    let world = world();
    assert_no_leak(&world, "rolled back", |session| {
        session.run("BEGIN; DECLARE c CURSOR FOR SELECT * FROM clerk.users; FETCH 70 FROM c; ROLLBACK");
    });
    world.sim.fault(Fault::silence().on_path("/v1/users").has("starting_after").always());
    assert_no_leak(&world, "timed out", |session| {
        session.error("SET statement_timeout = '20ms'; SELECT * FROM clerk.users");
    });
}

/// Scans that succeed leave nothing behind, one by one and within one transaction.
#[test]
fn complete_scan_leaks_nothing() {
    let world = world();
    assert_no_leak(&world, "complete", |session| {
        session.rows("SELECT count(attrs) FROM clerk.users");
    });
    world.run(
        "CREATE FUNCTION often() RETURNS void LANGUAGE plpgsql AS $$
         BEGIN FOR i IN 1..20 LOOP PERFORM count(attrs) FROM clerk.organizations; END LOOP; END $$",
    );
    assert_no_leak(&world, "in a loop", |session| {
        session.rows("SELECT often()");
    });
}

/// Ten times the rows do not need more memory.
#[test]
fn memory_does_not_grow_with_rows() {
    let many = Sim::start(Config { users: 100_000, organizations: 1, memberships: 0, ..small() }).unwrap();
    let world = World::new(Config { users: 10_000, ..small() });
    world.server("many", &many, KEY, "");
    let peak = |schema: &str, count: i64| {
        let session = world.connect();
        let query = format!(
            "SELECT count(*), sum(length(u::text)), sum(pg_column_size(attrs)), count(DISTINCT created_at::date)
             FROM {schema}.users u"
        );
        session.run("SET statement_timeout = '180s'");
        assert_eq!(session.one::<i64>(&query), count);
        process_status(session.pid(), "VmHWM").expect("the backend's status")
    };
    let few = peak("clerk", 10_000);
    let all = peak("many", 100_000);
    assert!((all - few).abs() <= 32 * 1024, "{few} kB for 10,000 rows, {all} kB for 100,000");
}
