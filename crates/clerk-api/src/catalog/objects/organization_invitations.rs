//! Organization invitations: emails that ask people to join an organization.

use super::invitations::{EXPIRES_IN_DAYS, STATUSES};
use crate::catalog::FilterOp::One;
use crate::catalog::Kind::{Json, Text, Time};
use crate::catalog::Source::Member;
use crate::catalog::column::{attrs, column, exact, member, narrowing};
use crate::catalog::write::{TEXT, field};
use crate::catalog::{Bulk, Event, FieldKind, KeyColumn, List, Object, SortColumn, Write, Writes};

const WRITES: Writes = Writes {
    insert: Some(Write::post(
        "/organizations/{organization_id}/invitations",
        &[
            field("email_address", TEXT).required(),
            field("inviter_user_id", TEXT).from("inviter_id").nullable(),
            field("role", TEXT).required(),
            field("public_metadata", FieldKind::Object).nullable(),
            field("private_metadata", FieldKind::Object).nullable(),
            field("redirect_url", TEXT).nullable(),
            field("expires_in_days", EXPIRES_IN_DAYS).nullable(),
            field("notify", FieldKind::Boolean).nullable(),
        ],
    )),
    bulk: Some(Bulk { path: "/organizations/{organization_id}/invitations/bulk", max: 10, member: Some("data") }),
    // Clerk keeps a revoked invitation.
    delete: Some(Write::act("/organizations/{organization_id}/invitations/{organization_invitation_id}/revoke")),
    ..Writes::NONE
};

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
        column("organization_invitation_id", Text, Member("id"), "The organization invitation's id.")
            .id()
            .aliases(&["id"]),
        member("organization_id", Text, "The organization's id.").parent("organizations"),
        member("email_address", Text, "The address that was invited.")
            .filters(&[narrowing(One { values: &[] }, "query")]),
        member("role", Text, "The key of the role that the member will have, such as org:member."),
        member("role_name", Text, "The role's name as people read it."),
        member("status", Text, "pending, accepted, revoked or expired.")
            .filters(&[exact(One { values: STATUSES }, "status")]),
        member("inviter_id", Text, "The id of the user who sent it; null if the backend did."),
        member("url", Text, "The link in the email. Whoever has it can accept the invitation.").private(),
        member("expires_at", Time, "When it expires; null if it never does."),
        member("created_at", Time, "When the invitation was sent.").creation_time(),
        member("updated_at", Time, "When it last changed.").update_time(),
        member("public_inviter_data", Json, "What everybody may know about the user who sent it."),
        member("public_metadata", Json, "The metadata that the membership starts with."),
        member("private_metadata", Json, "Metadata for the backend alone.").private(),
        attrs(),
    ],
    writes: WRITES,
    events: &[
        Event::upsert("organizationInvitation.created"),
        Event::upsert("organizationInvitation.accepted"),
        Event::upsert("organizationInvitation.revoked"),
    ],
    ..Object::BLANK
};
