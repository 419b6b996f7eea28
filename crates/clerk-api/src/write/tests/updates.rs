use serde_json::json;

use super::*;

#[test]
fn only_what_has_changed_is_sent() {
    let users = table("users", "user_id first_name last_name external_id created_at attrs");
    let old = json!({"user_id": "user_1", "first_name": "Ada", "last_name": "King", "created_at": 0});
    let update = |change: Value| {
        let mut new = old.clone();
        for (name, value) in change.as_object().unwrap() {
            match value {
                Value::Null => new.as_object_mut().unwrap().remove(name),
                value => new.as_object_mut().unwrap().insert(name.clone(), value.clone()),
            };
        }
        users.update(old.clone(), new)
    };
    assert_eq!(update(json!({})), requests([]));
    assert_eq!(update(json!({"last_name": "Lovelace"})), requests([r#"PATCH /users/user_1 {"last_name":"Lovelace"}"#]));
    assert_eq!(
        update(json!({"external_id": "7", "last_name": null, "created_at": 1})),
        requests([
            r#"PATCH /users/user_1 {"external_id":"7","last_name":null,"created_at":"1970-01-01T00:00:00.001Z"}"#
        ])
    );
    assert_eq!(update(json!({"user_id": "user_2"})).unwrap_err(), "column \"user_id\" of users cannot be changed");
}

#[test]
fn required_fields_come_from_the_row() {
    for (templates, old, new) in [
        (
            table("jwt_templates", "jwt_template_id name claims lifetime"),
            json!({"jwt_template_id": "jtmp_1", "name": "x", "claims": {"a": 1.10}, "lifetime": 60}),
            json!({"jwt_template_id": "jtmp_1", "name": "x", "claims": {"a": 1.10}, "lifetime": 90}),
        ),
        // JSON that the table declares as text.
        (
            table("jwt_templates", "jwt_template_id name claims lifetime"),
            json!({"jwt_template_id": "jtmp_1", "name": "x", "claims": r#"{"a":1.1}"#, "lifetime": 60}),
            json!({"jwt_template_id": "jtmp_1", "name": "x", "claims": r#"{"a":1.1}"#, "lifetime": 90}),
        ),
        (
            table("jwt_templates", "attrs"),
            json!({"attrs": {"id": "jtmp_1", "name": "x", "claims": {"a": 1.10}, "lifetime": 60}}),
            json!({"attrs": {"lifetime": 90}}),
        ),
    ] {
        assert_eq!(
            templates.update(old, new),
            requests([r#"PATCH /jwt_templates/jtmp_1 {"name":"x","claims":{"a":1.1},"lifetime":90}"#])
        );
    }
    let nameless = table("jwt_templates", "jwt_template_id lifetime");
    assert_eq!(
        nameless
            .update(json!({"jwt_template_id": "j", "lifetime": 60}), json!({"jwt_template_id": "j", "lifetime": 90}))
            .unwrap_err(),
        "jwt_templates need a value for name"
    );
}

#[test]
fn a_part_of_a_field_is_sent_with_the_rest_of_it() {
    let templates = table("jwt_templates", "jwt_template_id name claims role=claims.user.role tier=claims.tier");
    let old = json!({
        "jwt_template_id": "j", "name": "x", "claims": {"aud": "y", "user": {"id": 1, "role": "r"}}, "role": "r"
    });
    let mut new = old.clone();
    new["role"] = "s".into();
    new["tier"] = 2.into();
    assert_eq!(
        templates.update(old, new),
        requests([r#"PATCH /jwt_templates/j {"name":"x","claims":{"aud":"y","tier":2,"user":{"id":1,"role":"s"}}}"#])
    );
    // Nobody knows the rest.
    let templates = table("jwt_templates", "jwt_template_id name role=claims.role");
    assert!(!templates.writer.is_updatable("role"));
    assert_eq!(
        templates
            .update(
                json!({"jwt_template_id": "j", "name": "x", "role": "r"}),
                json!({"jwt_template_id": "j", "name": "x", "role": "s"})
            )
            .unwrap_err(),
        "column \"role\" of jwt_templates cannot be changed"
    );
}

#[test]
fn metadata_is_merged() {
    let users = table("users", "user_id public_metadata private_metadata plan=private_metadata.plan");
    let update = |old: Value, new: Value| {
        let row = |mut values: Value| {
            values["user_id"] = "u".into();
            values
        };
        users.update(row(old), row(new))
    };
    assert_eq!(
        update(
            json!({"public_metadata": {"a": 1, "b": {"c": 1, "d": 2}, "gone": true}}),
            json!({"public_metadata": {"a": 1, "b": {"c": 1, "d": 3}}})
        ),
        requests([r#"PATCH /users/u/metadata {"public_metadata":{"gone":null,"b":{"d":3}}}"#])
    );
    assert_eq!(
        update(json!({"public_metadata": {"a": 1}}), json!({})).unwrap_err(),
        "public_metadata of users must not be null"
    );
    assert_eq!(
        update(json!({"public_metadata": {"a": 1}}), json!({"public_metadata": {"a": {"b": null}}})).unwrap_err(),
        "public_metadata.a.b of users cannot be set to null: Clerk removes members that are null"
    );
    assert_eq!(
        update(json!({"private_metadata": {"plan": "a"}, "plan": "a"}), json!({"private_metadata": {"plan": "a"}})),
        requests([r#"PATCH /users/u/metadata {"private_metadata":{"plan":null}}"#])
    );
    for (old, new, sent) in [
        (json!({}), json!({"plan": "pro"}), r#"{"plan":"pro"}"#),
        (json!({}), json!({"plan": {}}), r#"{"plan":{}}"#),
        (json!({"plan": "pro"}), json!({"plan": {}}), r#"{"plan":{}}"#),
        (json!({"plan": {"a": 1, "b": 2}}), json!({"plan": {"a": 1}}), r#"{"plan":{"b":null}}"#),
        (
            json!({"private_metadata": {"plan": 1}, "plan": 1}),
            json!({"private_metadata": {"x": 1}, "plan": 2}),
            r#"{"plan":2,"x":1}"#,
        ),
    ] {
        assert_eq!(
            update(old.clone(), new.clone()),
            Ok(vec![format!(r#"PATCH /users/u/metadata {{"private_metadata":{sent}}}"#)]),
            "{old} {new}"
        );
    }
    assert_eq!(
        update(json!({"plan": "a"}), json!({"plan": {"x": null}})).unwrap_err(),
        "private_metadata.plan.x of users cannot be set to null: Clerk removes members that are null"
    );
}

#[test]
fn metadata_may_be_shown_by_a_path_or_as_text() {
    let users = table("users", "user_id data=public_metadata");
    assert!(users.writer.is_updatable("data"));
    for (old, new) in [(json!({"a": 1}), json!({"b": 2})), (json!(r#"{"a": 1}"#), json!(r#"{"b": 2}"#))] {
        assert_eq!(
            users.update(json!({"user_id": "u", "data": old}), json!({"user_id": "u", "data": new})),
            requests([r#"PATCH /users/u/metadata {"public_metadata":{"a":null,"b":2}}"#])
        );
    }
    let users = table("users", "user_id public_metadata");
    assert_eq!(
        users.update(
            json!({"user_id": "u", "public_metadata": r#"{"a": 1}"#}),
            json!({"user_id": "u", "public_metadata": "{}"})
        ),
        requests([r#"PATCH /users/u/metadata {"public_metadata":{"a":null}}"#])
    );
}

#[test]
fn white_space_around_json_does_not_matter() {
    let users = table("users", "public_metadata plan=public_metadata.plan attrs");
    let row = |texts: [&str; 3]| texts.map(|text| Some(text.to_owned())).to_vec();
    let old = row(["\n{}", "\t1", r#" {"id": "u"}"#]);
    let new = row([" {\"a\": 1}\n", " {\"b\": 2} ", r#" {"first_name": "x"} "#]);
    let sent = users.writer.update(&old, &new).unwrap();
    assert_eq!(
        sent.iter().map(|(_, request)| shown(request)).collect::<Vec<_>>(),
        [
            r#"PATCH /users/u {"first_name":"x"}"#,
            r#"PATCH /users/u/metadata {"public_metadata":{"a":1,"plan":{"b":2}}}"#,
        ]
    );
    let new = users.writer.insert(&new).unwrap().request().unwrap();
    assert_eq!(shown(&new), r#"POST /users {"first_name":"x","public_metadata":{"a":1,"plan":{"b": 2}}}"#);
}

#[test]
fn two_columns_of_one_object_are_changed_together() {
    let users = table("users", "user_id a=public_metadata.x.a b=public_metadata.x.b");
    assert_eq!(
        users.update(json!({"user_id": "u", "a": 1}), json!({"user_id": "u", "a": 2, "b": 3})),
        requests([r#"PATCH /users/u/metadata {"public_metadata":{"x":{"a":2,"b":3}}}"#])
    );
}

#[test]
fn endpoints_are_called_in_the_order_of_the_catalogue() {
    let users = table("users", "user_id first_name public_metadata banned locked");
    let old = json!({"user_id": "u", "first_name": "A", "public_metadata": {}, "banned": false, "locked": false});
    let new = json!({"user_id": "u", "first_name": "B", "public_metadata": {"x": 1}, "banned": true, "locked": true});
    assert_eq!(
        users.update(old.clone(), new.clone()),
        requests([
            r#"PATCH /users/u {"first_name":"B"}"#,
            r#"PATCH /users/u/metadata {"public_metadata":{"x":1}}"#,
            "POST /users/u/lock",
            "POST /users/u/ban",
        ])
    );
    let back = users.update(new, old).unwrap();
    assert_eq!(back[2..], ["POST /users/u/unlock", "POST /users/u/unban"]);
    assert_eq!(
        users.update(json!({"user_id": "u", "banned": true}), json!({"user_id": "u"})).unwrap_err(),
        "column \"banned\" of users can only be changed to true or false"
    );
}

#[test]
fn of_attrs_what_differs_is_sent() {
    let users = table("users", "user_id email attrs");
    let old = json!({
        "id": "u", "object": "user", "first_name": "Jane", "last_name": "Doe", "banned": false,
        "email_addresses": [{"id": "idn_1"}], "public_metadata": {"a": 1, "b": 2}, "updated_at": 1,
    });
    let update =
        |new: Value| users.update(json!({"user_id": "u", "attrs": old}), json!({"user_id": "u", "attrs": new}));
    let patch = requests([r#"PATCH /users/u {"first_name":"John"}"#]);
    assert_eq!(update(json!({"first_name": "John"})), patch);
    let mut whole = old.clone();
    whole["first_name"] = "John".into();
    assert_eq!(update(whole), patch);
    assert_eq!(update(json!({"first_name": "Jane"})), requests([]));
    assert_eq!(update(json!({})), requests([]));
    assert_eq!(
        update(json!({"public_metadata": {"a": 1, "c": 3}, "banned": true, "password": "correct horse"})),
        requests([
            r#"PATCH /users/u {"password":"correct horse"}"#,
            r#"PATCH /users/u/metadata {"public_metadata":{"b":null,"c":3}}"#,
            "POST /users/u/ban",
        ])
    );
    for (new, error) in [
        (json!({"email_addresses": []}), "users have no field \"email_addresses\" that UPDATE takes"),
        (json!({"id": "other"}), "users have no field \"id\" that UPDATE takes"),
        (json!({"updated_at": 2}), "users have no field \"updated_at\" that UPDATE takes"),
        (json!({"banned": null}), "column \"banned\" of users can only be changed to true or false"),
        (json!({"public_metadata": null}), "public_metadata of users must not be null"),
        (json!({"first_name": ["x"]}), "first_name of users must be a text, not an array"),
        (json!([]), "attrs of users must be a JSON object"),
    ] {
        assert_eq!(update(new.clone()).unwrap_err(), error, "{new}");
    }
    assert_eq!(
        users.update(json!({"user_id": "u", "attrs": old}), json!({"user_id": "u"})).unwrap_err(),
        "attrs of users must be a JSON object"
    );
    assert_eq!(
        users.update(json!({"user_id": "u", "email": "a"}), json!({"user_id": "u", "email": "b"})).unwrap_err(),
        "column \"email\" of users cannot be changed"
    );
}

#[test]
fn columns_win_over_attrs() {
    let users = table("users", "user_id first_name banned public_metadata attrs");
    let old = json!({"user_id": "u", "first_name": "A", "banned": false, "public_metadata": {}, "attrs": {}});
    let new = json!({
        "user_id": "u", "first_name": "B", "banned": true, "public_metadata": {"x": 1},
        "attrs": {"first_name": "C", "last_name": "D", "banned": false, "public_metadata": {"y": 1}},
    });
    assert_eq!(
        users.update(old, new),
        requests([
            r#"PATCH /users/u {"first_name":"B","last_name":"D"}"#,
            r#"PATCH /users/u/metadata {"public_metadata":{"x":1}}"#,
            "POST /users/u/ban",
        ])
    );
}

#[test]
fn memberships_are_found_by_organization_and_user() {
    let whole = json!({
        "id": "orgmem_1", "role": "org:member", "organization": {"id": "org/1"}, "public_metadata": {},
        "public_user_data": {"user_id": "user_1"},
    });
    let columns = table("organization_memberships", "organization_id user_id role public_metadata");
    let attrs = table("organization_memberships", "attrs");
    let row = |role: &str, metadata: Value| json!({"organization_id": "org/1", "user_id": "user_1", "role": role, "public_metadata": metadata});
    let expected = requests([
        r#"PATCH /organizations/org%2F1/memberships/user_1 {"role":"org:admin"}"#,
        r#"PATCH /organizations/org%2F1/memberships/user_1/metadata {"public_metadata":{"x":1}}"#,
    ]);
    assert_eq!(columns.update(row("org:member", json!({})), row("org:admin", json!({"x": 1}))), expected);
    let new = json!({"attrs": {"role": "org:admin", "public_metadata": {"x": 1}}});
    assert_eq!(attrs.update(json!({"attrs": whole}), new), expected);
    assert_eq!(
        columns.update(row("org:member", json!({})), row("org:member", json!({"x": 1}))).unwrap().len(),
        1,
        "a role that has not changed is not sent"
    );
    for (table, row) in [(columns, row("r", json!({}))), (attrs, json!({"attrs": whole}))] {
        table.writer.check_operation(Operation::Delete).unwrap();
        assert_eq!(table.delete(row).as_deref(), Ok("DELETE /organizations/org%2F1/memberships/user_1"));
    }
}

#[test]
fn a_row_without_its_key_is_refused() {
    let users = table("users", "user_id first_name attrs");
    let error = "a row of users has no user_id, by which Clerk finds it";
    for key in [json!({}), json!({"user_id": ""}), json!({"user_id": "."}), json!({"user_id": ".."})] {
        assert_eq!(users.delete(key.clone()).unwrap_err(), error, "{key}");
        let mut new = key.clone();
        new["first_name"] = "x".into();
        assert_eq!(users.update(key, new).unwrap_err(), error);
    }
    assert_eq!(users.delete(json!({"attrs": {"id": null}})).unwrap_err(), error);
    assert_eq!(users.delete(json!({"user_id": "a/../b?c"})).as_deref(), Ok("DELETE /users/a%2F..%2Fb%3Fc"));
}

/// Metadata that somebody else has made too deep can be replaced, but nothing that deep is sent, be it the text of a string.
#[test]
fn what_is_nested_too_deep_is_refused() {
    let users = table("users", "user_id first_name public_metadata attrs");
    let nested = |depth| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let old = json!({"user_id": "user_1", "first_name": "Ada", "public_metadata": "{}"});
    let update = |column: &str, value: Value| {
        let mut new = old.clone();
        new[column] = value;
        users.update(old.clone(), new)
    };
    let sent = requests([&*format!(r#"PATCH /users/user_1/metadata {{"public_metadata":{}}}"#, nested(100))]);
    for blank in ["", " \n"] {
        let error = "public_metadata of users is nested deeper than 100 levels";
        assert_eq!(update("public_metadata", format!("{blank}{}", nested(100)).into()), sent);
        assert_eq!(update("public_metadata", format!("{blank}{}", nested(101)).into()).unwrap_err(), error);
    }
    assert_eq!(update("public_metadata", json(&nested(100))), sent);
    assert_eq!(
        update("attrs", json(&format!(r#"{{"public_metadata":{}}}"#, nested(100)))).unwrap_err(),
        "attrs of users is nested deeper than 100 levels"
    );
    let mut deep = old.clone();
    deep["public_metadata"] = nested(5000).into();
    assert_eq!(
        users.update(deep, old.clone()),
        requests([r#"PATCH /users/user_1/metadata {"public_metadata":{"a":null}}"#])
    );
    let texts = "[".repeat(200);
    assert_eq!(
        update("first_name", texts.clone().into()),
        requests([&*format!(r#"PATCH /users/user_1 {{"first_name":"{texts}"}}"#)])
    );
    assert_eq!(
        update("public_metadata", json!({"a": texts})),
        requests([&*format!(r#"PATCH /users/user_1/metadata {{"public_metadata":{{"a":"{texts}"}}}}"#)])
    );
}
