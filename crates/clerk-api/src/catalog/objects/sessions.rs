//! Sessions: where users are signed in, listed by user or by client.

use crate::catalog::FilterOp::One;
use crate::catalog::Kind::{Json, Text, Time};
use crate::catalog::Source::Member;
use crate::catalog::column::{attrs, column, member, narrowing};
use crate::catalog::write::{TEXT, field};
use crate::catalog::{Event, Filter, KeyColumn, List, Mirroring, Object, Update, Write, Writes};

/// The statuses that Clerk can be asked for. A session can also be pending, so the list of them is not complete.
const STATUS: &[(&str, Filter)] = &[("status", narrowing(One { values: STATUSES }, "status"))];
const STATUSES: &[&str] = &["abandoned", "active", "ended", "expired", "removed", "replaced", "revoked"];

/// Revokes a session, which Clerk keeps.
const REVOKE: Write = Write::act("/sessions/{session_id}/revoke");

const WRITES: Writes = Writes {
    insert: Some(Write::post(
        "/sessions",
        &[field("user_id", TEXT).required(), field("active_organization_id", TEXT).from("last_active_organization_id")],
    )),
    updates: &[Update::Action { column: "status", value: "\"revoked\"", write: REVOKE }],
    delete: Some(REVOKE),
    ..Writes::NONE
};

pub(super) const OBJECT: Object = Object {
    name: "sessions",
    description: "The sessions of users. Clerk lists them by user or by client.",
    key_columns: &[
        KeyColumn::get("session_id", "/sessions/{session_id}"),
        KeyColumn::list("user_id", List::bare("/sessions?user_id={user_id}")).filters(STATUS),
        KeyColumn::list("client_id", List::bare("/sessions?client_id={client_id}")).filters(STATUS),
    ],
    columns: &[
        column("session_id", Text, Member("id"), "The session's id.").id().aliases(&["id"]),
        member("user_id", Text, "The user's id.").parent("users"),
        member("client_id", Text, "The id of the client: a browser or an app."),
        member("status", Text, "active, pending, revoked, ended, expired, removed, abandoned or replaced."),
        member("last_active_organization_id", Text, "The id of the organization that was last active in the session."),
        member("last_active_at", Time, "When the session was last active."),
        member("expire_at", Time, "When the session expires."),
        member("abandon_at", Time, "When the session counts as abandoned."),
        member("created_at", Time, "When the user signed in.").creation_time(),
        member("updated_at", Time, "When it last changed.").update_time(),
        member("actor", Json, "Who acts in the name of the user, if somebody does."),
        member("latest_activity", Json, "The device, browser and place of the last activity."),
        member("tasks", Json, "What the user has to do before the session becomes active."),
        attrs(),
    ],
    writes: WRITES,
    events: &[
        Event::upsert("session.created"),
        Event::upsert("session.pending"),
        Event::upsert("session.ended"),
        Event::upsert("session.removed"),
        Event::upsert("session.revoked"),
    ],
    mirroring: Mirroring::Never,
    ..Object::BLANK
};
