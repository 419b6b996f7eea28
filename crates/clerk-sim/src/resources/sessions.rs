//! The sessions of users.

use fake::rand::SeedableRng;
use fake::rand::rngs::StdRng;
use serde_json::{Value, json};

use super::kind::{Amount, Change, Kind};
use super::maker::{Maker, hash};
use super::route::{Route, Shape};
use crate::endpoint::Condition::Is;
use crate::endpoint::ParameterKind::{Boolean, Choice, RequiredWithout};
use crate::endpoint::{Endpoint, PAGE, filter, parameter};
use crate::entry::Entry;
use crate::generate::id;
use crate::object::Fields;
use crate::state::State;

pub(super) const KINDS: &[Kind] = &[Kind {
    name: "sessions",
    noun: "session",
    hidden: &[],
    owners: &["user_id"],
    amount: Amount::Many,
    make: session,
    event: session_event,
    event_data: session_data,
}];

/// The statuses that sessions are filtered by. Clerk does not document that `pending` is one of them.
const STATUSES: &[&str] = &["active", "abandoned", "ended", "expired", "removed", "replaced", "revoked"];

pub(super) const ROUTES: &[Route] = &[
    Route::list(
        "sessions",
        Endpoint {
            path: "/sessions",
            parameters: &[
                &[
                    filter("client_id", RequiredWithout("user_id"), Is("client_id")),
                    filter("user_id", RequiredWithout("client_id"), Is("user_id")),
                    filter("status", Choice(STATUSES), Is("status")),
                    parameter("paginated", Boolean),
                ],
                PAGE,
            ],
        },
        Shape::Bare,
    ),
    Route::one("sessions", "/sessions/{session_id}"),
];

fn session(maker: &mut Maker) -> Option<Value> {
    let user = maker.user("user_id")?;
    maker.not_before(user.created_at);
    let session_id = maker.id("sess_");
    // All sessions of a user are in the same browser, so that clients have several sessions as well.
    let client = id::new("client_", &mut StdRng::seed_from_u64(hash(&user.id)), user.created_at);
    let status =
        maker.turn(&["active", "ended", "active", "expired", "removed", "pending", "abandoned", "replaced", "revoked"]);
    let mut memberships: Vec<&str> =
        maker.state.memberships_of(&user.id).map(|membership| membership.organization_id.as_str()).collect();
    memberships.sort_unstable();
    let activity_id = maker.id("sess_activity_");
    let mut activity = json!({
        "object": "session_activity",
        "id": activity_id,
        "device_type": maker.turn(&["Macintosh", "iPhone", "Windows", "Android"]),
        "is_mobile": maker.index % 2 == 1,
        "browser_name": "Firefox",
        "browser_version": "144.0",
        "ip_address": "192.0.2.17",
        "city": maker.turn(&["Zürich", "São Paulo", "東京", "Paris"]),
        "country": maker.turn(&["CH", "BR", "JP", "FR"]),
    });
    maker.thin(&mut activity, &["device_type", "browser_name", "browser_version", "city", "country"], &[]);
    let actor = if maker.chance(0.15) { json!({ "sub": "user_support", "iss": "dashboard" }) } else { Value::Null };
    let tasks = if status == "pending" { json!([{ "key": "choose-organization" }]) } else { Value::Null };
    let latest = maker.days(7);
    let mut session = json!({
        "object": "session",
        "id": session_id,
        "user_id": user.id,
        "client_id": client,
        "actor": actor,
        "status": status,
        "last_active_organization_id": memberships.first(),
        "last_active_at": maker.later(latest),
        "latest_activity": activity,
        "expire_at": latest,
        "abandon_at": maker.days(30),
        "created_at": maker.at,
        "updated_at": maker.later(latest),
        "tasks": tasks,
    });
    maker.thin(&mut session, &["actor", "last_active_organization_id", "latest_activity"], &["latest_activity"]);
    if status != "pending" {
        maker.thin(&mut session, &["tasks"], &[]);
    }
    Some(session)
}

fn session_event(change: &Change) -> Option<&'static str> {
    match change.new_status() {
        Some("ended") => Some("session.ended"),
        Some("removed") => Some("session.removed"),
        Some("revoked") => Some("session.revoked"),
        Some("pending") => Some("session.pending"),
        Some(_) if change.old.is_none() => Some("session.created"),
        _ => None,
    }
}

/// The session without its tasks, which events do not have, and its user. The user is inserted as text, because a
/// `Value` cannot represent all of it.
fn session_data(state: &State, entry: &Entry, _: &str) -> serde_json::Result<String> {
    let mut fields: Fields = serde_json::from_str(&entry.json)?;
    fields.shift_remove("tasks");
    if let Some(user) = state.users.get(entry.text("user_id")) {
        fields.insert("user".to_owned(), serde_json::from_str(&user.json)?);
    }
    serde_json::to_string(&fields)
}
