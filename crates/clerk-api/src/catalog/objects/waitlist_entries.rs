//! Waitlist entries: people who asked to be let in.

use crate::catalog::FilterOp::One;
use crate::catalog::Kind::{Boolean, Json, Text, Time};
use crate::catalog::Source::{Path, Whole};
use crate::catalog::column::{column, exact, narrowing};
use crate::catalog::{Event, List, Object, SortColumn};

/// The statuses that Clerk can be asked for.
const STATUSES: &[&str] = &["pending", "invited", "completed", "rejected"];

pub(super) const OBJECT: Object = Object {
    name: "waitlist_entries",
    description: "The people on the waitlist.",
    list: Some(List::by_offset("/waitlist_entries")),
    sort_columns: &[SortColumn::BY_CREATION],
    columns: &[
        column("waitlist_entry_id", Text, Path(&["id"]), "The waitlist entry's id.").id().aliases(&["id"]),
        column("email_address", Text, Path(&["email_address"]), "The address that asked.")
            .filters(&[narrowing(One { values: &[] }, "query")]),
        column("status", Text, Path(&["status"]), "pending, invited, rejected or completed.")
            .filters(&[exact(One { values: STATUSES }, "status")]),
        column(
            "is_locked",
            Boolean,
            Path(&["is_locked"]),
            "Whether the entry is part of a bulk action that is under way.",
        ),
        column("created_at", Time, Path(&["created_at"]), "When the person joined the waitlist.").creation_time(),
        column("updated_at", Time, Path(&["updated_at"]), "When it last changed.").update_time(),
        column("invitation", Json, Path(&["invitation"]), "The invitation that was sent.").private(),
        column("attrs", Json, Whole, "The whole object exactly as Clerk sent it.").private(),
    ],
    events: &[Event::upsert("waitlistEntry.created"), Event::upsert("waitlistEntry.updated")],
    ..Object::BLANK
};
