//! Organization permissions: what roles allow.

use crate::catalog::FilterOp::{Contains, One};
use crate::catalog::Kind::{Json, Text, Time};
use crate::catalog::Source::{Path, Whole};
use crate::catalog::column::{column, narrowing};
use crate::catalog::{Event, KeyColumn, List, Object, SortColumn};

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
        column("organization_permission_id", Text, Path(&["id"]), "The organization permission's id.")
            .id()
            .aliases(&["id"]),
        column("name", Text, Path(&["name"]), "The permission's name as people read it.")
            .filters(&[narrowing(One { values: &[] }, "query"), narrowing(Contains, "query")]),
        column("key", Text, Path(&["key"]), "The permission's key, such as org:sys_profile:manage.")
            .filters(&[narrowing(One { values: &[] }, "query"), narrowing(Contains, "query")]),
        column("description", Text, Path(&["description"]), "What it is for."),
        column("type", Text, Path(&["type"]), "system for those of Clerk itself, user for those of the application."),
        column("created_at", Time, Path(&["created_at"]), "When the permission was created.").creation_time(),
        column("updated_at", Time, Path(&["updated_at"]), "When it last changed.").update_time(),
        column("attrs", Json, Whole, "The whole object exactly as Clerk sent it.").private(),
    ],
    events: &[
        Event::upsert("permission.created"),
        Event::upsert("permission.updated"),
        Event::delete("permission.deleted"),
    ],
    ..Object::BLANK
};
