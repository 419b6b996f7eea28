use serde_json::json;

use super::*;

#[test]
fn columns_win_over_attrs_and_null_is_left_out() {
    let users = table("users", "user_id first_name last_name email phone_number attrs");
    assert_eq!(
        users
            .insert(json!({
                "first_name": "Ada",
                "email": "ada@example.com",
                "attrs": {"first_name": "Grace", "last_name": "Lovelace", "email_address": ["x@example.com"]},
            }))
            .as_deref(),
        Ok(r#"POST /users {"last_name":"Lovelace","first_name":"Ada","email_address":["ada@example.com"]}"#)
    );
    assert_eq!(users.insert(json!({})).as_deref(), Ok("POST /users {}"));
    assert_eq!(users.insert(json!({"attrs": {}})).as_deref(), Ok("POST /users {}"));
}

#[test]
fn values_take_the_form_of_their_fields() {
    let users = table("users", "phone_number web3_wallet created_at backup_codes legal_accepted_at attrs");
    for (row, body) in [
        (json!({"phone_number": 15555550100_u64}), r#"{"phone_number":["+15555550100"]}"#),
        (json!({"phone_number": "+15555550100"}), r#"{"phone_number":["+15555550100"]}"#),
        (json!({"web3_wallet": "0x1"}), r#"{"web3_wallet":["0x1"]}"#),
        (json!({"backup_codes": ["a", "b"]}), r#"{"backup_codes":["a","b"]}"#),
        // A column with an array that a table declares as text.
        (json!({"backup_codes": r#"["a","b"]"#}), r#"{"backup_codes":["a","b"]}"#),
        (json!({"backup_codes": "a"}), r#"{"backup_codes":["a"]}"#),
        (json!({"created_at": 1350717320902_i64}), r#"{"created_at":"2012-10-20T07:15:20.902Z"}"#),
        (json!({"created_at": -1}), r#"{"created_at":"1969-12-31T23:59:59.999Z"}"#),
        (
            json!({"attrs": {"created_at": "2012-10-20T09:15:20+02:00"}}),
            r#"{"created_at":"2012-10-20T09:15:20+02:00"}"#,
        ),
    ] {
        assert_eq!(users.insert(row.clone()), Ok(format!("POST /users {body}")), "{row}");
    }
    // An address may look like JSON.
    assert_eq!(
        table("users", "email").insert(json!({"email": "[1]"})).as_deref(),
        Ok(r#"POST /users {"email_address":["[1]"]}"#)
    );
    for row in [json!({"created_at": 253402300800000_i64}), json!({"created_at": i64::MAX})] {
        assert!(users.insert(row.clone()).is_err(), "{row}");
    }
    for time in [json!(1350717320902_i64), json!("yesterday"), json!("2012-10-20"), json!(true)] {
        let error = users.insert(json!({"attrs": {"created_at": time}})).unwrap_err();
        assert_eq!(error, "created_at of users must be a time such as 2012-10-20T07:15:20.902Z");
    }
}

/// A text in the place of a number or a boolean is one, and cannot be the beginning of more members.
#[test]
fn texts_of_numbers_and_booleans_add_nothing() {
    let users = table("users", "skip_password_checks create_organizations_limit");
    assert_eq!(
        users.insert(json!({"skip_password_checks": "true", "create_organizations_limit": " 5 "})).as_deref(),
        Ok(r#"POST /users {"create_organizations_limit":5,"skip_password_checks":true}"#)
    );
    for text in [r#"true,"banned":false"#, "tomato", "true true", ""] {
        let error = users.insert(json!({"skip_password_checks": text})).unwrap_err();
        assert_eq!(error, "skip_password_checks of users must be true or false, not a text", "{text}");
    }
    for text in [r#"5,"banned":true"#, "+5", "5 5", "five"] {
        let error = users.insert(json!({"create_organizations_limit": text})).unwrap_err();
        assert_eq!(error, "create_organizations_limit of users must be a whole number, not a text", "{text}");
    }
}

#[test]
fn a_column_with_a_path_takes_the_form_of_its_field() {
    let users = table("users", "since=created_at mail=email_address secret=password");
    assert_eq!(
        users.insert(json!({"since": 0, "mail": "a@example.com", "secret": "correct horse"})).as_deref(),
        Ok(concat!(
            r#"POST /users {"created_at":"1970-01-01T00:00:00.000Z","email_address":["a@example.com"],"#,
            r#""password":"correct horse"}"#
        ))
    );
    assert_eq!(
        table("users", "name=profile.name").insert(json!({"name": "Ada"})).unwrap_err(),
        "column \"name\" of users cannot be given in an INSERT"
    );
}

#[test]
fn columns_inside_of_metadata_are_put_together() {
    // Whatever the order of the columns: what is further inside wins.
    for columns in [
        "plan=public_metadata.plan seats=public_metadata.limits.seats public_metadata attrs",
        "attrs public_metadata seats=public_metadata.limits.seats plan=public_metadata.plan",
    ] {
        let users = table("users", columns);
        assert_eq!(
            users
                .insert(json!({
                    "plan": "pro",
                    "seats": 5,
                    "public_metadata": {"plan": "free", "limits": {"seats": 1, "teams": 2}, "x": null},
                    "attrs": {"public_metadata": {"lost": true}},
                }))
                .as_deref(),
            Ok(r#"POST /users {"public_metadata":{"limits":{"seats":5,"teams":2},"plan":"pro","x":null}}"#),
            "{columns}"
        );
        assert_eq!(
            users
                .insert(json!({"seats": {"max": 2}, "attrs": {"public_metadata": {"limits": {"seats": {"min": 1}}}}}))
                .as_deref(),
            Ok(r#"POST /users {"public_metadata":{"limits":{"seats":{"max":2}}}}"#),
            "a column is not mixed with attrs"
        );
    }
}

#[test]
fn wrong_values_are_refused() {
    let refused = |object: &str, attrs: Value| table(object, "attrs").insert(json!({"attrs": attrs})).unwrap_err();
    for (object, attrs, error) in [
        ("users", json!([1]), "attrs of users must be a JSON object"),
        ("users", json!("{}"), "attrs of users must be a JSON object"),
        ("users", json!({"nickname": "x"}), "users have no field \"nickname\" that INSERT takes"),
        ("users", json!({"id": "user_1"}), "users have no field \"id\" that INSERT takes"),
        ("users", json!({"first_name": 1}), "first_name of users must be a text, not a number"),
        ("users", json!({"public_metadata": []}), "public_metadata of users must be an object, not an array"),
        ("users", json!({"public_metadata": null}), "public_metadata of users must not be null"),
        ("users", json!({"email_address": "a@example.com"}), "email_address of users must be an array, not a text"),
        ("users", json!({"email_address": [1]}), "email_address[0] of users must be a text, not a number"),
        ("users", json!({"email_address": [null]}), "email_address[0] of users must be a text, not null"),
        ("users", json!({"banned": "true"}), "banned of users must be true or false, not a text"),
        (
            "users",
            json!({"create_organizations_limit": 1.5}),
            "create_organizations_limit of users must be a whole number, not a number",
        ),
        (
            "users",
            json!({"email_address_identification_status": ["verified", "lost"]}),
            "email_address_identification_status[1] of users must be one of verified, reserved",
        ),
        ("organizations", json!({}), "organizations need a value for name"),
        ("organizations", json!({"name": null}), "name of organizations must not be null"),
        (
            "organizations",
            json!({"name": "x", "max_allowed_memberships": -1}),
            "max_allowed_memberships of organizations must be at least 0",
        ),
        ("machines", json!({"name": ""}), "name of machines has fewer than 1 characters"),
        ("machines", json!({"name": "ü".repeat(256)}), "name of machines has more than 255 characters"),
        (
            "machines",
            json!({"name": "x", "scoped_machines": vec!["m"; 151]}),
            "scoped_machines of machines has more than 150 elements",
        ),
        (
            "saml_connections",
            json!({"name": "x", "provider": "saml_custom", "attribute_mapping": {"user_id": 1}}),
            "attribute_mapping.user_id of saml_connections must be a text, not a number",
        ),
        (
            "saml_connections",
            json!({"name": "x", "provider": "saml_custom", "attribute_mapping": {"surname": "x"}}),
            "attribute_mapping of saml_connections has no member \"surname\"",
        ),
        (
            "organization_memberships",
            json!({"user_id": "u", "role": "r"}),
            "organization_memberships need a value for organization_id",
        ),
        (
            "organization_memberships",
            json!({"user_id": "u", "role": "r", "organization_id": null}),
            "organization_id of organization_memberships must not be null",
        ),
        (
            "organization_memberships",
            json!({"user_id": "u", "role": "r", "organization_id": {"id": "o"}}),
            "organization_id of organization_memberships must be a text, not an object",
        ),
    ] {
        assert_eq!(refused(object, attrs.clone()), error, "{attrs}");
    }
    assert!(table("machines", "attrs").insert(json!({"attrs": {"name": "ü".repeat(255)}})).is_ok());
}

#[test]
fn columns_that_clerk_makes_cannot_be_given() {
    let users = table("users", "user_id updated_at first_name locked");
    for column in ["user_id", "updated_at"] {
        let error = users.new_object(&json!({column: "x"})).map(|_| ()).unwrap_err();
        let expected = WriteError::NotInsertable { object: "users", column: column.to_owned(), is_updatable: false };
        assert_eq!(error, expected);
    }
    assert_eq!(users.insert(json!({"locked": true})).as_deref(), Ok(r#"POST /users {"locked":true}"#));
}

#[test]
fn keys_are_segments_of_the_path() {
    for memberships in [
        table("organization_memberships", "organization_id user_id role attrs"),
        table("organization_memberships", "attrs"),
    ] {
        let insert = |organization: &str| {
            let row = json!({"organization_id": organization, "user_id": "u/1", "role": "org:admin"});
            memberships.insert(if memberships.writer.columns.len() == 1 { json!({"attrs": row}) } else { row })
        };
        let body = r#"{"role":"org:admin","user_id":"u/1"}"#;
        let sorted = |request: String| {
            let (request, body) = request.rsplit_once(' ').unwrap();
            format!("{request} {}", serde_json::from_str::<Value>(body).unwrap())
        };
        assert_eq!(insert("org_1").map(sorted), Ok(format!("POST /organizations/org_1/memberships {body}")));
        assert_eq!(
            insert("../x?y#ü%2f").map(sorted),
            Ok(format!("POST /organizations/..%2Fx%3Fy%23%C3%BC%252f/memberships {body}"))
        );
        assert_eq!(insert("").unwrap_err(), "organization_memberships need a value for organization_id");
        for none in [".", ".."] {
            assert_eq!(insert(none).as_deref(), Ok("none"));
        }
    }
}

#[test]
fn rows_of_the_same_parent_share_a_request() {
    let invitations = table("organization_invitations", "organization_id email_address role");
    let new = |organization: &str, number: usize| {
        let row = json!({"organization_id": organization, "email_address": format!("{number}@x.org"), "role": "r"});
        invitations.new_object(&row).unwrap()
    };
    let rows: Vec<_> = (0..25).map(|number| new(if number % 2 == 0 { "a" } else { "b" }, number)).collect();
    let groups = NewObject::groups(&rows);
    assert_eq!(groups.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 3, 2]);
    let mut all: Vec<_> = groups.concat();
    all.sort_unstable();
    assert_eq!(all, (0..25).collect::<Vec<_>>());
    for group in &groups {
        assert!(group.is_sorted() && group.iter().all(|position| position % 2 == group[0] % 2), "{group:?}");
    }
    let two: Vec<_> = rows.iter().step_by(2).take(2).collect();
    let request = NewObject::request_for_all(&two).unwrap();
    assert_eq!(
        shown(&request),
        concat!(
            r#"POST /organizations/a/invitations/bulk [{"email_address":"0@x.org","role":"r"},"#,
            r#"{"email_address":"2@x.org","role":"r"}]"#
        )
    );
    assert!(!request.is_repeatable());
    let one = NewObject::request_for_all(&two[..1]).unwrap();
    assert_eq!(shown(&one), r#"POST /organizations/a/invitations {"email_address":"0@x.org","role":"r"}"#);
    assert_eq!(
        two[0].in_answer(r#"{"data":[{"id": "1"},{"id": "2"}],"total_count":2}"#).unwrap(),
        [r#"{"id": "1"}"#, r#"{"id": "2"}"#]
    );
    assert_eq!(two[0].in_answer("nothing"), None);
}

#[test]
fn objects_without_a_bulk_endpoint_are_sent_one_by_one() {
    let organizations = table("organizations", "name");
    let rows: Vec<_> =
        ["a", "b"].iter().map(|name| organizations.new_object(&json!({"name": name})).unwrap()).collect();
    assert_eq!(NewObject::groups(&rows), [[0], [1]]);
    assert!(NewObject::request_for_all(&rows.iter().collect::<Vec<_>>()).is_none());
    assert!(NewObject::request_for_all(&[]).is_none());
}

#[test]
fn a_new_object_says_what_its_columns_will_be() {
    let memberships = table("organization_memberships", "organization_id user_id role");
    let row = json!({"organization_id": "org_1", "user_id": "user_1", "role": "org:admin"});
    let new = memberships.new_object(&row).unwrap();
    assert_eq!(new.texts("organization_id"), ["org_1"]);
    assert_eq!(new.texts("user_id"), ["user_1"]);
    assert!(new.texts("public_metadata").is_empty());
    let user = table("users", "email").new_object(&json!({"email": "Ada@Example.com"})).unwrap();
    assert_eq!(user.texts("email"), ["Ada@Example.com"]);
    assert!(user.has_text("email", "ada@example.COM") && !user.has_text("username", "ada"));
}

#[test]
fn what_clerk_does_not_allow_is_refused() {
    let plans = table("billing_plans", "attrs");
    assert_eq!(plans.insert(json!({})).unwrap_err(), "Clerk does not allow INSERT of billing_plans");
    assert_eq!(plans.delete(json!({})).unwrap_err(), "Clerk does not allow DELETE of billing_plans");
    // Without the id no row is found; in attrs it is as good as in a column of its own.
    let error =
        |columns| table("users", columns).writer.check_operation(Operation::Delete).map_err(|error| error.to_string());
    assert_eq!(error("email"), Err("a row of users has no user_id, by which Clerk finds it".to_owned()));
    assert_eq!(error("attrs"), Ok(()));
    assert_eq!(error("id"), Ok(()));
}
