//! Changes over the API: what they answer, what they change, and what is refused.

mod support;

use clerk_sim::{Fault, Outcome};
use serde_json::{Value, json};
use support::writing::World;
use support::{encode, get, request, write};

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// A user from its creation to its end.
#[test]
fn users() {
    let world = World::new(0, 0, 0);
    let (user, events) = world.change(
        "POST",
        "/users",
        json!({
            "external_id": "crm-1",
            "first_name": "Ada",
            "email_address": ["ada@example.com", "lovelace@example.com"],
            "email_address_identification_status": ["verified", "reserved"],
            "phone_number": ["+12015550123"],
            "web3_wallet": ["0x01"],
            "username": "ada",
            "password": "correct horse",
            "public_metadata": { "plan": "größer" },
            "created_at": "2012-10-20T07:15:20.902Z",
            "locked": true,
        }),
    );
    assert_eq!(events, ["user.created"]);
    let id = text(&user["id"]);
    assert_eq!(user["created_at"], 1_350_717_320_902_i64);
    assert_eq!(user["primary_email_address_id"], user["email_addresses"][0]["id"]);
    assert_eq!((&user["email_addresses"][1]["reserved"], &user["password_enabled"]), (&json!(true), &json!(true)));
    assert_eq!(user["locked"], true);
    assert!(user.get("password").is_none() && user.get("email_address_identification_status").is_none());
    assert_eq!(get(&world.sim, &format!("/users/{id}")).json(), user);
    assert_eq!(
        get(&world.sim, &format!("/users?email_address={}", encode("ada@example.com"))).ids(),
        std::slice::from_ref(&id)
    );

    let path = format!("/users/{id}");
    let second = &user["email_addresses"][1]["id"];
    let (user, events) = world.change(
        "PATCH",
        &path,
        json!({ "last_name": "Lovelace", "username": "", "primary_email_address_id": second, "locale": null }),
    );
    assert_eq!(events, ["user.updated"]);
    assert_eq!((&user["last_name"], &user["username"]), (&json!("Lovelace"), &Value::Null));
    assert_eq!(&user["primary_email_address_id"], second);
    assert_eq!(get(&world.sim, &path).json(), user);

    let metadata = format!("{path}/metadata");
    let given =
        json!({ "public_metadata": { "a": { "b": 1, "c": [2] }, "plan": null }, "unsafe_metadata": { "x": 1 } });
    let (user, _) = world.change("PATCH", &metadata, given);
    assert_eq!(user["public_metadata"], json!({ "a": { "b": 1, "c": [2] } }));
    let given = json!({ "public_metadata": { "a": { "b": null, "c": [3], "d": { "e": null } } } });
    let (user, events) = world.change("PATCH", &metadata, given);
    assert_eq!(user["public_metadata"], json!({ "a": { "c": [3], "d": {} } }));
    assert_eq!((&user["unsafe_metadata"], events.as_slice()), (&json!({ "x": 1 }), &["user.updated".to_owned()][..]));
    let (user, _) = world.change("PUT", &metadata, json!({ "public_metadata": { "z": null } }));
    assert_eq!(user["public_metadata"], json!({ "z": null }));
    assert_eq!(user["unsafe_metadata"], json!({ "x": 1 }));
    world.change("PATCH", &metadata, Value::Null);

    let session = world.sim.create("sessions", json!({ "user_id": id })).expect("a session");
    let (user, events) = world.change("POST", &format!("{path}/ban"), Value::Null);
    assert_eq!(
        (&user["banned"], events.as_slice()),
        (&json!(true), &["session.revoked", "user.updated"].map(str::to_owned)[..])
    );
    assert_eq!(get(&world.sim, &format!("/sessions/{session}")).json()["status"], "revoked");
    assert_eq!(world.change("POST", &format!("{path}/unban"), Value::Null).0["banned"], false);
    assert_eq!(world.change("POST", "/users/ban", json!({ "user_ids": [id] })).0[0]["banned"], true);
    assert_eq!(world.change("POST", "/users/unban", json!({ "user_ids": [id] })).0[0]["banned"], false);
    assert_eq!(world.change("POST", &format!("{path}/unlock"), Value::Null).0["locked"], false);
    assert_eq!(world.change("POST", &format!("{path}/lock"), Value::Null).0["locked"], true);

    let (deleted, events) = world.change("DELETE", &path, Value::Null);
    assert_eq!(deleted, json!({ "object": "user", "id": id, "deleted": true, "external_id": "crm-1" }));
    assert_eq!(events.last().map(String::as_str), Some("user.deleted"));
    assert_eq!(get(&world.sim, &path).status, 404);
    let others = [
        "/users/{user_id}/email_address",
        "/users/{user_id}/phone_number",
        "/users/{user_id}/passkeys",
        "/users/{user_id}/web3_wallets",
        "/users/{user_id}/external_accounts",
        "/users/{user_id}/remove_password",
    ];
    world.assert_done(&["/users"], &others);
}

/// What is refused of users.
#[test]
fn refused_users() {
    let world = World::new(0, 0, 0);
    let new = |fields: Value| world.change("POST", "/users", fields).0;
    let ada = new(json!({
        "email_address": ["ada@example.com"],
        "username": "ada",
        "external_id": "1",
        "phone_number": ["+12015550123"],
        "web3_wallet": ["0x01"],
    }));
    let bob = new(json!({ "email_address": ["bob@example.com"] }));
    let path = format!("/users/{}", text(&bob["id"]));
    for (field, value) in [
        ("email_address", json!(["ADA@example.com"])),
        ("phone_number", json!(["+12015550123"])),
        ("web3_wallet", json!(["0x01"])),
        ("username", json!("Ada")),
        ("external_id", json!("1")),
        ("email_address", json!(["c@example.com", "C@example.com"])),
    ] {
        world.refuse("POST", "/users", json!({ field: value }), 422, "form_identifier_exists", field);
    }
    world.refuse("PATCH", &path, json!({ "username": "ADA" }), 422, "form_identifier_exists", "username");
    world.refuse("PATCH", &path, json!({ "external_id": "1" }), 422, "form_identifier_exists", "external_id");
    world.change("PATCH", &format!("/users/{}", text(&ada["id"])), json!({ "username": "Ada", "external_id": "1" }));

    for (fields, code, parameter) in [
        (json!({ "first_name": 1 }), "form_param_type_invalid", "first_name"),
        (json!({ "email_address": "ada@example.com" }), "form_param_type_invalid", "email_address"),
        (json!({ "email_address": ["ada"] }), "form_param_format_invalid", "email_address"),
        (json!({ "phone_number": ["123"] }), "form_param_format_invalid", "phone_number"),
        (json!({ "email_address": null }), "form_param_nil", "email_address"),
        (json!({ "nickname": "a" }), "form_param_unknown", "nickname"),
        (json!({ "password": "short" }), "form_password_length_too_short", "password"),
        (json!({ "password_digest": "x" }), "form_conditional_param_missing", "password_hasher"),
        (json!({ "password_hasher": "rot13" }), "form_param_value_invalid", "password_hasher"),
        (json!({ "created_at": "yesterday" }), "form_param_format_invalid", "created_at"),
        (json!({ "public_metadata": [] }), "form_param_type_invalid", "public_metadata"),
        (
            json!({
                "email_address": ["c@example.com"],
                "email_address_identification_status": ["reserved", "verified"],
            }),
            "form_param_value_invalid",
            "email_address_identification_status",
        ),
    ] {
        world.refuse("POST", "/users", fields, 422, code, parameter);
    }
    world.refuse("POST", "/users", Value::Null, 400, "request_body_invalid", "");
    world.refuse("POST", "/users", json!([1]), 400, "request_body_invalid", "");
    world.refuse("PATCH", &path, json!({ "public_metadata": {} }), 422, "form_param_unknown", "public_metadata");
    let foreign = &ada["primary_email_address_id"];
    let given = json!({ "primary_email_address_id": foreign });
    world.refuse("PATCH", &path, given, 422, "form_resource_not_found", "primary_email_address_id");
    world.refuse("PATCH", &format!("{path}/metadata"), json!({ "plan": 1 }), 422, "form_param_unknown", "plan");
    for (method, rest) in [
        ("PATCH", ""),
        ("DELETE", ""),
        ("PATCH", "/metadata"),
        ("PUT", "/metadata"),
        ("POST", "/ban"),
        ("POST", "/lock"),
    ] {
        world.refuse(method, &format!("/users/user_unknown{rest}"), json!({}), 404, "resource_not_found", "");
    }
    let ids = json!({ "user_ids": [bob["id"], "user_unknown"] });
    world.refuse("POST", "/users/ban", ids, 404, "resource_not_found", "");
    world.refuse("POST", "/users/ban", json!({ "user_ids": [] }), 400, "form_param_value_invalid", "user_ids");
    assert_eq!(get(&world.sim, "/users/count").total(), 2);

    let key = format!("Authorization: Bearer {}\r\nContent-Type: text/plain\r\n", world.sim.key());
    assert_eq!(request(&world.sim, "POST", "/v1/users", &key, "{}").expect("an answer").status, 415);
    assert_eq!(request(&world.sim, "POST", "/v1/users", "", "{}").expect("an answer").status, 401);
    assert_eq!(get(&world.sim, "/users/count").total(), 2);
}

/// An organization and its members.
#[test]
fn organizations() {
    let world = World::new(3, 0, 0);
    let users: Vec<String> = world.sim.users().into_iter().map(|user| user.id).collect();
    let (organization, events) = world.change(
        "POST",
        "/organizations",
        json!({
            "name": "Engines & Größe",
            "created_by": users[0],
            "max_allowed_memberships": 2,
            "private_metadata": { "a": 1 },
        }),
    );
    assert_eq!(events, ["organization.created", "organizationMembership.created"]);
    let id = text(&organization["id"]);
    assert_eq!((&organization["slug"], &organization["created_by"]), (&json!("engines-gr-e"), &json!(users[0])));
    let path = format!("/organizations/{id}");
    assert_eq!(get(&world.sim, &path).json(), organization);
    let members = get(&world.sim, &format!("{path}/memberships")).objects();
    assert_eq!((members.len(), &members[0]["role"]), (1, &json!("org:admin")));
    // A role has the same name and permissions however it was given.
    let member = format!("{path}/memberships/{}", users[0]);
    let (changed, _) = world.change("PATCH", &member, json!({ "role": "org:admin" }));
    assert_eq!(
        (&changed["role_name"], &changed["permissions"]),
        (&members[0]["role_name"], &members[0]["permissions"])
    );
    let (other, _) = world.change("POST", "/organizations", json!({ "name": "Engines & Größe", "unknown": 1 }));
    assert_ne!(other["slug"], organization["slug"]);

    let given = json!({ "slug": "engines", "max_allowed_memberships": 3, "admin_delete_enabled": false, "name": null });
    let (organization, events) = world.change("PATCH", &path, given);
    assert_eq!(events, ["organization.updated"]);
    assert_eq!((&organization["slug"], &organization["name"]), (&json!("engines"), &json!("Engines & Größe")));
    let (organization, _) =
        world.change("PATCH", &format!("{path}/metadata"), json!({ "private_metadata": { "b": 2, "a": null } }));
    assert_eq!(organization["private_metadata"], json!({ "b": 2 }));
    let (organization, _) = world.change("PUT", &format!("{path}/metadata"), json!({ "private_metadata": { "c": 3 } }));
    assert_eq!(organization["private_metadata"], json!({ "c": 3 }));

    let list = format!("{path}/memberships");
    let (membership, events) = world.change(
        "POST",
        &list,
        json!({ "user_id": users[1], "role": "org:member", "public_metadata": { "x": { "y": 1 } } }),
    );
    assert_eq!(events, ["organizationMembership.created"]);
    assert_eq!(membership["public_user_data"]["user_id"], users[1].as_str());
    let one = format!("{list}/{}", users[1]);
    let (membership, events) = world.change("PATCH", &one, json!({ "role": "org:admin" }));
    assert_eq!(
        (&membership["role"], events.as_slice()),
        (&json!("org:admin"), &["organizationMembership.updated".to_owned()][..])
    );
    let (membership, _) =
        world.change("PATCH", &format!("{one}/metadata"), json!({ "public_metadata": { "x": { "z": 2 } } }));
    assert_eq!(membership["public_metadata"], json!({ "x": { "y": 1, "z": 2 } }));
    assert!(get(&world.sim, &list).objects().contains(&membership));

    let given = json!({ "user_id": users[1], "role": "org:member" });
    world.refuse("POST", &list, given, 400, "already_a_member_in_organization", "");
    let given = json!({ "user_id": users[2], "role": "org:pilot" });
    world.refuse("POST", &list, given, 422, "form_param_value_invalid", "role");
    world.refuse("POST", &list, json!({ "user_id": users[2] }), 422, "form_param_missing", "role");
    let given = json!({ "user_id": "user_unknown", "role": "org:member" });
    world.refuse("POST", &list, given, 404, "resource_not_found", "");
    world.refuse(
        "PATCH",
        &format!("{list}/{}", users[2]),
        json!({ "role": "org:admin" }),
        404,
        "resource_not_found",
        "",
    );
    world.change("PATCH", &path, json!({ "max_allowed_memberships": 2 }));
    let given = json!({ "user_id": users[2], "role": "org:member" });
    world.refuse("POST", &list, given, 403, "organization_membership_quota_exceeded", "");

    let (deleted, events) = world.change("DELETE", &one, Value::Null);
    assert_eq!(deleted["role"], "org:admin");
    assert_eq!(events, ["organizationMembership.deleted"]);
    world.refuse("DELETE", &one, Value::Null, 404, "resource_not_found", "");

    world.refuse("POST", "/organizations", json!({}), 422, "form_param_missing", "name");
    world.refuse(
        "POST",
        "/organizations",
        json!({ "name": "A", "slug": "engines" }),
        422,
        "form_identifier_exists",
        "slug",
    );
    world.refuse(
        "POST",
        "/organizations",
        json!({ "name": "A", "slug": "A b" }),
        422,
        "form_param_format_invalid",
        "slug",
    );
    world.refuse(
        "POST",
        "/organizations",
        json!({ "name": "A", "max_allowed_memberships": -1 }),
        422,
        "form_param_value_too_small",
        "max_allowed_memberships",
    );
    world.refuse(
        "POST",
        "/organizations",
        json!({ "name": "A", "created_by": "user_unknown" }),
        422,
        "form_resource_not_found",
        "created_by",
    );
    world.refuse("PATCH", &path, json!({ "public_metadata": {} }), 422, "form_param_unknown", "public_metadata");

    let (deleted, events) = world.change("DELETE", &path, Value::Null);
    assert_eq!((&deleted["deleted"], &deleted["id"]), (&json!(true), &json!(id)));
    assert_eq!(events, ["organizationMembership.deleted", "organization.deleted"]);
    world.assert_all_done(&[
        "/organizations/{organization_id}/memberships",
        "/organizations/{organization_id}/metadata",
    ]);
}

/// The log has the bodies of requests, without keys and passwords.
#[test]
fn log_of_requests() {
    let world = World::new(1, 0, 0);
    world.change(
        "POST",
        "/users",
        json!({ "username": "ada", "password": "correct horse", "backup_codes": ["battery"] }),
    );
    world.change("POST", "/users/ban", json!({ "user_ids": [world.sim.users()[0].id] }));
    let key = format!("Authorization: Bearer {}\r\n", world.sim.key());
    for body in [r#"{"password":"correct horse""#, r#"{"pass\u0077ord":"correct horse"}"#, "correct horse"] {
        request(&world.sim, "POST", "/v1/users", &key, body).expect("an answer");
    }
    get(&world.sim, "/users");
    // What is of the wrong type stays so, and what belongs to another object is a secret as well.
    let wrong = json!({ "password": 12345678, "totp_secret": { "a": "battery" }, "backup_codes": [1, "battery"] });
    write(&world.sim, "POST", "/users", &wrong);
    let oidc = json!({ "oidc": { "client_id": "a", "client_secret": "battery" } });
    write(&world.sim, "PATCH", "/enterprise_connections/entconn_1", &oidc);
    let requests = world.sim.requests();
    let bodies: Vec<_> = requests.iter().map(|request| request.body.as_deref()).collect();
    let banned = format!(r#"{{"user_ids":["{}"]}}"#, world.sim.users()[0].id);
    let created = json!({ "username": "ada", "password": "***", "backup_codes": ["***"] });
    let first: Value = serde_json::from_str(bodies[0].expect("a body")).expect("JSON");
    assert_eq!(first, created);
    let others = [Some(banned.as_str()), Some("***"), Some(r#"{"password":"***"}"#), Some("***"), None];
    assert_eq!(&bodies[1..6], others);
    let last = bodies[6..].iter().map(|body| serde_json::from_str(body.expect("a body")).expect("JSON"));
    let wrong = json!({ "password": 0, "totp_secret": {}, "backup_codes": [0, "***"] });
    assert_eq!(last.collect::<Vec<Value>>(), [wrong, json!({ "oidc": { "client_id": "a", "client_secret": "***" } })]);
    let types: Vec<_> = requests.iter().map(|request| request.content_type.as_deref()).collect();
    assert_eq!((types[0], types[2]), (Some("application/json"), None));
    let all = format!("{requests:?}");
    assert!(!all.contains("horse") && !all.contains("battery") && !all.contains(world.sim.key()));
}

/// Faults before the change is made, and after it.
#[test]
fn faults() {
    let world = World::new(0, 0, 0);
    let count = || get(&world.sim, "/users/count").total();
    let post = || {
        let head = format!("Authorization: Bearer {}\r\n", world.sim.key());
        request(&world.sim, "POST", "/v1/users", &head, r#"{"username":"ada"}"#)
    };
    let on_post = |fault: Fault| world.sim.fault(fault.on_path("/v1/users").on_method("POST"));
    on_post(Fault::status(500));
    get(&world.sim, "/users");
    assert_eq!(post().expect("an answer").status, 500);
    on_post(Fault::reset());
    assert!(post().is_err());
    on_post(Fault::too_many_requests(1));
    assert_eq!(post().expect("an answer").header("retry-after"), Some("1"));
    assert_eq!(count(), 0);

    on_post(Fault::lose_answer());
    assert!(post().is_err());
    assert_eq!(count(), 1);
    assert_eq!(world.sim.webhooks().len(), 1);
    let lost = world.sim.requests().into_iter().rev().find(|request| request.method == "POST");
    assert_eq!(lost.expect("a request").outcome, Outcome::Reset);
    assert_eq!(post().expect("an answer").status, 422);
    on_post(Fault::lose_answer());
    assert!(post().is_err());
    assert_eq!(count(), 1);
    let reply = write(&world.sim, "DELETE", &format!("/users/{}", world.sim.users()[0].id), &Value::Null);
    assert_eq!((reply.status, count()), (200, 0));
}
