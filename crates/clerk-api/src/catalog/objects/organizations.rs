//! Organizations: the groups that users belong to.

use crate::catalog::FilterOp::{Contains, Equal};
use crate::catalog::Kind::{Boolean, Integer, Json, Text, Time};
use crate::catalog::Source::Member;
use crate::catalog::column::{attrs, column, exact, member, narrowing};
use crate::catalog::write::{TEXT, field};
use crate::catalog::{
    Access, Event, Field, FieldKind, KeyColumn, List, Mirroring, Object, SortColumn, Update, Write, Writes,
};

/// A limit, of which 0 is none.
const LIMIT: FieldKind = FieldKind::Integer { min: 0, max: i64::MAX };

const WRITES: Writes = Writes {
    insert: Some(Write::post(
        "/organizations",
        &[
            field("name", TEXT).required(),
            field("created_by", TEXT).nullable(),
            field("private_metadata", FieldKind::Object).nullable(),
            field("public_metadata", FieldKind::Object).nullable(),
            field("slug", TEXT).nullable(),
            field("max_allowed_memberships", LIMIT).nullable(),
            field("created_at", FieldKind::Time).nullable(),
            field("role_set_key", TEXT).nullable(),
        ],
    )),
    updates: &[
        Update::Fields(Write::patch(
            "/organizations/{organization_id}",
            &[
                field("name", TEXT).nullable(),
                field("slug", TEXT).nullable(),
                field("max_allowed_memberships", LIMIT).nullable(),
                field("admin_delete_enabled", FieldKind::Boolean).nullable(),
                field("created_at", FieldKind::Time).nullable(),
                field("role_set_key", TEXT).nullable(),
            ],
        )),
        Update::Merge(Write::patch("/organizations/{organization_id}/metadata", METADATA)),
    ],
    delete: Some(Write::delete("/organizations/{organization_id}")),
    unique: &[&["slug"]],
    ..Writes::NONE
};

/// The metadata, whose members are changed one by one.
const METADATA: &[Field] = &[field("public_metadata", FieldKind::Object), field("private_metadata", FieldKind::Object)];

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
        column("organization_id", Text, Member("id"), "The organization's id, which begins with org_.")
            .id()
            .shared()
            .filters(&[exact(Equal { has_prefix: true }, "organization_id")])
            .aliases(&["id"]),
        member("name", Text, "The name.").shared().filters(&[narrowing(Contains, "query")]),
        member("slug", Text, "The name's form in addresses, unique in the instance.")
            .shared()
            .filters(&[narrowing(Contains, "query")]),
        member("created_by", Text, "The id of the user who created it.").shared(),
        member(
            "members_count",
            Integer,
            "How many members it has; Clerk counts them only for queries that use this column.",
        )
        .shared()
        .extra_param("include_members_count", "true"),
        member("max_allowed_memberships", Integer, "How many members it may have; 0 means any number.").shared(),
        member(
            "pending_invitations_count",
            Integer,
            "How many invitations are pending; Clerk counts them only for queries that use this column.",
        )
        .extra_param("include_members_count", "true"),
        member(
            "missing_member_with_elevated_permissions",
            Boolean,
            "Whether no member can manage it; Clerk finds out only for queries that use this column.",
        )
        .extra_param("include_missing_member_with_elevated_permissions", "true"),
        member("admin_delete_enabled", Boolean, "Whether its admins may delete it."),
        member("role_set_key", Text, "The key of its role set."),
        member("image_url", Text, "The address of the logo.").shared(),
        member("has_image", Boolean, "Whether it has a logo of its own.").shared(),
        member("created_at", Time, "When the organization was created.").creation_time().shared(),
        member("updated_at", Time, "When the organization last changed.").update_time().shared(),
        member("last_active_at", Time, "When it was last active."),
        member("public_metadata", Json, "Metadata that the frontend may read.").shared(),
        member("private_metadata", Json, "Metadata for the backend alone.").private(),
        attrs(),
    ],
    writes: WRITES,
    events: &[
        Event::upsert("organization.created"),
        Event::upsert("organization.updated"),
        Event::delete("organization.deleted"),
    ],
    access: Access::Organization,
    mirroring: Mirroring::ByDefault,
    ..Object::BLANK
};
