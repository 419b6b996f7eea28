//! How fast Clerk is asked: by the options of the server and by its own limit.

use std::thread;
use std::time::{Duration, Instant};

use clerk_sim::{Config, Fault, RateLimit};

use crate::support::*;

/// request_interval_ms separates the starts of requests.
#[test]
fn request_interval() {
    let world = World::with(Config { users: 200, ..small() }, "page_size '10', request_interval_ms '50'");
    world.rows("SELECT user_id FROM clerk.users");
    world.rows("SELECT organization_id FROM clerk.organizations");
    let requests = world.requests();
    assert!(requests.len() > 20);
    let gaps: Vec<_> = requests.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
    // They start 50 ms apart; on the way one may lose what the next one does not, and on a busy machine some lose much.
    let short = gaps.iter().filter(|gap| **gap < Duration::from_millis(35)).count();
    assert!(short * 4 < gaps.len(), "{gaps:?}");
    let all = requests[requests.len() - 1].at - requests[0].at;
    assert!(all >= Duration::from_millis(50) * (requests.len() as u32 - 1) - Duration::from_millis(250), "{all:?}");
}

/// rate_limit is a window: so many at once but for a reserve, and in no ten seconds more.
#[test]
fn rate_limit_is_a_window() {
    let world = World::with(Config { organizations: 100, ..small() }, "page_size '2', rate_limit '40'");
    world.rows("SELECT organization_id FROM clerk.organizations");
    let at = starts(&world.requests());
    assert!(at.len() >= 50, "{} requests", at.len());
    assert!(at[31] - at[0] < Duration::from_secs(5), "the burst took {:?}", at[31] - at[0]);
    assert_window(&at, 40);
    assert!(at[39] - at[0] < Duration::from_secs(14), "the reserve took {:?}", at[39] - at[0]);
}

/// A scan that needs fewer requests than the limit is not held back.
#[test]
fn rate_limit_does_not_hold_back_a_scan_below_it() {
    let world = World::with(Config { organizations: 200, ..small() }, "page_size '2', rate_limit '250'");
    world.rows("SELECT organization_id FROM clerk.organizations");
    let at = starts(&world.requests());
    assert!((150..240).contains(&at.len()), "{} requests", at.len());
    assert!(at[at.len() - 1] - at[0] < Duration::from_secs(8), "{:?}", at[at.len() - 1] - at[0]);
}

/// A key of a development instance is paced by what Clerk allows those, a live one by more.
#[test]
fn rate_limit_follows_the_key() {
    let keys = vec!["sk_test_simulator".to_owned(), KEY.to_owned()];
    let config = Config { organizations: 61, keys, ..small() };
    let world = World::with(config, "page_size '2'");
    world.run("ALTER SERVER clerk OPTIONS (DROP rate_limit)");
    world.rows("SELECT organization_id FROM clerk.organizations");
    let at = starts(&world.requests());
    assert!(at.len() > 25, "{} requests", at.len());
    assert_window(&at, 25);

    world.run(&format!("ALTER USER MAPPING FOR CURRENT_USER SERVER clerk OPTIONS (SET api_key '{KEY}')"));
    world.rows("SELECT organization_id FROM clerk.organizations");
    let requests = world.requests();
    assert!(requests.iter().all(|request| request.key == Some(1)), "the new key is used at once");
    assert!(requests[requests.len() - 1].at - requests[0].at < Duration::from_secs(4));
}

/// After a 429 nothing is asked until the Retry-After is over, by whichever scan of the backend.
#[test]
fn retry_429_waits_for_retry_after() {
    let latency = Duration::from_millis(20);
    let config = Config { users: 1000, organizations: 200, memberships: 500, latency, ..small() };
    let world = World::with(config, "page_size '10'");
    for (table, path) in [
        ("users", "/v1/users"),
        ("organizations", "/v1/organizations"),
        ("organization_memberships", "/v1/organization_memberships"),
    ] {
        world.sim.fault(Fault::too_many_requests(3).on_path(path).nth(12));
        let rows = world.rows(&format!("SELECT * FROM clerk.{table}")).len();
        let expected = match table {
            "users" => world.sim.users(),
            "organizations" => world.sim.organizations(),
            _ => world.sim.memberships(),
        };
        assert_eq!(rows, expected.len());
        let requests = world.requests();
        let refused = requests.iter().find(|request| request.status() == Some(429)).expect("a 429");
        // Those in flight may have been on their way when it was answered.
        let from = refused.at + latency + Duration::from_secs(1);
        let to = refused.at + latency + Duration::from_secs(3);
        let early: Vec<_> = requests.iter().filter(|request| from < request.at && request.at < to).collect();
        assert!(early.is_empty(), "{} requests for {table} came too early", early.len());
        assert!(requests.iter().any(|request| request.at >= to));
    }
}

/// A 429 is waited out for as long as the server's option says, however few retries there are.
#[test]
fn retry_429_is_no_failure() {
    let world = World::with(small(), "page_size '10', max_retries '2'");
    world.sim.fault(Fault::too_many_requests(1).always());
    let query = "EXPLAIN (ANALYZE, COSTS OFF, SUMMARY OFF) SELECT user_id FROM clerk.users";
    let session = world.connect();
    let (plan, took) = thread::scope(|scope| {
        let reading = scope.spawn(move || {
            let start = Instant::now();
            (session.column::<String>(query).join("\n"), start.elapsed())
        });
        thread::sleep(Duration::from_secs(8));
        world.sim.clear_faults();
        reading.join().unwrap()
    });
    let refused = world.requests().iter().filter(|request| request.status() == Some(429)).count();
    assert!((3..60).contains(&refused), "{refused} were refused");
    assert!(took >= Duration::from_secs(8), "{took:?}");
    assert!(plan.contains("rows=60") && plan.contains("Waited for Pacing"), "{plan}");
}

/// A wait that would be too long is an error that says how long it would be, and which option allows it.
#[test]
fn retry_429_that_is_too_long_is_an_error() {
    let world = World::with(small(), "page_size '10', rate_limit_timeout_ms '2000'");
    world.sim.fault(Fault::too_many_requests(33).always());
    let start = Instant::now();
    let error = world.error("SELECT user_id FROM clerk.users");
    assert_eq!(error.code().code(), "08006", "{error:?}");
    assert!(error.message().contains("Clerk asks to wait 33 s"), "{error:?}");
    assert!(error.hint().is_some_and(|hint| hint.contains("rate_limit_timeout_ms")), "{error:?}");
    // The next query is not even sent.
    world.requests();
    let error = world.error("SELECT user_id FROM clerk.users");
    assert!(error.message().contains("Clerk asks to wait"), "{error:?}");
    assert_eq!(world.targets(), [""; 0]);
    assert!(start.elapsed() < Duration::from_secs(10));
}

const BACKENDS: usize = 16;

/// Sixteen backends that run into Clerk's rate limit together wait, and lose nothing.
#[test]
fn retry_429_in_sixteen_backends() {
    let mut config = Config { users: 200, organizations: 60, ..small() };
    // Each of them believes that it has all of it for itself.
    config.rate_limit = RateLimit::Requests(80);
    config.latency = Duration::from_millis(5);
    let world = World::with(config, "page_size '40'");
    let users = ids(&world.sim.users());
    let organizations = ids(&world.sim.organizations());
    let start = Instant::now();
    let sessions: Vec<_> = (0..BACKENDS).map(|_| world.connect()).collect();
    thread::scope(|scope| {
        for (number, session) in sessions.into_iter().enumerate() {
            let (users, organizations) = (&users, &organizations);
            scope.spawn(move || {
                let context = format!("backend {number}");
                assert_same_ids(session.column("SELECT user_id FROM clerk.users"), users, &context);
                assert_same_ids(
                    session.column("SELECT organization_id FROM clerk.organizations"),
                    organizations,
                    &context,
                );
            });
        }
    });
    let requests = world.requests();
    let refused = requests.iter().filter(|request| request.status() == Some(429)).count();
    assert!(refused > 0, "the limit was never met with {} requests", requests.len());
    // Those in flight together are refused together; after that each waits for as long as it was told.
    assert!(refused < requests.len() / 2, "{refused} of {} requests were refused", requests.len());
    assert!(start.elapsed() < Duration::from_secs(45), "{:?}", start.elapsed());
}
