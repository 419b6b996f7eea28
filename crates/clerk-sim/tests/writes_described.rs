//! The forms of the writes against Clerk's OpenAPI description.
//!
//! Without the description these tests say that they were skipped.

mod support;

use std::collections::BTreeSet;

use clerk_sim::{Field, WRITES};
use serde_json::{Value, json};
use support::description::{self, Checker, resolve};
use support::writing::World;

const FILE: &str = "bapi-2026-05-12.yml";

/// Every write is documented, and its body has the documented fields, with what is said of them.
#[test]
fn every_documented_field_is_known() {
    let Some(description) = description::read(FILE) else {
        return;
    };
    for write in WRITES.iter().copied().flatten() {
        let name = format!("{} {}", write.method, write.path);
        let operation = &description["paths"][write.path][write.method.to_lowercase()];
        assert!(operation.is_object(), "{name} is documented");
        let body = &operation["requestBody"];
        let mut schema = resolve(&description, &body["content"]["application/json"]["schema"]);
        if schema["type"] == "array" {
            assert_eq!(schema["maxItems"].as_u64(), write.max_objects.map(|max| max as u64), "{name}");
            schema = &schema["items"];
        }
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let documented: BTreeSet<&str> =
            parameters.filter(|one| one["in"] == "query").filter_map(|one| one["name"].as_str()).collect();
        assert_eq!(write.parameter_names().collect::<BTreeSet<&str>>(), documented, "{name}: parameters");
        assert_eq!(write.needs_body, body["required"] == true || write.max_objects.is_some(), "{name} needs a body");
        assert_eq!(write.is_closed, schema["additionalProperties"] == false, "{name} is closed");
        let (mut known, mut documented) = (BTreeSet::new(), BTreeSet::new());
        for field in write.fields() {
            add_known(&mut known, field, "");
        }
        add_documented(&mut documented, &description, schema, "");
        assert_eq!(known, documented, "{name}: name, required, nullable");
    }
}

/// The name of a field, whether it is required, and whether it may be null.
type Said = (String, bool, bool);

/// Adds a field and those within it.
fn add_known(known: &mut BTreeSet<Said>, field: &Field, path: &str) {
    let name = format!("{path}{}", field.name);
    for inner in field.fields() {
        add_known(known, inner, &format!("{name}."));
    }
    known.insert((name, field.is_required, field.is_nullable));
}

/// Adds the fields of an object and those within them.
fn add_documented(documented: &mut BTreeSet<Said>, description: &Value, schema: &Value, path: &str) {
    for (field, said) in schema["properties"].as_object().into_iter().flatten() {
        let said = resolve(description, said);
        let name = format!("{path}{field}");
        let is_required = schema["required"].as_array().is_some_and(|names| names.contains(&json!(field)));
        let inner = if said["type"] == "array" { resolve(description, &said["items"]) } else { said };
        add_documented(documented, description, inner, &format!("{name}."));
        documented.insert((name, is_required, said["nullable"] == true));
    }
}

/// The check of answers notices what is wrong.
#[test]
fn check_has_teeth() {
    let Some(description) = description::read(FILE) else {
        return;
    };
    let world = World::new(0, 0, 0);
    let (mut user, _) = world.change("POST", "/users", json!({}));
    user["created_at"] = json!("yesterday");
    assert_eq!(Checker::new(description).errors_of("post", "/users", 200, &user).len(), 1);
}
