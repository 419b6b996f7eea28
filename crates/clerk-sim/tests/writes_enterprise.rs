//! Role sets, and the connections to identity providers with their directories, changed over the API.

mod support;

use serde_json::{Value, json};
use support::get;
use support::writing::World;

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// Role sets, one of which is the initial one.
#[test]
fn role_sets() {
    let world = World::new(0, 0, 0);
    let given = json!({
        "name": "Sales & Co.",
        "default_role_key": "org:member",
        "creator_role_key": "org:admin",
        "roles": ["org:admin", "org:member"],
    });
    let (set, _) = world.change("POST", "/role_sets", given.clone());
    assert_eq!((&set["key"], &set["type"]), (&json!("role_set:sales_co"), &json!("custom")));
    assert_eq!((&set["default_role"]["key"], &set["roles"][0]["key"]), (&json!("org:member"), &json!("org:admin")));
    assert_eq!(get(&world.sim, "/role_sets/role_set:sales_co").json(), set);
    world.refuse("POST", "/role_sets", given, 422, "form_identifier_exists", "key");
    let path = format!("/role_sets/{}", text(&set["id"]));
    let given = json!({ "type": "initial", "key": "role_set:sales", "description": "For sales", "name": null });
    let (set, _) = world.change("PATCH", &path, given);
    assert_eq!((&set["type"], &set["name"]), (&json!("initial"), &json!("Sales & Co.")));
    assert_eq!(get(&world.sim, "/role_sets/role_set:default").json()["type"], "custom");
    assert_eq!(get(&world.sim, "/instance/organization_settings").json()["initial_role_set_key"], "role_set:sales");
    let by_key = "/role_sets/role_set:sales";
    assert_eq!(
        world.change("PATCH", by_key, json!({ "default_role_key": "org:admin" })).0["default_role"]["name"],
        "Admin"
    );
    let given = json!({ "role_keys": ["org:auditor", "org:admin"], "default_role_key": "org:auditor" });
    let (set, _) = world.change("POST", &format!("{path}/roles"), given);
    assert_eq!((set["roles"].as_array().map(Vec::len), &set["default_role"]["key"]), (Some(3), &json!("org:auditor")));
    let (organization, _) =
        world.change("POST", "/organizations", json!({ "name": "A", "role_set_key": "role_set:sales" }));
    assert_eq!(organization["role_set_key"], "role_set:sales");

    let with = |field: &str, value: Value| {
        let mut given = json!({
            "name": "A",
            "key": "role_set:a",
            "default_role_key": "org:member",
            "creator_role_key": "org:admin",
            "roles": ["org:admin", "org:member"],
        });
        given[field] = value;
        given
    };
    for (field, value, status, code, parameter) in [
        ("key", json!("a"), 422, "form_param_format_invalid", "key"),
        ("key", json!("role_set:A"), 422, "form_param_format_invalid", "key"),
        ("key", Value::Null, 422, "form_param_nil", "key"),
        ("type", json!("other"), 422, "form_param_value_invalid", "type"),
        ("roles", json!([]), 422, "form_param_value_invalid", "roles"),
        ("roles", json!(["org:admin", "org:unknown"]), 404, "resource_not_found", ""),
        ("default_role_key", json!("org:auditor"), 422, "form_param_value_invalid", "default_role_key"),
        ("creator_role_key", json!("org:member"), 422, "organization_missing_creator_role_permissions", ""),
        ("rolls", json!([]), 422, "form_param_unknown", "rolls"),
    ] {
        world.refuse("POST", "/role_sets", with(field, value), status, code, parameter);
    }
    world.refuse("POST", "/role_sets", json!({ "name": "A" }), 422, "form_param_missing", "default_role_key");
    world.refuse("PATCH", &path, json!({ "type": "custom" }), 422, "form_param_value_invalid", "type");
    for (method, rest, given) in [("PATCH", "", json!({})), ("POST", "/roles", json!({ "role_keys": [] }))] {
        world.refuse(method, &format!("/role_sets/x{rest}"), given, 404, "resource_not_found", "");
    }
    world.assert_all_done(&["/role_sets"]);
}

/// Enterprise connections, of either protocol.
#[test]
fn enterprise_connections() {
    let world = World::new(1, 1, 0);
    let organization = world.sim.organizations()[0].id.clone();
    let given = json!({
        "name": "Okta",
        "provider": "saml_okta",
        "domains": ["Mill.example.com"],
        "organization_id": organization,
        "saml": { "idp_entity_id": "https://idp.example.com", "login_hint": { "mode": "off" }, "force_authn": null },
        "custom_attributes": [{ "name": "Size", "key": "size", "multi_valued": true }],
    });
    let (connection, events) = world.change("POST", "/enterprise_connections", given);
    assert!(events.is_empty());
    assert_eq!((&connection["domains"], &connection["active"]), (&json!(["mill.example.com"]), &json!(false)));
    assert_eq!(connection["saml_connection"]["login_hint"], json!({ "mode": "off" }));
    assert_eq!((&connection["oauth_config"], &connection["organization_id"]), (&Value::Null, &json!(organization)));
    let path = format!("/enterprise_connections/{}", text(&connection["id"]));
    assert_eq!(get(&world.sim, &path).json(), connection);

    world.refuse("PATCH", &path, json!({ "active": true }), 422, "form_conditional_param_missing", "idp_metadata_url");
    let fields = json!({
        "name": "mill.example.com",
        "organization_id": organization,
        "verification": { "status": "verified", "strategy": "affiliation_email_code", "attempts": 1, "expire_at": null },
    });
    let domain = world.sim.create("organization_domains", fields).expect("a domain");
    let given = json!({ "active": true, "domains": [], "saml": { "idp_sso_url": "https://idp.example.com/sso" } });
    let (connection, events) = world.change("PATCH", &path, given);
    assert_eq!((&connection["active"], &connection["saml_connection"]["active"]), (&json!(true), &json!(true)));
    assert_eq!((&connection["domains"], events.len()), (&json!(["mill.example.com"]), 1));
    assert!(world.sim.objects("organization_domains").iter().all(|one| one.id != domain));

    let given = json!({
        "name": "GitLab",
        "provider": "oidc_gitlab",
        "domains": ["loom.example.com"],
        "oidc": { "client_id": "a", "client_secret": "b", "requires_pkce": true },
        "active": true,
    });
    let (other, _) = world.change("POST", "/enterprise_connections", given);
    assert_eq!((&other["saml_connection"], &other["oauth_config"]["client_id"]), (&Value::Null, &json!("a")));
    assert!(other["oauth_config"].get("client_secret").is_none());

    let list = "/enterprise_connections";
    let with = |field: &str, value: Value| {
        let mut given = json!({ "name": "A", "provider": "saml_custom", "domains": ["a.example.com"] });
        given[field] = value;
        given
    };
    for (field, value, code, parameter) in [
        ("provider", json!("saml"), "form_param_value_invalid", "provider"),
        ("domains", json!([]), "form_param_value_invalid", "domains"),
        ("domains", json!(["localhost"]), "form_param_format_invalid", "domains"),
        ("domains", Value::Null, "form_param_nil", "domains"),
        ("saml", json!({ "idp": 1 }), "form_param_unknown", "saml.idp"),
        ("saml", json!({ "login_hint": {} }), "form_param_missing", "saml.login_hint.mode"),
        ("saml", json!({ "login_hint": { "mode": "a" } }), "form_param_value_invalid", "saml.login_hint.mode"),
        ("saml", json!([]), "form_param_type_invalid", "saml"),
        ("oidc", json!({ "requires_pkce": "no" }), "form_param_type_invalid", "oidc.requires_pkce"),
        ("custom_attributes", json!([{ "name": "A" }]), "form_param_missing", "custom_attributes.key"),
        (
            "custom_attributes",
            json!([{ "name": "A", "key": "_a" }]),
            "form_param_format_invalid",
            "custom_attributes.key",
        ),
        ("secret", json!(1), "form_param_unknown", "secret"),
    ] {
        world.refuse("POST", list, with(field, value), 422, code, parameter);
    }
    world.refuse("POST", list, with("organization_id", json!("org_unknown")), 404, "resource_not_found", "");
    world.refuse("POST", list, json!({ "name": "A" }), 422, "form_param_missing", "provider");
    assert_eq!(world.change("DELETE", &path, Value::Null).0["object"], "enterprise_connection");
    for (method, given) in [("PATCH", json!({})), ("DELETE", Value::Null)] {
        world.refuse(method, &path, given, 404, "resource_not_found", "");
    }
    world.assert_all_done(&["/enterprise_connections"]);
}

/// SAML connections, the older form of them.
#[test]
fn saml_connections() {
    let world = World::new(1, 1, 0);
    let given = json!({ "name": "Okta", "provider": "saml_okta", "domain": "mill.example.com", "force_authn": true });
    let (connection, _) = world.change("POST", "/saml_connections", given);
    assert_eq!((&connection["domains"], &connection["active"]), (&json!(["mill.example.com"]), &json!(false)));
    assert_eq!((&connection["force_authn"], &connection["idp_certificate"]), (&json!(true), &Value::Null));
    let path = format!("/saml_connections/{}", text(&connection["id"]));
    assert_eq!(get(&world.sim, &path).json(), connection);
    let given = json!({
        "domains": ["mill.example.com", "loom.example.com"],
        "attribute_mapping": { "user_id": "id" },
        "idp_certificate": "not a certificate",
        "allow_subdomains": true,
        "login_hint": { "mode": "custom_attribute", "source": "login" },
    });
    let (connection, _) = world.change("PATCH", &path, given);
    assert_eq!(
        (&connection["attribute_mapping"]["user_id"], &connection["allow_subdomains"]),
        (&json!("id"), &json!(true))
    );
    assert!(connection["idp_certificate_expires_at"].is_i64());

    world.refuse("PATCH", &path, json!({ "active": true }), 422, "form_conditional_param_missing", "idp_metadata_url");
    world.change("PATCH", &path, json!({ "idp_metadata_url": "https://idp.example.com/metadata" }));
    let fields = json!({
        "name": "loom.example.com",
        "verification": { "status": "verified", "strategy": "affiliation_email_code", "attempts": 1, "expire_at": null },
    });
    world.sim.create("organization_domains", fields).expect("a domain");
    world.refuse("PATCH", &path, json!({ "active": true }), 409, "verified_domains_exist", "");
    let given = json!({ "active": true, "consent_verified_domains_deletion": true });
    let (connection, events) = world.change("PATCH", &path, given);
    assert_eq!((&connection["active"], events.len()), (&json!(true), 1));

    let list = "/saml_connections";
    world.refuse("POST", list, json!({ "name": "A" }), 422, "form_param_missing", "provider");
    let given = json!({ "name": "A", "provider": "oidc_custom" });
    world.refuse("POST", list, given, 422, "form_param_value_invalid", "provider");
    let given = json!({ "name": "A", "provider": "saml_okta", "active": true });
    world.refuse("POST", list, given, 422, "form_param_unknown", "active");
    let given = json!({ "attribute_mapping": { "user_id": null } });
    world.refuse("PATCH", &path, given, 422, "form_param_nil", "attribute_mapping.user_id");
    world.refuse("PATCH", &path, json!({ "organization_id": "org_unknown" }), 404, "resource_not_found", "");
    let given = json!({ "name": "A", "provider": "saml_okta" });
    world.refuse("POST", list, given, 422, "form_param_missing", "domains");
    world.change("DELETE", &path, Value::Null);
    world.refuse("DELETE", &path, Value::Null, 404, "resource_not_found", "");
    world.assert_all_done(&[list]);
}

/// Directories, whose key is shown once.
#[test]
fn directories() {
    let world = World::new(0, 0, 0);
    let connection = world.sim.objects("enterprise_connections")[0].id.clone();
    let role = text(&get(&world.sim, "/organization_roles").objects()[0]["id"]);
    let given = json!({
        "enterprise_connection_id": connection,
        "provider": "okta",
        "group_role_mappings": [{ "directory_group_id": "g1", "role_id": role, "precedence": 1 }],
    });
    let (directory, _) = world.change("POST", "/directories", given);
    assert_eq!((&directory["group_role_mapping_enabled"], &directory["name"]), (&json!(true), &json!("okta")));
    assert!(directory["api_key"].is_string());
    let path = format!("/directories/{}", text(&directory["id"]));
    assert_eq!(get(&world.sim, &path).json()["api_key"], Value::Null);
    let given = json!({ "enabled": false, "attribute_mapping": { "userName": null, "title": "job" }, "other": 1 });
    let (directory, _) = world.change("PATCH", &path, given);
    assert_eq!(directory["attribute_mapping"], json!({ "name.givenName": "first_name", "title": "job" }));
    assert_eq!((&directory["enabled"], &directory["api_key"]), (&json!(false), &Value::Null));
    world.change("PATCH", &path, Value::Null);
    assert!(world.change("POST", &format!("{path}/rotate_api_key"), Value::Null).0["api_key"].is_string());

    let list = "/directories";
    let with = |groups: Value| {
        json!({
            "enterprise_connection_id": connection, "provider": "okta", "group_role_mappings": groups,
        })
    };
    for (groups, code, parameter) in [
        (json!([{ "role_id": role }]), "form_param_missing", "group_role_mappings.directory_group_id"),
        (json!([{ "scim_group_id": "a" }]), "form_param_missing", "group_role_mappings.role_id"),
        (json!([{ "scim_group_id": "a", "role_id": "b" }]), "form_resource_not_found", "group_role_mappings.role_id"),
        (
            json!([{ "scim_group_id": "a", "directory_group_id": "b", "role_id": role }]),
            "form_param_value_invalid",
            "group_role_mappings.directory_group_id",
        ),
        (json!({}), "form_param_type_invalid", "group_role_mappings"),
    ] {
        world.refuse("POST", list, with(groups), 422, code, parameter);
    }
    let given = json!({ "enterprise_connection_id": "entconn_unknown", "provider": "okta" });
    world.refuse("POST", list, given, 422, "form_resource_not_found", "enterprise_connection_id");
    world.refuse("POST", list, json!({ "provider": "okta" }), 422, "form_param_missing", "enterprise_connection_id");
    let given = json!({ "attribute_mapping": { "a": 1 } });
    world.refuse("PATCH", &path, given, 422, "form_param_type_invalid", "attribute_mapping");
    world.change("DELETE", &path, Value::Null);
    for (method, rest) in [("PATCH", ""), ("DELETE", ""), ("POST", "/rotate_api_key")] {
        world.refuse(method, &format!("{path}{rest}"), Value::Null, 404, "resource_not_found", "");
    }
    world.assert_all_done(&[list]);
}
