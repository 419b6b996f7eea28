//! Organization permissions: what roles allow.

use crate::catalog::FilterOp::{Contains, One};
use crate::catalog::Kind::{Text, Time};
use crate::catalog::Source::Member;
use crate::catalog::column::{attrs, column, member, narrowing};
use crate::catalog::write::{TEXT, field};
use crate::catalog::{Event, KeyColumn, List, Object, SortColumn, Update, Write, Writes};

const WRITES: Writes = Writes {
    insert: Some(Write::post(
        "/organization_permissions",
        &[field("name", TEXT).required(), field("key", TEXT).required(), field("description", TEXT)],
    )),
    updates: &[Update::Fields(Write::patch(
        "/organization_permissions/{organization_permission_id}",
        &[field("name", TEXT), field("key", TEXT), field("description", TEXT)],
    ))],
    delete: Some(Write::delete("/organization_permissions/{organization_permission_id}")),
    unique: &[&["key"]],
    ..Writes::NONE
};

pub(super) const OBJECT: Object = Object {
    name: "organization_permissions",
    description: "The permissions that roles can have.",
    list: Some(List::by_offset("/organization_permissions")),
    key_columns: &[KeyColumn::get(
        "organization_permission_id",
        "/organization_permissions/{organization_permission_id}",
    )],
    sort_columns: &[SortColumn::BY_CREATION],
    columns: &[
        column("organization_permission_id", Text, Member("id"), "The organization permission's id.")
            .id()
            .aliases(&["id"]),
        member("name", Text, "The permission's name as people read it.")
            .filters(&[narrowing(One { values: &[] }, "query"), narrowing(Contains, "query")]),
        member("key", Text, "The permission's key, such as org:sys_profile:manage.")
            .filters(&[narrowing(One { values: &[] }, "query"), narrowing(Contains, "query")]),
        member("description", Text, "What it is for."),
        member("type", Text, "system for those of Clerk itself, user for those of the application."),
        member("created_at", Time, "When the permission was created.").creation_time(),
        member("updated_at", Time, "When it last changed.").update_time(),
        attrs(),
    ],
    writes: WRITES,
    events: &[
        Event::upsert("permission.created"),
        Event::upsert("permission.updated"),
        Event::delete("permission.deleted"),
    ],
    ..Object::BLANK
};
