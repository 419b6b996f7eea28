//! What Clerk has no more: deleted as the mirror was told to, never by mistake.

use clerk_sim::{Config, Fault};
use serde_json::json;

use crate::common::*;
use crate::mirror::*;

const ALIVE: &str = "SELECT count(*) FROM m.users WHERE deleted_at IS NULL";

#[test]
fn what_is_deleted_softly_stays_with_the_time() {
    let world = in_step(small(), "");
    let gone = world.sim.users()[7].id.clone();
    let row = world.one::<String>(&format!("SELECT attrs::text FROM m.users WHERE user_id = '{gone}'"));
    world.sim.delete_user(&gone).unwrap();
    world.run("CALL clerk_fdw.sync('m')");
    assert_in_step(&world, "one user deleted");
    let kept = format!(
        "SELECT attrs::text FROM m.users WHERE user_id = '{gone}' AND deleted_at BETWEEN now() - interval '1 minute' AND now()"
    );
    assert_eq!(world.one::<String>(&kept), row);
    assert_eq!(logged(&world, "users").changes.deleted, 1);
    assert_eq!(world.one::<i64>("SELECT deleted FROM clerk_fdw.mirror_status WHERE object = 'users'"), 1);

    world.run("CALL clerk_fdw.sync('m', mode => 'full')");
    assert_eq!(logged(&world, "users").changes.deleted, 0, "it was deleted before");
}

#[test]
fn what_is_deleted_hard_is_gone() {
    let world = World::new(small());
    world.run("SELECT clerk_fdw.create_mirror('clerk', schema => 'm', deletes => 'hard')");
    for mode in ["full", "incremental"] {
        world.run("CALL clerk_fdw.sync('m')");
        world.sim.delete_user(&world.sim.users()[3].id).unwrap();
        world.sim.delete_organization(&world.sim.organizations()[1].id).unwrap();
        world.run(&format!("CALL clerk_fdw.sync('m', mode => '{mode}')"));
        assert_in_step(&world, mode);
        assert_eq!(world.one::<i64>("SELECT sum(deleted)::bigint FROM clerk_fdw.mirror_status"), 0, "{mode}");
    }
}

#[test]
fn what_comes_back_is_undeleted() {
    let world = in_step(small(), "");
    for mode in ["full", "incremental"] {
        let gone = world.sim.users()[5].clone();
        world.sim.delete_user(&gone.id).unwrap();
        world.run("CALL clerk_fdw.sync('m')");
        world.sim.create_user(json!({"id": gone.id, "created_at": gone.created_at})).unwrap();
        world.sim.update_user(&gone.id, json!({"first_name": "Lazarus"})).unwrap();
        world.run(&format!("CALL clerk_fdw.sync('m', mode => '{mode}')"));
        assert_in_step(&world, mode);
        let changes = Changes { inserted: 0, updated: 1, deleted: 0 };
        assert_eq!(logged(&world, "users").changes, changes, "{mode}");
    }
}

/// More than 50 rows and more than a fifth of them look like an accident.
#[test]
fn so_many_deletes_that_they_look_like_an_accident_need_force() {
    for mode in ["full", "incremental"] {
        let world = in_step(Config { users: 240, memberships: 0, ..small() }, "page_size '20'");
        for user in &world.sim.users()[..60] {
            world.sim.delete_user(&user.id).unwrap();
        }
        world.sim.create_organization(json!({"name": "the rest is synced"})).unwrap();
        for _ in 0..2 {
            let error = world.error(&format!("CALL clerk_fdw.sync('m', mode => '{mode}')"));
            assert_eq!(error.code().code(), "55000", "{error:?}");
            assert!(told(&error).contains("60") && told(&error).contains("force"), "{}", told(&error));
            assert_eq!(world.one::<i64>(ALIVE), 240, "{mode}: nothing is deleted");
            let users = logged(&world, "users");
            assert_eq!((&*users.state, users.changes.deleted), ("failed", 0), "{mode}");
            assert!(users.message.unwrap().contains("60"), "{mode}");
            assert_equal(&world, "organizations", "true", mode);
        }
        world.run(&format!("CALL clerk_fdw.sync('m', mode => '{mode}', force => true)"));
        assert_in_step(&world, mode);
        assert_eq!(logged(&world, "users").changes.deleted, 60, "{mode}");
    }
}

#[test]
fn a_fifth_of_few_rows_is_no_accident() {
    let world = in_step(small(), "");
    for user in &world.sim.users()[..30] {
        world.sim.delete_user(&user.id).unwrap();
    }
    world.run("CALL clerk_fdw.sync('m')");
    assert_in_step(&world, "half of 60 users deleted");
}

/// A list that ends too soon, or answers nothing, must not look like a list of few.
#[test]
fn an_incomplete_reading_deletes_nothing() {
    let world = in_step(small(), "page_size '10', max_retries '0'");
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
    assert_in_step(&world, "without a fault");
}

#[test]
fn another_instance_changes_nothing() {
    let world = in_step(small(), "");
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
        assert!(told(&error).contains("ins_other") && told(&error).contains(&instance), "{}", told(&error));
        assert!(state(&world) == before, "{statement} changed something");
    }
    world.sim.set_instance(instance);
    world.run("CALL clerk_fdw.sync('m')");
    assert_in_step(&world, "the right instance again");
}

#[test]
fn a_dry_run_changes_nothing_and_tells_what_the_real_one_does() {
    let tables = [
        "m.users",
        "m.organizations",
        "m.organization_memberships",
        "clerk_fdw_internal.mirror",
        "clerk_fdw_internal.mirror_table",
        "clerk_fdw_internal.sync_page",
    ];
    for mode in ["full", "incremental"] {
        let world = mirrored(small(), "page_size '10'");
        for round in ["empty", "changed"] {
            let before = tables.map(|table| fingerprint(&world, table));
            world.run(&format!("CALL clerk_fdw.sync('m', mode => '{mode}', dry_run => true)"));
            assert!(tables.map(|table| fingerprint(&world, table)) == before, "{mode}, {round}: something changed");
            let would = OBJECTS.map(|object| logged(&world, object).changes);
            world.run(&format!("CALL clerk_fdw.sync('m', mode => '{mode}')"));
            assert_in_step(&world, mode);
            assert_eq!(would, OBJECTS.map(|object| logged(&world, object).changes), "{mode}, {round}");
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
