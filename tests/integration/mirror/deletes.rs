//! What Clerk has no more: deleted as the mirror was told to, never by mistake.

use clerk_sim::{Config, Fault};
use serde_json::json;

use crate::support::*;

const ALIVE: &str = "SELECT count(*) FROM m.users WHERE deleted_at IS NULL";

/// A soft delete keeps the row and notes the time, once.
#[test]
fn soft_delete_keeps_the_row() {
    let world = synced_mirror(small(), "");
    let gone = world.sim.users()[7].id.clone();
    let row = world.one::<String>(&format!("SELECT attrs::text FROM m.users WHERE user_id = '{gone}'"));
    world.sim.delete_user(&gone).unwrap();
    world.run("CALL clerk_fdw.sync('m')");
    assert_in_sync(&world, "one user deleted");
    let kept = format!(
        "SELECT attrs::text FROM m.users WHERE user_id = '{gone}' AND deleted_at BETWEEN now() - interval '1 minute' AND now()"
    );
    assert_eq!(world.one::<String>(&kept), row);
    assert_eq!(last_run(&world, "users").changes.deleted, 1);
    assert_eq!(world.one::<i64>("SELECT deleted FROM clerk_fdw.mirror_status WHERE object = 'users'"), 1);

    world.run("CALL clerk_fdw.sync('m', mode => 'full')");
    assert_eq!(last_run(&world, "users").changes.deleted, 0, "it was deleted before");
}

/// A hard delete removes the row.
#[test]
fn hard_delete_removes_the_row() {
    let world = World::new(small());
    world.run("SELECT clerk_fdw.create_mirror('clerk', schema => 'm', deletes => 'hard')");
    for mode in ["full", "incremental"] {
        world.run("CALL clerk_fdw.sync('m')");
        world.sim.delete_user(&world.sim.users()[3].id).unwrap();
        world.sim.delete_organization(&world.sim.organizations()[1].id).unwrap();
        world.run(&format!("CALL clerk_fdw.sync('m', mode => '{mode}')"));
        assert_in_sync(&world, mode);
        assert_eq!(world.one::<i64>("SELECT sum(deleted)::bigint FROM clerk_fdw.mirror_status"), 0, "{mode}");
    }
}

/// A row whose object comes back is deleted no more.
#[test]
fn undelete() {
    let world = synced_mirror(small(), "");
    for mode in ["full", "incremental"] {
        let gone = world.sim.users()[5].clone();
        world.sim.delete_user(&gone.id).unwrap();
        world.run("CALL clerk_fdw.sync('m')");
        world.sim.create_user(json!({"id": gone.id, "created_at": gone.created_at})).unwrap();
        world.sim.update_user(&gone.id, json!({"first_name": "Lazarus"})).unwrap();
        world.run(&format!("CALL clerk_fdw.sync('m', mode => '{mode}')"));
        assert_in_sync(&world, mode);
        let changes = Changes { inserted: 0, updated: 1, deleted: 0 };
        assert_eq!(last_run(&world, "users").changes, changes, "{mode}");
    }
}

/// More than 50 rows and more than a fifth of them look like an accident.
#[test]
fn delete_threshold_needs_force() {
    for mode in ["full", "incremental"] {
        let world = synced_mirror(Config { users: 240, memberships: 0, ..small() }, "page_size '20'");
        for user in &world.sim.users()[..60] {
            world.sim.delete_user(&user.id).unwrap();
        }
        world.sim.create_organization(json!({"name": "the rest is synced"})).unwrap();
        for _ in 0..2 {
            let error = world.error(&format!("CALL clerk_fdw.sync('m', mode => '{mode}')"));
            assert_eq!(error.code().code(), "55000", "{error:?}");
            assert!(
                error_text(&error).contains("60") && error_text(&error).contains("force"),
                "{}",
                error_text(&error)
            );
            assert_eq!(world.one::<i64>(ALIVE), 240, "{mode}: nothing is deleted");
            let users = last_run(&world, "users");
            assert_eq!((&*users.state, users.changes.deleted), ("failed", 0), "{mode}");
            assert!(users.message.unwrap().contains("60"), "{mode}");
            assert_rows_equal(&world, "organizations", "true", mode);
        }
        world.run(&format!("CALL clerk_fdw.sync('m', mode => '{mode}', force => true)"));
        assert_in_sync(&world, mode);
        assert_eq!(last_run(&world, "users").changes.deleted, 60, "{mode}");
    }
}

/// Many of few rows are deleted without force.
#[test]
fn delete_threshold_ignores_few_rows() {
    let world = synced_mirror(small(), "");
    for user in &world.sim.users()[..30] {
        world.sim.delete_user(&user.id).unwrap();
    }
    world.run("CALL clerk_fdw.sync('m')");
    assert_in_sync(&world, "half of 60 users deleted");
}

/// A list that ends too soon, or answers nothing, must not look like a list of few.
#[test]
fn incomplete_list_deletes_nothing() {
    let world = synced_mirror(small(), "page_size '10', max_retries '0'");
    world.sim.delete_user(&world.sim.users()[0].id).unwrap();
    let bodies = [Fault::body(200, "{}"), Fault::body(200, "[]")];
    let faults = [Fault::status(500), Fault::status(404), Fault::cut(), Fault::html()].into_iter().chain(bodies);
    for (index, fault) in faults.enumerate() {
        for mode in ["full", "incremental"] {
            let before = fingerprint(&world, "m.users");
            world.sim.fault(fault.clone().on_path("/v1/users").nth(3).always());
            let result = world
                .client()
                .batch_execute(&format!("CALL clerk_fdw.sync('m', mode => '{mode}', objects => '{{users}}')"));
            world.sim.clear_faults();
            let deleted: i64 = world.one("SELECT count(*) FROM m.users WHERE deleted_at IS NOT NULL");
            assert!(deleted <= 1, "fault {index}, {mode}: {deleted} users are deleted after {result:?}");
            if result.is_err() {
                assert_eq!(fingerprint(&world, "m.users"), before, "fault {index}, {mode}");
            }
        }
    }
    world.run("CALL clerk_fdw.sync('m')");
    assert_in_sync(&world, "without a fault");
}

/// Tombstones do not stay for ever where no webhook comes.
#[test]
fn old_tombstones_expire() {
    let world = synced_mirror(small(), "");
    world.sim.delete_user(&world.sim.users()[0].id).unwrap();
    world.run("CALL clerk_fdw.sync('m')");
    world.run("UPDATE clerk_fdw_internal.tombstone SET recorded_at = now() - interval '101 days'");
    assert!(world.one::<bool>("SELECT count(*) > 0 FROM clerk_fdw_internal.tombstone"));
    world.run("CALL clerk_fdw.sync('m')");
    assert_eq!(world.one::<i64>("SELECT count(*) FROM clerk_fdw_internal.tombstone"), 0);
}
