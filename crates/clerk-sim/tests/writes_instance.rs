//! Changes of the instance and of what organizations may do in it, quotas, sessions, tokens and billing.

mod support;

use clerk_sim::{Config, RateLimit, Sim};
use serde_json::{Value, json};
use support::writing::World;
use support::{control, get, write};

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// The instance, and what organizations may do.
#[test]
fn instance() {
    let world = World::new(1, 0, 0);
    let given = json!({ "allowed_origins": ["http://localhost:3000"], "test_mode": null, "hibp": true });
    assert_eq!(world.change("PATCH", "/instance", given).0, Value::Null);
    assert_eq!(get(&world.sim, "/instance").json()["allowed_origins"], json!(["http://localhost:3000"]));
    world.change("PATCH", "/instance", Value::Null);
    let given = json!({ "preferred_sign_in_strategy_when_password_required": "guess" });
    let field = "preferred_sign_in_strategy_when_password_required";
    world.refuse("PATCH", "/instance", given, 422, "form_param_value_invalid", field);
    world.refuse("PATCH", "/instance", json!({ "allowed_origins": null }), 422, "form_param_nil", "allowed_origins");
    world.refuse("PATCH", "/instance", json!({ "name": "a" }), 422, "form_param_unknown", "name");
    let given = json!({ "support_email": "help" });
    world.refuse("PATCH", "/instance", given, 422, "form_param_format_invalid", "support_email");

    let path = "/instance/organization_settings";
    let roles = get(&world.sim, "/organization_roles?limit=100").objects();
    let role = |key: &str| roles.iter().find(|role| role["key"] == key).expect("a role")["id"].clone();
    let given = json!({
        "max_allowed_memberships": 7,
        "domains_enrollment_modes": ["automatic_suggestion"],
        "domains_default_role_id": role("org:auditor"),
        "creator_role_id": role("org:admin"),
        "admin_delete_enabled": null,
    });
    let (settings, _) = world.change("PATCH", path, given);
    assert_eq!(settings["domains_enrollment_modes"], json!(["automatic_suggestion"]));
    assert_eq!(
        (&settings["domains_default_role"], &settings["creator_role"]),
        (&json!("org:auditor"), &json!("org:admin"))
    );
    assert_eq!(get(&world.sim, path).json(), settings);
    let (organization, _) = world.change("POST", "/organizations", json!({ "name": "Engines", "slug": "engines" }));
    assert_eq!((&organization["max_allowed_memberships"], &organization["slug"]), (&json!(7), &json!("engines")));

    world.change("PATCH", path, json!({ "slug_disabled": true }));
    let given = json!({ "name": "Looms", "slug": "looms" });
    world.refuse("POST", "/organizations", given, 422, "form_param_unknown", "slug");
    let (other, _) = world.change("POST", "/organizations", json!({ "name": "Looms", "slug": null }));
    let path_of_other = format!("/organizations/{}", text(&other["id"]));
    world.refuse("PATCH", &path_of_other, json!({ "slug": "looms-2" }), 422, "form_param_unknown", "slug");
    world.change("PATCH", path, json!({ "slug_disabled": false, "enabled": false }));
    let refused = "organization_not_enabled_in_instance";
    world.refuse("POST", "/organizations", json!({ "name": "Mills" }), 403, refused, "");

    let given = json!({ "creator_role_id": role("org:member") });
    world.refuse("PATCH", path, given, 422, "organization_missing_creator_role_permissions", "");
    world.refuse("PATCH", path, json!({ "creator_role_id": "role_unknown" }), 404, "resource_not_found", "");
    let given = json!({ "domains_enrollment_modes": ["by_chance"] });
    world.refuse("PATCH", path, given, 422, "form_param_value_invalid", "domains_enrollment_modes");
    world.refuse("PATCH", path, json!({ "max_allowed_roles": 3 }), 422, "form_param_unknown", "max_allowed_roles");
    world.assert_all_done(&["/instance"]);
}

/// How many users, organizations and members there may be.
#[test]
fn quotas() {
    let world = World::new(2, 0, 0);
    let users: Vec<String> = world.sim.users().into_iter().map(|user| user.id).collect();
    world.sim.set_user_quota(Some(3));
    world.change("POST", "/users", json!({}));
    world.refuse("POST", "/users", json!({}), 403, "user_quota_exceeded", "");
    assert_eq!(control(&world.sim, "PUT", "/quota", r#"{"users":4}"#).status, 204);
    world.change("POST", "/users", json!({}));
    world.refuse("POST", "/users", json!({}), 403, "user_quota_exceeded", "");
    assert_eq!(control(&world.sim, "PUT", "/quota", r#"{"users":null}"#).status, 204);
    world.change("POST", "/users", json!({}));

    world.change("PATCH", &format!("/users/{}", users[0]), json!({ "create_organizations_limit": 1 }));
    let given = json!({ "name": "Engines", "created_by": users[0], "max_allowed_memberships": 1 });
    let (organization, events) = world.change("POST", "/organizations", given.clone());
    assert_eq!(events, ["organization.created", "organizationMembership.created"]);
    let members = format!("/organizations/{}/memberships", text(&organization["id"]));
    assert_eq!(get(&world.sim, &members).objects()[0]["role"], "org:admin");
    world.refuse("POST", "/organizations", given, 403, "organization_quota_exceeded", "");
    world.change("POST", "/organizations", json!({ "name": "Engines", "created_by": users[1] }));
    let given = json!({ "user_id": users[1], "role": "org:member" });
    world.refuse("POST", &members, given, 403, "organization_membership_quota_exceeded", "");
    let given = json!({ "name": "a".repeat(257) });
    world.refuse("POST", "/organizations", given, 422, "form_param_max_length_exceeded", "name");
}

/// Sessions, which only development instances create.
#[test]
fn sessions() {
    let world = World::new(2, 1, 1);
    let membership = support::parse(&world.sim.memberships()[0].json);
    let user = text(&membership["public_user_data"]["user_id"]);
    let organization = text(&membership["organization"]["id"]);
    let (session, events) = world.change("POST", "/sessions", json!({ "user_id": user }));
    assert_eq!((&session["status"], events.as_slice()), (&json!("active"), &["session.created".to_owned()][..]));
    assert_eq!(session["last_active_organization_id"], Value::Null);
    let given = json!({ "user_id": user, "active_organization_id": organization });
    let (session, _) = world.change("POST", "/sessions", given);
    assert_eq!(session["last_active_organization_id"], organization.as_str());
    let path = format!("/sessions/{}", text(&session["id"]));
    assert_eq!(get(&world.sim, &path).json(), session);
    let (session, events) = world.change("POST", &format!("{path}/revoke"), Value::Null);
    assert_eq!((&session["status"], events.as_slice()), (&json!("revoked"), &["session.revoked".to_owned()][..]));
    assert_eq!(get(&world.sim, &path).json(), session);
    world.refuse("POST", "/sessions/sess_unknown/revoke", Value::Null, 404, "resource_not_found", "");

    world.refuse("POST", "/sessions", json!({}), 422, "form_param_missing", "user_id");
    world.refuse("POST", "/sessions", json!({ "user_id": "user_unknown" }), 404, "resource_not_found", "");
    let given = json!({ "user_id": user, "active_organization_id": "org_unknown" });
    world.refuse("POST", "/sessions", given, 404, "resource_not_found", "");
    let other = world.sim.users().into_iter().find(|other| other.id != user).expect("another user").id;
    let given = json!({ "user_id": other, "active_organization_id": organization });
    world.refuse("POST", "/sessions", given, 422, "form_resource_not_found", "active_organization_id");
    world.assert_all_done(&["/sessions"]);

    let keys = vec!["sk_live_simulator".to_owned()];
    let live =
        Sim::start(Config { users: 1, rate_limit: RateLimit::Off, keys, ..Config::default() }).expect("a simulator");
    let given = json!({ "user_id": live.users()[0].id });
    assert_eq!(write(&live, "POST", "/sessions", &given).code(), "request_invalid_for_environment");
}

/// The tokens of machines.
#[test]
fn tokens() {
    let world = World::new(0, 0, 0);
    let is_valid = |token: &Value| token["revoked"] == false;
    let tokens = world.sim.objects("m2m_tokens").into_iter().map(|token| support::parse(&token.json));
    let token = tokens.into_iter().find(is_valid).expect("a token");
    let path = format!("/m2m_tokens/{}/revoke", text(&token["id"]));
    let (revoked, _) = world.change("POST", &path, json!({ "revocation_reason": "lost" }));
    assert_eq!((&revoked["revoked"], &revoked["revocation_reason"]), (&json!(true), &json!("lost")));
    world.refuse("POST", &path, json!({ "reason": "lost" }), 400, "form_param_unknown", "reason");
    world.refuse("POST", &path, Value::Null, 400, "request_body_invalid", "");
    world.refuse("POST", "/m2m_tokens/mt_unknown/revoke", json!({}), 404, "resource_not_found", "");
    world.assert_all_done(&["/m2m_tokens"]);
}

/// Prices, and the end of subscription items.
#[test]
fn billing() {
    let world = World::new(10, 5, 0);
    let plan = world.sim.objects("plans")[1].id.clone();
    let given = json!({ "plan_id": plan, "amount": 1500, "annual_monthly_amount": 1200, "description": "For friends" });
    let (price, _) = world.change("POST", "/billing/prices", given);
    assert_eq!(
        (&price["supported_billing_periods"], &price["fee"]["amount_formatted"]),
        (&json!("both"), &json!("15.00"))
    );
    assert!(get(&world.sim, &format!("/billing/prices?plan_id={plan}&limit=100")).objects().contains(&price));
    let given = json!({ "plan_id": plan, "amount": null, "annual_monthly_amount": 0, "currency": "USD" });
    let (price, _) = world.change("POST", "/billing/prices", given);
    assert_eq!((&price["supported_billing_periods"], &price["fee"]), (&json!("annual"), &Value::Null));
    for (fields, code, parameter) in [
        (json!({ "plan_id": plan }), "form_param_missing", "amount"),
        (json!({ "amount": 100 }), "form_param_missing", "plan_id"),
        (json!({ "plan_id": plan, "amount": 99 }), "form_param_value_too_small", "amount"),
        (json!({ "plan_id": plan, "amount": "100" }), "form_param_type_invalid", "amount"),
        (json!({ "plan_id": plan, "amount": 100, "currency": "EUR" }), "form_param_value_invalid", "currency"),
        (
            json!({ "plan_id": plan, "amount": 100, "supported_billing_periods": "annual" }),
            "form_param_value_invalid",
            "supported_billing_periods",
        ),
        (json!({ "plan_id": plan, "amount": 100, "fee": 1 }), "form_param_unknown", "fee"),
    ] {
        world.refuse("POST", "/billing/prices", fields, 422, code, parameter);
    }
    let given = json!({ "plan_id": "cplan_unknown", "amount": 100 });
    world.refuse("POST", "/billing/prices", given, 404, "resource_not_found", "");

    let path = "/billing/subscription_items";
    let items = get(&world.sim, &format!("{path}?limit=500&include_free=true")).objects();
    let with = |status: &str, is_free: bool| -> Vec<String> {
        let items =
            items.iter().filter(|item| item["status"] == status && (item["plan"]["is_default"] == true) == is_free);
        items.map(|item| format!("{path}/{}", text(&item["id"]))).collect()
    };
    let paid: Vec<String> = items
        .iter()
        .filter(|item| item["status"] == "active" && item["next_payment"].is_object())
        .map(|item| format!("{path}/{}", text(&item["id"])))
        .collect();
    let (item, events) = world.change("DELETE", &paid[0], Value::Null);
    assert_eq!(
        (&item["status"], &item["ended_at"], &item["next_payment"]),
        (&json!("canceled"), &Value::Null, &Value::Null)
    );
    assert!(item["canceled_at"].is_i64());
    assert_eq!(events, ["subscriptionItem.canceled"]);
    world.refuse("DELETE", &paid[0], Value::Null, 422, "subscription_item_already_canceled", "");
    let now = format!("{}?end_now=true", paid[0]);
    let (ended, events) = world.change("DELETE", &now, Value::Null);
    assert_eq!((&ended["status"], &ended["canceled_at"]), (&json!("ended"), &item["canceled_at"]));
    assert!(ended["ended_at"].is_i64());
    assert_eq!(events, ["subscriptionItem.ended"]);
    world.refuse("DELETE", &now, Value::Null, 422, "subscription_item_already_canceled", "");
    world.refuse("DELETE", &with("active", true)[0], Value::Null, 422, "subscription_item_not_cancelable", "");
    let wrong = format!("{}?end_now=soon", paid[1]);
    world.refuse("DELETE", &wrong, Value::Null, 422, "form_param_type_invalid", "end_now");
    world.refuse("DELETE", &format!("{path}/csubitem_unknown"), Value::Null, 404, "resource_not_found", "");
    world.assert_all_done(&["/billing"]);
}
