//! Webhooks of every object of whose changes Clerk tells, and of what is part of a user.

use clerk_sim::webhook::Delivery;
use fastrand::Rng;
use serde_json::{Value, json};

use crate::support::*;

/// A mirror of everything that takes webhooks.
fn everything(deletes: &str) -> World {
    let world = mirror_of_everything(small(), deletes);
    world.run(&format!("SELECT clerk_fdw.add_webhook_secret('m', '{SECRET}')"));
    world.sim.clear_webhooks();
    world
}

/// The objects of the mirror that have events, apart from those whose events have only a part of the object.
const WHOLE: &[&str] = &[
    "users",
    "organizations",
    "organization_memberships",
    "organization_domains",
    "organization_invitations",
    "organization_permissions",
    "organization_roles",
    "waitlist_entries",
];

/// The columns that events do not tell as the lists do: what is counted or embedded, and the whole with it.
const NOT_TOLD: &[&str] = &[
    "attrs",
    "members_count",
    "pending_invitations_count",
    "missing_member_with_elevated_permissions",
    "public_organization_data",
    "organization",
    "public_user_data",
];

/// What the events of subscription items tell just as the list does.
const TOLD_OF_ITEMS: &str =
    "billing_subscription_item_id, plan_id, status, is_free_trial, period_start, period_end, created_at, updated_at";

/// The rows that are not deleted are those of Clerk, in the columns that events tell.
#[track_caller]
fn assert_told_columns_equal(world: &World, context: &str) {
    let parts = world.column::<String>("SELECT object FROM clerk_fdw.mirror_status WHERE object ~ '^user_'");
    for object in WHOLE.iter().copied().chain(parts.iter().map(String::as_str)) {
        let columns: Vec<String> =
            world.one(&format!("SELECT columns FROM clerk_fdw.objects() WHERE object = '{object}'"));
        let is_part = object.starts_with("user_");
        let told = columns.iter().filter(|column| is_part || !NOT_TOLD.contains(&column.as_str()));
        let told: Vec<_> = told.map(|column| format!("\"{column}\"")).collect();
        assert_columns_equal(world, object, &told.join(", "), context);
    }
    assert_columns_equal(world, "billing_subscription_items", TOLD_OF_ITEMS, context);
}

#[track_caller]
fn assert_columns_equal(world: &World, object: &str, columns: &str, context: &str) {
    let [here, there] = [format!("m.{object} WHERE deleted_at IS NULL"), format!("clerk.{object}")]
        .map(|from| sorted(world.column::<String>(&format!("SELECT ROW({columns})::text FROM {from}"))));
    let only = |these: &[String], those: &[String]| -> Vec<String> {
        these.iter().filter(|this| !those.contains(this)).cloned().collect()
    };
    assert!(
        here == there,
        "{context}: {object}: only here {:#?}, only at Clerk {:#?}",
        only(&here, &there),
        only(&there, &here)
    );
}

/// Creates, changes and deletes something of every kind of whose changes Clerk tells.
fn change_everything(world: &World, round: u64) {
    let sim = &world.sim;
    let new = sim
        .create_user(json!({"email_address": [format!("n{round}@example.com"), format!("m{round}@example.com")],
                            "phone_number": format!("+1555{round:04}")}))
        .unwrap();
    sim.update_user(&new, json!({"email_address": format!("o{round}@example.com"), "phone_number": []})).unwrap();
    let gone = sim.create_user(json!({"email_address": format!("p{round}@example.com")})).unwrap();
    let organization = sim.create_organization(json!({"name": format!("Organization {round}")})).unwrap();
    let doomed = sim.create_organization(json!({"name": "Doomed"})).unwrap();
    for (user, organization) in [(&new, &organization), (&gone, &organization), (&new, &doomed)] {
        sim.create_membership(user, organization, json!({})).unwrap();
    }
    for object in ["organization_domains", "organization_invitations"] {
        for organization in [&organization, &organization, &doomed] {
            sim.create(object, json!({"organization_id": organization})).unwrap();
        }
    }
    for object in ["organization_permissions", "organization_roles", "waitlist_entries", "billing_subscription_items"] {
        for _ in 0..2 {
            sim.create(object, json!({})).unwrap();
        }
    }
    for object in [&WHOLE[3..], &["billing_subscription_items"]].concat() {
        let change = match object {
            "organization_invitations" => json!({"status": "revoked"}),
            "waitlist_entries" => json!({"status": "invited"}),
            "billing_subscription_items" => json!({"status": "canceled"}),
            _ => json!({"name": format!("Changed {round}")}),
        };
        // Clerk tells of a new status alone.
        let is_new = |found: &clerk_sim::Object| {
            let found: Value = serde_json::from_str(&found.json.replace("\\ud", "")).unwrap();
            change.get("status").is_none_or(|status| found["status"] != *status)
        };
        let all: Vec<_> = sim.objects(object).into_iter().filter(is_new).collect();
        sim.update(object, &all[round as usize % all.len()].id, change).unwrap();
    }
    for object in ["organization_domains", "organization_permissions", "organization_roles"] {
        sim.delete(object, &sim.objects(object).pop().unwrap().id).unwrap();
    }
    sim.delete_user(&gone).unwrap();
    sim.delete_organization(&doomed).unwrap();
}

fn take_webhooks(world: &World) -> Vec<Delivery> {
    let deliveries = world.sim.webhooks();
    world.sim.clear_webhooks();
    deliveries
}

#[track_caller]
fn deliver(world: &World, deliveries: &[Delivery], context: &str) {
    for delivery in deliveries {
        let outcome = receive(world, delivery).unwrap_or_else(|error| panic!("{context}: {error:?}"));
        let kind = &delivery.kind;
        let reason = "SELECT reason FROM clerk_fdw.webhook_events ORDER BY received_at DESC LIMIT 1";
        let reason = || world.one::<Option<String>>(reason);
        assert_ne!(outcome, "failed", "{context}: {kind}: {:?}", reason());
        // Of what cannot be mirrored, such as subscriptions, events tell as well.
        let is_known = world.one::<bool>(&format!(
            "SELECT EXISTS (SELECT FROM clerk_fdw.objects() WHERE mirrorable AND '{kind}' = ANY (events))"
        ));
        assert_eq!(outcome == "ignored", !is_known, "{context}: {kind}: {:?}", reason());
    }
}

/// In whatever order the events of every object arrive, and how often, the mirror has Clerk's state.
#[test]
fn events_of_every_object_in_any_order() {
    for deletes in ["soft", "hard"] {
        let world = everything(deletes);
        for round in 0..12 {
            let context = format!("{deletes}, round {round}");
            change_everything(&world, round);
            let mut deliveries = take_webhooks(&world);
            let mut random = Rng::with_seed(round);
            match round % 3 {
                0 => {}
                1 => random.shuffle(&mut deliveries),
                _ => {
                    // A second delivery has an id of its own: it is not told from a new event by that.
                    let again = deliveries
                        .iter()
                        .map(|delivery| Delivery { id: format!("{}_2", delivery.id), ..delivery.clone() });
                    let again: Vec<_> = again.collect();
                    deliveries.extend(again);
                    random.shuffle(&mut deliveries);
                }
            }
            deliver(&world, &deliveries, &context);
            assert_told_columns_equal(&world, &context);
        }
        let kinds: Vec<String> =
            world.column("SELECT DISTINCT object FROM clerk_fdw.webhook_events WHERE outcome = 'applied' ORDER BY 1");
        assert_eq!(kinds, sorted([WHOLE, &["billing_subscription_items"]].concat()), "all of them had events");
        world.run("CALL clerk_fdw.sync('m', mode => 'full')");
        assert_all_in_sync(&world, &format!("{deletes}: a sync after it"));
        let counts = "SELECT string_agg(object, ' ') FROM clerk_fdw.mirror_status WHERE drift <> 0";
        assert_eq!(world.one::<Option<String>>(counts), None);
    }
}

/// Of what webhooks have brought a sync changes nothing but what they do not tell.
#[test]
fn sync_after_events_inserts_and_deletes_nothing() {
    let world = everything("soft");
    change_everything(&world, 1);
    deliver(&world, &take_webhooks(&world), "in order");
    world.run("CALL clerk_fdw.sync('m', mode => 'full')");
    for object in WHOLE.iter().copied().chain(["user_email_addresses", "user_phone_numbers"]) {
        let changes = last_run(&world, object).changes;
        assert_eq!((changes.inserted, changes.deleted), (0, 0), "{object}");
        if ["users", "organization_roles", "organization_permissions", "waitlist_entries", "user_email_addresses"]
            .contains(&object)
        {
            assert_eq!(changes.updated, 0, "{object}");
        }
    }
}

/// The addresses of a user that are not deleted, and which of them is primary.
fn addresses(world: &World, user: &str) -> Vec<String> {
    world.column(&format!(
        "SELECT concat(email_address, CASE WHEN is_primary THEN '!' END) FROM m.user_email_addresses
          WHERE user_id = '{user}' AND deleted_at IS NULL ORDER BY email_address"
    ))
}

/// The events of a user bring the user's addresses, and nothing old overwrites them.
#[test]
fn children_of_users() {
    for deletes in ["soft", "hard"] {
        let world = everything(deletes);
        let sim = &world.sim;
        let last = || take_webhooks(&world).pop().unwrap();
        let user = sim.create_user(json!({"email_address": ["a@example.com", "b@example.com"]})).unwrap();
        let created = last();
        assert_eq!(receive(&world, &created).unwrap(), "applied");
        assert_eq!(addresses(&world, &user), ["a@example.com!", "b@example.com"]);

        // Another one is primary: neither address has a new time of its own.
        let find = |user: &str| -> Value {
            let users = sim.users();
            serde_json::from_str(&users.iter().find(|other| other.id == user).unwrap().json).unwrap()
        };
        let second = find(&user)["email_addresses"][1]["id"].clone();
        sim.update_user(&user, json!({"primary_email_address_id": second})).unwrap();
        let primary = last();
        assert_eq!(receive(&world, &primary).unwrap(), "applied");
        assert_eq!(addresses(&world, &user), ["a@example.com", "b@example.com!"]);

        // One is removed, and another one added.
        let kept = find(&user)["email_addresses"][1].clone();
        sim.update_user(&user, json!({"email_addresses": [kept]})).unwrap();
        let removed = last();
        assert_eq!(receive(&world, &removed).unwrap(), "applied");
        assert_eq!(addresses(&world, &user), ["b@example.com!"]);
        let added = json!({"id": "idn_added", "object": "email_address", "email_address": "c@example.com",
            "reserved": false, "verification": null, "linked_to": [], "matches_sso_connection": false,
            "created_at": 1_700_000_000_000_i64, "updated_at": 1_700_000_000_000_i64});
        sim.update_user(&user, json!({"email_addresses": [kept, added]})).unwrap();
        assert_eq!(receive(&world, &last()).unwrap(), "applied");
        assert_eq!(addresses(&world, &user), ["b@example.com!", "c@example.com"]);
        assert_told_columns_equal(&world, deletes);

        // What is older comes late, or again.
        for late in [created, primary, removed] {
            let again = Delivery { id: format!("{}_again", late.id), ..late };
            assert_eq!(receive(&world, &again).unwrap(), "stale", "{}", again.kind);
            assert_eq!(addresses(&world, &user), ["b@example.com!", "c@example.com"]);
        }
        // An address that was removed and is there again is there.
        sim.update_user(&user, json!({"email_addresses": [added]})).unwrap();
        assert_eq!(receive(&world, &last()).unwrap(), "applied");
        sim.update_user(&user, json!({"email_addresses": [kept, added]})).unwrap();
        assert_eq!(receive(&world, &last()).unwrap(), "applied");
        assert_eq!(addresses(&world, &user), ["b@example.com!", "c@example.com"]);

        sim.update_user(&user, json!({"first_name": "Late"})).unwrap();
        let late = last();
        sim.delete_user(&user).unwrap();
        assert_eq!(receive(&world, &last()).unwrap(), "applied");
        assert_eq!(addresses(&world, &user), [""; 0]);
        assert_eq!(receive(&world, &late).unwrap(), "stale");
        assert_eq!(addresses(&world, &user), [""; 0]);
        let kept = format!("SELECT count(*) FROM m.user_email_addresses WHERE user_id = '{user}'");
        assert_eq!(world.one::<i64>(&kept), if deletes == "soft" { 3 } else { 0 });
        world.run("CALL clerk_fdw.sync('m', mode => 'full')");
        assert_all_in_sync(&world, deletes);
    }
}

/// An event that has only a part of an object changes that part, and inserts what is new.
#[test]
fn partial_events() {
    let world = everything("soft");
    let items = world.sim.objects("billing_subscription_items");
    let known = items
        .iter()
        .map(|item| serde_json::from_str::<Value>(&item.json).unwrap())
        .find(|item| item["status"] == "active" && item["plan"].is_object() && item["seats"].is_object())
        .expect("somebody has a plan");
    let id = known["id"].as_str().unwrap();
    let row = || -> Value {
        let row = format!(
            "SELECT to_jsonb(t)::text FROM m.billing_subscription_items t WHERE billing_subscription_item_id = '{id}'"
        );
        serde_json::from_str(&world.one::<String>(&row)).unwrap()
    };
    let before = row();
    world
        .sim
        .update("billing_subscription_items", id, json!({"status": "canceled", "seats": {"quantity": 99}}))
        .unwrap();
    let [canceled] = <[Delivery; 1]>::try_from(take_webhooks(&world)).unwrap();
    assert_eq!(receive(&world, &canceled).unwrap(), "applied");
    let after = row();
    assert_eq!((&after["status"], &after["seats"]["quantity"]), (&json!("canceled"), &json!(99)));
    assert_eq!(after["seats"]["tiers"], before["seats"]["tiers"], "what the event does not tell of the seats stays");
    for (column, value) in before.as_object().unwrap() {
        match column.as_str() {
            "status" | "seats" | "updated_at" | "synced_at" | "payer" => {}
            "plan" => {
                let plan = value.as_object().unwrap();
                assert!(plan.iter().all(|(member, value)| after["plan"][member] == *value), "{}", after["plan"]);
            }
            _ => assert_eq!(&after[column], value, "{column}"),
        }
    }
    // Older ones come late, the same one comes again.
    let again = |delivery: &Delivery, id: &str| Delivery { id: id.to_owned(), ..delivery.clone() };
    world.sim.update("billing_subscription_items", id, json!({"status": "ended"})).unwrap();
    let [ended] = <[Delivery; 1]>::try_from(take_webhooks(&world)).unwrap();
    assert_eq!(receive(&world, &ended).unwrap(), "applied");
    let then = row();
    assert_eq!(receive(&world, &again(&canceled, "msg_late")).unwrap(), "stale");
    assert_eq!(receive(&world, &again(&ended, "msg_again")).unwrap(), "applied");
    assert_eq!(row(), then, "not even synced_at");

    let new = world.sim.create("billing_subscription_items", json!({})).unwrap();
    for delivery in take_webhooks(&world) {
        assert_eq!(receive(&world, &delivery).unwrap(), "applied");
    }
    let inserted = format!(
        "SELECT status IS NOT NULL AND plan_id IS NOT NULL AND payer ->> 'id' IS NOT NULL AND price_id IS NULL AND attrs IS NULL
           FROM m.billing_subscription_items WHERE billing_subscription_item_id = '{new}'"
    );
    assert!(world.one::<bool>(&inserted));
    assert_told_columns_equal(&world, "before a sync");
    world.run("CALL clerk_fdw.sync('m')");
    assert_all_in_sync(&world, "a sync brings the rest");
}

/// In a table of one's own an expression over what the event does not tell keeps its value.
#[test]
fn partial_events_in_an_own_table() {
    let world = World::new(small());
    world.run(&format!(
        "CREATE TABLE items (clerk_id text UNIQUE, state text, what text, cents bigint, paid text);
         SELECT clerk_fdw.create_mirror('clerk', schema => 'm', objects => '{{}}',
           tables => '{{\"billing_subscription_items\": \"public.items\"}}',
           columns => '{{\"billing_subscription_items\": {{\"clerk_id\": \"billing_subscription_item_id\",
             \"state\": \"upper(status)\", \"what\": \"concat_ws('' '', status, plan_period)\",
             \"cents\": \"(plan -> ''fee'' ->> ''amount'')::bigint\", \"paid\": \"lifetime_paid ->> ''amount_formatted''\"}}}}');
         SELECT clerk_fdw.add_webhook_secret('m', '{SECRET}')"
    ));
    world.run("CALL clerk_fdw.sync('m')");
    let (id, cents, what): (String, i64, String) = {
        let row = &world
            .rows("SELECT clerk_id, cents, what FROM items WHERE state = 'ACTIVE' AND cents IS NOT NULL LIMIT 1")[0];
        (row.get(0), row.get(1), row.get(2))
    };
    world.sim.clear_webhooks();
    world.sim.update("billing_subscription_items", &id, json!({"status": "past_due"})).unwrap();
    assert_eq!(receive(&world, &take_webhooks(&world)[0]).unwrap(), "applied");
    let row = &world.rows(&format!("SELECT state, cents, what FROM items WHERE clerk_id = '{id}'"))[0];
    assert_eq!(row.get::<_, String>(0), "PAST_DUE");
    assert_eq!((row.get::<_, Option<i64>>(1), row.get::<_, Option<String>>(2)), (Some(cents), Some(what)));
}

/// A delivery that asks Clerk for the state brings it, whatever the event has; where Clerk cannot be asked, the event
/// itself is applied.
#[test]
fn revalidation_of_every_object() {
    for deletes in ["soft", "hard"] {
        let world = everything(deletes);
        change_everything(&world, 3);
        let mut deliveries = take_webhooks(&world);
        Rng::with_seed(3).shuffle(&mut deliveries);
        for delivery in &deliveries {
            let [id, timestamp, signature] = delivery.headers(SECRET).unwrap().map(|header| header.1);
            let statement = "SELECT clerk_fdw.receive_webhook('m', $1, $2, $3, $4, revalidate => true)";
            let outcome: String = world.rows_of(statement, &[&delivery.body, &id, &timestamp, &signature])[0].get(0);
            let reason = "SELECT reason FROM clerk_fdw.webhook_events ORDER BY received_at DESC LIMIT 1";
            let reason = || world.one::<Option<String>>(reason);
            assert_ne!(outcome, "failed", "{deletes}: {}: {:?}", delivery.kind, reason());
        }
        assert_told_columns_equal(&world, deletes);
        // The user is deleted while the event is on its way.
        let user = world.sim.create_user(json!({"email_address": "q@example.com"})).unwrap();
        let created = take_webhooks(&world).remove(0);
        world.sim.delete_user(&user).unwrap();
        let [id, timestamp, signature] = created.headers(SECRET).unwrap().map(|header| header.1);
        let statement = "SELECT clerk_fdw.receive_webhook('m', $1, $2, $3, $4, revalidate => true)";
        world.rows_of(statement, &[&created.body, &id, &timestamp, &signature]);
        assert_eq!(addresses(&world, &user), [""; 0]);
    }
}

/// Clerk has no event for an invitation that goes with its organization: one that comes late does not bring it back.
#[test]
fn late_event_of_what_went_with_its_parent() {
    for deletes in ["soft", "hard"] {
        let world = everything(deletes);
        let organization = world.sim.create_organization(json!({})).unwrap();
        let invitation =
            world.sim.create("organization_invitations", json!({"organization_id": organization})).unwrap();
        world.sim.delete_organization(&organization).unwrap();
        let [created, invited, deleted] = <[Delivery; 3]>::try_from(take_webhooks(&world)).unwrap();
        let outcomes = [deleted, invited, created].map(|delivery| receive(&world, &delivery).unwrap());
        assert_eq!(outcomes, ["applied", "stale", "stale"]);
        let rows = format!(
            "SELECT deleted_at IS NOT NULL FROM m.organization_invitations WHERE organization_invitation_id = '{invitation}'"
        );
        let expected: &[bool] = if deletes == "soft" { &[true] } else { &[] };
        assert_eq!(world.column::<bool>(&rows), expected, "{deletes}");
    }
}

/// Mirrors without the object ignore its events, and those with users alone have no children to change.
#[test]
fn events_of_objects_that_the_mirror_lacks() {
    let world = World::new(small());
    world.run(&format!(
        "SELECT clerk_fdw.create_mirror('clerk', schema => 'm', objects => '{{organization_roles}}');
         SELECT clerk_fdw.add_webhook_secret('m', '{SECRET}')"
    ));
    world.sim.create_user(json!({"email_address": "a@example.com"})).unwrap();
    let role = world.sim.create("organization_roles", json!({})).unwrap();
    let outcomes: Vec<String> =
        take_webhooks(&world).iter().map(|delivery| receive(&world, delivery).unwrap()).collect();
    assert_eq!(outcomes, ["ignored", "applied"]);
    assert_eq!(world.column::<String>("SELECT organization_role_id FROM m.organization_roles"), [role]);
}

/// A secret that an event tells is not in the mirror.
#[test]
fn secrets_in_events() {
    let world = everything("soft");
    let phone = json!({"id": "idn_phone", "object": "phone_number", "phone_number": "+15550100", "reserved": false,
        "reserved_for_second_factor": true, "default_second_factor": true, "verification": null, "linked_to": [],
        "backup_codes": ["backup-4711"], "created_at": 1_700_000_000_000_i64, "updated_at": 1_700_000_000_000_i64});
    world.sim.create_user(json!({"phone_numbers": [phone], "primary_phone_number_id": "idn_phone"})).unwrap();
    assert_eq!(receive(&world, &take_webhooks(&world)[0]).unwrap(), "applied");
    let row = "SELECT to_jsonb(t)::text FROM m.user_phone_numbers t WHERE user_phone_number_id = 'idn_phone'";
    let row: String = world.one(row);
    assert!(row.contains("+15550100") && !row.contains("4711"), "{row}");
}
