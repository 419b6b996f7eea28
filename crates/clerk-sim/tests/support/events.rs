//! Checks webhook events against Clerk's description of them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use clerk_sim::webhook::Delivery;
use jsonschema::Validator;
use serde_json::{Value, json};

use super::description::{self, Schemas, resolve};
use super::parse;

pub struct EventChecker {
    root: Value,
    schemas: Schemas,
    validators: RefCell<HashMap<String, Rc<Validator>>>,
}

impl EventChecker {
    /// There is none without the description.
    pub fn new() -> Option<EventChecker> {
        let root = description::read("webhooks-2025-04-15.yml")?;
        Some(EventChecker { schemas: Schemas::of(&root), root, validators: RefCell::default() })
    }

    /// The types of all events that are described.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        self.root["x-webhooks"].as_object().expect("events").keys().map(String::as_str)
    }

    /// Checks that an event is as described.
    pub fn check(&self, delivery: &Delivery) {
        let kind = &delivery.kind;
        let make = || {
            let post = &self.root["x-webhooks"][kind]["post"];
            assert!(post.is_object(), "{kind} is documented");
            let schema = opened(&self.root, kind, &post["requestBody"]["content"]["application/json"]["schema"]);
            Rc::new(self.schemas.validator(&schema))
        };
        let validator = Rc::clone(self.validators.borrow_mut().entry(kind.clone()).or_insert_with(make));
        let event = parse(&delivery.body);
        let wrong = description::errors(&validator, &event);
        assert!(wrong.is_empty(), "{kind}: {wrong:#?} {event:#}");
    }
}

/// An event's schema. Clerk combines closed objects in two places such that nothing can be valid, and leaves out that a
/// session can be pending; there the schema is opened.
fn opened(root: &Value, kind: &str, schema: &Value) -> Value {
    let data = &schema["allOf"][1]["properties"]["data"];
    let (closed, rest) = match kind {
        "organizationInvitation.accepted" => ("OrganizationInvitation", "OrganizationInvitationAcceptedPayload"),
        kind if kind.starts_with("session.") => ("Session", "SessionEventPayload"),
        _ => return schema.clone(),
    };
    assert_eq!(resolve(root, data), &root["components"]["schemas"][rest]);
    let mut object = root["components"]["schemas"][closed].clone();
    object["additionalProperties"] = json!(true);
    if let Some(statuses) = object.pointer_mut("/properties/status/enum").and_then(Value::as_array_mut) {
        statuses.push(json!("pending"));
    }
    let extra = root["components"]["schemas"][rest]["allOf"][1].clone();
    json!({
        "allOf": [schema["allOf"][0], { "properties": { "data": { "allOf": [object, extra] } }, "required": ["data"] }],
    })
}
