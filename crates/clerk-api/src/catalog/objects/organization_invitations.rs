//! Organization invitations: emails that ask people to join an organization.

use super::invitations::STATUSES;
use crate::catalog::FilterOp::One;
use crate::catalog::Kind::{Json, Text, Time};
use crate::catalog::Source::{Path, Whole};
use crate::catalog::column::{column, exact, narrowing};
use crate::catalog::{Event, KeyColumn, List, Object, SortColumn};

pub(super) const OBJECT: Object = Object {
    name: "organization_invitations",
    description: "Invitations to join an organization.",
    list: Some(List::by_offset("/organization_invitations")),
    key_columns: &[KeyColumn::list("organization_id", List::by_offset("/organizations/{organization_id}/invitations"))
        .parent("/organizations/{organization_id}")
        .sortable()
        .filters(&[
            ("status", exact(One { values: STATUSES }, "status")),
            ("email_address", narrowing(One { values: &[] }, "email_address")),
        ])],
    sort_columns: &[SortColumn::BY_CREATION],
    columns: &[
        column("organization_invitation_id", Text, Path(&["id"]), "The organization invitation's id.")
            .id()
            .aliases(&["id"]),
        column("organization_id", Text, Path(&["organization_id"]), "The organization's id.").parent("organizations"),
        column("email_address", Text, Path(&["email_address"]), "The address that was invited.")
            .filters(&[narrowing(One { values: &[] }, "query")]),
        column("role", Text, Path(&["role"]), "The key of the role that the member will have, such as org:member."),
        column("role_name", Text, Path(&["role_name"]), "The role's name as people read it."),
        column("status", Text, Path(&["status"]), "pending, accepted, revoked or expired.")
            .filters(&[exact(One { values: STATUSES }, "status")]),
        column("inviter_id", Text, Path(&["inviter_id"]), "The id of the user who sent it; null if the backend did."),
        column("url", Text, Path(&["url"]), "The link in the email. Whoever has it can accept the invitation.")
            .private(),
        column("expires_at", Time, Path(&["expires_at"]), "When it expires; null if it never does."),
        column("created_at", Time, Path(&["created_at"]), "When the invitation was sent.").creation_time(),
        column("updated_at", Time, Path(&["updated_at"]), "When it last changed.").update_time(),
        column(
            "public_inviter_data",
            Json,
            Path(&["public_inviter_data"]),
            "What everybody may know about the user who sent it.",
        ),
        column(
            "public_organization_data",
            Json,
            Path(&["public_organization_data"]),
            "What everybody may know about the organization.",
        ),
        column("public_metadata", Json, Path(&["public_metadata"]), "The metadata that the membership starts with."),
        column("private_metadata", Json, Path(&["private_metadata"]), "Metadata for the backend alone.").private(),
        column("attrs", Json, Whole, "The whole object exactly as Clerk sent it.").private(),
    ],
    events: &[
        Event::upsert("organizationInvitation.created"),
        Event::upsert("organizationInvitation.accepted"),
        Event::upsert("organizationInvitation.revoked"),
    ],
    ..Object::BLANK
};
