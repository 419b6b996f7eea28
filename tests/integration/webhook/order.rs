//! Webhooks in every order, twice, late and lost: the mirror ends up with Clerk's state.

use std::time::Duration;

use clerk_sim::State;
use clerk_sim::webhook::Delivery;
use fastrand::Rng;
use serde_json::json;

use crate::support::*;

/// Some changes to whatever there is.
fn change(state: &mut State, random: &mut Rng, ids: &mut [Vec<String>; 3]) {
    let value = random.u32(..).to_string();
    let [user, organization, membership] = [0, 1, 2].map(|kind| random.choice(&ids[kind]).cloned().unwrap_or_default());
    // What is gone already cannot be changed: then nothing happens.
    match random.u8(..9) {
        0 => ids[0].extend(state.create_user(json!({"first_name": value}))),
        1 | 2 => drop(state.update_user(&user, json!({"public_metadata": {"value": value}}))),
        3 => drop(state.delete_user(&user)),
        4 => ids[1].extend(state.create_organization(json!({"name": value}))),
        5 => drop(state.update_organization(&organization, json!({"name": value}))),
        6 => ids[2].extend(state.create_membership(&user, &organization, json!({}))),
        7 => drop(state.update_membership(&membership, json!({"role": format!("org:{value}")}))),
        _ => match random.u8(..3) {
            0 => drop(state.delete_organization(&organization)),
            _ => drop(state.delete_membership(&membership)),
        },
    }
}

fn histories(deletes: &str, seeds: std::ops::Range<u64>) {
    let world = webhook_mirror(deletes);
    let sim = &world.sim;
    for seed in seeds {
        let context = format!("seed {seed}");
        let mut random = Rng::with_seed(seed);
        let mut all = [ids(&sim.users()), ids(&sim.organizations()), ids(&sim.memberships())];
        sim.change(|state| (0..random.u8(5..20)).for_each(|_| change(state, &mut random, &mut all)));
        let mut deliveries = sim.webhooks();
        sim.clear_webhooks();
        let twice: Vec<_> = deliveries.iter().filter(|_| random.u8(..4) == 0).cloned().collect();
        deliveries.extend(twice);
        random.shuffle(&mut deliveries);
        let lost = random.u8(..5) == 0;
        if lost {
            deliveries.truncate(deliveries.len() / 2);
        }
        for delivery in &deliveries {
            let outcome = receive(&world, delivery).unwrap_or_else(|error| panic!("{context}: {error:?}"));
            assert_ne!(outcome, "failed", "{context}: {}", delivery.kind);
        }
        if lost {
            world.run("CALL clerk_fdw.sync('m', mode => 'full')");
            assert_in_sync(&world, &context);
        }
        assert_webhook_fields_equal(&world, &context);
    }
    let twice: i64 = world.one("SELECT count(*) - count(DISTINCT id) FROM clerk_fdw.webhook_events");
    assert_eq!(twice, 0);
}

/// Webhooks in any order, some of them twice or lost, end in Clerk's state.
#[test]
fn any_order_with_soft_delete() {
    histories("soft", 0..1000);
}

/// The same where deletes remove rows.
#[test]
fn any_order_with_hard_delete() {
    histories("hard", 1000..2000);
}

/// Every order of one object's webhooks ends in the same row.
#[test]
fn every_permutation_of_one_object() {
    for deletes in ["soft", "hard"] {
        let world = webhook_mirror(deletes);
        let id = world.sim.create_user(json!({"first_name": "Ada"})).unwrap();
        world.sim.update_user(&id, json!({"first_name": "Grace"})).unwrap();
        world.sim.delete_user(&id).unwrap();
        let [created, updated, deleted] = <[Delivery; 3]>::try_from(world.sim.webhooks()).unwrap();
        let orders = [
            [&created, &updated, &deleted],
            [&created, &deleted, &updated],
            [&updated, &created, &deleted],
            [&updated, &deleted, &created],
            [&deleted, &created, &updated],
            [&deleted, &updated, &created],
        ];
        let ends: Vec<Vec<String>> = orders
            .iter()
            .map(|order| {
                world.run("BEGIN");
                order.iter().for_each(|delivery| drop(receive(&world, delivery).unwrap()));
                let row =
                    format!("SELECT (first_name, updated_at, deleted_at)::text FROM m.users WHERE user_id = '{id}'");
                let rows = world.column(&row);
                world.run("ROLLBACK");
                rows
            })
            .collect();
        assert!(ends.iter().all(|end| *end == ends[0]), "{deletes}: {ends:?}");
        assert_eq!(ends[0].len(), usize::from(deletes == "soft"), "{deletes}: {ends:?}");
    }
}

/// An older webhook changes nothing; of two of one time the later arrival wins.
#[test]
fn older_webhook_is_stale() {
    let world = webhook_mirror("soft");
    let user = |name: &str, at: i64| {
        event(&world, "user.updated", json!({"id": "user_x", "first_name": name, "updated_at": at}), at)
    };
    let deleted = |at: i64| event(&world, "user.deleted", json!({"id": "user_x", "deleted": true}), at);
    let name =
        || world.column::<Option<String>>("SELECT first_name FROM m.users WHERE user_id = 'user_x'").pop().flatten();
    let noon = 1_790_000_000_123;
    for (delivery, outcome, then) in [
        (user("noon", noon), "applied", Some("noon")),
        (user("before", noon - 1), "stale", Some("noon")),
        (user("at noon", noon), "applied", Some("at noon")),
        (deleted(noon - 1), "stale", Some("at noon")),
        (user("after", noon + 10_000), "applied", Some("after")),
    ] {
        assert_eq!(receive(&world, &delivery).unwrap(), outcome);
        assert_eq!(name().as_deref(), then);
    }
    // Told in seconds, of the same second.
    let seconds = (noon + 10_000) / 1000;
    assert_eq!(receive(&world, &deleted(seconds)).unwrap(), "applied");
    let is_deleted = "SELECT deleted_at IS NOT NULL FROM m.users WHERE user_id = 'user_x'";
    assert!(world.one::<bool>(is_deleted));
    assert_eq!(receive(&world, &user("late", seconds * 1000 + 500)).unwrap(), "stale");
    assert!(world.one::<bool>(is_deleted));
}

/// A column of days does not tell the newer of two states of one day; the next sync brings that one.
#[test]
fn updated_at_of_days() {
    let world = World::with(small(), "page_size '20'");
    world.run(&format!(
        "CREATE TABLE people (id text PRIMARY KEY, name text, changed date);
         SELECT clerk_fdw.create_mirror('clerk', schema => 'm', objects => '{{users}}', tables => '{{\"users\": \"public.people\"}}',
             columns => '{{\"users\": {{\"id\": \"user_id\", \"name\": \"first_name\", \"changed\": \"updated_at\"}}}}');
         SELECT clerk_fdw.add_webhook_secret('m', '{SECRET}')"
    ));
    world.run("CALL clerk_fdw.sync('m')");
    world.sim.clear_webhooks();
    let id = world.sim.create_user(json!({"first_name": "Older"})).unwrap();
    world.sim.update_user(&id, json!({"first_name": "Newer"})).unwrap();
    for delivery in world.sim.webhooks().iter().rev() {
        assert_eq!(receive(&world, delivery).unwrap(), "applied");
    }
    let name = || world.one::<String>(&format!("SELECT name FROM people WHERE id = '{id}'"));
    assert_eq!(name(), "Older");
    world.run("CALL clerk_fdw.sync('m', mode => 'incremental')");
    assert_eq!(name(), "Newer");
}

/// What a webhook has deleted, neither a page that was read before nor an older webhook brings back.
#[test]
fn deleted_stays_deleted() {
    let world = webhook_mirror("hard");
    let noon = 1_790_000_000_000;
    assert_eq!(receive(&world, &event(&world, "user.deleted", json!({"id": "user_x"}), noon)).unwrap(), "applied");
    let user = event(&world, "user.created", json!({"id": "user_x", "updated_at": noon - 5000}), noon - 5000);
    assert_eq!(receive(&world, &user).unwrap(), "stale");
    assert_eq!(world.one::<i64>("SELECT count(*) FROM m.users WHERE user_id = 'user_x'"), 0);

    // Deleted while a sync reads the page that still has it.
    let id = world.sim.users().pop().unwrap().id;
    world.run(&format!("DELETE FROM m.users WHERE user_id = '{id}'"));
    world.sim.set_latency(Duration::from_millis(200));
    let other = world.connect();
    std::thread::scope(|scope| {
        let syncing = scope.spawn(move || other.run("CALL clerk_fdw.sync('m', mode => 'full')"));
        wait_until("the sync has begun", || {
            world.one("SELECT pass_started_at IS NOT NULL FROM clerk_fdw_internal.mirror_table WHERE object = 'users'")
        });
        let deleted = event(&world, "user.deleted", json!({"id": id}), noon + 1_000_000_000_000);
        assert_eq!(receive(&world, &deleted).unwrap(), "applied");
        syncing.join().unwrap();
    });
    assert_eq!(world.one::<i64>(&format!("SELECT count(*) FROM m.users WHERE user_id = '{id}'")), 0);

    // What a sync found gone, no late webhook brings back.
    let gone = world.sim.users().remove(0);
    world.sim.delete_user(&gone.id).unwrap();
    world.sim.set_latency(Duration::ZERO);
    world.run("CALL clerk_fdw.sync('m', mode => 'full')");
    let late = event(&world, "user.updated", serde_json::from_str(&gone.json).unwrap(), noon);
    assert_eq!(receive(&world, &late).unwrap(), "stale");
}
