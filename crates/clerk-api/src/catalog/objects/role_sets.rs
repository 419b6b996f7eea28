//! Role sets: which roles an organization can give to its members.

use crate::catalog::FilterOp::{Contains, One};
use crate::catalog::Kind::{Json, Text, Time};
use crate::catalog::Source::{Path, Whole};
use crate::catalog::column::{column, narrowing};
use crate::catalog::{KeyColumn, List, Object, SortColumn};

pub(super) const OBJECT: Object = Object {
    name: "role_sets",
    description: "The sets of roles that organizations can use.",
    list: Some(List::by_offset("/role_sets")),
    key_columns: &[
        KeyColumn::get("role_set_id", "/role_sets/{role_set_id}"),
        KeyColumn::get("key", "/role_sets/{key}"),
    ],
    sort_columns: &[SortColumn::BY_CREATION],
    columns: &[
        column("role_set_id", Text, Path(&["id"]), "The role set's id.").id().aliases(&["id"]),
        column("name", Text, Path(&["name"]), "The role set's name as people read it.")
            .filters(&[narrowing(One { values: &[] }, "query"), narrowing(Contains, "query")]),
        column("key", Text, Path(&["key"]), "The role set's key, such as role_set:default.")
            .filters(&[narrowing(Contains, "query")]),
        column("description", Text, Path(&["description"]), "What it is for."),
        column("type", Text, Path(&["type"]), "initial for the one that Clerk made, else custom."),
        column("created_at", Time, Path(&["created_at"]), "When the role set was created.").creation_time(),
        column("updated_at", Time, Path(&["updated_at"]), "When it last changed.").update_time(),
        column("roles", Json, Path(&["roles"]), "The roles of the set."),
        column("default_role", Json, Path(&["default_role"]), "The role that new members get."),
        column("creator_role", Json, Path(&["creator_role"]), "The role that whoever creates an organization gets."),
        column(
            "role_set_migration",
            Json,
            Path(&["role_set_migration"]),
            "The move to another role set, while one is under way.",
        ),
        column("attrs", Json, Whole, "The whole object exactly as Clerk sent it.").private(),
    ],
    ..Object::BLANK
};
