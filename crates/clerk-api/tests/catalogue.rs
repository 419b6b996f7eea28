//! Compares the catalogue with Clerk's OpenAPI description of its Backend API.
//!
//! The OpenAPI file is not part of the project. It is read from the directory that `CLERK_OPENAPI_DIR` names, or else
//! from beside the project's directory.

use std::path::{Path, PathBuf};

use clerk_api::catalog::{API_VERSION, KeyColumn, Kind, List, Lookup, OBJECTS, Object, Paging, Source};
use serde_json::Value;

/// Clerk's description as JSON. If the file does not exist, `None`, and a message says that the test is skipped.
fn openapi() -> Option<Value> {
    let directory = std::env::var_os("CLERK_OPENAPI_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/clerk"), PathBuf::from);
    let file = directory.join(format!("bapi-{API_VERSION}.yml"));
    match std::fs::read_to_string(&file) {
        Ok(text) => Some(serde_norway::from_str(&text).expect("the description is YAML")),
        Err(error) => {
            eprintln!("SKIPPED: {}: {error}", file.display());
            None
        }
    }
}

/// A part of the description with its references followed.
fn resolved<'d>(api: &'d Value, mut part: &'d Value) -> &'d Value {
    while let Some(reference) = part.get("$ref").and_then(Value::as_str) {
        part = api.pointer(reference.trim_start_matches('#')).expect(reference);
    }
    part
}

/// The GET operation at a path, whatever names its placeholders have in Clerk's description.
fn operation<'d>(api: &'d Value, path: &str) -> &'d Value {
    let nameless = |path: &str| {
        path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part }).collect::<Vec<_>>().join("/")
    };
    let paths = api["paths"].as_object().expect("the description has paths");
    let found = paths.iter().find(|(other, _)| nameless(other) == nameless(path));
    found.and_then(|(_, operations)| operations.get("get")).unwrap_or_else(|| panic!("there is no GET {path}"))
}

fn assert_parameter(api: &Value, path: &str, name: &str) {
    let parameters = operation(api, path)["parameters"].as_array().into_iter().flatten();
    let found = parameters.map(|parameter| resolved(api, parameter)).any(|parameter| parameter["name"] == name);
    assert!(found, "GET {path} has no parameter {name}");
}

/// The schema of an endpoint's successful answer.
fn answer<'d>(api: &'d Value, path: &str) -> &'d Value {
    let response = resolved(api, &operation(api, path)["responses"]["200"]);
    resolved(api, &response["content"]["application/json"]["schema"])
}

/// The schema of a member, which may be inside of `allOf`.
fn member<'d>(api: &'d Value, schema: &'d Value, name: &str) -> Option<&'d Value> {
    let schema = resolved(api, schema);
    schema
        .get("properties")
        .and_then(|properties| properties.get(name))
        .or_else(|| schema["allOf"].as_array().into_iter().flatten().find_map(|part| member(api, part, name)))
        .map(|found| resolved(api, found))
}

/// The schema of the objects in a list.
fn element<'d>(api: &'d Value, object: &Object) -> &'d Value {
    let path = object.list.map_or(object.key_columns[0].path, |list| list.path);
    let list = answer(api, path);
    let array = if list["type"] == "array" { list } else { member(api, list, "data").expect("data") };
    resolved(api, &array["items"])
}

#[test]
fn endpoints_and_parameters_exist() {
    let Some(api) = openapi() else { return };
    assert_eq!(api["info"]["version"], API_VERSION);
    for object in OBJECTS {
        if let Some(list) = object.list {
            assert_list(&api, object, list);
        }
        for key in object.key_columns {
            assert_key_column(&api, object, key);
        }
    }
}

fn assert_list(api: &Value, object: &Object, List { path, paging }: List) {
    let mut counted = vec![path];
    match paging {
        Paging::Single => return assert!(member(api, answer(api, path), "id").is_some(), "{path} has no id"),
        Paging::Offset => {
            assert_parameter(api, path, "offset");
            assert!(member(api, answer(api, path), "total_count").is_some());
        }
        Paging::Cursor { cursor, count, created_after, created_before } => {
            assert_parameter(api, path, cursor);
            for path in [path, count] {
                for parameter in [created_after, created_before] {
                    assert_parameter(api, path, parameter);
                }
            }
            assert!(member(api, answer(api, count), "total_count").is_some());
            counted.push(count);
        }
    }
    assert_parameter(api, path, "limit");
    for filter in object.columns.iter().flat_map(|column| column.filters) {
        for path in &counted {
            assert_parameter(api, path, filter.parameter);
        }
    }
    for sort in object.sort_columns {
        assert!(object.column(sort.column, true).is_some(), "{}", sort.column);
        let parameters = operation(api, path)["parameters"].as_array().into_iter().flatten();
        let order_by = parameters.map(|parameter| resolved(api, parameter)).find(|found| found["name"] == "order_by");
        let described = order_by.and_then(|order_by| order_by["description"].as_str()).unwrap_or_default();
        assert!(described.contains(sort.parameter), "{path} does not sort by {}", sort.parameter);
    }
    for (parameter, _) in object.columns.iter().filter_map(|column| column.extra_param) {
        assert_parameter(api, path, parameter);
    }
}

fn assert_key_column(api: &Value, object: &Object, key: &KeyColumn) {
    match key.lookup {
        Lookup::Get => {
            assert!(member(api, answer(api, key.path), "id").is_some(), "{}", key.path);
            for (parameter, _) in object.columns.iter().filter_map(|column| column.extra_param) {
                assert_parameter(api, key.path, parameter);
            }
        }
        Lookup::List { parent, is_sortable } => {
            for parameter in ["limit", "offset"].into_iter().chain(is_sortable.then_some("order_by")) {
                assert_parameter(api, key.path, parameter);
            }
            assert!(member(api, answer(api, key.path), "total_count").is_some());
            operation(api, parent);
        }
    }
    for (column, parameter) in key.filters {
        assert!(object.column(column, true).is_some(), "{column}");
        assert_parameter(api, key.path, parameter);
    }
}

#[test]
fn columns_lie_where_the_catalogue_says() {
    let Some(api) = openapi() else { return };
    for object in OBJECTS {
        let schema = element(&api, object);
        for column in object.columns {
            let place = format!("{}.{}", object.name, column.name);
            let found = match column.source {
                Source::Whole => schema,
                Source::Path(keys) => keys.iter().fold(schema, |schema, key| {
                    member(&api, schema, key).unwrap_or_else(|| panic!("{place}: there is no {key}"))
                }),
                Source::Primary { id, list, value } => {
                    assert!(member(&api, schema, id).is_some(), "{place}: there is no {id}");
                    let list = member(&api, schema, list).expect(list);
                    assert!(member(&api, &list["items"], "id").is_some(), "{place}: its list has no ids");
                    member(&api, &list["items"], value).expect(value)
                }
            };
            let kind = match column.kind {
                Kind::Text | Kind::Phone => "string",
                Kind::Boolean => "boolean",
                Kind::Integer | Kind::Time => "integer",
                Kind::Json => "object",
                Kind::TextArray => "array",
            };
            assert_eq!(found["type"], kind, "{place}");
        }
    }
}
