//! Waitlist entries: people who asked to be let in.

use crate::catalog::FilterOp::One;
use crate::catalog::Kind::{Boolean, Json, Text, Time};
use crate::catalog::Source::Member;
use crate::catalog::column::{attrs, column, exact, member, narrowing};
use crate::catalog::write::{TEXT, field};
use crate::catalog::{Bulk, Event, FieldKind, List, Object, SortColumn, Update, Write, Writes};

/// The statuses that Clerk can be asked for.
const STATUSES: &[&str] = &["pending", "invited", "completed", "rejected"];

const WRITES: Writes = Writes {
    insert: Some(Write::post(
        "/waitlist_entries",
        &[field("email_address", TEXT).required(), field("notify", FieldKind::Boolean).nullable()],
    )),
    bulk: Some(Bulk { path: "/waitlist_entries/bulk", max: 50, member: None }),
    updates: &[
        Update::Action {
            column: "status",
            value: "\"invited\"",
            write: Write::act("/waitlist_entries/{waitlist_entry_id}/invite"),
        },
        Update::Action {
            column: "status",
            value: "\"rejected\"",
            write: Write::act("/waitlist_entries/{waitlist_entry_id}/reject"),
        },
    ],
    delete: Some(Write::delete("/waitlist_entries/{waitlist_entry_id}")),
    // Clerk answers with the entry that an address has already, so that inserting it again makes no other.
    unique: &[],
};

pub(super) const OBJECT: Object = Object {
    name: "waitlist_entries",
    description: "The people on the waitlist.",
    list: Some(List::by_offset("/waitlist_entries")),
    sort_columns: &[SortColumn::BY_CREATION],
    columns: &[
        column("waitlist_entry_id", Text, Member("id"), "The waitlist entry's id.").id().aliases(&["id"]),
        member("email_address", Text, "The address that asked.").filters(&[narrowing(One { values: &[] }, "query")]),
        member("status", Text, "pending, invited, rejected or completed.")
            .filters(&[exact(One { values: STATUSES }, "status")]),
        member("is_locked", Boolean, "Whether the entry is part of a bulk action that is under way."),
        member("created_at", Time, "When the person joined the waitlist.").creation_time(),
        member("updated_at", Time, "When it last changed.").update_time(),
        member("invitation", Json, "The invitation that was sent.").private(),
        attrs(),
    ],
    writes: WRITES,
    events: &[Event::upsert("waitlistEntry.created"), Event::upsert("waitlistEntry.updated")],
    ..Object::BLANK
};
