//! Organization roles: what members of organizations can be.

use crate::catalog::FilterOp::{Contains, One};
use crate::catalog::Kind::{Boolean, Json, Text, Time};
use crate::catalog::Source::Member;
use crate::catalog::column::{attrs, column, member, narrowing};
use crate::catalog::write::{TEXT, TEXTS, field};
use crate::catalog::{Event, FieldKind, KeyColumn, List, Object, SortColumn, Update, Write, Writes};

const WRITES: Writes = Writes {
    insert: Some(Write::post(
        "/organization_roles",
        &[
            field("name", TEXT).required(),
            field("key", TEXT).required(),
            field("description", TEXT).nullable(),
            field("permissions", TEXTS).nullable(),
            field("include_in_initial_role_set", FieldKind::Boolean).nullable(),
        ],
    )),
    updates: &[Update::Fields(Write::patch(
        "/organization_roles/{organization_role_id}",
        &[
            field("name", TEXT).nullable(),
            field("key", TEXT).nullable(),
            field("description", TEXT).nullable(),
            field("permissions", TEXTS).nullable(),
        ],
    ))],
    delete: Some(Write::delete("/organization_roles/{organization_role_id}")),
    unique: &[&["key"]],
    ..Writes::NONE
};

pub(super) const OBJECT: Object = Object {
    name: "organization_roles",
    description: "The roles that members of organizations can have.",
    list: Some(List::by_offset("/organization_roles")),
    key_columns: &[KeyColumn::get("organization_role_id", "/organization_roles/{organization_role_id}")],
    sort_columns: &[SortColumn::BY_CREATION],
    columns: &[
        column("organization_role_id", Text, Member("id"), "The organization role's id.").id().aliases(&["id"]),
        member("name", Text, "The role's name as people read it.")
            .filters(&[narrowing(One { values: &[] }, "query"), narrowing(Contains, "query")]),
        member("key", Text, "The role's key, such as org:admin.")
            .filters(&[narrowing(One { values: &[] }, "query"), narrowing(Contains, "query")]),
        member("description", Text, "What it is for."),
        member("is_creator_eligible", Boolean, "Whether whoever creates an organization can have it."),
        member("created_at", Time, "When the role was created.").creation_time(),
        member("updated_at", Time, "When it last changed.").update_time(),
        member("permissions", Json, "The permissions that the role has."),
        attrs(),
    ],
    writes: WRITES,
    events: &[Event::upsert("role.created"), Event::upsert("role.updated"), Event::delete("role.deleted")],
    ..Object::BLANK
};
