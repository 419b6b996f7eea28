//! The email addresses of users: one row for each, read from the users' own pages.

use super::users;
use crate::catalog::FilterOp::{Contains, Equal};
use crate::catalog::Kind::{Boolean, Json, Text, Time};
use crate::catalog::Source::{IsPrimary, Member, Owner};
use crate::catalog::column::{attrs, column, exact, member, narrowing};
use crate::catalog::{Elements, Object};

pub(super) const OBJECT: Object = Object {
    name: "user_email_addresses",
    description: "The email addresses of users, one row for each.",
    list: Some(users::LIST),
    elements: Some(Elements { of: "users", member: "email_addresses" }),
    key_columns: users::BY_ID,
    columns: &[
        column("user_email_address_id", Text, Member("id"), "The email address's id.").id().aliases(&["id"]),
        column("user_id", Text, Owner("id"), "The user's id.")
            .parent("users")
            .filters(&[exact(Equal { has_prefix: true }, "user_id")]),
        member("email_address", Text, "The address.").filters(&[
            narrowing(Equal { has_prefix: false }, "email_address"),
            narrowing(Contains, "email_address_query"),
        ]),
        column(
            "is_primary",
            Boolean,
            IsPrimary { id: "primary_email_address_id" },
            "Whether it is the user's primary email address.",
        ),
        member("reserved", Boolean, "Whether the address is reserved during a sign-up."),
        member(
            "matches_sso_connection",
            Boolean,
            "Whether an enterprise connection is active for the address's domain.",
        ),
        member("created_at", Time, "When it was added.").creation_time(),
        member("updated_at", Time, "When it last changed.").update_time(),
        member("verification", Json, "How it was verified."),
        member("linked_to", Json, "The accounts that have the same address."),
        attrs(),
    ],
    ..Object::BLANK
};
