//! A first sync while an import adds users all the time that say they are old.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use clerk_sim::{Config, Sim, When};
use fastrand::Rng;
use serde_json::json;

use crate::support::*;

/// Adds a user who was created at some time between the first and the last of these.
fn import(sim: &Sim, random: &mut Rng, number: usize, (first, last): (i64, i64)) {
    let email = format!("import{number}@example.com");
    sim.create_user(json!({"email_address": [email], "created_at": random.i64(first..last)})).unwrap();
}

/// When the first and the last user of a world was created, in Unix milliseconds.
fn times(world: &World) -> (i64, i64) {
    let time = |what: &str| {
        world.one(&format!("SELECT (extract(epoch FROM {what}(created_at)) * 1000)::bigint FROM clerk.users"))
    };
    (time("min"), time("max"))
}

/// A first sync ends although users with old times are imported all the while, and loses nobody.
#[test]
fn first_sync_during_import() {
    // CLERK_FDW_IMPORT_USERS=200000 is the real thing.
    let many = std::env::var("CLERK_FDW_IMPORT_USERS").ok().and_then(|many| many.parse().ok());
    let options = if many.is_some() { "" } else { "page_size '50', max_concurrency '2'" };
    let world = new_mirror(Config { users: many.unwrap_or(3000), ..small() }, options);
    let times = times(&world);
    let before: Vec<String> = world.sim.users().iter().map(|user| user.id.clone()).collect();
    let (is_over, imported) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut random = Rng::with_seed(1);
            while !is_over.load(Ordering::Relaxed) {
                import(&world.sim, &mut random, imported.fetch_add(1, Ordering::Relaxed), times);
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        world.run("CALL clerk_fdw.sync('m', objects => '{users}')");
        is_over.store(true, Ordering::Relaxed);
    });
    assert!(imported.load(Ordering::Relaxed) > 20, "{imported:?} were imported meanwhile");
    let states: Vec<String> = world.column("SELECT DISTINCT state FROM clerk_fdw.sync_runs");
    assert_eq!(states, ["succeeded"], "in one go");
    let taken: Vec<String> = world.column("SELECT user_id FROM m.users WHERE deleted_at IS NULL");
    let taken: std::collections::HashSet<_> = taken.iter().collect();
    let lost: Vec<_> = before.iter().filter(|user| !taken.contains(user)).collect();
    assert!(lost.is_empty(), "of those who were there when it began: {lost:?}");
    world.run("CALL clerk_fdw.sync('m')");
    assert_in_sync(&world, "after the import");
}

/// What a pass did not see because it came late is read by time, and what only looks gone is not deleted.
#[test]
fn imported_during_full_sync_is_not_deleted() {
    let world = synced_mirror(Config { users: 1200, ..small() }, "page_size '50', max_concurrency '1'");
    let users = world.sim.users();
    let first = times(&world).0;
    world.sim.delete_user(&users[7].id).unwrap();
    // Behind the pages that were read already.
    for number in 0..10 {
        world.sim.before(When::path("/v1/users").nth(8 + number), move |state| {
            let late = json!({"email_address": [format!("late{number}@example.com")], "created_at": first + 1000 * number as i64});
            state.create_user(late).unwrap();
        });
    }
    world.run("CALL clerk_fdw.sync('m', mode => 'full', objects => '{users}')");
    let gone: Vec<String> = world.column("SELECT user_id FROM m.users WHERE deleted_at IS NOT NULL");
    assert_eq!(gone, [users[7].id.clone()]);
    world.run("CALL clerk_fdw.sync('m')");
    assert_in_sync(&world, "at the end");
}
