//! The email addresses of users: one row for each, read from the users' own pages.

use super::users;
use crate::catalog::FilterOp::{Contains, Equal};
use crate::catalog::Kind::{Boolean, Json, Text, Time};
use crate::catalog::Source::{IsPrimary, Owner, Path, Whole};
use crate::catalog::column::{column, exact, narrowing};
use crate::catalog::{Elements, Object};

pub(super) const OBJECT: Object = Object {
    name: "user_email_addresses",
    description: "The email addresses of users, one row for each.",
    list: Some(users::LIST),
    elements: Some(Elements { of: "users", member: "email_addresses" }),
    key_columns: users::BY_ID,
    columns: &[
        column("user_email_address_id", Text, Path(&["id"]), "The email address's id.").id().aliases(&["id"]),
        column("user_id", Text, Owner("id"), "The user's id.")
            .parent("users")
            .filters(&[exact(Equal { has_prefix: true }, "user_id")]),
        column("email_address", Text, Path(&["email_address"]), "The address.").filters(&[
            narrowing(Equal { has_prefix: false }, "email_address"),
            narrowing(Contains, "email_address_query"),
        ]),
        column(
            "is_primary",
            Boolean,
            IsPrimary { id: "primary_email_address_id" },
            "Whether it is the user's primary email address.",
        ),
        column("reserved", Boolean, Path(&["reserved"]), "Whether the address is reserved during a sign-up."),
        column(
            "matches_sso_connection",
            Boolean,
            Path(&["matches_sso_connection"]),
            "Whether an enterprise connection is active for the address's domain.",
        ),
        column("created_at", Time, Path(&["created_at"]), "When it was added.").creation_time(),
        column("updated_at", Time, Path(&["updated_at"]), "When it last changed.").update_time(),
        column("verification", Json, Path(&["verification"]), "How it was verified."),
        column("linked_to", Json, Path(&["linked_to"]), "The accounts that have the same address."),
        column("attrs", Json, Whole, "The whole address exactly as Clerk sent it.").private(),
    ],
    ..Object::BLANK
};
