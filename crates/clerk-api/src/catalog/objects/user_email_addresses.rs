//! The email addresses of users: one row for each, read from the users' own pages.

use super::users;
use crate::catalog::FilterOp::{Contains, Equal};
use crate::catalog::Kind::{Boolean, Json, Text, Time};
use crate::catalog::Source::{IsPrimary, Member, Owner};
use crate::catalog::column::{attrs, column, exact, member, narrowing};
use crate::catalog::write::{TEXT, field};
use crate::catalog::{Elements, Field, FieldKind, Object, Update, Write, Writes};

/// What can be changed of an address.
const CHANGED: &[Field] = &[
    field("verified", FieldKind::Boolean).nullable(),
    field("primary", FieldKind::Boolean).from("is_primary").nullable(),
    field("notify_primary_email_address_changed", FieldKind::Boolean).nullable(),
];

const WRITES: Writes = Writes {
    insert: Some(Write::post(
        "/email_addresses",
        &[
            field("user_id", TEXT).required(),
            field("email_address", TEXT).required(),
            field("verified", FieldKind::Boolean).nullable(),
            field("primary", FieldKind::Boolean).from("is_primary").nullable(),
            field("notify_primary_email_address_changed", FieldKind::Boolean).nullable(),
        ],
    )),
    updates: &[Update::Fields(Write::patch("/email_addresses/{user_email_address_id}", CHANGED))],
    delete: Some(Write::delete("/email_addresses/{user_email_address_id}")),
    unique: &[&["email_address"]],
    ..Writes::NONE
};

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
    writes: WRITES,
    ..Object::BLANK
};
