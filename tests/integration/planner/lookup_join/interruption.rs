//! Joins that end early: requests that fail, cancels and timeouts at any point.

use std::thread;
use std::time::{Duration, Instant};

use clerk_sim::Fault;
use postgres::NoTls;

use super::*;

const JOIN: &str = "SELECT k.n, u.email FROM own.known k JOIN clerk.users u USING (user_id) WHERE k.n <= 1000";

fn slow() -> World {
    let world = crowd(1500, "max_retries '1', max_concurrency '3'");
    world.run(ONLY_LOOKUPS);
    world.run("CREATE TABLE own.found (n int, email text)");
    assert!(plan_of(&world, JOIN).contains(NODE));
    world
}

/// A request that fails fails the statement, and nothing of what it wrote stays.
#[test]
fn failed_request() {
    let world = slow();
    for (what, fault, code) in [
        ("422", Fault::status(422), "HV000"),
        ("404", Fault::status(404), "HV000"),
        ("500", Fault::status(500), "08006"),
        ("reset", Fault::reset(), "08006"),
        ("cut JSON", Fault::cut_json(), "HV00L"),
    ] {
        for nth in [1, 4, 10] {
            world.sim.clear_faults();
            world.sim.fault(fault.clone().on_path("/v1/users").has("user_id").nth(nth).always());
            let error = world.error(&format!("INSERT INTO own.found {JOIN}"));
            let is_expected = error.code().code() == code || (what == "cut JSON" && error.code().code() == "HV000");
            assert!(is_expected, "{what} at request {nth}: {error:?}");
            assert_eq!(world.one::<i64>("SELECT count(*) FROM own.found"), 0, "{what} at request {nth}");
            let count = world.error(&format!("SELECT count(*) FROM ({JOIN}) s"));
            assert!(!error_text(&count).contains("sk_live"), "{count:?}");
        }
    }
    world.sim.clear_faults();
    world.assert_quiet("after failures");
    assert_eq!(world.rows(JOIN).len(), 1000);
}

/// A fault that another try mends is not seen in the rows.
#[test]
fn mended_fault() {
    let world = slow();
    for fault in [Fault::status(503), Fault::reset(), Fault::cut(), Fault::too_many_requests(1)] {
        world.sim.clear_faults();
        world.sim.fault(fault.on_path("/v1/users").has("user_id").nth(3));
        assert_eq!(world.rows(JOIN).len(), 1000);
    }
}

/// A cursor whose later request fails has given the rows before it, and gives no more.
#[test]
fn cursor_with_a_failed_request() {
    let world = slow();
    world.sim.fault(Fault::status(422).on_path("/v1/users").has("user_id").nth(5).always());
    world.run(&format!("BEGIN; DECLARE c CURSOR FOR {JOIN}"));
    let mut rows = 0;
    let error = loop {
        match world.try_column::<i32>("FETCH 50 FROM c") {
            Ok(more) => rows += more.len(),
            Err(error) => break error,
        }
        assert!(rows < 1000, "no error in 1,000 rows");
    };
    assert_eq!(error.code().code(), "HV000", "{error:?}");
    assert!(rows <= 400, "{rows} rows of four requests");
    world.run("ROLLBACK");
    world.sim.clear_faults();
    assert_eq!(world.rows(JOIN).len(), 1000);
}

/// An error of the outer side, of a condition, or of what stands above the join ends it as well.
#[test]
fn errors_around_the_join() {
    let world = slow();
    for query in [
        "SELECT u.email FROM (SELECT n, user_id, 1 / (500 - n) AS x FROM own.known OFFSET 0) k JOIN clerk.users u USING (user_id) WHERE k.x < 2",
        "SELECT u.email FROM own.known k JOIN clerk.users u ON u.user_id = k.user_id AND 1 / (700 - k.n - 0 * length(u.user_id)) < 2",
        "SELECT 1 / (700 - k.n) FROM own.known k JOIN clerk.users u USING (user_id)",
        "SELECT u.email FROM own.known k JOIN clerk.users u ON u.user_id = substr(k.user_id, 1, 200 / (800 - k.n))",
    ] {
        let error = world.error(query);
        assert_eq!(error.code().code(), "22012", "{query}: {error:?}");
    }
    world.run("BEGIN; SAVEPOINT s");
    world.error("SELECT 1 / (700 - k.n) FROM own.known k JOIN clerk.users u USING (user_id)");
    world.run("ROLLBACK TO s");
    assert_eq!(world.rows(JOIN).len(), 1000);
    world.run("COMMIT");
    world.assert_quiet("after errors");
}

/// Ctrl-C ends a join that waits for Clerk, and one that waits for its outer side.
#[test]
fn cancel() {
    let world = slow();
    let silent = |nth: u64| Fault::silence().on_path("/v1/users").has("user_id").nth(nth).always();
    for (what, query) in [
        ("the first request", JOIN),
        ("a later request", JOIN),
        ("latency", JOIN),
        (
            "the outer side",
            "SELECT u.email FROM (SELECT user_id, pg_sleep(0.05) FROM own.known OFFSET 0) k JOIN clerk.users u USING (user_id)",
        ),
    ] {
        world.sim.clear_faults();
        match what {
            "the first request" => world.sim.fault(silent(1)),
            "a later request" => world.sim.fault(silent(6)),
            "latency" => world.sim.set_latency(Duration::from_secs(2)),
            _ => {}
        }
        // Of a few attempts one has to be prompt, where the machine lets it.
        let mut times = Vec::new();
        while times.last().is_none_or(|time| *time > Duration::from_millis(500)) {
            assert!(times.len() < 5, "{what}: it ended after {times:?}");
            let canceller = world.canceller();
            let cancelled = thread::spawn(move || {
                thread::sleep(Duration::from_millis(500));
                canceller.cancel_query(NoTls).unwrap();
                Instant::now()
            });
            let error = world.error(query);
            let ended = Instant::now();
            assert_eq!(error.code().code(), "57014", "{what}: {error:?}");
            times.push(ended.saturating_duration_since(cancelled.join().unwrap()));
        }
        world.sim.clear_faults();
        world.sim.set_latency(Duration::ZERO);
        // Postgres signals a backend twice for one request to cancel, and the second may meet the next statement.
        let _ = world.client().batch_execute("SELECT pg_sleep(0.1)");
        world.assert_quiet(what);
        assert_eq!(world.rows(JOIN).len(), 1000, "{what}");
    }
}

/// statement_timeout may strike at any point, again and again, and harms nothing.
#[test]
fn repeated_statement_timeout_is_harmless() {
    let world = slow();
    world.sim.set_latency(Duration::from_millis(4));
    let pid = world.pid();
    let mut cut_off = 0;
    for round in 0..60 {
        world.run(&format!("SET statement_timeout = '{}ms'", 1 + round));
        match world.try_column::<i64>(&format!("SELECT count(*) FROM ({JOIN} OFFSET 0) s")) {
            Ok(count) => assert_eq!(count, [1000]),
            Err(error) => {
                cut_off += 1;
                assert_eq!(error.code().code(), "57014", "{error:?}");
            }
        }
    }
    assert!(cut_off > 5, "{cut_off} of 60");
    world.run("RESET statement_timeout");
    assert_eq!(world.rows(JOIN).len(), 1000);
    assert_eq!(world.pid(), pid, "it is still the same backend");
}

/// Nothing is asked for a join that has ended, or whose cursor was closed.
#[test]
fn nothing_is_asked_afterwards() {
    let world = slow();
    world.sim.set_latency(Duration::from_millis(50));
    for end in ["CLOSE c", "ROLLBACK", "COMMIT"] {
        world.run(&format!("BEGIN; DECLARE c CURSOR FOR {JOIN}"));
        world.rows("FETCH 120 FROM c");
        world.run(end);
        world.assert_quiet(&format!("after {end}"));
        world.run("ROLLBACK");
    }
    world.rows(&format!("{JOIN} LIMIT 150"));
    world.assert_quiet("after a LIMIT");
}

/// A backend that is terminated in the middle of a join goes at once.
#[test]
fn terminate() {
    let world = slow();
    world.sim.fault(Fault::silence().on_path("/v1/users").has("user_id").nth(4).always());
    let victim = world.connect();
    victim.run(ONLY_LOOKUPS);
    let pid = victim.pid();
    thread::scope(|scope| {
        let ended = scope.spawn(move || victim.client().batch_execute(JOIN).expect_err("an error"));
        wait_until("the fourth request has come", || world.sim.request_count() >= 4);
        assert!(world.one::<bool>(&format!("SELECT pg_terminate_backend({pid})")));
        let start = Instant::now();
        wait_until("the backend is gone", || {
            world.one::<i64>(&format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}")) == 0
        });
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        ended.join().unwrap();
    });
    world.sim.clear_faults();
    assert_eq!(world.rows(JOIN).len(), 1000);
}
