//! Organization roles: what members of organizations can be.

use crate::catalog::FilterOp::{Contains, One};
use crate::catalog::Kind::{Boolean, Json, Text, Time};
use crate::catalog::Source::Member;
use crate::catalog::column::{attrs, column, member, narrowing};
use crate::catalog::{Event, KeyColumn, List, Object, SortColumn};

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
    events: &[Event::upsert("role.created"), Event::upsert("role.updated"), Event::delete("role.deleted")],
    ..Object::BLANK
};
