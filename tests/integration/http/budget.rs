//! All backends keep to one limit together.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clerk_sim::{Config, Fault, RateLimit};

use crate::support::*;

const SECOND: Duration = Duration::from_secs(1);

/// A server whose backends share memory, of any version.
fn preloaded() -> Cluster {
    Cluster::with("shared_preload_libraries = 'clerk_fdw'\nrestart_after_crash = on\n")
}

const SCAN: &str = "SELECT count(user_id) FROM clerk.users";

/// Runs a query again and again, in new connections where one is lost, until it is told to stop.
fn repeat(address: &Address, query: &str, is_over: &AtomicBool) {
    while !is_over.load(Ordering::Relaxed) {
        let Ok(session) = address.try_connect() else {
            thread::sleep(Duration::from_millis(50));
            continue;
        };
        while !is_over.load(Ordering::Relaxed) && !session.client().is_closed() {
            // It may be cancelled or killed.
            let _ = session.client().query(query, &[]);
        }
    }
}

/// The version of the Postgres that is tested.
fn version() -> i32 {
    Session::open(&variable("PGHOST"), "postgres").one("SELECT current_setting('server_version_num')::int / 10000")
}

/// Ends whatever still reads.
fn end_scans(world: &World) {
    world.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
}

/// Thirty-two backends read at once, and some are cancelled, terminated or killed: Clerk sees no window above the limit,
/// nearly all of it is used, and Clerk never says 429.
#[test]
fn thirty_two_backends() {
    read_beside_each_other(&preloaded(), true);
}

/// The same without preloading, where a server forgets the last ten seconds when a process is killed.
#[test]
fn thirty_two_backends_without_preloading() {
    if version() < 17 {
        return skip("before PostgreSQL 17 backends share memory only where the extension is preloaded");
    }
    read_beside_each_other(&Cluster::start(), false);
}

fn read_beside_each_other(cluster: &Cluster, kills: bool) {
    const LIMIT: usize = 200;
    let config = Config {
        users: 3000,
        rate_limit: RateLimit::Requests(LIMIT as u32),
        latency: Duration::from_millis(20),
        ..small()
    };
    let options = format!("page_size '10', rate_limit '{LIMIT}'");
    let mut world = World::at(cluster.host(), config, &options, "");
    let (address, is_over) = (world.address(), AtomicBool::new(false));
    let start = Instant::now();
    let at = |seconds: u32| thread::sleep((SECOND * seconds).saturating_sub(start.elapsed()));
    thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| repeat(&address, SCAN, &is_over));
        }
        let some = |function: &str, count: u32| {
            format!(
                "SELECT {function}(pid) FROM pg_stat_activity
                  WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY pid LIMIT {count}"
            )
        };
        at(4);
        world.run(&some("pg_cancel_backend", 8));
        let waiting = "SELECT coalesce(sum(waiting), 0)::int FROM clerk_fdw.budget";
        wait_until("many wait", || world.one::<i32>(waiting) >= 32);
        at(9);
        world.run(&some("pg_cancel_backend", 8));
        world.run(&some("pg_terminate_backend", 4));
        at(21);
        if kills {
            let victim = world.one::<i32>(&some("", 1));
            send_signal(victim, libc::SIGKILL);
            thread::sleep(SECOND);
            world.reconnect();
        }
        at(36);
        is_over.store(true, Ordering::Relaxed);
        end_scans(&world);
    });
    let requests = world.requests();
    let refused = requests.iter().filter(|request| request.status() == Some(429)).count();
    assert_eq!(refused, 0, "of {} requests", requests.len());
    let at = starts(&requests);
    assert_window(&at, LIMIT);
    // Before one was killed, there was demand all the time.
    let used = at.iter().filter(|at| **at - requests[0].at < SECOND * 20).count();
    println!("{used} of {} in 20 s, {} in all", 2 * LIMIT, at.len());
    assert!(used >= 2 * LIMIT * 95 / 100, "{used} in 20 s");
    assert!(at.len() > 2 * LIMIT + LIMIT / 2, "{} requests: they went on after the crash", at.len());
    // A lookup finds the budget in order.
    let id = &world.sim.users()[0].id;
    assert_eq!(world.rows(&format!("SELECT * FROM clerk.users WHERE user_id = '{id}'")).len(), 1);
}

/// A lookup waits no longer than two seconds beside eight scans that use up what Clerk documents for a development
/// instance, and all of that can be used.
#[test]
fn lookup_beside_eight_scans() {
    const LIMIT: usize = 100;
    let cluster = preloaded();
    let key = "sk_test_simulator";
    let config = Config {
        users: 2000,
        rate_limit: RateLimit::ByKey,
        keys: vec![key.to_owned()],
        latency: Duration::from_millis(20),
        ..small()
    };
    let world = World::at(cluster.host(), config, &format!("page_size '10', rate_limit '{LIMIT}'"), "");
    let id = world.sim.users()[7].id.clone();
    let lookup = format!("SELECT email FROM clerk.users WHERE user_id = '{id}'");
    let (address, is_over) = (world.address(), AtomicBool::new(false));
    let waits = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| repeat(&address, SCAN, &is_over));
        }
        wait_until("the burst is over", || world.sim.request_count() >= LIMIT / 2);
        for number in 0..14 {
            let start = Instant::now();
            assert_eq!(world.rows(&lookup).len(), 1);
            waits.lock().unwrap().push(start.elapsed());
            // At different moments between two starts.
            thread::sleep(Duration::from_millis(300 + 170 * (number % 5)));
        }
        is_over.store(true, Ordering::Relaxed);
        end_scans(&world);
    });
    let waits = waits.into_inner().unwrap();
    println!("lookups waited for {waits:?}");
    assert!(waits.iter().all(|wait| *wait <= 2 * SECOND), "{waits:?}");
    let requests = world.requests();
    assert!(requests.iter().all(|request| request.status() != Some(429)));
    let at = starts(&requests);
    assert_window(&at, LIMIT);
    let used = at.iter().filter(|time| **time - at[0] < SECOND * 10).count();
    assert!(used >= LIMIT * 95 / 100, "{used} in the first window");
}

/// A 429 for one backend holds all of them back.
#[test]
fn retry_after_holds_everyone() {
    let cluster = preloaded();
    let world = World::at(cluster.host(), Config { users: 20, ..small() }, "page_size '10'", "");
    let (one, other) = (world.connect(), world.connect());
    world.sim.fault(Fault::too_many_requests(3));
    thread::scope(|scope| {
        let refused = scope.spawn(move || one.one::<i64>(SCAN));
        wait_until("it is refused", || {
            world.one::<bool>(
                "SELECT coalesce(bool_or(held_until > now() AND refused = 1), false) FROM clerk_fdw.budget",
            )
        });
        assert_eq!(other.one::<i64>(SCAN), 20);
        assert_eq!(refused.join().unwrap(), 20);
    });
    let requests = world.requests();
    let refused = requests.iter().find(|request| request.status() == Some(429)).expect("a 429").at;
    // One beside it may have been on its way.
    let early = |at: &&Duration| **at > refused + SECOND && **at < refused + 3 * SECOND;
    assert_eq!(starts(&requests).iter().find(early), None, "{refused:?}");
    assert!(world.one::<bool>("SELECT held_until IS NULL FROM clerk_fdw.budget"));
}

/// The view shows what is used, to those who may see it, and not the key.
#[test]
fn view() {
    let version = version();
    let cluster = preloaded();
    let common = variable("PGHOST");
    for (host, is_shared) in [(cluster.host(), true), (common.as_str(), version >= 17)] {
        let world = World::at(host, small(), "page_size '10', rate_limit '321'", "");
        assert_eq!(world.one::<i64>(SCAN), 60);
        let asked = world.requests().len();
        assert_eq!(
            world.one::<bool>("SELECT shared_budget FROM clerk_fdw.check_server('clerk')"),
            is_shared,
            "version {version}"
        );
        let left: i32 = world.one("SELECT remaining_budget FROM clerk_fdw.check_server('clerk')");
        assert_eq!(left, 321 - asked as i32 - 2);
        // Another session sees it if the memory is shared.
        let session = if is_shared { world.connect() } else { world.connect_to("postgres") };
        let port = world.sim.address().port();
        let query = format!(
            "SELECT host || ' ' || (instance ~ '^live [0-9a-f]{{8}}$') || ' ' || rate_limit || ' ' || used || ' '
                    || (held_until IS NULL) || ' ' || waiting || ' ' || refused || ' ' || shared
               FROM clerk_fdw.budget WHERE host LIKE '%:{port}'"
        );
        let expected = format!("127.0.0.1:{port} true 321 {} true 0 0 {is_shared}", asked + 2);
        let seen = if is_shared { session.column::<String>(&query) } else { world.column::<String>(&query) };
        assert_eq!(seen, [expected]);
        let session = world.connect();
        session.run("SET client_min_messages = log");
        for server in ["clerk", "second"] {
            if server == "second" {
                world.server(server, &world.sim, KEY, "");
            }
            session.rows(&format!("SELECT user_id FROM {server}.users"));
        }
        let said = session.notices().iter().filter(|notice| notice.contains("counts in each backend alone")).count();
        assert_eq!(said, usize::from(!is_shared), "it is said once");
        let all = world.column::<String>("SELECT budget::text FROM clerk_fdw.budget").join("\n");
        assert!(!all.contains("simulator"), "{all}");

        let (reader, monitor) = (world.role("reader"), world.role("monitor"));
        world.run(&format!(
            "CREATE ROLE {reader}; CREATE ROLE {monitor}; GRANT USAGE ON SCHEMA clerk_fdw TO {monitor};
             GRANT EXECUTE ON FUNCTION clerk_fdw.budgets TO {monitor}; GRANT SELECT ON clerk_fdw.budget TO {monitor}"
        ));
        world.run(&format!("SET ROLE {monitor}"));
        assert!(world.one::<i64>("SELECT count(*) FROM clerk_fdw.budget") > 0);
        world.run(&format!("SET ROLE {reader}"));
        assert_eq!(world.error("SELECT * FROM clerk_fdw.budget").code().code(), "42501");
        world.run(&format!("RESET ROLE; DROP OWNED BY {monitor}; DROP ROLE {reader}, {monitor}"));
    }
}

/// Servers with the same key at the same host count together, and others for themselves.
#[test]
fn servers_of_one_key() {
    let cluster = preloaded();
    let keys = vec![KEY.to_owned(), "sk_live_other".to_owned()];
    let config = Config { organizations: 20, keys, ..small() };
    let world = World::at(cluster.host(), config, "page_size '2', rate_limit '100'", "");
    world.server("same", &world.sim, KEY, "page_size '2', rate_limit '100'");
    world.server("other", &world.sim, "sk_live_other", "page_size '2', rate_limit '100'");
    for schema in ["clerk", "same", "other"] {
        assert_eq!(
            world.connect().one::<i64>(&format!("SELECT count(organization_id || '') FROM {schema}.organizations")),
            20
        );
    }
    assert_eq!(world.one::<i64>("SELECT count(*) FROM clerk_fdw.budget"), 2);
    let requests = world.requests();
    let of = |key: usize| -> Vec<_> { requests.iter().filter(|request| request.key == Some(key)).cloned().collect() };
    let (shared, alone) = (of(0), of(1));
    assert_eq!(shared.len(), 2 * alone.len());
    let used: i32 = world.one("SELECT max(used) FROM clerk_fdw.budget");
    assert_eq!(used as usize, shared.len());
}
