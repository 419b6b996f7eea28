//! A wait ends at once when somebody wants it to end.

use std::thread;
use std::time::{Duration, Instant};

use clerk_sim::{Config, Fault};
use postgres::NoTls;
use postgres::error::SqlState;

use crate::support::*;

/// Ways to wait for a long time, each in a world of its own.
const WAITS: [&str; 6] = ["silence", "retry_after", "latency", "backoff", "rate_limit", "interval"];

/// A key with a budget of its own.
const OTHER_KEY: &str = "sk_live_other";

const QUERY: &str = "SELECT count(user_id) FROM clerk.users";

/// A world in which [`QUERY`] takes minutes.
fn waiting(wait: &str) -> World {
    let options = match wait {
        "backoff" => "page_size '10', max_retries '100'",
        "rate_limit" => "page_size '10', rate_limit '1'",
        "interval" => "page_size '10', request_interval_ms '60000'",
        _ => "page_size '10', max_concurrency '2'",
    };
    let keys = vec![KEY.to_owned(), OTHER_KEY.to_owned()];
    let world = World::with(Config { users: 1000, keys, ..small() }, options);
    let page = |fault: Fault| fault.on_path("/v1/users").nth(2).always();
    match wait {
        "silence" => world.sim.fault(page(Fault::silence())),
        "retry_after" => world.sim.fault(page(Fault::too_many_requests(60))),
        "latency" => world.sim.set_latency(Duration::from_millis(400)),
        "backoff" => world.sim.fault(page(Fault::status(503))),
        _ => {}
    }
    world
}

/// What came before must not linger: the connection works, and nothing is asked on its behalf any more.
fn assert_usable(world: &World, wait: &str) {
    world.sim.clear_faults();
    world.sim.set_latency(Duration::ZERO);
    // Postgres signals a backend twice for one request to cancel, and the second signal may meet the next statement.
    let _ = world.client().batch_execute("SELECT pg_sleep(0.1)");
    assert_eq!(world.one::<i32>("SELECT 1"), 1);
    world.assert_quiet(wait);
    // The pauses that Clerk or the server's options ask for hold for the next query too. Other settings are another
    // connection, and another key has another budget.
    world.run("ALTER SERVER clerk OPTIONS (ADD timeout_ms '20000', SET rate_limit '99999')");
    if wait == "retry_after" {
        world.run(&format!("ALTER USER MAPPING FOR CURRENT_USER SERVER clerk OPTIONS (SET api_key '{OTHER_KEY}')"));
    }
    if wait == "interval" {
        world.run("ALTER SERVER clerk OPTIONS (DROP request_interval_ms)");
    }
    assert_eq!(world.one::<i64>(QUERY), 1000, "{wait}");
}

/// An interrupt ends a wait within half a second, where the machine lets it: of a few attempts one has to. How long each
/// took is what `interrupt` gives.
fn assert_prompt(wait: &str, mut interrupt: impl FnMut() -> Duration) {
    let mut times = Vec::new();
    while times.len() < 5 {
        let time = interrupt();
        times.push(time);
        if time < Duration::from_millis(500) {
            return;
        }
    }
    panic!("{wait}: it ended after {times:?}");
}

/// Ctrl-C ends every kind of wait.
#[test]
fn cancel_ends_every_wait() {
    for wait in WAITS {
        let world = waiting(wait);
        assert_prompt(wait, || {
            let canceller = world.canceller();
            let cancelled = thread::spawn(move || {
                thread::sleep(Duration::from_millis(500));
                canceller.cancel_query(NoTls).unwrap();
                Instant::now()
            });
            let error = world.error(QUERY);
            let ended = Instant::now();
            assert_eq!(error.code().code(), "57014", "{wait}: {error:?}");
            ended.saturating_duration_since(cancelled.join().unwrap())
        });
        assert_usable(&world, wait);
    }
}

/// statement_timeout ends every kind of wait.
#[test]
fn statement_timeout_ends_every_wait() {
    for wait in WAITS {
        let world = waiting(wait);
        world.run("SET statement_timeout = '400ms'");
        assert_prompt(wait, || {
            let start = Instant::now();
            let error = world.error(QUERY);
            assert_eq!(error.code().code(), "57014", "{wait}: {error:?}");
            start.elapsed().saturating_sub(Duration::from_millis(400))
        });
        world.run("RESET statement_timeout");
        assert_usable(&world, wait);
    }
}

/// A backend that waits for Clerk goes when it is told to, as in a fast shutdown.
#[test]
fn terminate_ends_every_wait() {
    for wait in WAITS {
        let world = waiting(wait);
        assert_prompt(wait, || {
            let victim = world.connect();
            let pid = victim.pid();
            thread::scope(|scope| {
                let ended = scope.spawn(move || victim.client().batch_execute(QUERY).expect_err("an error"));
                thread::sleep(Duration::from_millis(500));
                let start = Instant::now();
                assert!(world.one::<bool>(&format!("SELECT pg_terminate_backend({pid})")));
                wait_until("the backend is gone", || {
                    world.one::<i64>(&format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}")) == 0
                });
                let time = start.elapsed();
                // The client may see the connection's end before the words that precede it.
                let error = ended.join().unwrap();
                assert!(error.is_closed() || error.code() == Some(&SqlState::ADMIN_SHUTDOWN), "{wait}: {error:?}");
                time
            })
        });
        assert_usable(&world, wait);
    }
}

/// Nothing is read for a cursor that was closed, or whose transaction has ended.
#[test]
fn closed_cursor_stops_requests() {
    let world = World::with(Config { users: 2000, ..small() }, "page_size '10'");
    for end in ["CLOSE c", "ROLLBACK", "COMMIT"] {
        world.run("BEGIN; DECLARE c CURSOR FOR SELECT user_id FROM clerk.users");
        world.rows("FETCH 25 FROM c");
        world.run(end);
        world.assert_quiet(&format!("after {end}"));
        world.run("ROLLBACK");
    }
}

/// Interrupting again and again in the middle of reading harms nothing.
#[test]
fn repeated_statement_timeout_is_harmless() {
    let latency = Duration::from_millis(3);
    let world = World::with(Config { users: 1000, latency, ..small() }, "page_size '20'");
    let pid = world.pid();
    let mut cut_off = 0;
    for round in 0..60 {
        world.run(&format!("SET statement_timeout = '{}ms'", 1 + round));
        match world.try_column::<i64>("SELECT count(*) FROM (SELECT attrs FROM clerk.users) u WHERE attrs IS NOT NULL")
        {
            Ok(count) => assert_eq!(count, [1000]),
            Err(error) => {
                cut_off += 1;
                assert_eq!(error.code().code(), "57014", "{error:?}");
            }
        }
    }
    assert!(cut_off > 10, "{cut_off} of 60");
    world.run("RESET statement_timeout");
    assert_eq!(world.one::<i64>(QUERY), 1000);
    assert_eq!(world.pid(), pid, "it is still the same backend");
}
