//! Organization memberships: which user belongs to which organization, and as what.

use super::Kind::{Json, Text, TextArray, Time};
use super::Source::{Path, Whole};
use super::{Answer, Key, Object, Order, Paging, column};

pub(super) const ORGANIZATION_MEMBERSHIPS: Object = Object {
    name: "organization_memberships",
    description: "Which user belongs to which organization of the Clerk instance, and in which role.",
    list: "/organization_memberships",
    paging: Paging::Offset,
    keys: &[
        Key {
            column: "organization_id",
            path: "/organizations/{organization_id}/memberships",
            answer: Answer::List { owner: "/organizations/{organization_id}", orders: true },
            filters: &[("user_id", "user_id"), ("role", "role")],
        },
        Key {
            column: "user_id",
            path: "/users/{user_id}/organization_memberships",
            answer: Answer::List { owner: "/users/{user_id}", orders: false },
            filters: &[],
        },
    ],
    orders: &[Order { column: "created_at", parameter: "created_at", lasts: true }],
    columns: &[
        column("membership_id", Text, Path(&["id"]), "The membership's id, which begins with orgmem_.")
            .shared()
            .aliases(&["id"]),
        column("organization_id", Text, Path(&["organization", "id"]), "The organization's id.").shared(),
        column("user_id", Text, Path(&["public_user_data", "user_id"]), "The member's user id.").shared(),
        column("role", Text, Path(&["role"]), "The role's key, such as org:admin.").shared(),
        column("role_name", Text, Path(&["role_name"]), "The role's name as people read it.").shared(),
        column("permissions", TextArray, Path(&["permissions"]), "The keys of what the role permits."),
        column(
            "email",
            Text,
            Path(&["public_user_data", "identifier"]),
            "The member's public identifier: an email address, a phone number or a username.",
        ),
        column("created_at", Time, Path(&["created_at"]), "When the user became a member.").shared(),
        column("updated_at", Time, Path(&["updated_at"]), "When the membership last changed.").shared(),
        column("public_metadata", Json, Path(&["public_metadata"]), "Metadata that the frontend may read."),
        column("private_metadata", Json, Path(&["private_metadata"]), "Metadata for the backend alone.").private(),
        column("attrs", Json, Whole, "The whole object exactly as Clerk sent it.").private(),
    ],
};
