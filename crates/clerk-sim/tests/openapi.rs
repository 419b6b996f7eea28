//! The simulator against Clerk's OpenAPI description.
//!
//! The description is not part of this project. It is looked for in the directory `CLERK_OPENAPI_DIR`, by default
//! `shared/clerk` beside the checkout; without it these tests say that they were skipped.

mod common;

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use clerk_sim::ENDPOINTS;
use common::{encode, get, id, request, start};
use serde_json::{Map, Value, json};

const FILE: &str = "bapi-2026-05-12.yml";

fn description() -> Option<Value> {
    let directory = env::var_os("CLERK_OPENAPI_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/clerk"), PathBuf::from);
    let path = directory.join(FILE);
    let Ok(text) = fs::read_to_string(&path) else {
        eprintln!("SKIPPED: there is no {}; set CLERK_OPENAPI_DIR", path.display());
        return None;
    };
    Some(serde_norway::from_str(&text).expect("the description is YAML"))
}

/// Follows a `$ref` within the description.
fn resolve<'a>(root: &'a Value, value: &'a Value) -> &'a Value {
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

struct Checker {
    description: Value,
    components: Value,
}

impl Checker {
    fn new(description: Value) -> Checker {
        let components = to_json_schema(&json!({ "schemas": description["components"]["schemas"] }));
        Checker { description, components }
    }

    /// Checks an answer against what the description says about this path and status.
    fn check(&self, path: &str, status: u16, answer: &Value) {
        let wrong = self.errors(path, status, answer);
        assert!(wrong.is_empty(), "{path} {status}: {wrong:#?}");
    }

    fn errors(&self, path: &str, status: u16, answer: &Value) -> Vec<String> {
        let responses = &self.description["paths"][path]["get"]["responses"];
        let response = responses.get(status.to_string());
        // Statuses that are not written at the endpoint, 429 among them, have the body of all errors.
        let general = json!({ "$ref": "#/components/responses/ClerkErrors" });
        let response = resolve(&self.description, response.unwrap_or(&general));
        let mut schema = to_json_schema(&response["content"]["application/json"]["schema"]);
        schema["components"] = self.components.clone();
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        let errors = validator.iter_errors(answer);
        errors.map(|error| format!("{} at {}", error, error.instance_path())).collect()
    }
}

#[test]
fn the_answers_are_as_described() {
    let Some(description) = description() else {
        return;
    };
    let checker = Checker::new(description);
    let sim = start(500, 20, 600);
    let user = &sim.users()[0].id;
    let organization = &sim.organizations()[0].id;
    let many: String = (0..101).map(|n| format!("&user_id=user_{n}")).collect();

    for (path, target, status) in [
        ("/instance", "/instance".to_owned(), 200),
        ("/users", "/users?limit=500".to_owned(), 200),
        ("/users", "/users?limit=0".to_owned(), 422),
        ("/users", format!("/users?limit=1{many}"), 422),
        ("/users", "/users?starting_after=user_gone".to_owned(), 422),
        ("/users/count", "/users/count".to_owned(), 200),
        ("/users/count", format!("/users/count?a=b{many}"), 422),
        ("/users/{user_id}", format!("/users/{user}"), 200),
        ("/users/{user_id}", "/users/user_unknown".to_owned(), 404),
        ("/users/{user_id}/organization_memberships", format!("/users/{user}/organization_memberships"), 200),
        ("/organizations", "/organizations?limit=500".to_owned(), 200),
        (
            "/organizations",
            "/organizations?include_members_count=true\
             &include_missing_member_with_elevated_permissions=true"
                .to_owned(),
            200,
        ),
        ("/organizations", "/organizations?order_by=slug".to_owned(), 422),
        ("/organizations/{organization_id}", format!("/organizations/{organization}?include_members_count=true"), 200),
        ("/organizations/{organization_id}", "/organizations/no-such-slug".to_owned(), 404),
        (
            "/organizations/{organization_id}/memberships",
            format!("/organizations/{organization}/memberships?limit=500"),
            200,
        ),
        (
            "/organizations/{organization_id}/memberships",
            format!("/organizations/{organization}/memberships?limit=501"),
            422,
        ),
        ("/organization_memberships", "/organization_memberships?limit=500".to_owned(), 200),
        ("/organization_memberships", "/organization_memberships?offset=-1".to_owned(), 422),
    ] {
        let reply = get(&sim, &target);
        assert_eq!(reply.status, status, "{target}: {}", reply.body);
        assert_eq!(reply.header("content-type"), Some("application/json"));
        checker.check(path, status, &reply.json());
    }
    let mut wrong = get(&sim, "/users").json();
    wrong[0]["created_at"] = json!("yesterday");
    assert_eq!(checker.errors("/users", 200, &wrong).len(), 1, "the check has teeth");

    let reply = request(&sim, "GET", "/v1/users", "", "").expect("an answer");
    assert_eq!(reply.status, 401);
    checker.check("/users", 401, &reply.json());
}

#[test]
fn what_tests_create_is_as_described() {
    let Some(description) = description() else {
        return;
    };
    let checker = Checker::new(description);
    let sim = start(0, 0, 0);
    let user = sim
        .create_user(json!({
            "first_name": "Ada",
            "email_address": ["ada@example.com", "lovelace@example.com"],
            "phone_number": "+12015550123",
            "web3_wallet": "0x00",
        }))
        .expect("a user");
    let organization = sim.create_organization(json!({ "name": "Engines" })).expect("an organization");
    sim.create_membership(&user, &organization, json!({ "role": "org:admin" })).expect("a membership");
    for path in ["/users", "/organizations", "/organization_memberships"] {
        let reply = get(&sim, path);
        assert_eq!(reply.objects().len(), 1);
        checker.check(path, 200, &reply.json());
    }
    let email = encode("ADA@example.com");
    assert_eq!(get(&sim, &format!("/users?email_address={email}")).ids(), [user]);
    assert_eq!(id(&get(&sim, "/organization_memberships").objects()[0]["organization"]), organization);
}

#[test]
fn every_documented_parameter_is_known() {
    let Some(description) = description() else {
        return;
    };
    for endpoint in ENDPOINTS {
        let get = &description["paths"][endpoint.path]["get"];
        assert!(get.is_object(), "{} is documented", endpoint.path);
        let parameters = get["parameters"].as_array().map_or(&[][..], Vec::as_slice);
        let documented: BTreeSet<&str> = parameters
            .iter()
            .map(|parameter| resolve(&description, parameter))
            .filter(|parameter| parameter["in"] == "query")
            .filter_map(|parameter| parameter["name"].as_str())
            .collect();
        let known: BTreeSet<&str> = endpoint.parameter_names().collect();
        assert_eq!(known, documented, "{}", endpoint.path);
    }
}
