//! Compares what the catalogue writes with Clerk's OpenAPI description of its Backend API; `catalogue.rs` compares what it
//! reads.

#[path = "support/openapi.rs"]
mod openapi;

use std::collections::BTreeSet;

use clerk_api::catalog::{
    Answer, Column, Field, FieldKind, FilterOp, Kind, Method, OBJECTS, Object, Paging, Role, Source, Update, Write,
};
use openapi::{as_pattern, member, members, nameless, openapi, resolved, row};
use serde_json::Value;

/// An object's write, and what it is for.
struct Use {
    object: &'static Object,
    write: &'static Write,
    purpose: Purpose,
}

#[derive(Clone, Copy, PartialEq)]
enum Purpose {
    Insert,
    Change,
    Act,
    Delete,
}

impl std::fmt::Display for Use {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} {}", self.object.name, self.write.method.name(), self.write.path)
    }
}

/// All writes of the catalogue, apart from those of many objects at once.
fn uses() -> Vec<Use> {
    let of_object = |object: &'static Object| {
        let insert = object.writes.insert.iter().map(|write| (write, Purpose::Insert));
        let updates = object.writes.updates.iter().map(|update| match update {
            Update::Action { write, .. } => (write, Purpose::Act),
            Update::Fields(write) | Update::Merge(write) => (write, Purpose::Change),
        });
        let delete = object.writes.delete.iter().map(|write| (write, Purpose::Delete));
        let writes = insert.chain(updates).chain(delete);
        writes.map(|(write, purpose)| Use { object, write, purpose }).collect::<Vec<_>>()
    };
    OBJECTS.iter().copied().flat_map(of_object).collect()
}

/// The operation of a method at a path, whatever names its placeholders have in Clerk's description.
fn operation<'d>(api: &'d Value, method: Method, path: &str) -> Option<&'d Value> {
    let mut paths = api["paths"].as_object()?.iter();
    let (_, operations) = paths.find(|(other, _)| nameless(other) == nameless(path))?;
    operations.get(method.name().to_ascii_lowercase())
}

/// The body of a request: whether Clerk needs one, and its schema.
fn body<'d>(api: &'d Value, operation: &'d Value) -> Option<(bool, &'d Value)> {
    let body = resolved(api, operation.get("requestBody")?);
    Some((body["required"] == true, resolved(api, &body["content"]["application/json"]["schema"])))
}

/// The schema of a successful answer, which may have no content.
fn answer<'d>(api: &'d Value, operation: &'d Value) -> &'d Value {
    let responses = operation["responses"].as_object().expect("an operation has answers");
    let (_, response) = responses.iter().find(|(status, _)| status.starts_with('2')).expect("one is successful");
    resolved(api, &resolved(api, response)["content"]["application/json"]["schema"])
}

#[test]
fn endpoints_exist() {
    let Some(api) = openapi() else { return };
    let mut wrong = Vec::new();
    for used in uses() {
        if operation(&api, used.write.method, used.write.path).is_none() {
            wrong.push(format!("{used}: there is no such endpoint"));
        }
        let mut keys: Vec<_> = used.write.keys().collect();
        if keys.len() != used.write.path.matches('{').count() {
            wrong.push(format!("{used}: a placeholder is a whole segment"));
        }
        keys.retain(|key| !used.object.columns.iter().any(|column| column.name == *key && is_id(used.object, column)));
        if !keys.is_empty() {
            wrong.push(format!("{used}: {keys:?} are no columns with ids"));
        }
        // A second answer to the same request would be another object.
        if used.write.is_repeatable == (used.purpose == Purpose::Insert) {
            wrong.push(format!("{used}: is_repeatable is {}", used.write.is_repeatable));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Whether a column's values are ids, of the object itself or of another one.
fn is_id(object: &Object, column: &Column) -> bool {
    matches!(column.role, Some(Role::Id | Role::Parent(_))) || object.key_column(column.name).is_some()
}

#[test]
fn bodies_are_those_of_clerk() {
    let Some(api) = openapi() else { return };
    let mut wrong = Vec::new();
    for used in uses() {
        let Some(operation) = operation(&api, used.write.method, used.write.path) else { continue };
        let is_left_out = used.write.fields.is_empty() && matches!(used.purpose, Purpose::Act | Purpose::Delete);
        match body(&api, operation) {
            // An optional body may be left out by what needs none.
            Some((is_required, schema)) if is_left_out => {
                if is_required || schema["required"].as_array().is_some_and(|names| !names.is_empty()) {
                    wrong.push(format!("{used}: Clerk needs a body"));
                }
            }
            Some((_, schema)) => {
                let misfits = misfits(&api, schema, used.write.fields);
                wrong.extend(misfits.into_iter().map(|misfit| format!("{used}: {misfit}")));
            }
            None if used.write.fields.is_empty() => {}
            None => wrong.push(format!("{used}: Clerk takes no body")),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// How fields differ from the members of a schema.
fn misfits(api: &Value, schema: &Value, fields: &[Field]) -> Vec<String> {
    let mut misfits = Vec::new();
    let known: BTreeSet<_> = fields.iter().map(|field| field.name).collect();
    let described: BTreeSet<_> = members(api, schema).into_iter().collect();
    if known.len() != fields.len() {
        misfits.push("a field is there twice".to_owned());
    }
    misfits.extend(known.difference(&described).map(|name| format!("Clerk has no {name}")));
    misfits.extend(described.difference(&known).map(|name| format!("{name} is missing")));
    for field in fields {
        let Some(described) = member(api, schema, field.name) else { continue };
        let required = schema["required"].as_array().into_iter().flatten();
        if field.is_required != required.into_iter().any(|name| name == field.name) {
            misfits.push(format!("{}: is_required is {}", field.name, field.is_required));
        }
        if field.is_nullable != (described["nullable"] == true) {
            misfits.push(format!("{}: is_nullable is {}", field.name, field.is_nullable));
        }
        misfits.extend(misfit(api, described, field.kind).into_iter().map(|misfit| format!("{}{misfit}", field.name)));
    }
    misfits
}

/// How a kind differs from a schema. Left to Clerk are patterns other than those of ids, bounds that are exclusive, and
/// booleans of which it takes one alone.
fn misfit(api: &Value, schema: &Value, kind: FieldKind) -> Vec<String> {
    let type_ = match kind {
        FieldKind::Text { .. } | FieldKind::Choice(_) | FieldKind::Id(_) | FieldKind::Time => Some("string"),
        FieldKind::Integer { .. } => Some("integer"),
        FieldKind::Number { .. } => Some("number"),
        FieldKind::Boolean => Some("boolean"),
        FieldKind::Object | FieldKind::Members(_) => Some("object"),
        FieldKind::List { .. } => Some("array"),
        FieldKind::Any => None,
    };
    if schema["type"].as_str() != type_ {
        return vec![format!(": {kind:?} for {}", schema["type"])];
    }
    let size = |name: &str, without: usize| schema[name].as_u64().map_or(without, |size| size as usize);
    // The words with which Clerk describes the texts that are times.
    let is_called_time = |text: &str| ["RFC3339", "RFC-3339", "date/time"].iter().any(|word| text.contains(word));
    let is_time = schema["format"] == "date-time" || schema["description"].as_str().is_some_and(is_called_time);
    let is_right = match kind {
        FieldKind::Text { min, max } => {
            let is_id = schema["pattern"].as_str().is_some_and(|pattern| pattern.ends_with("{27}$"));
            let is_choice = schema["enum"].is_array();
            !is_id && !is_choice && !is_time && (min, max) == (size("minLength", 0), size("maxLength", usize::MAX))
        }
        FieldKind::Choice(values) => schema["enum"].as_array().is_some_and(|known| known == values),
        FieldKind::Id(form) => schema["pattern"].as_str() == Some(&as_pattern(form)),
        FieldKind::Time => is_time,
        FieldKind::Integer { min, max } => {
            let bound = |name: &str, without| schema[name].as_i64().unwrap_or(without);
            (min, max) == (bound("minimum", i64::MIN), bound("maximum", i64::MAX))
        }
        FieldKind::Number { min } => Some(min) == schema["minimum"].as_f64(),
        FieldKind::Object => schema.get("properties").is_none(),
        FieldKind::Members(fields) => {
            return misfits(api, schema, fields).into_iter().map(|misfit| format!(".{misfit}")).collect();
        }
        FieldKind::List { of, min, max } => {
            if (min, max) == (size("minItems", 0), size("maxItems", usize::MAX)) {
                let items = misfit(api, resolved(api, &schema["items"]), *of);
                return items.into_iter().map(|misfit| format!("[]{misfit}")).collect();
            }
            false
        }
        FieldKind::Boolean | FieldKind::Any => true,
    };
    if is_right { Vec::new() } else { vec![format!(": {kind:?} for {schema}")] }
}

#[test]
fn bulk_bodies_have_the_fields_of_single_ones() {
    let Some(api) = openapi() else { return };
    for object in OBJECTS {
        let Some(bulk) = object.writes.bulk else { continue };
        let insert = object.writes.insert.expect("many objects are inserted like one");
        let operation = operation(&api, Method::Post, bulk.path).unwrap_or_else(|| panic!("no POST {}", bulk.path));
        let (_, schema) = body(&api, operation).expect(bulk.path);
        assert_eq!((&schema["minItems"], &schema["maxItems"]), (&1.into(), &bulk.max.into()), "{}", bulk.path);
        let placeholders = |path: &str| path.split('/').filter(|part| part.starts_with('{')).count();
        assert_eq!(placeholders(bulk.path), insert.keys().count(), "{}", bulk.path);
        // The items take null in more places, which does not matter.
        let items = resolved(&api, &schema["items"]);
        let wider = |field: &Field| Field {
            is_nullable: member(&api, items, field.name).is_some_and(|member| member["nullable"] == true),
            ..*field
        };
        let fields: Vec<_> = insert.fields.iter().map(wider).collect();
        assert_eq!(misfits(&api, items, &fields), Vec::<String>::new(), "{}", bulk.path);
        let narrower = insert.fields.iter().zip(&fields).find(|(single, bulk)| single.is_nullable && !bulk.is_nullable);
        assert_eq!(narrower, None, "{}", bulk.path);
        let answer = answer(&api, operation);
        let objects = match bulk.member {
            Some(name) => member(&api, answer, name).expect(name),
            None => answer,
        };
        assert!(has_columns(&api, &objects["items"], object), "{}", bulk.path);
    }
}

/// Whether a schema has the members of the object's columns. Those of the object that contains a row are not among them.
fn has_columns(api: &Value, schema: &Value, object: &Object) -> bool {
    let has = |name: &str| member(api, schema, name).is_some();
    object.columns.iter().all(|column| match column.source {
        Source::Member(name) => has(name),
        Source::Path(keys) => has(keys[0]),
        Source::Primary { id, list, .. } => has(id) && has(list),
        Source::Whole | Source::Owner(_) | Source::IsPrimary { .. } | Source::Key => true,
    })
}

#[test]
fn answers_are_those_of_clerk() {
    let Some(api) = openapi() else { return };
    let mut wrong = Vec::new();
    for used in uses() {
        let Some(operation) = operation(&api, used.write.method, used.write.path) else { continue };
        let (answer, (row, _)) = (answer(&api, operation), row(&api, used.object));
        let (is_object, has_columns) = (used.write.answer == Answer::Object, has_columns(&api, answer, used.object));
        // The answer to a DELETE may show the object as it was.
        if is_object != has_columns && (is_object || used.purpose != Purpose::Delete) {
            wrong.push(format!("{used}: answers with {:?}", used.write.answer));
        }
        let is_secret = |name: &str| used.object.columns.iter().any(|column| column.name == name && column.is_secret);
        let listed: BTreeSet<_> = members(&api, row).into_iter().collect();
        let mut secrets: BTreeSet<_> = members(&api, answer).into_iter().collect();
        secrets.retain(|name| is_object && (!listed.contains(name) || is_secret(name)));
        let shown: BTreeSet<_> = used.write.shown_once.iter().copied().collect();
        // A change can also leave a secret as it is, so that Clerk does not show it.
        if !shown.is_subset(&secrets) || (used.purpose == Purpose::Insert && shown != secrets) {
            wrong.push(format!("{used}: shows {shown:?} once instead of {secrets:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn fields_get_their_values_from_columns_that_fit() {
    let mut wrong = Vec::new();
    for used in uses() {
        for field in used.write.fields {
            let column = field.column_of(used.object);
            if column.is_none() && field.column.is_some() {
                wrong.push(format!("{used}: there is no column {:?}", field.column));
            }
            if let Some(column) = column.filter(|column| !fits(column.kind, field.kind)) {
                wrong.push(format!("{used}: {} is {:?} and {:?}", field.name, column.kind, field.kind));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Whether a column of a kind can give the value of a field.
fn fits(column: Kind, field: FieldKind) -> bool {
    let is_text = |field: FieldKind| matches!(field, FieldKind::Text { .. } | FieldKind::Choice(_) | FieldKind::Id(_));
    match (column, field) {
        (Kind::Text | Kind::Phone, FieldKind::List { of, .. }) => is_text(*of),
        (Kind::Text | Kind::Phone, field) => is_text(field),
        (Kind::TextArray, FieldKind::List { of, .. }) => is_text(*of),
        (Kind::Boolean, field) => field == FieldKind::Boolean,
        (Kind::Integer, field) => matches!(field, FieldKind::Integer { .. } | FieldKind::Number { .. }),
        (Kind::Time, field) => field == FieldKind::Time,
        (Kind::Json, field) => {
            matches!(field, FieldKind::Object | FieldKind::Members(_) | FieldKind::List { .. } | FieldKind::Any)
        }
        (Kind::TextArray, _) => false,
    }
}

/// One request changes a column, so that it is clear which one an UPDATE needs.
#[test]
fn every_column_is_changed_in_one_way() {
    for object in OBJECTS {
        let mut changed: Vec<(&str, &str)> = Vec::new();
        for update in object.writes.updates {
            match update {
                Update::Fields(write) | Update::Merge(write) => {
                    for field in write.fields {
                        let is_merge = matches!(update, Update::Merge(_));
                        assert!(!is_merge || field.kind == FieldKind::Object, "{}.{}", object.name, field.name);
                        assert!(!is_merge || field.column_of(object).is_some(), "{}.{}", object.name, field.name);
                        changed.push((field.column_of(object).map_or(field.name, |column| column.name), ""));
                    }
                }
                Update::Action { column, value, .. } => {
                    let kind = object.columns.iter().find(|other| other.name == *column).expect(column).kind;
                    let fits = match serde_json::from_str(value).expect(value) {
                        Value::Bool(_) => kind == Kind::Boolean,
                        Value::String(_) => kind == Kind::Text,
                        _ => false,
                    };
                    assert!(fits, "{}.{column} cannot be {value}", object.name);
                    assert!(!changed.contains(&(*column, "")), "{}.{column} is a field too", object.name);
                    changed.push((column, value));
                }
            }
        }
        let distinct: BTreeSet<_> = changed.iter().collect();
        assert_eq!(distinct.len(), changed.len(), "{} has two ways to change a column: {changed:?}", object.name);
    }
}

/// ON CONFLICT names columns that an INSERT gives and by which one request finds the row.
#[test]
fn unique_columns_are_given_and_found() {
    for object in OBJECTS {
        let is_whole = object.list.is_some_and(|list| list.paging == Paging::Whole);
        for unique in object.writes.unique {
            let insert = object.writes.insert.expect(object.name);
            for name in *unique {
                let fields = insert.fields.iter().filter_map(|field| field.column_of(object));
                let is_given = fields.map(|column| column.name).chain(insert.keys()).any(|given| given == *name);
                assert!(is_given, "{}.{name} is not inserted", object.name);
            }
            let is_found = |name: &&str| {
                let name = *name;
                let column = object.columns.iter().find(|column| column.name == name).expect(name);
                let equals = |op| matches!(op, FilterOp::Equal { .. } | FilterOp::One { .. });
                object.key_column(name).is_some() || column.filter(equals).is_some()
            };
            assert!(is_whole || unique.iter().any(is_found), "{}: {unique:?} cannot be looked up", object.name);
        }
    }
}

const BY_REQUEST: &str = "no column stands for it: by clerk_fdw.request";
const FILE: &str = "its body is a file, which no column has";
const TOKEN: &str = "it makes, checks or revokes something that cannot be listed: by clerk_fdw.request";
const SETTING: &str = "no table has these settings: by clerk_fdw.request";
const PART: &str = "it changes a part of the object that has no table: by clerk_fdw.request";
const VERIFICATION: &str = "it verifies what people prove, step by step, which is no change of a row";
const SECRET: &str = "it makes a new secret, which no table has: by clerk_fdw.request";
const MANY: &str = "it does for many users what the catalogue does for each";
const DEPRECATED: &str = "Clerk removes it";
const OLDER_NAME: &str = "the older name of those of /directories";
const BILLING: &str = "it charges or credits people: by clerk_fdw.request";

/// Endpoints with which Clerk changes something and which the catalogue does not use, each with the reason.
const WITHOUT_WRITE: &[(Method, &str, &str)] = &[
    (Method::Post, "/clients/verify", TOKEN),
    (Method::Post, "/email_addresses/{email_address_id}/prepare_verification", VERIFICATION),
    (Method::Post, "/email_addresses/{email_address_id}/attempt_verification", VERIFICATION),
    (Method::Put, "/users/{user_id}/email_address", "an INSERT and a DELETE in user_email_addresses do the same"),
    (Method::Post, "/phone_numbers/{phone_number_id}/prepare_verification", VERIFICATION),
    (Method::Post, "/phone_numbers/{phone_number_id}/attempt_verification", VERIFICATION),
    (Method::Put, "/users/{user_id}/phone_number", "an INSERT and a DELETE in user_phone_numbers do the same"),
    (Method::Post, "/sessions/{session_id}/refresh", TOKEN),
    (Method::Post, "/sessions/{session_id}/tokens", TOKEN),
    (Method::Post, "/sessions/{session_id}/tokens/{template_name}", TOKEN),
    (Method::Put, "/templates/{template_type}/{slug}", DEPRECATED),
    (Method::Post, "/templates/{template_type}/{slug}/revert", DEPRECATED),
    (Method::Post, "/templates/{template_type}/{slug}/preview", DEPRECATED),
    (Method::Post, "/templates/{template_type}/{slug}/toggle_delivery", DEPRECATED),
    (Method::Post, "/users/ban", MANY),
    (Method::Post, "/users/unban", MANY),
    (Method::Post, "/users/{user_id}/profile_image", FILE),
    (Method::Delete, "/users/{user_id}/profile_image", BY_REQUEST),
    (Method::Put, "/users/{user_id}/metadata", "the catalogue merges the members that have changed"),
    (Method::Post, "/users/{user_id}/billing/credits", BILLING),
    (Method::Post, "/users/{user_id}/remove_password", BY_REQUEST),
    (Method::Post, "/users/{user_id}/verify_password", VERIFICATION),
    (Method::Post, "/users/{user_id}/verify_totp", VERIFICATION),
    (Method::Delete, "/users/{user_id}/mfa", BY_REQUEST),
    (Method::Delete, "/users/{user_id}/backup_code", BY_REQUEST),
    (Method::Delete, "/users/{user_id}/trusted_devices/{trusted_device_id}", BY_REQUEST),
    (Method::Delete, "/users/{user_id}/totp", BY_REQUEST),
    (Method::Post, "/users/{user_id}/password/set_compromised", BY_REQUEST),
    (Method::Post, "/users/{user_id}/password/unset_compromised", BY_REQUEST),
    (Method::Patch, "/beta_features/instance_settings", SETTING),
    (Method::Put, "/beta_features/domain", DEPRECATED),
    (Method::Post, "/actor_tokens", TOKEN),
    (Method::Post, "/actor_tokens/{actor_token_id}/revoke", TOKEN),
    (Method::Patch, "/instance/restrictions", SETTING),
    (Method::Patch, "/instance/protect", SETTING),
    (Method::Patch, "/instance/communication", SETTING),
    (Method::Patch, "/instance/oauth_application_settings", SETTING),
    (Method::Post, "/instance/change_domain", SETTING),
    (Method::Post, "/webhooks/svix", SETTING),
    (Method::Delete, "/webhooks/svix", SETTING),
    (Method::Post, "/webhooks/svix_url", SETTING),
    (Method::Post, "/machines/{machine_id}/secret_key/rotate", SECRET),
    (Method::Post, "/machines/{machine_id}/scopes", PART),
    (Method::Delete, "/machines/{machine_id}/scopes/{other_machine_id}", PART),
    (Method::Put, "/organizations/{organization_id}/metadata", "the catalogue merges the members that have changed"),
    (Method::Put, "/organizations/{organization_id}/logo", FILE),
    (Method::Delete, "/organizations/{organization_id}/logo", BY_REQUEST),
    (Method::Post, "/organizations/{organization_id}/billing/credits", BILLING),
    (
        Method::Post,
        "/organization_roles/{role_id}/permissions/{permission_id}",
        "an UPDATE of permissions does the same",
    ),
    (
        Method::Delete,
        "/organization_roles/{role_id}/permissions/{permission_id}",
        "an UPDATE of permissions does the same",
    ),
    (Method::Post, "/organizations/{organization_id}/domains/{domain_id}/verify_ownership", VERIFICATION),
    (Method::Post, "/proxy_checks", VERIFICATION),
    (Method::Post, "/sign_in_tokens", TOKEN),
    (Method::Post, "/sign_in_tokens/{sign_in_token_id}/revoke", TOKEN),
    (Method::Patch, "/sign_ups/{id}", "sign-ups cannot be listed"),
    (Method::Put, "/oauth_applications/{oauth_application_id}/logo", FILE),
    (Method::Post, "/oauth_applications/{oauth_application_id}/rotate_secret", SECRET),
    (Method::Post, "/oauth_applications/{oauth_application_id}/revoke_token", TOKEN),
    (Method::Post, "/enterprise_connections/{enterprise_connection_id}/test_runs", VERIFICATION),
    (Method::Post, "/testing_tokens", TOKEN),
    (Method::Post, "/agents/tasks", TOKEN),
    (Method::Post, "/agents/tasks/{agent_task_id}/revoke", TOKEN),
    (Method::Post, "/billing/subscription_items/{subscription_item_id}/extend_free_trial", BILLING),
    (Method::Post, "/billing/subscription_items/{subscription_item_id}/price_transition", BILLING),
    (Method::Post, "/billing/subscription_items/{subscription_item_id}/discounts", BILLING),
    (Method::Delete, "/billing/subscription_items/{subscription_item_id}/discounts/{discount_id}", BILLING),
    (
        Method::Post,
        "/role_sets/{role_set_key_or_id}/replace",
        "it needs the role set that takes its place: by clerk_fdw.request",
    ),
    (Method::Post, "/role_sets/{role_set_key_or_id}/roles", PART),
    (Method::Post, "/role_sets/{role_set_key_or_id}/roles/replace", PART),
    (Method::Post, "/scim_directories", OLDER_NAME),
    (Method::Patch, "/scim_directories/{scim_directory_id}", OLDER_NAME),
    (Method::Delete, "/scim_directories/{scim_directory_id}", OLDER_NAME),
    (Method::Post, "/scim_directories/{scim_directory_id}/rotate_api_key", OLDER_NAME),
    (Method::Post, "/scim_directories/{scim_directory_id}/group_role_mappings", OLDER_NAME),
    (Method::Put, "/scim_directories/{scim_directory_id}/group_role_mappings", OLDER_NAME),
    (Method::Delete, "/scim_directories/{scim_directory_id}/group_role_mappings/{mapping_id}", OLDER_NAME),
    (Method::Post, "/directories/{directory_id}/rotate_api_key", SECRET),
    (Method::Post, "/directories/{directory_id}/group_role_mappings", PART),
    (Method::Put, "/directories/{directory_id}/group_role_mappings", PART),
    (Method::Delete, "/directories/{directory_id}/group_role_mappings/{mapping_id}", PART),
    (Method::Post, "/admin_portal_link_tokens", TOKEN),
    (Method::Post, "/admin_portal_link_tokens/{admin_portal_link_token_id}/revoke", TOKEN),
    (Method::Post, "/api_keys/verify", TOKEN),
    (Method::Post, "/m2m_tokens", "only a machine can make them, with a key of its own"),
    (Method::Post, "/m2m_tokens/verify", TOKEN),
    (Method::Post, "/oauth_applications/access_tokens/verify", TOKEN),
];

/// Every endpoint that changes something is in the catalogue, or is an exception with its reason.
#[test]
fn nothing_is_missing_without_a_reason() {
    let Some(api) = openapi() else { return };
    let bulk = OBJECTS.iter().filter_map(|object| object.writes.bulk).map(|bulk| (Method::Post, nameless(bulk.path)));
    let written: Vec<_> =
        uses().iter().map(|used| (used.write.method, nameless(used.write.path))).chain(bulk).collect();
    let exceptions: Vec<_> = WITHOUT_WRITE.iter().map(|(method, path, _)| (*method, nameless(path))).collect();
    let mut described = Vec::new();
    for (path, operations) in api["paths"].as_object().expect("the description has paths") {
        let methods = operations.as_object().into_iter().flatten().filter_map(|(name, _)| Method::named(name));
        described.extend(methods.filter(|method| *method != Method::Get).map(|method| (method, nameless(path))));
    }
    let is_known = |endpoint: &&(Method, String)| written.contains(endpoint) || exceptions.contains(endpoint);
    let missing: Vec<_> = described.iter().filter(|endpoint| !is_known(endpoint)).collect();
    assert!(missing.is_empty(), "neither in the catalogue nor an exception: {missing:#?}");
    let is_needless = |endpoint: &&(Method, String)| written.contains(endpoint) || !described.contains(endpoint);
    let needless: Vec<_> = exceptions.iter().filter(is_needless).collect();
    assert!(needless.is_empty(), "exceptions for what Clerk does not have, or what the catalogue has: {needless:#?}");
}
