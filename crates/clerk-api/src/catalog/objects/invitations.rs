//! Invitations: emails that ask people to sign up to the application.

use crate::catalog::FilterOp::One;
use crate::catalog::Kind::{Boolean, Json, Text, Time};
use crate::catalog::Source::Member;
use crate::catalog::column::{attrs, column, exact, member, narrowing};
use crate::catalog::write::{TEXT, field};
use crate::catalog::{Bulk, FieldKind, List, Object, SortColumn, Write, Writes};

/// The statuses that Clerk can be asked for.
pub(super) const STATUSES: &[&str] = &["pending", "accepted", "revoked", "expired"];

/// How many days an invitation may be valid.
pub(super) const EXPIRES_IN_DAYS: FieldKind = FieldKind::Integer { min: 1, max: 365 };

const WRITES: Writes = Writes {
    insert: Some(Write::post(
        "/invitations",
        &[
            field("email_address", TEXT).required(),
            field("public_metadata", FieldKind::Object),
            field("redirect_url", TEXT),
            field("notify", FieldKind::Boolean).nullable(),
            field("ignore_existing", FieldKind::Boolean).nullable(),
            field("expires_in_days", EXPIRES_IN_DAYS).nullable(),
            field("template_slug", FieldKind::Choice(&["invitation", "waitlist_invitation"])),
        ],
    )),
    bulk: Some(Bulk { path: "/invitations/bulk", max: 10, member: None }),
    // Clerk keeps a revoked invitation.
    delete: Some(Write::act("/invitations/{invitation_id}/revoke")),
    ..Writes::NONE
};

pub(super) const OBJECT: Object = Object {
    name: "invitations",
    description: "Invitations to sign up to the application, revoked ones included.",
    list: Some(List::bare("/invitations").apart("status", "revoked")),
    sort_columns: &[SortColumn::BY_CREATION],
    columns: &[
        column("invitation_id", Text, Member("id"), "The invitation's id.").id().aliases(&["id"]),
        member("email_address", Text, "The address that was invited.")
            .filters(&[narrowing(One { values: &[] }, "query")]),
        member("status", Text, "pending, accepted, revoked or expired.")
            .filters(&[exact(One { values: STATUSES }, "status")]),
        member("revoked", Boolean, "Whether it was revoked; Clerk sends it only where it was."),
        member("url", Text, "The link in the email. Whoever has it can accept the invitation.").private(),
        member("expires_at", Time, "When it expires; null if it never does."),
        member("created_at", Time, "When the invitation was sent.").creation_time(),
        member("updated_at", Time, "When it last changed.").update_time(),
        member("public_metadata", Json, "The metadata that the user starts with."),
        attrs(),
    ],
    writes: WRITES,
    ..Object::BLANK
};
