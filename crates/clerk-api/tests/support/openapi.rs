//! Clerk's OpenAPI description of its API, and how the tests find their way in it.
//!
//! The file is not part of the project. It is read from the directory that `CLERK_OPENAPI_DIR` names, or else from beside the
//! project's directory.

use std::path::{Path, PathBuf};

use clerk_api::catalog::{API_VERSION, IdForm, List, Object, Paging};
use serde_json::Value;

/// Clerk's description of its API as JSON. If the file does not exist, `None`, and a message says that the test is
/// skipped.
pub fn openapi() -> Option<Value> {
    description(&format!("bapi-{API_VERSION}.yml"))
}

pub fn description(name: &str) -> Option<Value> {
    let directory = std::env::var_os("CLERK_OPENAPI_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/clerk"), PathBuf::from);
    let file = directory.join(name);
    match std::fs::read_to_string(&file) {
        Ok(text) => Some(serde_norway::from_str(&text).expect("the description is YAML")),
        Err(error) => {
            eprintln!("SKIPPED: {}: {error}", file.display());
            None
        }
    }
}

/// A part of the description with its references followed.
pub fn resolved<'d>(api: &'d Value, mut part: &'d Value) -> &'d Value {
    while let Some(reference) = part.get("$ref").and_then(Value::as_str) {
        part = api.pointer(reference.trim_start_matches('#')).expect(reference);
    }
    part
}

/// A path without its parameters and without the names of its placeholders.
pub fn nameless(path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part }).collect::<Vec<_>>().join("/")
}

/// The GET operation at a path, whatever names its placeholders have in Clerk's description.
pub fn operation<'d>(api: &'d Value, path: &str) -> &'d Value {
    let paths = api["paths"].as_object().expect("the description has paths");
    let found = paths.iter().find(|(other, _)| nameless(other) == nameless(path));
    found.and_then(|(_, operations)| operations.get("get")).unwrap_or_else(|| panic!("there is no GET {path}"))
}

/// The schema of an endpoint's successful answer.
pub fn answer<'d>(api: &'d Value, path: &str) -> &'d Value {
    let response = resolved(api, &operation(api, path)["responses"]["200"]);
    resolved(api, &response["content"]["application/json"]["schema"])
}

/// The schema of a member, which may be inside of `allOf`.
pub fn member<'d>(api: &'d Value, schema: &'d Value, name: &str) -> Option<&'d Value> {
    let schema = resolved(api, schema);
    schema
        .get("properties")
        .and_then(|properties| properties.get(name))
        .or_else(|| schema["allOf"].as_array().into_iter().flatten().find_map(|part| member(api, part, name)))
        .map(|found| resolved(api, found))
}

/// The names of all members of a schema, also of those inside of `allOf`.
pub fn members<'d>(api: &'d Value, schema: &'d Value) -> Vec<&'d str> {
    let schema = resolved(api, schema);
    let own = schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.as_str());
    let parts = schema["allOf"].as_array().into_iter().flatten().flat_map(|part| members(api, part));
    own.chain(parts).collect()
}

/// The schema of the objects that an endpoint answers with.
pub fn listed(api: &Value, list: List) -> &Value {
    let schema = answer(api, list.path);
    match list.paging {
        Paging::Single => schema,
        _ if schema["type"] == "array" => resolved(api, &schema["items"]),
        _ => {
            let array = member(api, schema, list.member).unwrap_or_else(|| panic!("{} has no list", list.path));
            resolved(api, &array["items"])
        }
    }
}

/// The schema of an object's rows, and of the object that contains them if they are elements.
pub fn row<'d>(api: &'d Value, object: &Object) -> (&'d Value, &'d Value) {
    let list = object.list.unwrap_or_else(|| object.key_columns[0].list);
    let owner = listed(api, list);
    match object.elements {
        Some(elements) => (resolved(api, &member(api, owner, elements.member).expect("an array")["items"]), owner),
        None => (owner, owner),
    }
}

/// A form of ids in the words of Clerk's description.
pub fn as_pattern(form: IdForm) -> String {
    let prefixes = match form.prefixes {
        [prefix] => (*prefix).to_owned(),
        prefixes => format!("({})", prefixes.join("|")),
    };
    let characters = if form.is_hexadecimal { "[0-9A-Fa-f]" } else { "\\w" };
    format!("^{prefixes}_{characters}{{{}}}$", form.length)
}
