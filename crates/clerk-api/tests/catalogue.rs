//! Compares what the catalogue reads with Clerk's OpenAPI description of its Backend API; `catalogue_writes.rs` compares
//! what it writes.

#[path = "support/openapi.rs"]
mod openapi;

use clerk_api::catalog::{API_VERSION, FilterOp, KeyColumn, Kind, List, OBJECTS, Object, Paging, Source};
use openapi::{answer, as_pattern, description, member, members, nameless, openapi, operation, resolved, row};
use serde_json::Value;

/// A query parameter of an endpoint.
fn parameter<'d>(api: &'d Value, path: &str, name: &str) -> &'d Value {
    let parameters = operation(api, path)["parameters"].as_array().into_iter().flatten();
    let mut parameters = parameters.map(|parameter| resolved(api, parameter));
    let found = parameters.find(|parameter| parameter["name"] == name && parameter["in"] == "query");
    found.unwrap_or_else(|| panic!("GET {path} has no parameter {name}"))
}

#[test]
fn endpoints_and_parameters_exist() {
    let Some(api) = openapi() else { return };
    assert_eq!(api["info"]["version"], API_VERSION);
    for object in OBJECTS {
        if let Some(list) = object.list {
            assert_object_list(&api, object, list);
        }
        for key in object.key_columns {
            assert_key_column(&api, object, key);
        }
    }
}

/// Checks what holds for every list: its paging, its parameters and the largest page.
fn assert_list(api: &Value, list: List) {
    for (name, value) in list.params.iter().chain(&list.apart) {
        assert_allowed(parameter(api, list.path, name), value);
    }
    match list.paging {
        Paging::Single | Paging::Whole => {
            let parameters = operation(api, list.path)["parameters"].as_array().into_iter().flatten();
            let mut parameters = parameters.map(|parameter| resolved(api, parameter));
            assert!(parameters.all(|parameter| parameter["name"] != "offset"), "{} has pages", list.path);
        }
        Paging::Offset { .. } | Paging::Cursor { .. } => {
            parameter(api, list.path, "offset");
            let limit = &parameter(api, list.path, "limit")["schema"]["maximum"];
            assert_eq!(limit.as_f64(), Some(list.max_page_size.into()), "{}", list.path);
        }
    }
    if matches!(list.paging, Paging::Offset { .. } | Paging::Whole) {
        let has_total = member(api, answer(api, list.path), "total_count").is_some();
        assert_eq!(list.is_countable(), has_total, "{}", list.path);
    }
}

/// Checks that a parameter takes a value.
fn assert_allowed(parameter: &Value, value: &str) {
    let schema = &parameter["schema"];
    let schema = if schema["type"] == "array" { &schema["items"] } else { schema };
    let is_allowed = match schema["enum"].as_array() {
        Some(values) => values.iter().any(|allowed| allowed == value),
        None if schema["type"] == "boolean" => matches!(value, "true" | "false"),
        None => true,
    };
    assert!(is_allowed, "{} does not take {value}", parameter["name"]);
}

/// Checks that the endpoints have the parameter of a filter, and that it takes the filter's values.
fn assert_filter(api: &Value, path: &str, filter: &clerk_api::catalog::Filter) {
    let parameter = parameter(api, path, filter.parameter);
    match filter.op {
        FilterOp::Equal { .. } => assert_eq!(parameter["schema"]["type"], "array", "{path} {}", filter.parameter),
        FilterOp::One { values } => values.iter().for_each(|value| assert_allowed(parameter, value)),
        _ => {}
    }
}

fn assert_object_list(api: &Value, object: &'static Object, list: List) {
    assert_list(api, list);
    let path = list.path;
    let mut counted = vec![path];
    if let Paging::Cursor { cursor, count, created_after, created_before } = list.paging {
        parameter(api, path, cursor);
        for path in [path, count] {
            for name in [created_after, created_before] {
                parameter(api, path, name);
            }
        }
        assert!(member(api, answer(api, count), "total_count").is_some());
        counted.push(count);
    }
    for filter in object.columns.iter().flat_map(|column| column.filters) {
        for path in &counted {
            assert_filter(api, path, filter);
        }
    }
    for sort in object.sort_columns {
        assert!(object.column(sort.column, true).is_some(), "{}", sort.column);
        let described = parameter(api, path, "order_by")["description"].as_str().unwrap_or_default();
        assert!(described.contains(sort.parameter), "{path} does not sort by {}", sort.parameter);
    }
    for (name, _) in object.columns.iter().filter_map(|column| column.extra_param) {
        parameter(api, path, name);
    }
}

/// The pattern of the values that an endpoint takes for its key, which is a part of its path or a parameter.
fn pattern<'d>(api: &'d Value, path: &str) -> Option<&'d str> {
    let query = path.split_once('?').and_then(|(_, query)| query.split_once('='));
    let parameters = operation(api, path)["parameters"].as_array().into_iter().flatten();
    let mut parameters = parameters.map(|parameter| resolved(api, parameter));
    let key = parameters.find(|parameter| match query {
        Some((name, _)) => parameter["name"] == name,
        None => parameter["in"] == "path",
    });
    key?["schema"]["pattern"].as_str()
}

fn assert_key_column(api: &Value, object: &Object, key: &KeyColumn) {
    assert_list(api, key.list);
    let form = key.id_form.map(as_pattern);
    assert_eq!(form.as_deref(), pattern(api, key.list.path), "{}", key.list.path);
    if key.is_single() {
        for (name, _) in object.columns.iter().filter_map(|column| column.extra_param) {
            parameter(api, key.list.path, name);
        }
    }
    if let Some((name, _)) = key.list.path.split_once('?').and_then(|(_, query)| query.split_once('=')) {
        parameter(api, key.list.path, name);
    }
    if let Some(parent) = key.parent {
        operation(api, parent);
    }
    if key.is_sortable {
        let described = parameter(api, key.list.path, "order_by")["description"].as_str().unwrap_or_default();
        assert!(described.contains("created_at"), "{} does not sort by creation", key.list.path);
    }
    for (_, filter) in key.filters {
        assert_filter(api, key.list.path, filter);
    }
}

/// The type that a column's kind needs in Clerk's description.
fn has_type(api: &Value, schema: &Value, kind: Kind) -> bool {
    let type_ = schema["type"].as_str();
    match kind {
        Kind::Text | Kind::Phone => type_ == Some("string"),
        Kind::Boolean => type_ == Some("boolean"),
        Kind::Integer => type_ == Some("integer"),
        Kind::Time => matches!(type_, Some("integer" | "number")),
        Kind::TextArray => type_ == Some("array") && resolved(api, &schema["items"])["type"] == "string",
        // All that is no scalar. A schema that combines others has no type of its own.
        Kind::Json => !matches!(type_, Some("string" | "boolean" | "integer" | "number")),
    }
}

#[test]
fn columns_lie_where_the_catalogue_says() {
    let Some(api) = openapi() else { return };
    for object in OBJECTS {
        let (schema, owner) = row(&api, object);
        for column in object.columns {
            let place = format!("{}.{}", object.name, column.name);
            let found = match column.source {
                Source::Whole => continue,
                Source::Member(name) => {
                    member(&api, schema, name).unwrap_or_else(|| panic!("{place}: there is no {name}"))
                }
                Source::Path(keys) => keys.iter().fold(schema, |schema, key| {
                    member(&api, schema, key).unwrap_or_else(|| panic!("{place}: there is no {key}"))
                }),
                Source::Primary { id, list, value } => {
                    assert!(member(&api, schema, id).is_some(), "{place}: there is no {id}");
                    let list = member(&api, schema, list).expect(list);
                    assert!(member(&api, &list["items"], "id").is_some(), "{place}: its list has no ids");
                    member(&api, &list["items"], value).expect(value)
                }
                Source::Owner(name) => member(&api, owner, name).unwrap_or_else(|| panic!("{place}: no {name}")),
                Source::IsPrimary { id } => {
                    assert!(member(&api, owner, id).is_some() && column.kind == Kind::Boolean, "{place}: no {id}");
                    continue;
                }
                Source::Key => {
                    assert!(object.key_column(column.name).is_some() && object.list.is_none(), "{place}");
                    continue;
                }
            };
            assert!(has_type(&api, found, column.kind), "{place}: {} as {:?}", found["type"], column.kind);
            let below = object.key_columns.iter().flat_map(|key| key.filters).filter(|(name, _)| *name == column.name);
            for filter in column.filters.iter().chain(below.map(|(_, filter)| filter)).filter(|filter| filter.is_exact)
            {
                let values = found["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
                let untaken: Vec<_> = values.filter(|value| !filter.op.takes(value)).collect();
                assert!(untaken.is_empty(), "{place}: {} is not exact for {untaken:?}", filter.parameter);
            }
        }
    }
}

/// Members of Clerk's objects that have no column, each with the reason.
const WITHOUT_COLUMN: &[(&str, &str, &str)] = &[
    ("*", "object", "it is the same in all rows: the kind of the object"),
    ("users", "email_addresses", "the table user_email_addresses has them, one row each"),
    ("users", "phone_numbers", "the table user_phone_numbers has them, one row each"),
    ("users", "web3_wallets", "the table user_web3_wallets has them, one row each"),
    ("users", "passkeys", "the table user_passkeys has them, one row each"),
    ("users", "external_accounts", "the table user_external_accounts has them, one row each"),
    ("users", "organization_memberships", "the table organization_memberships has them; the list of users does not"),
    ("users", "saml_accounts", "attrs has them; few users have any"),
    ("users", "enterprise_accounts", "attrs has them; few users have any"),
    ("users", "scim", "attrs has it; few users have it"),
    ("users", "lockout_expires_in_seconds", "it counts down, so that a row would differ each time it is read"),
    (
        "organization_invitations",
        "public_organization_data",
        "the lists of single organizations lack it: join organizations",
    ),
    ("organization_memberships", "organization", "it is repeated for every member: join organizations, or use attrs"),
    ("organization_memberships", "public_user_data", "it repeats the user: join users, or use attrs"),
];

/// Endpoints of Clerk's that no object of the catalogue reads, each with the reason.
const WITHOUT_OBJECT: &[(&str, &str)] = &[
    ("/public/interstitial", "it answers with a page for browsers"),
    ("/jwks", "it answers with public keys, which whoever verifies tokens needs, not a query"),
    ("/clients", "Clerk removes it; sessions have the id of their client"),
    ("/clients/{client_id}", "a client is its sessions, which are listed by client"),
    ("/email_addresses/{email_address_id}", "user_email_addresses has them"),
    ("/phone_numbers/{phone_number_id}", "user_phone_numbers has them"),
    ("/templates/{template_type}", "Clerk removes it"),
    ("/templates/{template_type}/{slug}", "Clerk removes it"),
    ("/users/{user_id}/billing/credits", "a balance and its ledger, no object with an id"),
    ("/organizations/{organization_id}/billing/credits", "a balance and its ledger, no object with an id"),
    ("/users/{user_id}/oauth_access_tokens/{provider}", "it answers with other providers' tokens, which are secrets"),
    (
        "/users/{user_id}/organization_invitations",
        "the invitations do not contain the user; they are listed by organization",
    ),
    ("/users/{user_id}/trusted_devices", "devices matter for the sign-in alone"),
    (
        "/organizations/{organization_id}/invitations/pending",
        "Clerk removes it; a condition on status asks for the same",
    ),
    (
        "/organizations/{organization_id}/invitations/{invitation_id}",
        "it needs the organization, whose list has the invitation",
    ),
    ("/organizations/{organization_id}/domains", "/organization_domains takes the organization, and sorts"),
    ("/instance/protect", "settings of attack protection that nobody joins"),
    ("/instance/communication", "settings of blocked countries that nobody joins"),
    ("/instance/oauth_application_settings", "settings of OAuth applications that nobody joins"),
    ("/machines/{machine_id}/secret_key", "it answers with a secret"),
    ("/api_keys/{apiKeyID}/secret", "it answers with a secret"),
    ("/sign_ups/{id}", "sign-ups cannot be listed"),
    ("/enterprise_connections/{enterprise_connection_id}/test_runs", "test runs matter while a connection is set up"),
    ("/scim_directories", "the older name of /directories"),
    ("/scim_directories/{scim_directory_id}", "the older name of /directories"),
    ("/scim_directories/{scim_directory_id}/group_role_mappings", "the older name of those of /directories"),
    ("/directories/{directory_id}/group_role_mappings", "a setting of a directory"),
];

/// Parameters of the catalogue's lists that no column uses, each with the reason. `*` stands for any list.
const WITHOUT_FILTER: &[(&str, &str, &str)] = &[
    ("/users", "query", "it looks into several columns; each of them has a parameter of its own"),
    ("/users", "organization_id", "a user does not contain its organizations: join organization_memberships"),
    ("/users", "last_active_at_since", "Clerk removes it; last_active_at_after is the same"),
    ("/users", "provider", "a user has several accounts; join user_external_accounts"),
    ("/users", "provider_user_id", "a user has several accounts; join user_external_accounts"),
    ("/organizations", "user_id", "an organization does not contain its members: join organization_memberships"),
    ("/organization_domains", "verified", "a domain has no such member, only its verification"),
    ("/organizations/{}/memberships", "*", "these are about the user: join users"),
    ("/api_keys", "type", "there is one type"),
    ("/api_keys", "query", "Clerk's description does not say what it looks into"),
    (
        "/billing/subscription_items",
        "status",
        "its values are others than those of the column, so that rows could be left out",
    ),
    ("/billing/subscription_items", "payer_type", "an item contains its payer, not the payer's type"),
    ("/billing/subscription_items", "query", "Clerk's description does not say what it looks into"),
];

/// Every member, endpoint and parameter that Clerk has is in the catalogue, or is an exception with its reason.
#[test]
fn nothing_is_missing_without_a_reason() {
    let Some(api) = openapi() else { return };
    let mut missing = Vec::new();
    let mut used: Vec<(&str, String)> = Vec::new();
    for object in OBJECTS {
        let (schema, _) = row(&api, object);
        for name in members(&api, schema) {
            let has_column = object.columns.iter().any(|column| match column.source {
                Source::Member(other) => other == name,
                _ => false,
            });
            let is_exception =
                |(of, member, _): &&(&str, &str, &str)| (*of == "*" || *of == object.name) && *member == name;
            match WITHOUT_COLUMN.iter().find(is_exception) {
                Some((of, member, _)) => used.push((of, (*member).to_owned())),
                None if has_column => {}
                None => missing.push(format!("{}.{name} has no column", object.name)),
            }
        }
    }
    let lists: Vec<(&Object, List)> = OBJECTS
        .iter()
        .flat_map(|object| {
            object.list.into_iter().chain(object.key_columns.iter().map(|key| key.list)).map(|list| (*object, list))
        })
        .collect();
    let parents = OBJECTS.iter().flat_map(|object| object.key_columns).filter_map(|key| key.parent);
    let counts = lists.iter().filter_map(|(_, list)| match list.paging {
        Paging::Cursor { count, .. } => Some(count),
        _ => None,
    });
    let read: Vec<String> =
        lists.iter().map(|(_, list)| list.path).chain(parents).chain(counts).map(nameless).collect();
    for (path, operations) in api["paths"].as_object().expect("the description has paths") {
        let exception = WITHOUT_OBJECT.iter().find(|(other, _)| nameless(other) == nameless(path));
        let is_read = read.contains(&nameless(path));
        match exception {
            _ if operations.get("get").is_none() => {}
            None if !is_read => missing.push(format!("GET {path} is not read")),
            Some(_) if is_read => missing.push(format!("GET {path} is read, and yet an exception")),
            Some((path, _)) => used.push((path, String::new())),
            None => {}
        }
    }
    for (object, list) in &lists {
        for parameter in operation(&api, list.path)["parameters"].as_array().into_iter().flatten() {
            let parameter = resolved(&api, parameter);
            let name = parameter["name"].as_str().unwrap_or_default();
            let is_sent = matches!(name, "limit" | "offset" | "order_by")
                || parameter["in"] == "path"
                || list.params.iter().chain(&list.apart).any(|(sent, _)| *sent == name)
                || list.path.contains(&format!("?{name}="))
                || matches!(list.paging, Paging::Cursor { cursor, .. } if cursor == name);
            // A parameter may be used by another list of the same endpoint.
            let is_used =
                lists.iter().filter(|(_, other)| nameless(other.path) == nameless(list.path)).any(|(other, same)| {
                    let columns = other.columns.iter().flat_map(|column| column.filters);
                    let keys = other.key_columns.iter().flat_map(|key| key.filters).map(|(_, filter)| filter);
                    let extra = other.columns.iter().filter_map(|column| column.extra_param).map(|(name, _)| name);
                    columns.chain(keys).map(|filter| filter.parameter).chain(extra).any(|used| used == name)
                        || same.path.contains(&format!("?{name}="))
                });
            let is_exception = |(path, other, _): &&(&str, &str, &str)| {
                *path == nameless(list.path) && (*other == "*" || *other == name)
            };
            match WITHOUT_FILTER.iter().find(is_exception) {
                _ if is_sent || is_used => {}
                Some((path, other, _)) => used.push((path, (*other).to_owned())),
                None => missing.push(format!("{}: GET {} has a parameter {name}", object.name, list.path)),
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    let columns = WITHOUT_COLUMN.iter().chain(WITHOUT_FILTER).map(|(of, name, _)| (*of, (*name).to_owned()));
    let endpoints = WITHOUT_OBJECT.iter().map(|(path, _)| (*path, String::new()));
    let needless: Vec<_> = columns.chain(endpoints).filter(|exception| !used.contains(exception)).collect();
    assert!(needless.is_empty(), "exceptions for what Clerk does not have, or what the catalogue has: {needless:#?}");
}

/// Events that change no object of the catalogue, each with the reason.
const WITHOUT_EVENT: &[(&str, &str)] = &[
    ("email.created", "emails that Clerk sends cannot be listed"),
    ("sms.created", "messages that Clerk sends cannot be listed"),
    ("subscription.", "a subscription can only be asked for by its payer, so that no mirror contains it"),
];

/// Every event that Clerk sends is one of the catalogue's, or is an exception with its reason.
#[test]
fn events_are_those_of_clerk() {
    let Some(webhooks) = description("webhooks-2025-04-15.yml") else { return };
    let described = webhooks["x-webhooks"].as_object().expect("the description has webhooks");
    let known: Vec<&str> = OBJECTS.iter().flat_map(|object| object.events).map(|event| event.type_).collect();
    let invented: Vec<_> = known.iter().filter(|event| !described.contains_key(**event)).collect();
    assert!(invented.is_empty(), "Clerk sends no such events: {invented:?}");
    let is_exception = |event: &str| WITHOUT_EVENT.iter().any(|(begin, _)| event.starts_with(begin));
    let missing: Vec<_> =
        described.keys().filter(|event| !known.contains(&event.as_str()) && !is_exception(event)).collect();
    assert!(missing.is_empty(), "no object has these events: {missing:?}");
}
