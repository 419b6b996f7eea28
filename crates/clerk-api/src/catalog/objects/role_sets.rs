//! Role sets: which roles an organization can give to its members.

use crate::catalog::FilterOp::{Contains, One};
use crate::catalog::Kind::{Json, Text, Time};
use crate::catalog::Source::Member;
use crate::catalog::column::{attrs, column, member, narrowing};
use crate::catalog::write::{TEXT, TEXTS, field};
use crate::catalog::{FieldKind, KeyColumn, List, Object, SortColumn, Update, Write, Writes};

const WRITES: Writes = Writes {
    insert: Some(Write::post(
        "/role_sets",
        &[
            field("name", TEXT).required(),
            field("key", TEXT),
            field("description", TEXT).nullable(),
            field("default_role_key", TEXT).required(),
            field("creator_role_key", TEXT).required(),
            field("type", FieldKind::Choice(&["initial", "custom"])),
            field("roles", TEXTS).required(),
        ],
    )),
    updates: &[Update::Fields(Write::patch(
        "/role_sets/{role_set_id}",
        &[
            field("name", TEXT).nullable(),
            field("key", TEXT).nullable(),
            field("description", TEXT).nullable(),
            field("type", FieldKind::Choice(&["initial"])).nullable(),
            field("default_role_key", TEXT).nullable(),
            field("creator_role_key", TEXT).nullable(),
        ],
    ))],
    unique: &[&["key"]],
    ..Writes::NONE
};

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
        column("role_set_id", Text, Member("id"), "The role set's id.").id().aliases(&["id"]),
        member("name", Text, "The role set's name as people read it.")
            .filters(&[narrowing(One { values: &[] }, "query"), narrowing(Contains, "query")]),
        member("key", Text, "The role set's key, such as role_set:default.").filters(&[narrowing(Contains, "query")]),
        member("description", Text, "What it is for."),
        member("type", Text, "initial for the one that Clerk made, else custom."),
        member("created_at", Time, "When the role set was created.").creation_time(),
        member("updated_at", Time, "When it last changed.").update_time(),
        member("roles", Json, "The roles of the set."),
        member("default_role", Json, "The role that new members get."),
        member("creator_role", Json, "The role that whoever creates an organization gets."),
        member("role_set_migration", Json, "The move to another role set, while one is under way."),
        attrs(),
    ],
    writes: WRITES,
    ..Object::BLANK
};
