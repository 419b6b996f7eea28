//! Settings of the instance and roles of organizations, changed over the API.

mod support;

use serde_json::{Value, json};
use support::get;
use support::writing::World;

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// The allowlist and the blocklist.
#[test]
fn access() {
    let world = World::new(0, 0, 0);
    for list in ["/allowlist_identifiers", "/blocklist_identifiers"] {
        for (identifier, kind) in [
            ("ada@example.com", "email_address"),
            ("*@example.com", "email_address"),
            ("+12015550123", "phone_number"),
            ("0x01", "web3_wallet"),
        ] {
            let (new, _) = world.change("POST", list, json!({ "identifier": identifier }));
            assert_eq!(new["identifier_type"], kind);
            world.refuse("POST", list, json!({ "identifier": identifier }), 400, "duplicate_record", "");
            let path = format!("{list}/{}", text(&new["id"]));
            assert!(get(&world.sim, &format!("{list}?limit=500")).objects().contains(&new));
            assert_eq!(world.change("DELETE", &path, Value::Null).0["deleted"], true);
            world.refuse("DELETE", &path, Value::Null, 404, "resource_not_found", "");
        }
        world.refuse("POST", list, json!({ "identifier": "ada" }), 422, "form_param_format_invalid", "identifier");
        world.refuse("POST", list, json!({}), 422, "form_param_missing", "identifier");
        world.refuse("POST", list, json!({ "identifier": "a@b.c", "x": 1 }), 422, "form_param_unknown", "x");
    }
    world.assert_all_done(&["/allowlist", "/blocklist"]);
}

/// Redirect URLs, JWT templates and domains.
#[test]
fn settings() {
    let world = World::new(0, 0, 0);
    let (url, _) = world.change("POST", "/redirect_urls", json!({ "url": "myapp://callback" }));
    world.refuse("POST", "/redirect_urls", json!({ "url": "myapp://callback" }), 400, "duplicate_record", "");
    world.refuse("POST", "/redirect_urls", json!({ "url": "callback" }), 422, "form_param_format_invalid", "url");
    let path = format!("/redirect_urls/{}", text(&url["id"]));
    assert_eq!(get(&world.sim, &path).json(), url);
    world.change("DELETE", &path, Value::Null);
    assert_eq!(get(&world.sim, &path).status, 404);

    let given = json!({
        "name": "api",
        "claims": { "aud": "api" },
        "custom_signing_key": true,
        "signing_algorithm": "HS256",
        "signing_key": "not a secret",
    });
    let (template, _) = world.change("POST", "/jwt_templates", given.clone());
    assert_eq!((&template["lifetime"], &template["signing_algorithm"]), (&json!(60), &json!("HS256")));
    assert!(template.get("signing_key").is_none());
    world.refuse("POST", "/jwt_templates", given, 422, "form_identifier_exists", "name");
    world.refuse("POST", "/jwt_templates", json!({ "name": "b" }), 422, "form_param_missing", "claims");
    let given = json!({ "name": "b", "claims": {}, "lifetime": 1 });
    world.refuse("POST", "/jwt_templates", given, 422, "form_param_value_too_small", "lifetime");
    let given = json!({ "name": "b", "claims": {}, "custom_signing_key": true });
    world.refuse("POST", "/jwt_templates", given, 422, "form_conditional_param_missing", "signing_algorithm");
    let path = format!("/jwt_templates/{}", text(&template["id"]));
    let (template, _) = world.change("PATCH", &path, json!({ "name": "api", "claims": { "b": 1 }, "lifetime": 90 }));
    assert_eq!((&template["lifetime"], &template["claims"]), (&json!(90), &json!({ "b": 1 })));
    assert_eq!(get(&world.sim, &path).json(), template);
    world.change("DELETE", &path, Value::Null);
    world.refuse("DELETE", &path, Value::Null, 404, "resource_not_found", "");

    let (domain, _) = world.change("POST", "/domains", json!({ "name": "shop.example.com", "is_satellite": true }));
    assert_eq!((&domain["name"], &domain["proxy_url"]), (&json!("shop.example.com"), &Value::Null));
    let given = json!({ "name": "a.example.com", "is_satellite": false });
    world.refuse("POST", "/domains", given, 422, "form_param_value_invalid", "is_satellite");
    let path = format!("/domains/{}", text(&domain["id"]));
    let (domain, _) = world.change("PATCH", &path, json!({ "name": "store.example.com" }));
    assert_eq!(domain["frontend_api_url"], "https://clerk.store.example.com");
    world.change("DELETE", &path, Value::Null);
    let primary = get(&world.sim, "/domains").objects().into_iter().find(|domain| domain["is_satellite"] == false);
    let path = format!("/domains/{}", text(&primary.expect("a domain")["id"]));
    world.refuse("DELETE", &path, Value::Null, 403, "operation_not_allowed_on_primary_domain", "");
    world.assert_all_done(&["/redirect_urls", "/jwt_templates", "/domains"]);
}

/// Permissions and roles.
#[test]
fn roles() {
    let world = World::new(1, 0, 0);
    let (permission, events) =
        world.change("POST", "/organization_permissions", json!({ "name": "Fly", "key": "org:engines:fly" }));
    assert_eq!((&permission["type"], events.as_slice()), (&json!("user"), &["permission.created".to_owned()][..]));
    let given = json!({ "name": "Fly", "key": "org:engines:fly" });
    world.refuse("POST", "/organization_permissions", given, 422, "form_identifier_exists", "key");
    world.refuse(
        "POST",
        "/organization_permissions",
        json!({ "name": "Fly", "key": "fly" }),
        422,
        "form_param_format_invalid",
        "key",
    );
    let permission_path = format!("/organization_permissions/{}", text(&permission["id"]));
    let (changed, events) = world.change("PATCH", &permission_path, json!({ "description": "High" }));
    assert_eq!((&changed["description"], events.as_slice()), (&json!("High"), &["permission.updated".to_owned()][..]));
    let system = get(&world.sim, "/organization_permissions?limit=100")
        .objects()
        .into_iter()
        .find(|one| one["type"] == "system");
    let path = format!("/organization_permissions/{}", text(&system.expect("a permission")["id"]));
    world.refuse("DELETE", &path, Value::Null, 403, "authorization_invalid", "");

    let (role, events) = world.change(
        "POST",
        "/organization_roles",
        json!({ "name": "Pilot", "key": "org:pilot", "permissions": ["org:engines:fly"] }),
    );
    assert_eq!((&role["permissions"], events.as_slice()), (&json!([changed]), &["role.created".to_owned()][..]));
    let path = format!("/organization_roles/{}", text(&role["id"]));
    let link = format!("{path}/permissions/{}", text(&permission["id"]));
    world.refuse("POST", &link, Value::Null, 409, "organization_role_permission_association_exists", "");
    assert_eq!(world.change("DELETE", &link, Value::Null).0["permissions"], json!([]));
    world.refuse("DELETE", &link, Value::Null, 404, "resource_not_found", "");
    assert_eq!(world.change("POST", &link, Value::Null).0["permissions"], json!([changed]));
    let (role, _) = world.change("PATCH", &path, json!({ "name": "Captain", "permissions": [] }));
    assert_eq!((&role["name"], &role["permissions"]), (&json!("Captain"), &json!([])));
    assert_eq!(get(&world.sim, &path).json(), role);
    let given = json!({ "name": "A", "key": "org:a", "permissions": ["perm_unknown"] });
    world.refuse("POST", "/organization_roles", given, 422, "form_resource_not_found", "permissions");

    let organization = world.sim.create_organization(json!({})).expect("an organization");
    let user = world.sim.users()[0].id.clone();
    let members = format!("/organizations/{organization}/memberships");
    let (membership, _) = world.change("POST", &members, json!({ "user_id": user, "role": "org:pilot" }));
    assert_eq!((&membership["role_name"], &membership["permissions"]), (&json!("Captain"), &json!([])));
    world.refuse("DELETE", &path, Value::Null, 422, "organization_role_used_by_members", "");
    world.change("DELETE", &format!("{members}/{user}"), Value::Null);
    assert_eq!(world.change("DELETE", &path, Value::Null).1, ["role.deleted"]);
    assert_eq!(world.change("DELETE", &permission_path, Value::Null).1, ["permission.deleted"]);
    world.assert_all_done(&["/organization_permissions", "/organization_roles"]);
}

/// Machines, and the applications that users sign in to with their accounts.
#[test]
fn machines() {
    let world = World::new(0, 0, 0);
    let (first, _) = world.change("POST", "/machines", json!({ "name": "Mill" }));
    assert_eq!(first["default_token_ttl"], 3600);
    let given = json!({ "name": "Loom", "scoped_machines": [first["id"]], "default_token_ttl": 60 });
    let (machine, _) = world.change("POST", "/machines", given);
    assert_eq!(machine["scoped_machines"][0]["name"], "Mill");
    world.refuse("POST", "/machines", json!({ "name": "" }), 422, "form_param_min_length_not_met", "name");
    world.refuse(
        "POST",
        "/machines",
        json!({ "name": "a".repeat(256) }),
        422,
        "form_param_max_length_exceeded",
        "name",
    );
    let given = json!({ "name": "A", "scoped_machines": ["mch_unknown"] });
    world.refuse("POST", "/machines", given, 422, "form_resource_not_found", "scoped_machines");
    let path = format!("/machines/{}", text(&machine["id"]));
    let (machine, _) = world.change("PATCH", &path, json!({ "name": "Jacquard" }));
    assert_eq!(get(&world.sim, &path).json(), machine);
    assert!(machine.get("secret_key").is_none());
    world.change("DELETE", &path, Value::Null);
    world.refuse("DELETE", &path, Value::Null, 404, "resource_not_found", "");

    let given = json!({ "name": "Portal", "redirect_uris": ["https://a.example.com"], "pkce_required": true });
    let (application, _) = world.change("POST", "/oauth_applications", given);
    assert_eq!((&application["pkce_required"], &application["scopes"]), (&json!(true), &json!("profile email")));
    let path = format!("/oauth_applications/{}", text(&application["id"]));
    let (application, _) =
        world.change("PATCH", &path, json!({ "callback_url": "https://b.example.com", "scopes": null }));
    assert_eq!(application["redirect_uris"], json!(["https://b.example.com"]));
    assert_eq!(get(&world.sim, &path).json(), application);
    assert!(application.get("client_secret").is_none());
    assert!(world.change("POST", &format!("{path}/rotate_secret"), Value::Null).0["client_secret"].is_string());
    world.refuse("POST", "/oauth_applications", json!({}), 422, "form_param_missing", "name");
    world.refuse("PATCH", &path, json!({ "secret": 1 }), 422, "form_param_unknown", "secret");
    world.change("DELETE", &path, Value::Null);
    world.assert_all_done(&["/machines", "/oauth_applications"]);
}

/// API keys.
#[test]
fn api_keys() {
    let world = World::new(1, 1, 0);
    let user = world.sim.users()[0].id.clone();
    let given = json!({ "name": "Export", "subject": user, "claims": { "a": 1 }, "seconds_until_expiration": 60 });
    let (key, _) = world.change("POST", "/api_keys", given);
    assert_eq!((&key["claims"], &key["revoked"]), (&json!({ "a": 1 }), &json!(false)));
    assert!(key["secret"].is_string() && key["expiration"].is_i64());
    let path = format!("/api_keys/{}", text(&key["id"]));
    let (key, _) = world.change(
        "PATCH",
        &path,
        json!({ "scopes": ["read"], "claims": null, "description": "For the nightly export" }),
    );
    assert_eq!((&key["scopes"], &key["claims"]), (&json!(["read"]), &Value::Null));
    assert_eq!(get(&world.sim, &path).json(), key);
    let (key, _) = world.change("POST", &format!("{path}/revoke"), json!({ "revocation_reason": "lost" }));
    assert_eq!((&key["revoked"], &key["revocation_reason"]), (&json!(true), &json!("lost")));
    world.change("DELETE", &path, Value::Null);
    world.refuse("PATCH", &path, json!({}), 404, "resource_not_found", "");
    world.refuse(
        "POST",
        "/api_keys",
        json!({ "name": "ab", "subject": user }),
        400,
        "form_param_min_length_not_met",
        "name",
    );
    world.refuse(
        "POST",
        "/api_keys",
        json!({ "name": "abc", "subject": "user_unknown" }),
        404,
        "resource_not_found",
        "",
    );
    world.refuse(
        "POST",
        "/api_keys",
        json!({ "name": "abc", "subject": user, "x": 1 }),
        400,
        "form_param_unknown",
        "x",
    );
    let given = json!({ "name": " abc", "subject": user });
    world.refuse("POST", "/api_keys", given, 400, "form_param_format_invalid", "name");
    world.assert_all_done(&["/api_keys"]);
}
