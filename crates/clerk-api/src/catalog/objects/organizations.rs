//! Organizations: the groups that users belong to.

use crate::catalog::FilterOp::{Contains, Equal};
use crate::catalog::Kind::{Boolean, Integer, Json, Text, Time};
use crate::catalog::Source::{Path, Whole};
use crate::catalog::column::{column, exact, narrowing};
use crate::catalog::{Access, Event, KeyColumn, List, Mirroring, Object, SortColumn};

pub(super) const OBJECT: Object = Object {
    name: "organizations",
    description: "The organizations of the Clerk instance.",
    list: Some(List::by_offset("/organizations")),
    key_columns: &[
        KeyColumn::get("organization_id", "/organizations/{organization_id}"),
        KeyColumn::get("slug", "/organizations/{slug}"),
    ],
    sort_columns: &[
        SortColumn::BY_CREATION,
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
        column(
            "pending_invitations_count",
            Integer,
            Path(&["pending_invitations_count"]),
            "How many invitations are pending; Clerk counts them only for queries that use this column.",
        )
        .extra_param("include_members_count", "true"),
        column(
            "missing_member_with_elevated_permissions",
            Boolean,
            Path(&["missing_member_with_elevated_permissions"]),
            "Whether no member can manage it; Clerk finds out only for queries that use this column.",
        )
        .extra_param("include_missing_member_with_elevated_permissions", "true"),
        column("admin_delete_enabled", Boolean, Path(&["admin_delete_enabled"]), "Whether its admins may delete it."),
        column("role_set_key", Text, Path(&["role_set_key"]), "The key of its role set."),
        column("image_url", Text, Path(&["image_url"]), "The address of the logo.").shared(),
        column("has_image", Boolean, Path(&["has_image"]), "Whether it has a logo of its own.").shared(),
        column("created_at", Time, Path(&["created_at"]), "When the organization was created.")
            .creation_time()
            .shared(),
        column("updated_at", Time, Path(&["updated_at"]), "When the organization last changed.").update_time().shared(),
        column("last_active_at", Time, Path(&["last_active_at"]), "When it was last active."),
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
    ..Object::BLANK
};
