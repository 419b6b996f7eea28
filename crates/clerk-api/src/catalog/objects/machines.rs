//! Machines: services of the application that talk to each other.

use crate::catalog::FilterOp::{Contains, One};
use crate::catalog::Kind::{Integer, Json, Text, Time};
use crate::catalog::Source::{Path, Whole};
use crate::catalog::column::{column, narrowing};
use crate::catalog::{KeyColumn, List, Object, SortColumn};

pub(super) const OBJECT: Object = Object {
    name: "machines",
    description: "The machines of the application.",
    list: Some(List::by_offset("/machines")),
    key_columns: &[KeyColumn::get("machine_id", "/machines/{machine_id}")],
    sort_columns: &[SortColumn::BY_CREATION],
    columns: &[
        column("machine_id", Text, Path(&["id"]), "The machine's id.").id().aliases(&["id"]),
        column("name", Text, Path(&["name"]), "The name.")
            .filters(&[narrowing(One { values: &[] }, "query"), narrowing(Contains, "query")]),
        column(
            "default_token_ttl",
            Integer,
            Path(&["default_token_ttl"]),
            "How long the machine's tokens are valid unless they say otherwise, in seconds.",
        ),
        column("instance_id", Text, Path(&["instance_id"]), "The id of the Clerk instance."),
        column("created_at", Time, Path(&["created_at"]), "When the machine was created.").creation_time(),
        column("updated_at", Time, Path(&["updated_at"]), "When it last changed.").update_time(),
        column("scoped_machines", Json, Path(&["scoped_machines"]), "The machines that it may talk to."),
        column("attrs", Json, Whole, "The whole object exactly as Clerk sent it.").private(),
    ],
    ..Object::BLANK
};
