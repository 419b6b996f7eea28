//! Syncs that are interrupted: what they have read stays, and the next one goes on from there.

use std::time::Duration;

use clerk_sim::Fault;

use crate::support::*;

/// The sync after one whose backend was terminated reads the rest.
#[test]
fn resume_after_terminate() {
    let mut world = new_mirror(many_users(), "page_size '20'");
    interrupt_sync(&mut world, |world, pid, _| world.run(&format!("SELECT pg_terminate_backend({pid})")));
    assert_resumes(&world, "interrupted");
}

/// The sync after one that was cancelled by another session reads the rest.
#[test]
fn resume_after_cancel() {
    let mut world = new_mirror(many_users(), "page_size '20'");
    let error = interrupt_sync(&mut world, |world, pid, _| world.run(&format!("SELECT pg_cancel_backend({pid})")));
    assert_eq!(error.code().unwrap().code(), "57014", "{error:?}");
    assert_resumes(&world, "cancelled");
}

/// The sync after one that its client cancelled reads the rest.
#[test]
fn resume_after_client_cancel() {
    let mut world = new_mirror(many_users(), "page_size '20'");
    interrupt_sync(&mut world, |_, _, canceller| canceller.cancel_query(postgres::NoTls).unwrap());
    assert_resumes(&world, "cancelled");
}

/// The sync after one that failed reads the rest.
#[test]
fn resume_after_failure() {
    let world = new_mirror(many_users(), "page_size '20', max_retries '0'");
    world.sim.fault(Fault::status(500).on_path("/v1/users").nth(70).always());
    let error = world.error("CALL clerk_fdw.sync('m')");
    assert_eq!(error.code().code(), "08006", "{error:?}");
    let users = last_run(&world, "users");
    assert!(users.message.as_ref().is_some_and(|message| message.contains("500")), "{users:?}");
    world.sim.clear_faults();
    assert_resumes(&world, "failed");
}

/// Users that change and go between an interrupted sync and the next are not lost.
#[test]
fn resume_keeps_changes_in_between() {
    let mut world = synced_mirror(many_users(), "page_size '20'");
    interrupt_sync(&mut world, |world, pid, _| world.run(&format!("SELECT pg_terminate_backend({pid})")));
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
    assert_in_sync(&world, "the two syncs after it");
    assert_eq!(last_run(&world, "users").mode, "incremental");
}

/// The sync after one whose backend was killed reads the rest.
#[test]
fn resume_after_backend_kill() {
    let cluster = Cluster::start();
    let mut world = cluster.mirror_of_many();
    interrupt_sync(&mut world, |world, pid, _| {
        send_signal(pid, libc::SIGKILL);
        wait_until("all other sessions have ended, too", || world.client().batch_execute("").is_err());
    });
    assert_resumes(&world, "interrupted");
}

/// The sync after one whose whole server was killed reads the rest.
#[test]
fn resume_after_postmaster_kill() {
    let cluster = Cluster::start();
    let mut world = cluster.mirror_of_many();
    interrupt_sync(&mut world, |world, _, _| {
        // It starts again when all of its backends have noticed, which they do when they wait.
        world.sim.set_latency(Duration::from_secs(1));
        send_signal(cluster.postmaster(), libc::SIGKILL);
        wait_until("it starts again", || cluster.starts());
    });
    assert_resumes(&world, "interrupted");
}
