//! Machines: services of the application that talk to each other.

use crate::catalog::FilterOp::{Contains, One};
use crate::catalog::Kind::{Integer, Json, Text, Time};
use crate::catalog::Source::Member;
use crate::catalog::column::{attrs, column, member, narrowing};
use crate::catalog::write::{TEXT, field};
use crate::catalog::{FieldKind, KeyColumn, List, Object, SortColumn, Update, Write, Writes};

const NAME: FieldKind = FieldKind::Text { min: 1, max: 255 };

/// How many seconds a token may be valid.
const TTL: FieldKind = FieldKind::Integer { min: 1, max: 315_360_000 };

const WRITES: Writes = Writes {
    insert: Some(
        Write::post(
            "/machines",
            &[
                field("name", NAME).required(),
                field("scoped_machines", FieldKind::List { of: &TEXT, min: 0, max: 150 }),
                field("default_token_ttl", TTL),
            ],
        )
        .shown_once(&["secret_key"]),
    ),
    updates: &[Update::Fields(Write::patch(
        "/machines/{machine_id}",
        &[field("name", NAME), field("default_token_ttl", TTL)],
    ))],
    delete: Some(Write::delete("/machines/{machine_id}")),
    ..Writes::NONE
};

pub(super) const OBJECT: Object = Object {
    name: "machines",
    description: "The machines of the application.",
    list: Some(List::by_offset("/machines")),
    key_columns: &[KeyColumn::get("machine_id", "/machines/{machine_id}")],
    sort_columns: &[SortColumn::BY_CREATION],
    columns: &[
        column("machine_id", Text, Member("id"), "The machine's id.").id().aliases(&["id"]),
        member("name", Text, "The name.")
            .filters(&[narrowing(One { values: &[] }, "query"), narrowing(Contains, "query")]),
        member(
            "default_token_ttl",
            Integer,
            "How long the machine's tokens are valid unless they say otherwise, in seconds.",
        ),
        member("instance_id", Text, "The id of the Clerk instance."),
        member("created_at", Time, "When the machine was created.").creation_time(),
        member("updated_at", Time, "When it last changed.").update_time(),
        member("scoped_machines", Json, "The machines that it may talk to."),
        attrs(),
    ],
    writes: WRITES,
    ..Object::BLANK
};
