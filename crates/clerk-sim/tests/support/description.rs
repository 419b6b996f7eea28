//! Clerk's own descriptions of its API and its webhooks, to check JSON against.
//!
//! They are not part of this project. They are looked for in the directory `CLERK_OPENAPI_DIR`, by default
//! `shared/clerk` beside the checkout.

use std::cell::RefCell;
use std::collections::HashMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use jsonschema::Validator;
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
        errors(&self.validator(schema), value)
    }

    pub fn validator(&self, schema: &Value) -> Validator {
        let mut schema = to_json_schema(schema);
        schema["components"] = self.0.clone();
        jsonschema::validator_for(&schema).expect("a schema")
    }
}

/// What is wrong with a value by a validator.
pub fn errors(validator: &Validator, value: &Value) -> Vec<String> {
    let errors = validator.iter_errors(value);
    errors.map(|error| format!("{} at {}", error, error.instance_path())).collect()
}

/// Checks answers against the description of the API.
pub struct Checker {
    description: Value,
    schemas: Schemas,
    validators: RefCell<HashMap<(String, String, u16), Rc<Validator>>>,
}

impl Checker {
    pub fn new(description: Value) -> Checker {
        Checker { schemas: Schemas::of(&description), description, validators: RefCell::default() }
    }

    /// Checks an answer against what the description says about this path and status.
    pub fn check(&self, path: &str, status: u16, answer: &Value) {
        let wrong = self.errors(path, status, answer);
        assert!(wrong.is_empty(), "{path} {status}: {wrong:#?}");
    }

    pub fn errors(&self, path: &str, status: u16, answer: &Value) -> Vec<String> {
        self.errors_of("get", path, status, answer)
    }

    /// Whether the description says that an endpoint answers with this status.
    pub fn has_status(&self, method: &str, path: &str, status: u16) -> bool {
        self.description["paths"][path][method]["responses"].get(status.to_string()).is_some()
    }

    /// As [`Checker::errors`], of another method, in lower case.
    pub fn errors_of(&self, method: &str, path: &str, status: u16, answer: &Value) -> Vec<String> {
        let make = || {
            let responses = &self.description["paths"][path][method]["responses"];
            let response = responses.get(status.to_string());
            // Statuses that are not written at the endpoint, 429 among them, have the body of all errors.
            let general = json!({ "$ref": "#/components/responses/ClerkErrors" });
            let response = resolve(&self.description, response.unwrap_or(&general));
            Rc::new(self.schemas.validator(&response["content"]["application/json"]["schema"]))
        };
        let mut validators = self.validators.borrow_mut();
        let validator = Rc::clone(validators.entry((method.to_owned(), path.to_owned(), status)).or_insert_with(make));
        errors(&validator, answer)
    }
}
