//! Clerk's own descriptions of its API and its webhooks, to check JSON against.
//!
//! They are not part of this project. They are looked for in the directory `CLERK_OPENAPI_DIR`, by default
//! `shared/clerk` beside the checkout.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

/// A file of Clerk's description, where there is one.
pub fn read(file: &str) -> Option<Value> {
    let directory = env::var_os("CLERK_OPENAPI_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/clerk"), PathBuf::from);
    let path = directory.join(file);
    let Ok(text) = fs::read_to_string(&path) else {
        super::skip::skip(&format!("there is no {}; set CLERK_OPENAPI_DIR", path.display()));
        return None;
    };
    Some(serde_norway::from_str(&text).expect("the description is YAML"))
}

/// Follows a `$ref` within the description.
pub fn resolve<'a>(root: &'a Value, value: &'a Value) -> &'a Value {
    match value.get("$ref").and_then(Value::as_str) {
        Some(reference) => {
            let pointer = reference.trim_start_matches('#');
            resolve(root, root.pointer(pointer).expect("the reference resolves"))
        }
        None => value,
    }
}

/// OpenAPI 3.0's `nullable: true` in the words of JSON Schema.
fn to_json_schema(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(to_json_schema).collect(),
        Value::Object(fields) => {
            let mut schema: Map<String, Value> =
                fields.iter().map(|(name, value)| (name.clone(), to_json_schema(value))).collect();
            if schema.remove("nullable") == Some(Value::Bool(true)) {
                json!({ "anyOf": [{ "type": "null" }, schema] })
            } else {
                Value::Object(schema)
            }
        }
        other => other.clone(),
    }
}

/// The schemas that the others of a description refer to.
pub struct Schemas(Value);

impl Schemas {
    pub fn of(description: &Value) -> Schemas {
        Schemas(to_json_schema(&json!({ "schemas": description["components"]["schemas"] })))
    }

    /// What is wrong with a value by one of the description's schemas.
    pub fn errors(&self, schema: &Value, value: &Value) -> Vec<String> {
        let mut schema = to_json_schema(schema);
        schema["components"] = self.0.clone();
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        let errors = validator.iter_errors(value);
        errors.map(|error| format!("{} at {}", error, error.instance_path())).collect()
    }
}
