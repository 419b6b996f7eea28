//! Invitations: emails that ask people to sign up to the application.

use crate::catalog::FilterOp::One;
use crate::catalog::Kind::{Boolean, Json, Text, Time};
use crate::catalog::Source::Member;
use crate::catalog::column::{attrs, column, exact, member, narrowing};
use crate::catalog::{List, Object, SortColumn};

/// The statuses that Clerk can be asked for.
pub(super) const STATUSES: &[&str] = &["pending", "accepted", "revoked", "expired"];

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
    ..Object::BLANK
};
