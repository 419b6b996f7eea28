//! Syncs that are cut off: what they have read stays, and the next one goes on from there.

use std::time::Duration;

use clerk_sim::{Config, Fault};
use postgres::CancelToken;

use crate::common::*;
use crate::mirror::*;

/// So many that a full sync takes 100 pages of users.
pub fn many() -> Config {
    Config { users: 2000, organizations: 5, memberships: 20, ..small() }
}

/// A full sync, cut off after a good part of its pages by whatever `cut` does to its backend; gives its error.
pub fn cut_off(world: &mut World, cut: impl FnOnce(&World, i32, &CancelToken)) -> postgres::Error {
    let syncer = world.connect();
    let (pid, canceller) = (syncer.pid(), syncer.canceller());
    world.sim.set_latency(Duration::from_millis(150));
    let error = std::thread::scope(|scope| {
        let sync = "CALL clerk_fdw.sync('m', mode => 'full')";
        let syncing = scope.spawn(move || syncer.client().batch_execute(sync).unwrap_err());
        until("half is read", || world.one("SELECT count(*) > 0 FROM clerk_fdw.sync_progress WHERE rows_read >= 1000"));
        cut(world, pid, &canceller);
        syncing.join().unwrap()
    });
    world.sim.set_latency(Duration::ZERO);
    world.reconnect();
    until("its lock is free", || !world.one::<bool>("SELECT bool_or(running) FROM clerk_fdw.mirror_status"));
    world.settle();
    error
}

/// After a sync that was cut off: the next one reads the rest, and not much more.
pub fn assert_goes_on(world: &World, state: &str) {
    let users = logged(world, "users");
    assert_eq!(users.state, state, "{users:?}");
    let kept: i64 = world.one("SELECT count(*) FROM m.users");
    assert!(kept >= 1000, "{kept} users are kept");
    assert_eq!(world.one::<i64>("SELECT sum(deleted)::bigint FROM clerk_fdw.mirror_status"), 0);
    world.run("CALL clerk_fdw.sync('m')");
    let rest = logged(world, "users");
    assert_eq!(rest.state, "succeeded");
    // Of what was read side by side, some pages reach into what is there.
    assert!(rest.read < 2000 - kept + 200, "{kept} users are there, and {rest:?}");
    assert_in_step(world, "the sync after it");
    world.run("CALL clerk_fdw.sync('m', mode => 'full')");
    let whole = logged(world, "users");
    assert!(rest.requests < whole.requests, "{} requests, {} for all", rest.requests, whole.requests);
    let states = "SELECT count(*) FROM clerk_fdw_internal.sync_run WHERE state IN ('running', 'starting')";
    assert_eq!(world.one::<i64>(states), 0);
    assert_eq!(
        world.one::<i64>("SELECT count(*) FROM clerk_fdw_internal.sync_page"),
        0,
        "nothing is left to go on with"
    );
}

#[test]
fn a_sync_whose_backend_was_ended_goes_on() {
    let mut world = mirrored(many(), "page_size '20'");
    cut_off(&mut world, |world, pid, _| world.run(&format!("SELECT pg_terminate_backend({pid})")));
    assert_goes_on(&world, "interrupted");
}

#[test]
fn a_sync_that_was_cancelled_goes_on() {
    let mut world = mirrored(many(), "page_size '20'");
    let error = cut_off(&mut world, |world, pid, _| world.run(&format!("SELECT pg_cancel_backend({pid})")));
    assert_eq!(error.code().unwrap().code(), "57014", "{error:?}");
    assert_goes_on(&world, "cancelled");
}

#[test]
fn a_sync_that_was_cancelled_by_its_client_goes_on() {
    let mut world = mirrored(many(), "page_size '20'");
    cut_off(&mut world, |_, _, canceller| canceller.cancel_query(postgres::NoTls).unwrap());
    assert_goes_on(&world, "cancelled");
}

#[test]
fn a_sync_that_failed_goes_on() {
    let world = mirrored(many(), "page_size '20', max_retries '0'");
    world.sim.fault(Fault::status(500).on_path("/v1/users").nth(70).always());
    let error = world.error("CALL clerk_fdw.sync('m')");
    assert_eq!(error.code().code(), "08006", "{error:?}");
    let users = logged(&world, "users");
    assert!(users.message.as_ref().is_some_and(|message| message.contains("500")), "{users:?}");
    world.sim.clear_faults();
    assert_goes_on(&world, "failed");
}

/// Users that change and go between a sync's two halves.
#[test]
fn what_changes_between_the_halves_is_not_lost() {
    let mut world = in_step(many(), "page_size '20'");
    cut_off(&mut world, |world, pid, _| world.run(&format!("SELECT pg_terminate_backend({pid})")));
    let users = world.sim.users();
    for user in users.iter().step_by(100) {
        world.sim.delete_user(&user.id).unwrap();
    }
    for user in users.iter().skip(1).step_by(100) {
        world.sim.update_user(&user.id, serde_json::json!({"first_name": "Ada"})).unwrap();
    }
    world.sim.create_user(serde_json::json!({"first_name": "Ada"})).unwrap();
    world.run("CALL clerk_fdw.sync('m')");
    world.run("CALL clerk_fdw.sync('m')");
    assert_in_step(&world, "the two syncs after it");
    assert_eq!(logged(&world, "users").mode, "incremental");
}
