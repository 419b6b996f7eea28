//! When it is over: all data are equal, and nothing is left.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use clerk_sim::Sim;
use serde_json::Value;

use super::definitions::DROP_LEFTOVERS;
use super::journal::Journal;
use super::measures::{is_there, processes_in};
use super::scene::{LIMIT, Scene, Stage};
use super::writers;

use crate::support::*;

/// What there may be nothing of after the last syncs.
const NOTHING: &[(&str, &str)] = &[
    // A worker that ends before it has noted its process id is taken for dead after ten minutes.
    (
        "syncs that seem to run",
        "SELECT count(*) FROM clerk_fdw_internal.sync_run WHERE state = 'running' OR state = 'starting'
            AND (pid IS NOT NULL OR started_at < clock_timestamp() - interval '10 minutes')",
    ),
    ("steps that seem to run", "SELECT count(*) FROM clerk_fdw_internal.sync_run_object WHERE state = 'running'"),
    ("pages that nothing goes on with", "SELECT count(*) FROM clerk_fdw_internal.sync_page"),
    ("webhooks that failed", "SELECT count(*) FROM clerk_fdw.webhook_events WHERE outcome = 'failed'"),
    ("objects that were refused", "SELECT count(*) FROM clerk_fdw.sync_errors WHERE resolved_at IS NULL"),
    ("mirrors that seem to be synced", "SELECT count(*) FROM clerk_fdw.mirror_status WHERE running"),
    ("mirrors without a row", "SELECT count(*) FROM clerk_fdw.mirror_status WHERE coalesce(rows, 0) = 0"),
    (
        "wrong counts of users",
        "SELECT count(*) FROM clerk_fdw.mirror_status
       WHERE mirror = 'm' AND object = 'users' AND rows <> (SELECT count(*) FROM m.users WHERE deleted_at IS NULL)",
    ),
    ("requests that wait", "SELECT coalesce(sum(waiting), 0)::bigint FROM clerk_fdw.budget"),
    ("prepared transactions", "SELECT count(*) FROM pg_prepared_xacts"),
    ("temporary tables", "SELECT count(*) FROM pg_class WHERE relpersistence = 't'"),
    ("temporary files", "SELECT count(*) FROM pg_ls_tmpdir()"),
    (
        "sessions",
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'
       AND pid <> pg_backend_pid() AND application_name <> 'observer'",
    ),
    ("workers", "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'clerk_fdw sync'"),
    (
        "locks",
        "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
       WHERE pid <> pg_backend_pid() AND application_name <> 'observer' AND (locktype = 'advisory' OR state = 'idle')",
    ),
];

/// The foreign tables, the mirrors and the simulator have the same rows; what was written is there; no request was one too
/// many.
pub fn check_data(scene: &Scene, hook: Hook) {
    let mut session = None;
    wait_until("the server takes connections", || {
        session = scene.moving.try_connect().ok();
        session.is_some()
    });
    let session = session.unwrap();
    // What it has not taken in by now, the last syncs bring.
    let status = hook.stop();
    if !status.success() {
        scene.journal.wrong(format!("clerk-hook ended with {status}"));
    }
    session.run(DROP_LEFTOVERS);
    session.run("SELECT clerk_fdw.unschedule_sync('m')");
    session.run("SELECT clerk_fdw.retry_webhooks('m', 100000)");
    wait_until("the workers have ended", || {
        session.one::<i64>("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'clerk_fdw sync'") == 0
    });
    for mirror in ["m", "hard"] {
        session.run(&format!("CALL clerk_fdw.sync('{mirror}', 'full', wait => true)"));
        session.run(&format!("CALL clerk_fdw.sync('{mirror}', 'full')"));
        assert_mirror_in_sync(&session, mirror, "the last sync");
    }
    check_foreign_tables(&session, scene);
    writers::check(scene);
    let events: Vec<String> = session.column("SELECT id FROM clerk_fdw.webhook_events WHERE mirror = 'm'");
    let events: BTreeSet<_> = events.into_iter().collect();
    let lost: Vec<_> = scene.accepted.lock().unwrap().difference(&events).cloned().collect();
    if !lost.is_empty() {
        scene.journal.wrong(format!("webhooks were accepted and are lost: {lost:?}"));
    }
    for (what, query) in NOTHING {
        let start = Instant::now();
        let mut count = session.one::<i64>(query);
        // What other processes have to notice takes them a moment.
        while count != 0 && start.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(200));
            count = session.one::<i64>(query);
        }
        if count != 0 {
            scene.journal.wrong(format!("{count} {what} are left"));
        }
    }
    check_windows("the instance that changes", scene.sim, scene.sim_began, scene);
    check_windows("the instance that stands still", scene.still_sim, scene.still_began, scene);
}

/// The rows of the foreign tables are what the simulator has.
fn check_foreign_tables(session: &Session, scene: &Scene) {
    for (object, id) in
        [("users", "user_id"), ("organizations", "organization_id"), ("organization_memberships", "membership_id")]
    {
        let found = session.rows(&format!("SELECT {id}, attrs FROM clerk.{object}"));
        let rows: BTreeMap<String, Value> = found.iter().map(|row| (row.get(0), row.get(1))).collect();
        let objects = scene.sim.objects(object).into_iter();
        // Postgres stores no NUL.
        let json = |text: &str| serde_json::from_str(&text.replace(r"\u0000", r"\ufffd")).expect("JSON");
        let objects: BTreeMap<String, Value> = objects.map(|object| (object.id, json(&object.json))).collect();
        let different: Vec<_> = rows.iter().zip(&objects).filter(|(one, other)| one != other).take(1).collect();
        let many = (found.len(), objects.len());
        if many.0 != many.1 || !different.is_empty() {
            scene.journal.wrong(format!("{object}: {many:?} rows and objects; {different:?}"));
        }
    }
}

/// In no ten seconds were there more requests than the limit. A server that is restarted knows nothing of those before.
fn check_windows(what: &str, sim: &Sim, began: Instant, scene: &Scene) {
    let window = Duration::from_secs(10);
    let restarts = scene.restarts.lock().unwrap();
    let restarts: Vec<_> = restarts.iter().map(|restart| restart.duration_since(began)).collect();
    let at = starts(&sim.requests());
    let mut most = 0;
    for life in at.chunk_by(|one, other| !restarts.iter().any(|restart| one < restart && restart <= other)) {
        for (first, start) in life.iter().enumerate() {
            let requests = life[first..].partition_point(|other| *other - *start < window);
            most = most.max(requests);
        }
    }
    println!("{what}: {} requests, {most} of {LIMIT} in the fullest ten seconds", at.len());
    if most > LIMIT {
        scene.journal.wrong(format!("{what}: {most} requests in ten seconds"));
    }
}

/// Takes the stage apart: nothing of it is left.
pub fn check_rest(stage: Stage, journal: Journal, segments: impl IntoIterator<Item = String>) -> Journal {
    let Stage { still, moving, cluster } = stage;
    drop((still, moving));
    let data = cluster.data();
    if !cluster.stops("fast") {
        journal.wrong("the server does not stop".to_owned());
    }
    let processes = processes_in(&data);
    if !processes.is_empty() {
        journal.wrong(format!("processes are left: {processes:?}"));
    }
    let left: Vec<_> = segments.into_iter().filter(|segment| is_there(segment)).collect();
    if !left.is_empty() {
        journal.wrong(format!("shared memory is left: {left:?}"));
    }
    journal
}
