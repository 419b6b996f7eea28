//! A sync as a whole: dry runs, the instance it belongs to, and what else goes on at the time.

use std::time::Duration;

use clerk_sim::Sim;
use serde_json::json;

use crate::support::*;

/// A sync against another instance than the mirror's fails and changes nothing.
#[test]
fn other_instance_changes_nothing() {
    let world = synced_mirror(small(), "");
    let instance = world.sim.instance();
    assert_eq!(world.one::<String>("SELECT instance_id FROM clerk_fdw_internal.mirror"), instance);
    world.sim.update_user(&world.sim.users()[1].id, json!({"first_name": "Eve"})).unwrap();
    world.sim.delete_user(&world.sim.users()[2].id).unwrap();
    world.sim.set_instance("ins_other");
    let state = |world: &World| {
        let tables = [
            "m.users",
            "m.organizations",
            "m.organization_memberships",
            "clerk_fdw_internal.mirror",
            "clerk_fdw_internal.mirror_table",
        ];
        tables.map(|table| fingerprint(world, table))
    };
    let before = state(&world);
    let user = world.sim.users()[1].id.clone();
    for statement in [
        "CALL clerk_fdw.sync('m')".to_owned(),
        "CALL clerk_fdw.sync('m', mode => 'full', force => true)".to_owned(),
        "CALL clerk_fdw.sync('m', dry_run => true)".to_owned(),
        format!("SELECT clerk_fdw.sync_object('m', 'users', '{user}')"),
        format!("SELECT clerk_fdw.sync_user('m', '{user}', fallback => true)"),
    ] {
        let error = world.error(&statement);
        assert_eq!(error.code().code(), "55000", "{statement}: {error:?}");
        assert!(
            error_text(&error).contains("ins_other") && error_text(&error).contains(&instance),
            "{}",
            error_text(&error)
        );
        assert!(state(&world) == before, "{statement} changed something");
    }
    world.sim.set_instance(instance);
    world.run("CALL clerk_fdw.sync('m')");
    assert_in_sync(&world, "the right instance again");
}

/// A dry run changes nothing and logs what the real one then does.
#[test]
fn dry_run() {
    let tables = [
        "m.users",
        "m.organizations",
        "m.organization_memberships",
        "clerk_fdw_internal.mirror",
        "clerk_fdw_internal.mirror_table",
        "clerk_fdw_internal.sync_page",
    ];
    for mode in ["full", "incremental"] {
        let world = new_mirror(small(), "page_size '10'");
        for round in ["empty", "changed"] {
            let before = tables.map(|table| fingerprint(&world, table));
            world.run(&format!("CALL clerk_fdw.sync('m', mode => '{mode}', dry_run => true)"));
            assert!(tables.map(|table| fingerprint(&world, table)) == before, "{mode}, {round}: something changed");
            let would = OBJECTS.map(|object| last_run(&world, object).changes);
            world.run(&format!("CALL clerk_fdw.sync('m', mode => '{mode}')"));
            assert_in_sync(&world, mode);
            assert_eq!(would, OBJECTS.map(|object| last_run(&world, object).changes), "{mode}, {round}");
            let users = world.sim.users();
            for user in &users[..3] {
                world.sim.delete_user(&user.id).unwrap();
            }
            for user in &users[20..24] {
                world.sim.update_user(&user.id, json!({"last_name": "New"})).unwrap();
            }
            let organization = &world.sim.organizations()[0].id;
            let user = world.sim.create_user(json!({})).unwrap();
            world.sim.create_membership(&user, organization, json!({})).unwrap();
            world.sim.update_organization(organization, json!({"name": "New"})).unwrap();
        }
        let dry: i64 = world.one("SELECT count(DISTINCT run) FROM clerk_fdw.sync_runs WHERE dry_run");
        assert_eq!(dry, 2, "{mode}");
    }
}

/// What the application writes into its own columns during a sync survives.
#[test]
fn concurrent_writes_survive() {
    let world = synced_mirror(small(), "page_size '10'");
    world.run("ALTER TABLE m.users ADD COLUMN score int NOT NULL DEFAULT 0");
    for user in world.sim.users() {
        world.sim.update_user(&user.id, json!({"first_name": "Ada"})).unwrap();
    }
    world.sim.set_latency(Duration::from_millis(150));
    let (syncer, users, mut writes) = (world.connect(), ids(&world.sim.users()), 0);
    std::thread::scope(|scope| {
        let syncing = scope.spawn(move || syncer.run("CALL clerk_fdw.sync('m', mode => 'full')"));
        while !syncing.is_finished() {
            world.run(&format!("UPDATE m.users SET score = score + 1 WHERE user_id = '{}'", users[writes % 60]));
            writes += 1;
        }
        syncing.join().unwrap();
    });
    world.sim.set_latency(Duration::ZERO);
    assert!(writes > 60, "{writes} writes");
    assert_eq!(world.one::<i64>("SELECT sum(score) FROM m.users"), writes as i64);
    assert_in_sync(&world, "with an application at work");
}

/// A second sync of a mirror fails, or waits where it is told to.
#[test]
fn one_sync_at_a_time() {
    let world = synced_mirror(small(), "page_size '10'");
    world.sim.set_latency(Duration::from_millis(400));
    let syncer = world.connect();
    std::thread::scope(|scope| {
        let syncing = scope.spawn(move || syncer.run("CALL clerk_fdw.sync('m', mode => 'full')"));
        wait_until("it runs", || world.one("SELECT bool_or(running) FROM clerk_fdw.mirror_status"));
        wait_until("it makes progress", || {
            world.one("SELECT count(*) > 0 FROM clerk_fdw.sync_progress WHERE rows_read > 0")
        });
        for statement in ["CALL clerk_fdw.sync('m')", "SELECT clerk_fdw.drop_mirror('m')"] {
            let error = world.error(statement);
            assert_eq!(error.code().code(), "55006", "{error:?}");
            assert!(error.message().contains("being synced"), "{error:?}");
        }
        assert!(!syncing.is_finished(), "too early to tell");
        world.run("CALL clerk_fdw.sync('m', wait => true)");
        assert!(syncing.is_finished(), "it did not wait");
        syncing.join().unwrap();
    });
    let order = "SELECT bool_and(started_at >= before) FROM (
       SELECT min(started_at) AS started_at, lag(max(ended_at)) OVER (ORDER BY run) AS before FROM clerk_fdw.sync_runs GROUP BY run) r";
    assert!(world.one::<bool>(order));
    assert_eq!(world.one::<i64>("SELECT count(DISTINCT run) FROM clerk_fdw.sync_runs WHERE state = 'succeeded'"), 3);
}

/// Two instances have mirrors side by side, and dropping one leaves the other.
#[test]
fn two_mirrors_of_two_instances() {
    let world = synced_mirror(small(), "");
    let other = Sim::start(clerk_sim::Config { seed: 9, users: 30, ..small() }).unwrap();
    world.server("staging", &other, other.key(), "");
    // The schema is there already, with foreign tables in it.
    world.run("SELECT clerk_fdw.create_mirror('staging', schema => 's'); CREATE TABLE s.mine (x int)");
    world.run("CALL clerk_fdw.sync('s')");
    assert_same_ids(world.column("SELECT user_id FROM s.users"), &ids(&other.users()), "the other instance");
    assert_in_sync(&world, "the first instance");
    world.run("SELECT clerk_fdw.drop_mirror('s')");
    let left = "SELECT relname::text FROM pg_class WHERE relnamespace = 's'::regnamespace";
    assert_eq!(world.column::<String>(left), ["mine"]);
    world.run("SELECT clerk_fdw.drop_mirror('m', keep_tables => true)");
    assert_eq!(world.one::<i64>("SELECT count(*) FROM m.users"), 60);
    assert_eq!(world.one::<i64>("SELECT count(*) FROM clerk_fdw.mirror_status"), 0);
}
