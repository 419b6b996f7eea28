//! Syncs in background workers: started by a session, cancelled, and when they are due.

use std::time::Duration;

use crate::common::*;
use crate::mirror::*;
use crate::mirror_crash::Cluster;
use crate::mirror_resume::many;

/// How a run has ended, once it has.
fn ended(world: &World, run: i64) -> String {
    let state = format!(
        "SELECT min(state) FROM clerk_fdw.sync_runs WHERE run = {run} AND state NOT IN ('starting', 'running')"
    );
    until("the run has ended", || world.one::<Option<String>>(&state).is_some());
    world.one(&state)
}

#[test]
fn a_sync_runs_in_the_background() {
    let world = mirrored(many(), "page_size '20'");
    world.sim.set_latency(Duration::from_millis(100));
    let run: i64 = world.one("SELECT clerk_fdw.start_sync('m', dry_run => true, objects => '{organizations}')");
    assert_eq!(ended(&world, run), "succeeded");
    assert_eq!(world.one::<i64>("SELECT count(*) FROM m.organizations"), 0, "it was a dry run");
    let run: i64 = world.one("SELECT clerk_fdw.start_sync('m')");
    let progress = format!("SELECT count(*) FROM clerk_fdw.sync_progress WHERE run = {run} AND expected_rows = 2000");
    until("it shows its progress", || world.one::<i64>(&progress) == 1);
    // One that is started meanwhile waits.
    let after: i64 = world.one("SELECT clerk_fdw.start_sync('m', mode => 'incremental')");
    assert_eq!(ended(&world, run), "succeeded");
    assert_eq!(ended(&world, after), "succeeded");
    assert_in_step(&world, "the syncs in the background");
    assert!(!world.one::<bool>(&format!("SELECT clerk_fdw.cancel_sync({run})")), "it has ended");
}

#[test]
fn a_sync_in_the_background_can_be_cancelled() {
    let world = mirrored(many(), "page_size '20'");
    world.sim.set_latency(Duration::from_millis(200));
    let run: i64 = world.one("SELECT clerk_fdw.start_sync('m')");
    until("some is read", || world.one("SELECT count(*) > 0 FROM clerk_fdw.sync_progress WHERE rows_read > 0"));
    let waiting: i64 = world.one("SELECT clerk_fdw.start_sync('m')");
    assert!(world.one::<bool>(&format!("SELECT clerk_fdw.cancel_sync({waiting})")));
    assert!(world.one::<bool>(&format!("SELECT clerk_fdw.cancel_sync({run})")));
    assert_eq!(ended(&world, run), "cancelled");
    assert_eq!(ended(&world, waiting), "cancelled");
    assert_eq!(world.error("SELECT clerk_fdw.cancel_sync(0)").code().code(), "42704");
    world.sim.set_latency(Duration::ZERO);
    let workers =
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'clerk_fdw sync' AND datname = current_database()";
    until("neither has a worker any more", || world.one::<i64>(workers) == 0);
    world.run("CALL clerk_fdw.sync('m')");
    assert_in_step(&world, "the sync after them");
}

#[test]
fn a_sync_that_fails_in_the_background_says_why() {
    let world = mirrored(small(), "max_retries '0'");
    world.sim.fault(clerk_sim::Fault::status(500).on_path("/v1/users").always());
    let run: i64 = world.one("SELECT clerk_fdw.start_sync('m')");
    assert_eq!(ended(&world, run), "failed");
    let message = format!("SELECT max(message) FROM clerk_fdw.sync_runs WHERE run = {run}");
    assert!(world.one::<String>(&message).contains("500"));
}

#[test]
fn a_sync_that_was_rolled_back_does_not_run() {
    let world = mirrored(small(), "");
    world.requests();
    world.run("BEGIN; SELECT clerk_fdw.start_sync('m'); ROLLBACK");
    let workers =
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'clerk_fdw sync' AND datname = current_database()";
    until("its worker is gone", || world.one::<i64>(workers) == 0);
    assert_eq!(world.one::<i64>("SELECT count(*) FROM clerk_fdw.sync_runs"), 0);
    assert!(world.requests().is_empty());
}

#[test]
fn without_anything_to_keep_it_a_schedule_is_an_error() {
    let world = mirrored(small(), "");
    let error = world.error("SELECT clerk_fdw.schedule_sync('m', '*/15 * * * *')");
    assert_eq!(error.code().code(), "55000");
    assert!(told(&error).contains("pg_cron") && told(&error).contains("shared_preload_libraries"), "{}", told(&error));
    for wrong in ["*/15 * * *", "@hourly", "60 * * * *", "soon"] {
        let error = world.error(&format!("SELECT clerk_fdw.schedule_sync('m', '{wrong}')"));
        assert_eq!(error.code().code(), "22023", "{wrong}: {error}");
    }
}

#[test]
fn syncs_run_when_they_are_due() {
    let cluster = Cluster::with("shared_preload_libraries = 'clerk_fdw'\nclerk_fdw.naptime = 1\n");
    let world = cluster.mirrored();
    assert_eq!(world.one::<String>("SELECT clerk_fdw.schedule_sync('m', '0 0 1 1 *')"), "clerk_fdw");
    let next =
        "SELECT next_run > now() AND extract(day FROM next_run AT TIME ZONE 'UTC') = 1 FROM clerk_fdw_internal.mirror";
    assert!(world.one::<bool>(next));
    world.run("UPDATE clerk_fdw_internal.mirror SET next_run = now()");
    let done = "SELECT count(*) FROM clerk_fdw.sync_runs WHERE state = 'succeeded'";
    until("it has run", || world.one::<i64>(done) == 3);
    assert_in_step(&world, "the sync that was due");
    assert!(world.one::<bool>(next), "and then at the next time");
    world.run("SELECT clerk_fdw.unschedule_sync('m')");
    assert!(world.one::<bool>("SELECT schedule IS NULL AND next_run IS NULL FROM clerk_fdw_internal.mirror"));
}
