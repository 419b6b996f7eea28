//! Many at once, under Clerk's own limit.

use std::thread;
use std::time::{Duration, Instant};

use clerk_sim::{Config, RateLimit};

use crate::common::*;

const BACKENDS: usize = 16;

/// Sixteen backends that run into Clerk's rate limit together wait, and lose nothing.
#[test]
fn sixteen_backends_under_the_rate_limit_lose_nothing() {
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
                let story = format!("backend {number}");
                assert_same(session.column("SELECT user_id FROM clerk.users"), users, &story);
                assert_same(session.column("SELECT organization_id FROM clerk.organizations"), organizations, &story);
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

/// Sixteen backends at once, without any limit, each with queries of its own.
#[test]
fn sixteen_backends_at_once_do_not_disturb_each_other() {
    let world = World::with(Config { users: 400, memberships: 500, ..small() }, "page_size '50'");
    let users = ids(&world.sim.users());
    let sessions: Vec<_> = (0..BACKENDS).map(|_| world.connect()).collect();
    thread::scope(|scope| {
        for (number, session) in sessions.into_iter().enumerate() {
            let users = &users;
            scope.spawn(move || {
                for round in 0..5 {
                    let story = format!("backend {number}, round {round}");
                    let id = &users[(number * 31 + round * 7) % users.len()];
                    let one = format!("SELECT user_id FROM clerk.users WHERE user_id = '{id}'");
                    assert_eq!(session.column::<String>(&one), [id.as_str()], "{story}");
                    assert_eq!(session.rows("SELECT * FROM clerk.users LIMIT 7").len(), 7, "{story}");
                    assert_same(session.column("SELECT user_id FROM clerk.users"), users, &story);
                }
            });
        }
    });
}
