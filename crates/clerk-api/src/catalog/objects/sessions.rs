//! Sessions: where users are signed in, listed by user or by client.

use crate::catalog::FilterOp::One;
use crate::catalog::Kind::{Json, Text, Time};
use crate::catalog::Source::{Path, Whole};
use crate::catalog::column::{column, narrowing};
use crate::catalog::{Event, Filter, KeyColumn, List, Mirroring, Object};

/// The statuses that Clerk can be asked for. A session can also be pending, so the list of them is not complete.
const STATUS: &[(&str, Filter)] = &[("status", narrowing(One { values: STATUSES }, "status"))];
const STATUSES: &[&str] = &["abandoned", "active", "ended", "expired", "removed", "replaced", "revoked"];

pub(super) const OBJECT: Object = Object {
    name: "sessions",
    description: "The sessions of users. Clerk lists them by user or by client.",
    key_columns: &[
        KeyColumn::get("session_id", "/sessions/{session_id}"),
        KeyColumn::list("user_id", List::bare("/sessions?user_id={user_id}")).filters(STATUS),
        KeyColumn::list("client_id", List::bare("/sessions?client_id={client_id}")).filters(STATUS),
    ],
    columns: &[
        column("session_id", Text, Path(&["id"]), "The session's id.").id().aliases(&["id"]),
        column("user_id", Text, Path(&["user_id"]), "The user's id.").parent("users"),
        column("client_id", Text, Path(&["client_id"]), "The id of the client: a browser or an app."),
        column(
            "status",
            Text,
            Path(&["status"]),
            "active, pending, revoked, ended, expired, removed, abandoned or replaced.",
        ),
        column(
            "last_active_organization_id",
            Text,
            Path(&["last_active_organization_id"]),
            "The id of the organization that was last active in the session.",
        ),
        column("last_active_at", Time, Path(&["last_active_at"]), "When the session was last active."),
        column("expire_at", Time, Path(&["expire_at"]), "When the session expires."),
        column("abandon_at", Time, Path(&["abandon_at"]), "When the session counts as abandoned."),
        column("created_at", Time, Path(&["created_at"]), "When the user signed in.").creation_time(),
        column("updated_at", Time, Path(&["updated_at"]), "When it last changed.").update_time(),
        column("actor", Json, Path(&["actor"]), "Who acts in the name of the user, if somebody does."),
        column(
            "latest_activity",
            Json,
            Path(&["latest_activity"]),
            "The device, browser and place of the last activity.",
        ),
        column("tasks", Json, Path(&["tasks"]), "What the user has to do before the session becomes active."),
        column("attrs", Json, Whole, "The whole object exactly as Clerk sent it.").private(),
    ],
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
