//! Organization memberships: which user belongs to which organization, and in which role.

use crate::catalog::FilterOp::Equal;
use crate::catalog::Kind::{Json, Text, TextArray, Time};
use crate::catalog::Source::{Member, Path};
use crate::catalog::column::{attrs, column, exact, member};
use crate::catalog::write::{TEXT, field};
use crate::catalog::{Access, Event, FieldKind, KeyColumn, List, Mirroring, Object, SortColumn, Update, Write, Writes};

/// A membership, which Clerk finds by its organization and its user, not by its id.
const PATH: &str = "/organizations/{organization_id}/memberships/{user_id}";

const WRITES: Writes = Writes {
    insert: Some(Write::post(
        "/organizations/{organization_id}/memberships",
        &[
            field("user_id", TEXT).required(),
            field("role", TEXT).required(),
            field("public_metadata", FieldKind::Object).nullable(),
            field("private_metadata", FieldKind::Object).nullable(),
        ],
    )),
    updates: &[
        Update::Fields(Write::patch(PATH, &[field("role", TEXT).required()])),
        Update::Merge(Write::patch(
            "/organizations/{organization_id}/memberships/{user_id}/metadata",
            &[field("public_metadata", FieldKind::Object), field("private_metadata", FieldKind::Object)],
        )),
    ],
    delete: Some(Write::delete(PATH)),
    unique: &[&["organization_id", "user_id"]],
    ..Writes::NONE
};

pub(super) const OBJECT: Object = Object {
    name: "organization_memberships",
    description: "Which user belongs to which organization of the Clerk instance, and in which role.",
    list: Some(List::by_offset("/organization_memberships")),
    key_columns: &[
        KeyColumn::list("organization_id", List::by_offset("/organizations/{organization_id}/memberships"))
            .parent("/organizations/{organization_id}")
            .sortable()
            .filters(&[
                ("user_id", exact(Equal { has_prefix: true }, "user_id")),
                ("role", exact(Equal { has_prefix: false }, "role")),
            ]),
        KeyColumn::list("user_id", List::by_offset("/users/{user_id}/organization_memberships"))
            .parent("/users/{user_id}"),
    ],
    sort_columns: &[SortColumn::BY_CREATION],
    columns: &[
        column("membership_id", Text, Member("id"), "The membership's id, which begins with orgmem_.")
            .id()
            .shared()
            .aliases(&["id", "organization_membership_id"]),
        column("organization_id", Text, Path(&["organization", "id"]), "The organization's id.")
            .parent("organizations")
            .shared(),
        column("user_id", Text, Path(&["public_user_data", "user_id"]), "The member's user id.")
            .parent("users")
            .shared(),
        member("role", Text, "The role's key, such as org:admin.").shared(),
        member("role_name", Text, "The role's name as people read it.").shared(),
        member("permissions", TextArray, "The keys of what the role permits."),
        column(
            "identifier",
            Text,
            Path(&["public_user_data", "identifier"]),
            "The member's public identifier: an email address, a phone number or a username.",
        )
        .aliases(&["email"]),
        member("created_at", Time, "When the user became a member.").creation_time().shared(),
        member("updated_at", Time, "When the membership last changed.").update_time().shared(),
        member("public_metadata", Json, "Metadata that the frontend may read."),
        member("private_metadata", Json, "Metadata for the backend alone.").private(),
        attrs(),
    ],
    writes: WRITES,
    events: &[
        Event::upsert("organizationMembership.created"),
        Event::upsert("organizationMembership.updated"),
        Event::delete("organizationMembership.deleted"),
    ],
    access: Access::Membership,
    mirroring: Mirroring::ByDefault,
    ..Object::BLANK
};
