//! What becomes of a delivery: applied, a duplicate, ignored or failed, checked with Clerk, and passed on by PostgREST.

use std::path::{Path, PathBuf};

use clerk_sim::webhook::Delivery;
use postgres::error::{DbError, SqlState};
use serde_json::{Value, json};

use crate::support::*;

/// A webhook is applied once, logged, and its body is not kept.
#[test]
fn duplicate() {
    let world = webhook_mirror("soft");
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

/// Webhooks about what the mirror has no table for are ignored.
#[test]
fn ignored() {
    let world = webhook_mirror("soft");
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

/// A webhook that failed is kept with its reason until a retry applies it.
#[test]
fn failed_and_retried() {
    let world = webhook_mirror("soft");
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
    assert_webhook_fields_equal(&world, "in the end");

    world.run("ALTER TABLE m.organizations ADD CONSTRAINT never CHECK (false) NOT VALID");
    world.sim.create_organization(json!({})).unwrap();
    assert_eq!(receive(&world, world.sim.webhooks().last().unwrap()).unwrap(), "failed");
    world.run("ALTER TABLE m.organizations DROP CONSTRAINT never");
    world.run("CALL clerk_fdw.sync('m', objects => '{users}')");
    assert_webhook_fields_equal(&world, "after a sync");
}

/// A webhook that is revalidated brings what Clerk has, whatever it says itself.
#[test]
fn revalidate() {
    let world = webhook_mirror("soft");
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
    assert_webhook_fields_equal(&world, "after the real ones");
    let lie =
        event(&world, "user.updated", json!({"id": user, "first_name": "Eve", "updated_at": 1}), 1_790_000_000_000);
    checked(&lie);
    checked(&event(&world, "user.deleted", json!({"id": user, "deleted": true}), 1_790_000_000_000));
    assert_webhook_fields_equal(&world, "after the lies");
    world.sim.delete_user(&user).unwrap();
    checked(&Delivery { id: "msg_late".to_owned(), ..lie });
    world.sim.webhooks().iter().rev().take(2).for_each(|delivery| drop(checked(delivery)));
    assert_webhook_fields_equal(&world, "after the deletion");
}

/// Webhooks are received as PostgREST passes them on.
#[test]
fn postgrest_request() {
    let world = webhook_mirror("soft");
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

/// Every example in Clerk's description of its webhooks is received.
#[test]
fn every_documented_event() {
    let directory = std::env::var_os("CLERK_OPENAPI_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/clerk"), PathBuf::from);
    let Ok(text) = std::fs::read_to_string(directory.join("webhooks-2025-04-15.yml")) else {
        return skip(&format!("there is no description of Clerk's webhooks in {}", directory.display()));
    };
    let api: Value = serde_norway::from_str(&text).expect("the description is YAML");
    let world = webhook_mirror("soft");
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
