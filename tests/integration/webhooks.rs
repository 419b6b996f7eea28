//! Webhooks that the simulator signs, in every order, twice, at once, late and forged.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clerk_sim::webhook::Delivery;
use clerk_sim::{Config, State};
use fastrand::Rng;
use postgres::error::{DbError, SqlState};
use serde_json::{Value, json};

use crate::common::*;
use crate::mirror::*;

pub const SECRET: &str = "whsec_dGhlIHNpbXVsYXRvcidzIHNpZ25pbmcga2V5";

/// What webhooks tell just as Clerk's lists do: not the counts, nor what they embed.
const COMPARED: [(&str, &str, &str); 3] = [
    ("users", "user_id", "email, first_name, username, public_metadata, updated_at, attrs"),
    ("organizations", "organization_id", "name, slug, public_metadata, updated_at"),
    ("organization_memberships", "membership_id", "organization_id, user_id, role, permissions, updated_at"),
];

/// A world whose mirror `m` is in step and has the secret.
pub fn listening(deletes: &str) -> World {
    let config = Config { users: 6, organizations: 3, memberships: 8, ..small() };
    let world = World::new(config);
    world.run(&format!(
        "SELECT clerk_fdw.create_mirror('clerk', schema => 'm', deletes => '{deletes}');
         SELECT clerk_fdw.add_webhook_secret('m', '{SECRET}')"
    ));
    world.run("CALL clerk_fdw.sync('m')");
    world.sim.clear_webhooks();
    world
}

pub fn receive(session: &Session, delivery: &Delivery) -> Result<String, Box<DbError>> {
    receive_signed(session, delivery, SECRET)
}

pub fn receive_signed(session: &Session, delivery: &Delivery, secret: &str) -> Result<String, Box<DbError>> {
    let [id, timestamp, signature] = delivery.headers(secret).unwrap().map(|header| header.1);
    receive_parts(session, &delivery.body, &id, &timestamp, &signature)
}

pub fn receive_parts(
    session: &Session,
    body: &str,
    id: &str,
    timestamp: &str,
    signature: &str,
) -> Result<String, Box<DbError>> {
    let statement = "SELECT clerk_fdw.receive_webhook('m', $1, $2, $3, $4)";
    let rows = session.client().query(statement, &[&body, &id, &timestamp, &signature]);
    rows.map(|rows| rows[0].get(0)).map_err(|error| error.as_db_error().unwrap().clone().into())
}

#[track_caller]
pub fn refused(result: Result<String, Box<DbError>>) -> SqlState {
    result.expect_err("it was received").code().clone()
}

/// The rows that are not deleted are those of Clerk.
#[track_caller]
fn assert_equal(world: &World, story: &str) {
    for (object, id, columns) in COMPARED {
        let [here, there] = [format!("m.{object} WHERE deleted_at IS NULL"), format!("clerk.{object}")]
            .map(|from| sorted(world.column::<String>(&format!("SELECT ROW({id}, {columns})::text FROM {from}"))));
        assert_eq!(here, there, "{story}: {object}");
    }
}

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
    let world = listening(deletes);
    let sim = &world.sim;
    for seed in seeds {
        let story = format!("seed {seed}");
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
            let outcome = receive(&world, delivery).unwrap_or_else(|error| panic!("{story}: {error:?}"));
            assert_ne!(outcome, "failed", "{story}: {}", delivery.kind);
        }
        if lost {
            world.run("CALL clerk_fdw.sync('m', mode => 'full')");
            assert_in_step(&world, &story);
        }
        assert_equal(&world, &story);
    }
    let twice: i64 = world.one("SELECT count(*) - count(DISTINCT id) FROM clerk_fdw.webhook_events");
    assert_eq!(twice, 0);
}

/// What Clerk may send of a user of its own making.
fn event(world: &World, kind: &str, data: Value, timestamp: i64) -> Delivery {
    world.sim.event(kind, data, timestamp).unwrap()
}

#[test]
fn webhooks_in_any_order_end_in_clerks_state() {
    histories("soft", 0..1000);
}

#[test]
fn webhooks_in_any_order_end_in_clerks_state_where_deletes_are_hard() {
    histories("hard", 1000..2000);
}

#[test]
fn every_order_of_one_objects_webhooks_ends_in_the_same_rows() {
    for deletes in ["soft", "hard"] {
        let world = listening(deletes);
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

#[test]
fn a_webhook_is_applied_once() {
    let world = listening("soft");
    let id = world.sim.create_user(json!({"first_name": "Ada"})).unwrap();
    let delivery = &world.sim.webhooks()[0];
    assert_eq!(receive(&world, delivery).unwrap(), "applied");
    assert_eq!(receive(&world, delivery).unwrap(), "duplicate");
    let log = world.rows("SELECT id, type, object, object_id, outcome, reason FROM clerk_fdw.webhook_events");
    let log: Vec<Option<String>> = (0..6).map(|column| log[0].get(column)).collect();
    let expected = [&delivery.id, "user.created", "users", &id, "applied"].map(|text| Some(text.to_owned()));
    assert_eq!((&log[..5], &log[5]), (&expected[..], &None));
    assert_eq!(world.one::<i64>("SELECT count(body) FROM clerk_fdw_internal.webhook_event"), 0, "bodies are not kept");
}

#[test]
fn of_two_webhook_deliveries_at_once_one_applies() {
    let world = listening("soft");
    world.sim.create_user(json!({})).unwrap();
    world.sim.create_user(json!({})).unwrap();
    let [first, second] = <[Delivery; 2]>::try_from(world.sim.webhooks()).unwrap();
    for (delivery, ends, expected) in [(first, "COMMIT", "duplicate"), (second, "ROLLBACK", "applied")] {
        world.run("BEGIN");
        assert_eq!(receive(&world, &delivery).unwrap(), "applied");
        let other = world.connect();
        let pid = other.pid();
        let outcome = std::thread::scope(|scope| {
            let waiting = scope.spawn(move || receive(&other, &delivery).unwrap());
            until("the second waits", || {
                world.one(&format!("SELECT count(*) > 0 FROM pg_locks WHERE pid = {pid} AND NOT granted"))
            });
            world.run(ends);
            waiting.join().unwrap()
        });
        assert_eq!(outcome, expected, "{ends}");
    }
}

#[test]
fn a_webhook_of_a_deletion_and_one_of_an_update_at_once_do_not_miss_each_other() {
    let world = listening("hard");
    let id = world.sim.create_user(json!({})).unwrap();
    world.sim.delete_user(&id).unwrap();
    let [created, deleted] = <[Delivery; 2]>::try_from(world.sim.webhooks()).unwrap();
    world.run("BEGIN");
    assert_eq!(receive(&world, &created).unwrap(), "applied");
    let other = world.connect();
    let pid = other.pid();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(move || receive(&other, &deleted).unwrap());
        until("the deletion waits", || {
            world.one(&format!("SELECT count(*) > 0 FROM pg_locks WHERE pid = {pid} AND NOT granted"))
        });
        world.run("COMMIT");
        assert_eq!(waiting.join().unwrap(), "applied");
    });
    assert_eq!(world.one::<i64>(&format!("SELECT count(*) FROM m.users WHERE user_id = '{id}'")), 0);
}

#[test]
fn an_older_webhook_is_stale() {
    let world = listening("soft");
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

#[test]
fn what_a_webhook_told_deleted_no_page_and_no_older_webhook_brings_back() {
    let world = listening("hard");
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
        until("the sync has begun", || {
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

#[test]
fn webhooks_about_nothing_of_the_mirror_are_ignored() {
    let world = listening("soft");
    world.run("SELECT clerk_fdw.create_mirror('clerk', schema => 'n', objects => '{users}')");
    for kind in ["email.created", "user.renamed", "no_dot", "session.created"] {
        let delivery = event(&world, kind, json!({"id": "x_1"}), 1_790_000_000_000);
        assert_eq!(receive(&world, &delivery).unwrap(), "ignored", "{kind}");
    }
    world.run(
        "SELECT clerk_fdw.drop_mirror('m'); SELECT clerk_fdw.create_mirror('clerk', schema => 'm', objects => '{users}')",
    );
    world.run(&format!("SELECT clerk_fdw.add_webhook_secret('m', '{SECRET}')"));
    world.sim.create_organization(json!({})).unwrap();
    assert_eq!(receive(&world, &world.sim.webhooks()[0]).unwrap(), "ignored");
    let reason: String = world.one("SELECT reason FROM clerk_fdw.webhook_events WHERE type = 'organization.created'");
    assert!(reason.contains("no table"), "{reason}");
}

#[test]
fn a_webhook_that_failed_is_kept_and_tried_again() {
    let world = listening("soft");
    world.run("ALTER TABLE m.users ADD CONSTRAINT no_eve CHECK (first_name <> 'Eve')");
    for _ in 0..3 {
        world.sim.create_user(json!({"first_name": "Eve"})).unwrap();
    }
    let deliveries = world.sim.webhooks();
    for delivery in &deliveries {
        assert_eq!(receive(&world, delivery).unwrap(), "failed");
    }
    let failed: i64 = world.one(
        "SELECT count(*) FROM clerk_fdw_internal.webhook_event WHERE outcome = 'failed' AND reason ~ 'no_eve' AND body <> ''",
    );
    assert_eq!(failed, 3);
    assert_eq!(world.column::<String>("SELECT outcome FROM clerk_fdw.retry_webhooks('m')"), ["failed"; 3]);
    assert_eq!(receive(&world, &deliveries[0]).unwrap(), "failed", "Svix's next attempt is an attempt");

    world.run("ALTER TABLE m.users DROP CONSTRAINT no_eve");
    assert_eq!(receive(&world, &deliveries[0]).unwrap(), "applied");
    let again = world.rows("SELECT * FROM clerk_fdw.retry_webhooks('m')");
    let again: Vec<(String, String)> = again.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(again, [1, 2].map(|of| (deliveries[of].id.clone(), "applied".to_owned())));
    assert_eq!(
        world.one::<i64>("SELECT count(body) FROM clerk_fdw_internal.webhook_event"),
        0,
        "no body is kept any longer"
    );
    assert_equal(&world, "in the end");

    world.run("ALTER TABLE m.organizations ADD CONSTRAINT never CHECK (false) NOT VALID");
    world.sim.create_organization(json!({})).unwrap();
    assert_eq!(receive(&world, world.sim.webhooks().last().unwrap()).unwrap(), "failed");
    world.run("ALTER TABLE m.organizations DROP CONSTRAINT never");
    world.run("CALL clerk_fdw.sync('m', objects => '{users}')");
    assert_equal(&world, "after a sync");
}

#[test]
fn a_webhook_can_be_checked_with_clerk() {
    let world = listening("soft");
    let checked = |delivery: &Delivery| -> String {
        let [id, timestamp, signature] = delivery.headers(SECRET).unwrap().map(|header| header.1);
        let statement = "SELECT clerk_fdw.receive_webhook('m', $1, $2, $3, $4, revalidate => true)";
        world.rows_of(statement, &[&delivery.body, &id, &timestamp, &signature])[0].get(0)
    };
    let user = world.sim.create_user(json!({"first_name": "Ada"})).unwrap();
    let organization = world.sim.create_organization(json!({"name": "Engines"})).unwrap();
    world.sim.create_membership(&user, &organization, json!({})).unwrap();
    for delivery in world.sim.webhooks().iter().rev() {
        assert_eq!(checked(delivery), "applied", "{}", delivery.kind);
    }
    assert_equal(&world, "after the real ones");
    let lie =
        event(&world, "user.updated", json!({"id": user, "first_name": "Eve", "updated_at": 1}), 1_790_000_000_000);
    checked(&lie);
    checked(&event(&world, "user.deleted", json!({"id": user, "deleted": true}), 1_790_000_000_000));
    assert_equal(&world, "after the lies");
    world.sim.delete_user(&user).unwrap();
    checked(&Delivery { id: "msg_late".to_owned(), ..lie });
    world.sim.webhooks().iter().rev().take(2).for_each(|delivery| drop(checked(delivery)));
    assert_equal(&world, "after the deletion");
}

#[test]
fn webhooks_come_in_as_postgrest_passes_them() {
    let world = listening("soft");
    let post = |delivery: &Delivery| -> Result<Vec<String>, Box<DbError>> {
        let headers: serde_json::Map<String, Value> = delivery
            .headers(SECRET)
            .unwrap()
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        world.run("BEGIN");
        world.rows_of("SELECT set_config('request.headers', $1, true)", &[&Value::from(headers).to_string()]);
        let body = delivery.body.replace('\'', "''");
        let answer = world.try_column(&format!("SELECT clerk_fdw.webhook('{body}')::text"));
        let status =
            answer.is_ok().then(|| world.one::<Option<String>>("SELECT current_setting('response.status', true)"));
        world.run("COMMIT");
        answer.map(|answer| answer.into_iter().chain(status.flatten().filter(|status| !status.is_empty())).collect())
    };
    for _ in 0..3 {
        world.sim.create_user(json!({"first_name": "O'Hara é \u{1F600}"})).unwrap();
    }
    let deliveries = world.sim.webhooks();
    assert_eq!(post(&deliveries[0]).unwrap(), [r#"{"outcome" : "applied"}"#]);
    assert_eq!(post(&deliveries[0]).unwrap(), [r#"{"outcome" : "duplicate"}"#]);
    let forged = Delivery { body: deliveries[1].body.clone() + " ", ..deliveries[0].clone() };
    assert_eq!(post(&forged).unwrap(), [r#"{"outcome" : "duplicate"}"#], "signed as it is");

    world.run("ALTER TABLE m.users ADD CONSTRAINT never CHECK (false) NOT VALID");
    assert_eq!(post(&deliveries[1]).unwrap(), [r#"{"outcome" : "failed"}"#, "500"]);
    assert_eq!(world.one::<i64>("SELECT count(*) FROM clerk_fdw.webhook_events WHERE outcome = 'failed'"), 1);

    world.run(&format!(
        "SELECT clerk_fdw.create_mirror('clerk', schema => 'n'); SELECT clerk_fdw.add_webhook_secret('n', '{SECRET}')"
    ));
    assert_eq!(*post(&deliveries[2]).unwrap_err().code(), SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE);
    world.run("SET clerk_fdw.webhook_mirror = 'n'");
    assert_eq!(post(&deliveries[2]).unwrap(), [r#"{"outcome" : "applied"}"#]);
    assert_eq!(world.one::<i64>("SELECT count(*) FROM n.users"), 1);
}

#[test]
fn every_webhook_that_clerk_describes_is_received() {
    let directory = std::env::var_os("CLERK_OPENAPI_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/clerk"), PathBuf::from);
    let Ok(text) = std::fs::read_to_string(directory.join("webhooks-2025-04-15.yml")) else {
        eprintln!("SKIPPED: there is no description of Clerk's webhooks in {}", directory.display());
        return;
    };
    let api: Value = serde_norway::from_str(&text).expect("the description is YAML");
    let world = listening("soft");
    // The examples are of another instance.
    world.run("UPDATE clerk_fdw_internal.mirror SET instance_id = NULL");
    for (kind, described) in api["x-webhooks"].as_object().expect("there are webhooks") {
        let content = &described["post"]["requestBody"]["content"]["application/json"];
        let example = content.get("example").unwrap_or(&content["examples"]["default"]);
        let example = match example.get("$ref").and_then(Value::as_str) {
            Some(reference) => api.pointer(reference.trim_start_matches('#')).expect(reference),
            None => example,
        };
        let body = example.get("value").unwrap_or(example).to_string();
        let delivery = Delivery { body, ..event(&world, kind, json!({}), 0) };
        let outcome = receive(&world, &delivery).unwrap_or_else(|error| panic!("{kind}: {error:?}"));
        assert!(["applied", "stale", "ignored"].contains(&outcome.as_str()), "{kind}: {outcome}");
        let is_ours = ["user.", "organization.", "organizationMembership."].iter().any(|ours| kind.starts_with(ours));
        assert_eq!(outcome == "ignored", !is_ours, "{kind}: {outcome}");
    }
}
