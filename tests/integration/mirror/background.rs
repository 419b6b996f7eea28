//! Syncs in background workers: started by a session, cancelled, rolled back.

use std::time::Duration;

use crate::support::*;

/// How a run has ended, once it has.
fn ended(world: &World, run: i64) -> String {
    let state = format!(
        "SELECT min(state) FROM clerk_fdw.sync_runs WHERE run = {run} AND state NOT IN ('starting', 'running')"
    );
    wait_until("the run has ended", || world.one::<Option<String>>(&state).is_some());
    world.one(&state)
}

/// A sync that is started runs in the background, shows its progress, and lets the next one wait.
#[test]
fn start_sync() {
    let world = new_mirror(many_users(), "page_size '20'");
    world.sim.set_latency(Duration::from_millis(100));
    let run: i64 = world.one("SELECT clerk_fdw.start_sync('m', dry_run => true, objects => '{organizations}')");
    assert_eq!(ended(&world, run), "succeeded");
    assert_eq!(world.one::<i64>("SELECT count(*) FROM m.organizations"), 0, "it was a dry run");
    let run: i64 = world.one("SELECT clerk_fdw.start_sync('m')");
    let progress = format!("SELECT count(*) FROM clerk_fdw.sync_progress WHERE run = {run} AND expected_rows = 2000");
    wait_until("it shows its progress", || world.one::<i64>(&progress) == 1);
    // One that is started meanwhile waits.
    let after: i64 = world.one("SELECT clerk_fdw.start_sync('m', mode => 'incremental')");
    assert_eq!(ended(&world, run), "succeeded");
    assert_eq!(ended(&world, after), "succeeded");
    assert_in_sync(&world, "the syncs in the background");
    assert!(!world.one::<bool>(&format!("SELECT clerk_fdw.cancel_sync({run})")), "it has ended");
}

/// Syncs in the background can be cancelled, whether they run or wait.
#[test]
fn cancel_sync() {
    let world = new_mirror(many_users(), "page_size '20'");
    world.sim.set_latency(Duration::from_millis(200));
    let run: i64 = world.one("SELECT clerk_fdw.start_sync('m')");
    wait_until("some is read", || world.one("SELECT count(*) > 0 FROM clerk_fdw.sync_progress WHERE rows_read > 0"));
    let waiting: i64 = world.one("SELECT clerk_fdw.start_sync('m')");
    assert!(world.one::<bool>(&format!("SELECT clerk_fdw.cancel_sync({waiting})")));
    assert!(world.one::<bool>(&format!("SELECT clerk_fdw.cancel_sync({run})")));
    assert_eq!(ended(&world, run), "cancelled");
    assert_eq!(ended(&world, waiting), "cancelled");
    assert_eq!(world.error("SELECT clerk_fdw.cancel_sync(0)").code().code(), "42704");
    world.sim.set_latency(Duration::ZERO);
    let workers =
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'clerk_fdw sync' AND datname = current_database()";
    wait_until("neither has a worker any more", || world.one::<i64>(workers) == 0);
    world.run("CALL clerk_fdw.sync('m')");
    assert_in_sync(&world, "the sync after them");
}

/// A sync whose worker ends while it waits for another one does not seem to be starting for ever.
#[test]
fn terminated_worker_that_waited() {
    let world = new_mirror(many_users(), "page_size '20'");
    world.sim.set_latency(Duration::from_millis(200));
    let run: i64 = world.one("SELECT clerk_fdw.start_sync('m')");
    wait_until("some is read", || world.one("SELECT count(*) > 0 FROM clerk_fdw.sync_progress WHERE rows_read > 0"));
    let waiting: i64 = world.one("SELECT clerk_fdw.start_sync('m')");
    let other: i64 = world.one("SELECT clerk_fdw.start_sync('m')");
    let pid = format!("SELECT pid FROM clerk_fdw_internal.sync_run WHERE run = {waiting}");
    wait_until("its worker waits", || world.one::<Option<i32>>(&pid).is_some());
    let pid = world.one::<Option<i32>>(&pid).unwrap();
    world.run(&format!("SELECT pg_terminate_backend({pid})"));
    wait_until("it has ended", || {
        world.one::<i64>(&format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}")) == 0
    });
    world.sim.set_latency(Duration::ZERO);
    assert_eq!(ended(&world, run), "succeeded");
    // The one that waited behind it is not taken for dead, and finds out.
    assert_eq!(ended(&world, other), "succeeded");
    assert_eq!(ended(&world, waiting), "interrupted");
}

/// A sync that fails in the background leaves the reason in the log.
#[test]
fn failed_start_sync_says_why() {
    let world = new_mirror(small(), "max_retries '0'");
    world.sim.fault(clerk_sim::Fault::status(500).on_path("/v1/users").always());
    let run: i64 = world.one("SELECT clerk_fdw.start_sync('m')");
    assert_eq!(ended(&world, run), "failed");
    let message = format!("SELECT max(message) FROM clerk_fdw.sync_runs WHERE run = {run}");
    assert!(world.one::<String>(&message).contains("500"));
}

/// A sync whose start was rolled back never runs.
#[test]
fn rolled_back_start_sync_never_runs() {
    let world = new_mirror(small(), "");
    world.requests();
    world.run("BEGIN; SELECT clerk_fdw.start_sync('m'); ROLLBACK");
    let workers =
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'clerk_fdw sync' AND datname = current_database()";
    wait_until("its worker is gone", || world.one::<i64>(workers) == 0);
    assert_eq!(world.one::<i64>("SELECT count(*) FROM clerk_fdw.sync_runs"), 0);
    assert!(world.requests().is_empty());
}
