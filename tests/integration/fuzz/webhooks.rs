//! Deliveries of whatever content: what is signed has an outcome and an entry in the log, what is not signed leaves nothing.

use super::{fuzz, user_error};
use crate::support::*;

const SEEDS: &[&str] = &[
    r#"{"type": "user.updated", "object": "event", "timestamp": 4102444800000, "data": {"id": "user_1", "object": "user", "first_name": "Ada", "created_at": 1700000000000, "updated_at": 1700000000001, "email_addresses": [{"id": "idn_1", "email_address": "ada@example.com"}], "primary_email_address_id": "idn_1", "public_metadata": {"a\u0000": "\ud800"}}}"#,
    r#"{"type": "user.deleted", "timestamp": 4102444800000, "data": {"id": "user_1", "deleted": true, "object": "user"}}"#,
    r#"{"type": "organization.created", "data": {"id": "org_1", "name": "Acme", "slug": "acme", "created_at": 1, "updated_at": 9.5}}"#,
    r#"{"type": "organizationMembership.created", "data": {"id": "orgmem_1", "role": "org:admin", "organization": {"id": "org_1"}, "public_user_data": {"user_id": "user_1"}}}"#,
    r#"{"type": "sms.created", "data": {"id": "sms_1"}, "timestamp": -5, "instance_id": null}"#,
];

const WORDS: &[&str] = &[
    "null",
    "true",
    "\"id\":",
    "\"updated_at\":",
    "1e400",
    "\\u0000",
    "\\ud800",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "user_1",
    "9223372036854775808",
];

#[test]
fn signed_and_not() {
    let world = webhook_mirror("soft");
    let mut number = 0;
    fuzz(SEEDS, WORDS, |mutator, body| {
        number += 1;
        let id = format!("msg_{number}");
        let mut delivery = event(&world, "user.created", serde_json::json!({"id": "user_1"}), 1);
        delivery.id = id.clone();
        delivery.body = body.to_owned();
        let [id, mut timestamp, mut signature] =
            delivery.headers(SECRET).map_err(|error| error.to_string())?.map(|header| header.1);
        let mut sent = body.to_owned();
        let is_signed = mutator.random.u32(..4) > 0;
        if !is_signed {
            match mutator.random.u32(..3) {
                0 => sent.push(' '),
                1 => timestamp = mutator.input(),
                _ => signature = mutator.input(),
            }
        }
        let count = "SELECT count(*) FROM clerk_fdw_internal.webhook_event WHERE id = $1";
        let statement = "SELECT clerk_fdw.receive_webhook('m', $1, $2, $3, $4)";
        let result = world.client().query_one(statement, &[&sent, &id, &timestamp, &signature]);
        let logged: i64 = world.rows_of(count, &[&id])[0].get(0);
        match result {
            Ok(_) if !is_signed => Err("it was received without a signature".to_owned()),
            Ok(row) => {
                let outcome: String = row.get(0);
                let query = "SELECT outcome, coalesce(reason, '') FROM clerk_fdw_internal.webhook_event WHERE id = $1";
                let entry = world.rows_of(query, &[&id]);
                let [entry] = &entry[..] else { return Err(format!("{outcome}, with {logged} entries in the log")) };
                let (kept, reason): (String, String) = (entry.get(0), entry.get(1));
                let is_known = ["applied", "stale", "ignored", "failed"].contains(&&*outcome);
                match is_known && kept == outcome && (outcome == "failed") <= !reason.is_empty() {
                    true => Ok(()),
                    false => Err(format!("{outcome}, and the log says {kept}: {reason}")),
                }
            }
            Err(error) => {
                let error = user_error(&error)?;
                let code = error.code().code();
                match logged == 0 && ["22023", "28000", "54000"].contains(&code) && (!is_signed || code == "22023") {
                    true => Ok(()),
                    false => Err(format!("{code}: {}, with {logged} entries in the log", error_text(&error))),
                }
            }
        }
    });
}
