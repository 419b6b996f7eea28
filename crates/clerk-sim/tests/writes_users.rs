//! Changes of what users have: email addresses, phone numbers, passkeys, wallets and accounts.

mod support;

use serde_json::{Value, json};
use support::get;
use support::writing::World;

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// A user as the documentation of Supabase's wrapper creates one.
#[test]
fn documented_user() {
    let world = World::new(0, 0, 0);
    let given = json!({ "email_address": ["user@example.com"], "password": "secure123" });
    let (user, events) = world.change("POST", "/users", given);
    assert_eq!((&user["password_enabled"], events.as_slice()), (&json!(true), &["user.created".to_owned()][..]));
}

/// The email addresses of a user, one at a time.
#[test]
fn email_addresses() {
    let world = World::new(0, 0, 0);
    let user = text(&world.change("POST", "/users", json!({})).0["id"]);
    let shown = || get(&world.sim, &format!("/users/{user}")).json();
    let given = json!({ "user_id": user, "email_address": "ada@example.com" });
    let (first, events) = world.change("POST", "/email_addresses", given.clone());
    assert_eq!((&first["verification"], events.as_slice()), (&Value::Null, &["user.updated".to_owned()][..]));
    assert_eq!(shown()["primary_email_address_id"], first["id"], "the first one is primary");
    let before = shown()["updated_at"].clone();
    let given_second = json!({ "user_id": user, "email_address": "lovelace@example.com", "verified": true });
    let (second, _) = world.change("POST", "/email_addresses", given_second);
    assert_eq!(second["verification"]["strategy"], "admin");
    assert_eq!(shown()["primary_email_address_id"], first["id"]);
    assert_ne!(shown()["updated_at"], before);
    assert_eq!(shown()["email_addresses"], json!([first, second]));

    let path = format!("/email_addresses/{}", text(&second["id"]));
    assert_eq!(get(&world.sim, &path).json(), second);
    let (changed, events) = world.change("PATCH", &path, json!({ "primary": true, "verified": false }));
    assert_eq!((&changed["verification"], events.as_slice()), (&Value::Null, &["user.updated".to_owned()][..]));
    assert_eq!(shown()["primary_email_address_id"], second["id"]);
    world.change("PATCH", &path, Value::Null);

    world.refuse("POST", "/email_addresses", given, 422, "form_identifier_exists", "email_address");
    let other = text(&world.change("POST", "/users", json!({ "email_address": ["bob@example.com"] })).0["id"]);
    for (fields, code, parameter) in [
        (json!({ "user_id": user, "email_address": "BOB@example.com" }), "form_identifier_exists", "email_address"),
        (json!({ "user_id": user, "email_address": "bob" }), "form_param_format_invalid", "email_address"),
        (json!({ "user_id": user }), "form_param_missing", "email_address"),
        (json!({ "email_address": "c@example.com" }), "form_param_missing", "user_id"),
        (json!({ "user_id": null, "email_address": "c@example.com" }), "form_param_nil", "user_id"),
    ] {
        world.refuse("POST", "/email_addresses", fields, 422, code, parameter);
    }
    let given = json!({ "user_id": "user_unknown", "email_address": "c@example.com" });
    world.refuse("POST", "/email_addresses", given, 404, "resource_not_found", "");
    world.refuse("PATCH", &path, json!({ "verified": "yes" }), 400, "form_param_type_invalid", "verified");
    for method in ["PATCH", "DELETE"] {
        world.refuse(method, "/email_addresses/idn_unknown", Value::Null, 404, "resource_not_found", "");
    }
    assert_eq!(get(&world.sim, "/email_addresses/idn_unknown").status, 404);

    let (deleted, events) = world.change("DELETE", &path, Value::Null);
    assert_eq!(deleted, json!({ "object": "email_address", "id": second["id"], "deleted": true }));
    assert_eq!(events, ["user.updated"]);
    assert_eq!(shown()["primary_email_address_id"], first["id"], "the one that is left is primary");
    world.refuse("DELETE", &path, Value::Null, 404, "resource_not_found", "");

    let path = format!("/users/{user}/email_address");
    let given = json!({ "email_address": "king@example.com", "identification_status": "reserved" });
    let (only, _) = world.change("PUT", &path, given);
    assert_eq!((&only["reserved"], &only["verification"]), (&json!(true), &Value::Null));
    assert_eq!((&shown()["email_addresses"], &shown()["primary_email_address_id"]), (&json!([only]), &only["id"]));
    world.change("PUT", &path, json!({ "email_address": "king@example.com" }));
    let given = json!({ "email_address": "bob@example.com" });
    world.refuse("PUT", &path, given, 422, "form_identifier_exists", "email_address");
    let given = json!({ "email_address": "c@example.com", "identification_status": "maybe" });
    world.refuse("PUT", &path, given, 422, "form_param_value_invalid", "identification_status");
    let given = json!({ "email_address": "c@example.com", "primary": true });
    world.refuse("PUT", &path, given, 422, "form_param_unknown", "primary");
    world.refuse("PUT", &path, Value::Null, 400, "request_body_invalid", "");
    assert_eq!(get(&world.sim, &format!("/users/{other}")).json()["email_addresses"][0]["reserved"], false);
    world.assert_all_done(&["/email_addresses", "/users/{user_id}/email_address"]);
}

/// The phone numbers of a user, which may be second factors.
#[test]
fn phone_numbers() {
    let world = World::new(0, 0, 0);
    let user = text(&world.change("POST", "/users", json!({})).0["id"]);
    let shown = || get(&world.sim, &format!("/users/{user}")).json();
    let given = json!({ "user_id": user, "phone_number": "+12015550123", "reserved_for_second_factor": true });
    world.refuse("POST", "/phone_numbers", given, 422, "form_param_value_invalid", "reserved_for_second_factor");
    let given = json!({
        "user_id": user,
        "phone_number": "+12015550123",
        "verified": true,
        "reserved_for_second_factor": true,
    });
    let (first, events) = world.change("POST", "/phone_numbers", given);
    assert_eq!((&first["default_second_factor"], events.as_slice()), (&json!(true), &["user.updated".to_owned()][..]));
    assert_eq!((&shown()["two_factor_enabled"], &shown()["primary_phone_number_id"]), (&json!(true), &first["id"]));
    let given = json!({ "user_id": user, "phone_number": "+12015550124", "primary": true });
    let (second, _) = world.change("POST", "/phone_numbers", given);
    assert_eq!(shown()["primary_phone_number_id"], second["id"]);

    let path = format!("/phone_numbers/{}", text(&second["id"]));
    assert_eq!(get(&world.sim, &path).json(), second);
    let given = json!({ "reserved_for_second_factor": true });
    world.refuse("PATCH", &path, given, 400, "form_param_value_invalid", "reserved_for_second_factor");
    let (second, _) = world.change("PATCH", &path, json!({ "reserved_for_second_factor": true, "verified": true }));
    assert_eq!(second["default_second_factor"], false, "another one is the default");
    let first_path = format!("/phone_numbers/{}", text(&first["id"]));
    world.change("PATCH", &first_path, json!({ "reserved_for_second_factor": false }));
    assert_eq!(get(&world.sim, &path).json()["default_second_factor"], true);
    let (deleted, _) = world.change("DELETE", &path, Value::Null);
    assert_eq!(deleted["object"], "phone_number");
    assert_eq!((&shown()["two_factor_enabled"], &shown()["primary_phone_number_id"]), (&json!(false), &first["id"]));
    world.refuse("DELETE", &path, Value::Null, 404, "resource_not_found", "");
    let given = json!({ "user_id": user, "phone_number": "123" });
    world.refuse("POST", "/phone_numbers", given, 422, "form_param_format_invalid", "phone_number");
    let given = json!({ "user_id": user, "phone_number": "+12015550123" });
    world.refuse("POST", "/phone_numbers", given, 422, "form_identifier_exists", "phone_number");

    let put = format!("/users/{user}/phone_number");
    let (only, _) = world.change("PUT", &put, json!({ "phone_number": "+12015550125" }));
    assert_eq!(shown()["phone_numbers"], json!([only]));
    let given = json!({ "phone_number": "+12015550126", "identification_status": "unverified" });
    assert_eq!(world.change("PUT", &put, given).0["verification"], Value::Null);
    world.refuse("PUT", &put, json!({}), 422, "form_param_missing", "phone_number");
    world.assert_all_done(&["/phone_numbers", "/users/{user_id}/phone_number"]);
}

/// Passkeys, wallets, accounts and passwords, which can only be removed.
#[test]
fn removed_parts() {
    let world = World::new(400, 0, 0);
    let users: Vec<Value> = world.sim.users().iter().map(|user| support::parse(&user.json)).collect();
    for (array, object) in
        [("passkeys", "passkey"), ("web3_wallets", "web3_wallet"), ("external_accounts", "google_account")]
    {
        let has =
            |user: &&Value| user[array].as_array().is_some_and(|all| all.iter().any(|one| one["object"] == object));
        let user = users.iter().find(has).expect("a user who has one");
        let path = format!("/users/{}/{array}/{}", text(&user["id"]), text(&user[array][0]["id"]));
        let (deleted, events) = world.change("DELETE", &path, Value::Null);
        assert_eq!(deleted, json!({ "object": object, "id": user[array][0]["id"], "deleted": true }));
        assert_eq!(events, ["user.updated"]);
        let left = get(&world.sim, &format!("/users/{}", text(&user["id"]))).json();
        assert_eq!((&left[array], &left["primary_web3_wallet_id"]), (&json!([]), &Value::Null));
        let links = left["email_addresses"].as_array().expect("an array");
        assert!(array != "external_accounts" || links.iter().all(|email| email["linked_to"] == json!([])));
        world.refuse("DELETE", &path, Value::Null, 404, "resource_not_found", "");
        let path = format!("/users/user_unknown/{array}/x");
        world.refuse("DELETE", &path, Value::Null, 404, "resource_not_found", "");
    }
    let linked = |user: &&Value| user["external_accounts"][0]["object"] == "external_account";
    let user = text(&users.iter().find(linked).expect("a user with an account")["id"]);
    let given = json!({ "email_address": "new@example.com" });
    let path = format!("/users/{user}/email_address");
    world.refuse("PUT", &path, given, 422, "identification_linked_to_external_account", "");

    let has_password = |user: &&Value| user["password_enabled"] == true;
    let path = format!("/users/{}/remove_password", text(&users.iter().find(has_password).expect("a user")["id"]));
    let (user, events) = world.change("POST", &path, json!({ "sign_out_of_other_sessions": true }));
    assert_eq!(user["password_enabled"], false);
    assert_eq!(events.last().map(String::as_str), Some("user.updated"));
    assert!(world.change("POST", &path, Value::Null).1.is_empty(), "there is no password any more");
    world.refuse("POST", &path, json!({ "a": 1 }), 400, "form_param_unknown", "a");
    world.refuse("POST", "/users/user_unknown/remove_password", Value::Null, 404, "resource_not_found", "");
    for array in ["passkeys", "web3_wallets", "external_accounts", "remove_password"] {
        world.assert_all_done(&[&format!("/users/{{user_id}}/{array}")]);
    }
}
