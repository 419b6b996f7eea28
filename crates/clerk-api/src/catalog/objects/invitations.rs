//! Invitations: emails that ask people to sign up to the application.

use crate::catalog::FilterOp::One;
use crate::catalog::Kind::{Boolean, Json, Text, Time};
use crate::catalog::Source::{Path, Whole};
use crate::catalog::column::{column, exact, narrowing};
use crate::catalog::{List, Object, SortColumn};

/// The statuses that Clerk can be asked for.
pub(super) const STATUSES: &[&str] = &["pending", "accepted", "revoked", "expired"];

pub(super) const OBJECT: Object = Object {
    name: "invitations",
    description: "Invitations to sign up to the application, revoked ones included.",
    list: Some(List::bare("/invitations").apart("status", "revoked")),
    sort_columns: &[SortColumn::BY_CREATION],
    columns: &[
        column("invitation_id", Text, Path(&["id"]), "The invitation's id.").id().aliases(&["id"]),
        column("email_address", Text, Path(&["email_address"]), "The address that was invited.")
            .filters(&[narrowing(One { values: &[] }, "query")]),
        column("status", Text, Path(&["status"]), "pending, accepted, revoked or expired.")
            .filters(&[exact(One { values: STATUSES }, "status")]),
        column("revoked", Boolean, Path(&["revoked"]), "Whether it was revoked; Clerk sends it only where it was."),
        column("url", Text, Path(&["url"]), "The link in the email. Whoever has it can accept the invitation.")
            .private(),
        column("expires_at", Time, Path(&["expires_at"]), "When it expires; null if it never does."),
        column("created_at", Time, Path(&["created_at"]), "When the invitation was sent.").creation_time(),
        column("updated_at", Time, Path(&["updated_at"]), "When it last changed.").update_time(),
        column("public_metadata", Json, Path(&["public_metadata"]), "The metadata that the user starts with."),
        column("attrs", Json, Whole, "The whole object exactly as Clerk sent it.").private(),
    ],
    ..Object::BLANK
};
