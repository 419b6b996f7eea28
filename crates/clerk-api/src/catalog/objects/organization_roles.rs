//! Organization roles: what members of organizations can be.

use crate::catalog::FilterOp::{Contains, One};
use crate::catalog::Kind::{Boolean, Json, Text, Time};
use crate::catalog::Source::{Path, Whole};
use crate::catalog::column::{column, narrowing};
use crate::catalog::{Event, KeyColumn, List, Object, SortColumn};

pub(super) const OBJECT: Object = Object {
    name: "organization_roles",
    description: "The roles that members of organizations can have.",
    list: Some(List::by_offset("/organization_roles")),
    key_columns: &[KeyColumn::get("organization_role_id", "/organization_roles/{organization_role_id}")],
    sort_columns: &[SortColumn::BY_CREATION],
    columns: &[
        column("organization_role_id", Text, Path(&["id"]), "The organization role's id.").id().aliases(&["id"]),
        column("name", Text, Path(&["name"]), "The role's name as people read it.")
            .filters(&[narrowing(One { values: &[] }, "query"), narrowing(Contains, "query")]),
        column("key", Text, Path(&["key"]), "The role's key, such as org:admin.")
            .filters(&[narrowing(One { values: &[] }, "query"), narrowing(Contains, "query")]),
        column("description", Text, Path(&["description"]), "What it is for."),
        column(
            "is_creator_eligible",
            Boolean,
            Path(&["is_creator_eligible"]),
            "Whether whoever creates an organization can have it.",
        ),
        column("created_at", Time, Path(&["created_at"]), "When the role was created.").creation_time(),
        column("updated_at", Time, Path(&["updated_at"]), "When it last changed.").update_time(),
        column("permissions", Json, Path(&["permissions"]), "The permissions that the role has."),
        column("attrs", Json, Whole, "The whole object exactly as Clerk sent it.").private(),
    ],
    events: &[Event::upsert("role.created"), Event::upsert("role.updated"), Event::delete("role.deleted")],
    ..Object::BLANK
};
