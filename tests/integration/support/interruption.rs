//! Full syncs that are interrupted in the middle, and what the next sync has to do then.

use std::time::Duration;

use clerk_sim::Config;
use postgres::CancelToken;

use super::*;

/// So many that a full sync takes 100 pages of users.
pub fn many_users() -> Config {
    Config { users: 2000, organizations: 5, memberships: 20, ..small() }
}

/// A full sync, cut off after a good part of its pages by whatever `cut` does to its backend; gives its error.
pub fn interrupt_sync(world: &mut World, cut: impl FnOnce(&World, i32, &CancelToken)) -> postgres::Error {
    let syncer = world.connect();
    let (pid, canceller) = (syncer.pid(), syncer.canceller());
    world.sim.set_latency(Duration::from_millis(150));
    let error = std::thread::scope(|scope| {
        let sync = "CALL clerk_fdw.sync('m', mode => 'full')";
        let syncing = scope.spawn(move || syncer.client().batch_execute(sync).unwrap_err());
        wait_until("half is read", || {
            world.one("SELECT count(*) > 0 FROM clerk_fdw.sync_progress WHERE rows_read >= 1000")
        });
        cut(world, pid, &canceller);
        syncing.join().unwrap()
    });
    world.sim.set_latency(Duration::ZERO);
    world.reconnect();
    wait_until("its lock is free", || !world.one::<bool>("SELECT bool_or(running) FROM clerk_fdw.mirror_status"));
    world.wait_until_idle();
    error
}

/// After a sync that was cut off: the next one reads the rest, and not much more.
pub fn assert_resumes(world: &World, state: &str) {
    let users = last_run(world, "users");
    assert_eq!(users.state, state, "{users:?}");
    let kept: i64 = world.one("SELECT count(*) FROM m.users");
    assert!(kept >= 1000, "{kept} users are kept");
    assert_eq!(world.one::<i64>("SELECT sum(deleted)::bigint FROM clerk_fdw.mirror_status"), 0);
    world.run("CALL clerk_fdw.sync('m')");
    let rest = last_run(world, "users");
    assert_eq!(rest.state, "succeeded");
    // Of what was read side by side, some pages reach into what is there.
    assert!(rest.read < 2000 - kept + 200, "{kept} users are there, and {rest:?}");
    assert_in_sync(world, "the sync after it");
    world.run("CALL clerk_fdw.sync('m', mode => 'full')");
    let whole = last_run(world, "users");
    assert!(rest.requests < whole.requests, "{} requests, {} for all", rest.requests, whole.requests);
    let states = "SELECT count(*) FROM clerk_fdw_internal.sync_run WHERE state IN ('running', 'starting')";
    assert_eq!(world.one::<i64>(states), 0);
    assert_eq!(
        world.one::<i64>("SELECT count(*) FROM clerk_fdw_internal.sync_page"),
        0,
        "nothing is left to go on with"
    );
}
