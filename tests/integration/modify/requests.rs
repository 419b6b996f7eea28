//! What is sent to Clerk for each write of each object. The simulator judges it: every statement succeeds there.

use std::collections::{BTreeMap, BTreeSet};

use clerk_api::catalog::{OBJECTS, Update};
use clerk_api::write::Operation;
use clerk_sim::Config;
use serde_json::json;

use super::cases::cases;
use crate::support::*;

/// Every operation that an object allows makes exactly the requests that it needs.
#[test]
fn every_write() {
    let world = writable(Config { keys: vec!["sk_test_simulator".to_owned()], ..some_of_everything() });
    create_parts(&world);
    let mut ids: BTreeMap<&str, String> = BTreeMap::new();
    let mut wrong = Vec::new();
    let mut done: BTreeSet<(&str, &str)> = BTreeSet::new();
    let mut used: BTreeSet<(String, String)> = BTreeSet::new();
    for case in cases() {
        for (statement, expected) in case.statements {
            let sql = filled(statement, &ids);
            world.requests();
            let rows = match world.client().query(&sql, &[]) {
                Ok(rows) => rows,
                Err(error) => {
                    wrong.push(format!("{sql}: {:?}", error.as_db_error().map(error_text)));
                    continue;
                }
            };
            let requests = with_sorted_reads(lines(&world));
            if let Some(row) = rows.first() {
                ids.insert(case.object, row.get(0));
            }
            let verb = statement.split(' ').next().unwrap_or_default();
            if !["INSERT", "UPDATE", "DELETE"].contains(&verb) {
                continue;
            }
            // What is only there once it was made can be named too.
            let expected: Vec<String> = expected.iter().map(|request| filled(request, &ids)).collect();
            if requests != expected {
                let mut requests = requests.clone();
                for (name, id) in &ids {
                    requests
                        .iter_mut()
                        .for_each(|request| *request = request.replace(id.as_str(), &format!("{{{name}}}")));
                }
                wrong.push(format!(
                    "{statement}\n{}",
                    requests.iter().map(|r| format!("                r#\"{r}\"#,\n")).collect::<String>()
                ));
            }
            done.insert((case.object, verb));
            for request in &requests {
                let mut words = request.split(' ');
                used.insert((words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for object in OBJECTS {
        for operation in Operation::of(object) {
            assert!(
                done.contains(&(object.name, operation.name())),
                "{} of {} has no case",
                operation.name(),
                object.name
            );
        }
        // Each of the endpoints behind an UPDATE as well.
        for update in object.writes.updates {
            let path = update.write().path;
            let is_used = used.iter().any(|(method, used)| method == update.write().method.name() && is_of(path, used));
            let what = match update {
                Update::Action { column, value, .. } => format!("{column} = {value}"),
                _ => String::new(),
            };
            assert!(is_used, "{path} {what} of {} has no case", object.name);
        }
    }
}

/// A text with the ids of objects in the place of their names in braces.
fn filled(text: &str, ids: &BTreeMap<&str, String>) -> String {
    ids.iter().fold(text.to_owned(), |text, (name, id)| text.replace(&format!("{{{name}}}"), id))
}

/// What is read is read in any order where several lists are.
fn with_sorted_reads(mut requests: Vec<String>) -> Vec<String> {
    requests.chunk_by_mut(|one, other| one.starts_with("GET ") && other.starts_with("GET ")).for_each(<[String]>::sort);
    requests
}

/// Whether a request to a target is one to an endpoint.
fn is_of(path: &str, target: &str) -> bool {
    let (path, target): (Vec<&str>, Vec<&str>) = (path.split('/').collect(), target.split('/').collect());
    path.len() == target.len() && path.iter().zip(&target).all(|(part, given)| part.starts_with('{') || part == given)
}

/// A user with something of every kind that cannot be added by API.
fn create_parts(world: &World) {
    let verification = json!({"status": "verified", "strategy": "oauth_google"});
    let user = json!({
        "id": "user_parts",
        "web3_wallet": ["0x0123"],
        "external_accounts": [{"object": "google_account", "id": "eac_parts", "provider": "google",
            "provider_user_id": "parts", "identification_id": "idn_google_parts", "approved_scopes": "email",
            "email_address": "parts@example.com", "first_name": "", "last_name": "", "avatar_url": "",
            "public_metadata": {}, "verification": verification, "created_at": 1_700_000_000_000_i64,
            "updated_at": 1_700_000_000_000_i64}],
        "passkeys": [{"object": "passkey", "id": "idn_passkey_parts", "name": "key", "last_used_at": 1_700_000_000_000_i64,
            "verification": verification}],
    });
    world.sim.create_user(user).unwrap();
}
