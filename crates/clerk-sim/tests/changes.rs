//! Changes of objects of every kind, and the events that they cause.

mod support;

use clerk_sim::Sim;
use serde_json::{Value, json};
use support::description::{self, Checker};
use support::events::EventChecker;
use support::{control, get, parse, start};

fn kinds(sim: &Sim) -> Vec<String> {
    sim.webhooks().into_iter().map(|delivery| delivery.kind).collect()
}

/// What a change made.
fn events_of<R>(sim: &Sim, change: impl FnOnce() -> R) -> Vec<String> {
    sim.clear_webhooks();
    change();
    kinds(sim)
}

fn created(sim: &Sim, object: &str, fields: Value) -> String {
    sim.create(object, fields).expect("an object")
}

fn shown(sim: &Sim, object: &str, id: &str) -> Value {
    let all = sim.objects(object);
    parse(&all.iter().find(|object| object.id == id).expect("it is there").json)
}

/// Every kind of objects, and one field that can be changed.
const CHANGES: &[(&str, &str, &str)] = &[
    ("users", "first_name", "Zoë"),
    ("organizations", "name", "Zoë & Co."),
    ("invitations", "status", "revoked"),
    ("organization_invitations", "status", "expired"),
    ("organization_domains", "name", "zoe.example.com"),
    ("organization_roles", "name", "Zoë"),
    ("organization_permissions", "name", "Zoë"),
    ("role_sets", "name", "Zoë"),
    ("sessions", "status", "expired"),
    ("waitlist_entries", "status", "rejected"),
    ("allowlist_identifiers", "identifier", "zoe@example.com"),
    ("blocklist_identifiers", "identifier", "zoe@example.com"),
    ("domains", "name", "zoe.example.com"),
    ("redirect_urls", "url", "https://zoe.example.com"),
    ("jwt_templates", "name", "Zoë"),
    ("oauth_applications", "name", "Zoë"),
    ("saml_connections", "name", "Zoë"),
    ("enterprise_connections", "name", "Zoë"),
    ("directories", "name", "Zoë"),
    ("machines", "name", "Zoë"),
    ("api_keys", "name", "Zoë"),
    ("m2m_tokens", "revocation_reason", "Zoë"),
    ("plans", "name", "Zoë"),
    ("prices", "description", "Zoë"),
    ("subscriptions", "status", "canceled"),
    ("subscription_items", "plan_period", "annual"),
    ("statements", "status", "closed"),
    ("payment_attempts", "status", "paid"),
];

/// Objects of every kind can be created, changed and deleted, also over HTTP.
#[test]
fn changes_of_every_kind() {
    let sim = start(10, 3, 12);
    for (object, field, value) in CHANGES {
        let before = sim.objects(object).len();
        let id = created(&sim, object, json!({ "created_at": 1_600_000_000_000_i64 }));
        let oldest = &sim.objects(object)[0];
        assert_eq!((oldest.id.as_str(), oldest.created_at), (id.as_str(), 1_600_000_000_000), "{object}");
        assert_ne!(shown(&sim, object, &id)[field], *value, "{object}");

        sim.update(object, &id, json!({ *field: value })).expect("an object");
        assert_eq!(shown(&sim, object, &id)[field], *value, "{object}");
        let updated = shown(&sim, object, &id)["updated_at"].as_i64();
        assert!(updated.is_none_or(|updated| updated > 1_600_000_000_000), "{object}");
        sim.create(object, json!({ "id": id })).expect_err("the id is taken");
        sim.update(object, &id, json!({ "id": "other" })).expect_err("it is another id");
        sim.delete(object, &id).expect("an object");
        assert_eq!(sim.objects(object).len(), before, "{object}");
        sim.delete(object, &id).expect_err("it is gone");
        sim.update(object, &id, json!({})).expect_err("it is gone");

        let made = control(&sim, "POST", &format!("/{object}"), "{}");
        assert_eq!(made.status, 200, "{object}: {}", made.body);
        let newest = sim.objects(object).pop().expect("an object");
        assert_eq!(made.body, newest.json, "{object}");
        let target = format!("/{object}/{}", newest.id);
        let patch = json!({ *field: value }).to_string();
        assert_eq!(control(&sim, "PATCH", &target, &patch).json()[field], *value, "{object}");
        assert_eq!(control(&sim, "GET", &target, "").json()[field], *value, "{object}");
        assert_eq!(control(&sim, "DELETE", &target, "").status, 204, "{object}");
        assert_eq!(control(&sim, "GET", &target, "").status, 404, "{object}");
    }
    sim.create("dragons", json!({})).expect_err("there are none");
    assert_eq!(control(&sim, "POST", "/dragons", "{}").status, 404);
    sim.update("organization_settings", "organization_settings", json!({ "enabled": false })).expect("settings");
    assert_eq!(get(&sim, "/instance/organization_settings").json()["enabled"], false);
}

/// A membership needs its user and its organization.
#[test]
fn memberships_by_name() {
    let sim = start(2, 1, 0);
    let (user, organization) = (sim.users()[0].id.clone(), sim.organizations()[0].id.clone());
    let fields = json!({ "user_id": user, "organization_id": organization, "role": "org:admin" });
    let id = created(&sim, "organization_memberships", fields);
    let membership = shown(&sim, "organization_memberships", &id);
    assert_eq!((&membership["role"], &membership["public_user_data"]["user_id"]), (&json!("org:admin"), &json!(user)));
    assert!(membership.get("user_id").is_none());
    sim.create("organization_memberships", json!({ "user_id": user })).expect_err("there is no organization");
    sim.update("organization_memberships", &id, json!({ "role": "org:member" })).expect("a membership");
    assert_eq!(control(&sim, "GET", &format!("/organization_memberships/{id}"), "").json()["role"], "org:member");
    sim.delete("organization_memberships", &id).expect("a membership");
    assert!(sim.memberships().is_empty());
}

/// New objects belong to what their fields name, and texts are kept to the byte.
#[test]
fn fields_of_new_objects() {
    let sim = start(4, 2, 4);
    let user = sim.users()[3].id.clone();
    let session = created(&sim, "sessions", json!({ "user_id": user }));
    let session = shown(&sim, "sessions", &session);
    assert_eq!((&session["user_id"], &session["status"]), (&json!(user), &json!("active")));
    sim.create("sessions", json!({ "user_id": "user_unknown" })).expect_err("there is no such user");

    let made = control(&sim, "POST", "/invitations", r#"{"public_metadata":{"lone":"\ud800","n":1.0}}"#);
    assert!(made.body.contains(r#"{"lone":"\ud800","n":1.0}"#), "{}", made.body);

    let machine = created(&sim, "machines", json!({}));
    let token = created(&sim, "m2m_tokens", json!({ "subject": machine }));
    assert_eq!(shown(&sim, "m2m_tokens", &token)["subject"], machine.as_str());
    let newcomer = created(&sim, "users", json!({ "email_address": "new@example.com" }));
    assert_eq!(get(&sim, &format!("/users/{newcomer}/billing/subscription")).status, 404);
    let subscription = created(&sim, "billing_subscriptions", json!({ "user_id": newcomer }));
    created(&sim, "subscription_items", json!({ "subscription_id": subscription }));
    let shown = get(&sim, &format!("/users/{newcomer}/billing/subscription")).json();
    assert_eq!((&shown["id"], shown["subscription_items"].as_array().map(Vec::len)), (&json!(subscription), Some(1)));
    assert_eq!(shown["subscription_items"][0]["payer_id"], shown["payer_id"]);
}

/// What belongs to a user or an organization is deleted with it.
#[test]
fn belongings() {
    let sim = start(20, 4, 20);
    let user = created(&sim, "users", json!({}));
    let organization = created(&sim, "organizations", json!({}));
    let mut mine = vec![
        ("sessions", created(&sim, "sessions", json!({ "user_id": user }))),
        ("api_keys", created(&sim, "api_keys", json!({ "subject": user }))),
        ("subscriptions", created(&sim, "subscriptions", json!({ "user_id": user }))),
    ];
    let item = json!({ "subscription_id": mine[2].1 });
    mine.push(("subscription_items", created(&sim, "subscription_items", item)));
    let theirs = [
        ("organization_invitations", json!({ "organization_id": organization })),
        ("organization_domains", json!({ "organization_id": organization })),
        ("api_keys", json!({ "subject": organization })),
        ("subscriptions", json!({ "organization_id": organization })),
    ];
    let theirs: Vec<(&str, String)> =
        theirs.into_iter().map(|(object, fields)| (object, created(&sim, object, fields))).collect();
    let is_there = |(object, id): &(&str, String)| sim.objects(object).iter().any(|object| object.id == *id);
    assert!(mine.iter().chain(&theirs).all(is_there));
    assert_eq!(events_of(&sim, || sim.delete("users", &user)), ["user.deleted"]);
    assert!(!mine.iter().any(is_there) && theirs.iter().all(is_there));
    let told = events_of(&sim, || sim.delete("organizations", &organization));
    assert_eq!(told, ["organizationDomain.deleted", "organization.deleted"]);
    assert!(!theirs.iter().any(is_there));
}

/// Every event of the kinds that have events, with what causes it.
fn make_every_event(sim: &Sim) -> Vec<String> {
    let mut told = Vec::new();
    sim.clear_webhooks();
    let mut expect = |expected: &[&str]| {
        let all = kinds(sim);
        assert_eq!(all[told.len()..], *expected);
        told = all;
    };
    let update = |object: &str, id: &str, fields: Value| sim.update(object, id, fields).expect("an object");
    for (object, name) in [
        ("organization_domains", "organizationDomain"),
        ("organization_roles", "role"),
        ("organization_permissions", "permission"),
    ] {
        let id = created(sim, object, json!({}));
        update(object, &id, json!({ "name": "other" }));
        sim.delete(object, &id).expect("an object");
        expect(&[&format!("{name}.created"), &format!("{name}.updated"), &format!("{name}.deleted")]);
    }

    let organization = sim.organizations()[0].id.clone();
    let invited = json!({ "organization_id": organization, "email_address": "ada@example.com" });
    let id = created(sim, "organization_invitations", invited.clone());
    expect(&["organizationInvitation.created"]);
    update("organization_invitations", &id, json!({ "status": "accepted" }));
    expect(&["organizationInvitation.accepted"]);
    update("organization_invitations", &id, json!({ "public_metadata": {} }));
    expect(&[]);
    let id = created(sim, "organization_invitations", invited);
    update("organization_invitations", &id, json!({ "status": "revoked" }));
    update("organization_invitations", &id, json!({ "status": "expired" }));
    sim.delete("organization_invitations", &id).expect("an invitation");
    expect(&["organizationInvitation.created", "organizationInvitation.revoked"]);

    let id = created(sim, "sessions", json!({}));
    for status in ["ended", "active", "removed", "revoked", "pending"] {
        update("sessions", &id, json!({ "status": status }));
    }
    sim.delete("sessions", &id).expect("a session");
    expect(&["session.created", "session.ended", "session.removed", "session.revoked", "session.pending"]);

    let id = created(sim, "waitlist_entries", json!({}));
    update("waitlist_entries", &id, json!({ "status": "invited" }));
    sim.delete("waitlist_entries", &id).expect("an entry");
    expect(&["waitlistEntry.created", "waitlistEntry.updated"]);

    let id = created(sim, "subscriptions", json!({}));
    update("subscriptions", &id, json!({ "status": "past_due" }));
    update("subscriptions", &id, json!({ "status": "active" }));
    update("subscriptions", &id, json!({ "eligible_for_free_trial": true }));
    update("subscriptions", &id, json!({ "status": "canceled" }));
    let names = ["created", "pastDue", "active", "updated", "updated"];
    expect(&names.map(|name| format!("subscription.{name}")).each_ref().map(String::as_str));

    let item = created(sim, "subscription_items", json!({ "subscription_id": id }));
    for status in ["past_due", "canceled", "ended", "upcoming", "incomplete", "abandoned", "expired", "active"] {
        update("subscription_items", &item, json!({ "status": status }));
    }
    update("subscription_items", &item, json!({ "plan_period": "annual" }));
    let names = ["active", "pastDue", "canceled", "ended", "upcoming", "incomplete", "abandoned", "active", "updated"];
    expect(&names.map(|name| format!("subscriptionItem.{name}")).each_ref().map(String::as_str));
    update("subscriptions", &id, json!({ "status": "ended" }));
    expect(&["subscription.updated"]);

    let id = created(sim, "payment_attempts", json!({}));
    for status in ["failed", "paid"] {
        update("payment_attempts", &id, json!({ "status": status }));
    }
    sim.delete("payment_attempts", &id).expect("an attempt");
    expect(&["paymentAttempt.created", "paymentAttempt.updated", "paymentAttempt.updated"]);
    // Changes of everything that was there at first, so that events tell of objects of all shapes.
    for (object, field, _) in CHANGES {
        for one in sim.objects(object) {
            let value = parse(&one.json)[field].clone();
            sim.update(object, &one.id, json!({ *field: value })).expect("an object");
        }
    }
    kinds(sim)
}

/// Events are as Clerk's description of its webhooks says.
#[test]
fn events_match_the_description() {
    let sim = start(30, 6, 40);
    sim.create_user(json!({ "email_address": "ada@example.com" })).expect("a user");
    let told = make_every_event(&sim);
    let Some(checker) = EventChecker::new() else {
        return;
    };
    sim.webhooks().iter().for_each(|delivery| checker.check(delivery));
    // All of the described events are made, apart from those of other subjects.
    let missing: Vec<&str> = checker.kinds().filter(|kind| !told.iter().any(|told| told == kind)).collect();
    assert_eq!(
        missing,
        [
            "email.created",
            "organization.created",
            "organization.deleted",
            "organizationMembership.created",
            "organizationMembership.deleted",
            "organizationMembership.updated",
            "sms.created",
            "subscriptionItem.freeTrialEnding",
            "user.created",
            "user.deleted",
        ]
    );
}

/// What events say beyond the schema.
#[test]
fn data_of_events() {
    let sim = start(0, 0, 0);
    let ada = sim.create_user(json!({ "email_address": "ada@example.com" })).expect("a user");
    let organization = sim.create_organization(json!({ "name": "Engines" })).expect("an organization");
    let data = |sim: &Sim| parse(&sim.webhooks().pop().expect("an event").body)["data"].clone();

    let session = created(&sim, "sessions", json!({}));
    assert_eq!((&data(&sim)["user"]["id"], &data(&sim)["id"]), (&json!(ada), &json!(session)));
    let invitation = created(&sim, "organization_invitations", json!({ "email_address": "Ada@Example.com" }));
    assert!(data(&sim).get("public_organization_data").is_none());
    sim.update("organization_invitations", &invitation, json!({ "status": "accepted" })).expect("an invitation");
    assert_eq!(data(&sim)["user_id"], ada.as_str());
    assert_eq!(data(&sim)["data"]["public_organization_data"]["name"], "Engines");
    let list = get(&sim, "/organization_invitations").objects();
    assert_eq!(list[0]["public_organization_data"]["id"], organization.as_str());

    let domain = created(&sim, "organization_domains", json!({}));
    sim.delete("organization_domains", &domain).expect("a domain");
    assert_eq!(data(&sim), json!({ "object": "organization_domain", "id": domain, "deleted": true }));
    let subscription = created(&sim, "subscriptions", json!({ "user_id": ada }));
    assert_eq!((&data(&sim)["payer"]["email"], &data(&sim)["items"]), (&json!("ada@example.com"), &json!([])));
    created(&sim, "subscription_items", json!({ "subscription_id": subscription }));
    assert_eq!(data(&sim)["subscription_id"], subscription.as_str());
}

/// What tests create is as Clerk's OpenAPI file describes it.
#[test]
fn created_objects_match_the_description() {
    let Some(description) = description::read("bapi-2026-05-12.yml") else {
        return;
    };
    let checker = Checker::new(description);
    let sim = start(0, 0, 0);
    let user = sim.create_user(json!({ "email_address": "ada@example.com" })).expect("a user");
    let organization = sim.create_organization(json!({ "name": "Engines" })).expect("an organization");
    let machine = created(&sim, "machines", json!({}));
    created(&sim, "api_keys", json!({ "subject": user }));
    created(&sim, "m2m_tokens", json!({ "subject": machine }));
    created(&sim, "subscriptions", json!({ "organization_id": organization }));
    created(&sim, "statements", json!({ "user_id": user }));
    for (object, ..) in CHANGES.iter().skip(2) {
        created(&sim, object, json!({ "created_at": 1_600_000_000_000_i64 }));
    }
    for (path, rest) in [
        ("/invitations", "?limit=500"),
        ("/organization_invitations", ""),
        ("/organization_domains", ""),
        ("/organization_roles", ""),
        ("/organization_permissions", "?limit=100"),
        ("/role_sets", ""),
        ("/sessions", &format!("?user_id={user}")),
        ("/waitlist_entries", ""),
        ("/allowlist_identifiers", ""),
        ("/blocklist_identifiers", ""),
        ("/domains", ""),
        ("/redirect_urls", ""),
        ("/jwt_templates", ""),
        ("/oauth_applications", ""),
        ("/saml_connections", ""),
        ("/enterprise_connections", ""),
        ("/directories", ""),
        ("/machines", ""),
        ("/api_keys", &format!("?subject={user}")),
        ("/m2m_tokens", &format!("?subject={machine}")),
        ("/billing/plans", ""),
        ("/billing/prices", ""),
        ("/billing/subscription_items", ""),
        ("/billing/statements", ""),
    ] {
        let reply = get(&sim, &format!("{path}{rest}"));
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        checker.check(path, 200, &reply.json());
        assert!(reply.body.len() > 40, "{path}: {}", reply.body);
    }
    let path = "/organizations/{organization_id}/billing/subscription";
    checker.check(path, 200, &get(&sim, &path.replace("{organization_id}", &organization)).json());
}
