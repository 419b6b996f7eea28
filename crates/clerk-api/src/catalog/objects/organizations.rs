//! Organizations: the groups that users belong to.

use crate::catalog::FilterOp::{Contains, Equal};
use crate::catalog::Kind::{Integer, Json, Text, Time};
use crate::catalog::Source::{Path, Whole};
use crate::catalog::column::{column, exact, narrowing};
use crate::catalog::{Access, Event, KeyColumn, List, Lookup, Mirroring, Object, Paging, SortColumn};

pub(super) const OBJECT: Object = Object {
    name: "organizations",
    description: "The organizations of the Clerk instance.",
    list: Some(List { path: "/organizations", paging: Paging::Offset }),
    key_columns: &[
        KeyColumn {
            column: "organization_id",
            path: "/organizations/{organization_id}",
            lookup: Lookup::Get,
            filters: &[],
        },
        KeyColumn { column: "slug", path: "/organizations/{slug}", lookup: Lookup::Get, filters: &[] },
    ],
    sort_columns: &[
        SortColumn { column: "created_at", parameter: "created_at", is_stable: true },
        SortColumn { column: "members_count", parameter: "members_count", is_stable: false },
    ],
    columns: &[
        column("organization_id", Text, Path(&["id"]), "The organization's id, which begins with org_.")
            .id()
            .shared()
            .filters(&[exact(Equal { has_prefix: true }, "organization_id")])
            .aliases(&["id"]),
        column("name", Text, Path(&["name"]), "The name.").shared().filters(&[narrowing(Contains, "query")]),
        column("slug", Text, Path(&["slug"]), "The name's form in addresses, unique in the instance.")
            .shared()
            .filters(&[narrowing(Contains, "query")]),
        column("created_by", Text, Path(&["created_by"]), "The id of the user who created it.").shared(),
        column(
            "members_count",
            Integer,
            Path(&["members_count"]),
            "How many members it has; Clerk counts them only for queries that use this column.",
        )
        .shared()
        .extra_param("include_members_count", "true"),
        column(
            "max_allowed_memberships",
            Integer,
            Path(&["max_allowed_memberships"]),
            "How many members it may have; 0 means any number.",
        )
        .shared(),
        column("image_url", Text, Path(&["image_url"]), "The address of the logo.").shared(),
        column("created_at", Time, Path(&["created_at"]), "When the organization was created.")
            .creation_time()
            .shared(),
        column("updated_at", Time, Path(&["updated_at"]), "When the organization last changed.").update_time().shared(),
        column("public_metadata", Json, Path(&["public_metadata"]), "Metadata that the frontend may read.").shared(),
        column("private_metadata", Json, Path(&["private_metadata"]), "Metadata for the backend alone.").private(),
        column("attrs", Json, Whole, "The whole object exactly as Clerk sent it.").private(),
    ],
    events: &[
        Event::upsert("organization.created"),
        Event::upsert("organization.updated"),
        Event::delete("organization.deleted"),
    ],
    access: Access::Organization,
    mirroring: Mirroring::ByDefault,
};
