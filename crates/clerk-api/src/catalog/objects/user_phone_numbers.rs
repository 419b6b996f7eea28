//! The phone numbers of users: one row for each, read from the users' own pages.

use super::users;
use crate::catalog::FilterOp::{Contains, Equal};
use crate::catalog::Kind::{Boolean, Json, Phone, Text, TextArray, Time};
use crate::catalog::Source::{IsPrimary, Owner, Path, Whole};
use crate::catalog::column::{column, exact, narrowing};
use crate::catalog::{Elements, Object};

pub(super) const OBJECT: Object = Object {
    name: "user_phone_numbers",
    description: "The phone numbers of users, one row for each.",
    list: Some(users::LIST),
    elements: Some(Elements { of: "users", member: "phone_numbers" }),
    key_columns: users::BY_ID,
    columns: &[
        column("user_phone_number_id", Text, Path(&["id"]), "The phone number's id.").id().aliases(&["id"]),
        column("user_id", Text, Owner("id"), "The user's id.")
            .parent("users")
            .filters(&[exact(Equal { has_prefix: true }, "user_id")]),
        column("phone_number", Phone, Path(&["phone_number"]), "The number in E.164 form.").filters(&[
            narrowing(Equal { has_prefix: false }, "phone_number"),
            narrowing(Contains, "phone_number_query"),
        ]),
        column(
            "is_primary",
            Boolean,
            IsPrimary { id: "primary_phone_number_id" },
            "Whether it is the user's primary phone number.",
        ),
        column("reserved", Boolean, Path(&["reserved"]), "Whether the number is reserved during a sign-up."),
        column(
            "reserved_for_second_factor",
            Boolean,
            Path(&["reserved_for_second_factor"]),
            "Whether the number is a second factor only.",
        ),
        column(
            "default_second_factor",
            Boolean,
            Path(&["default_second_factor"]),
            "Whether it is the second factor that is asked for first.",
        ),
        column(
            "backup_codes",
            TextArray,
            Path(&["backup_codes"]),
            "The backup codes; Clerk sends them only when they are made.",
        )
        .secret(),
        column("created_at", Time, Path(&["created_at"]), "When it was added.").creation_time(),
        column("updated_at", Time, Path(&["updated_at"]), "When it last changed.").update_time(),
        column("verification", Json, Path(&["verification"]), "How it was verified."),
        column("linked_to", Json, Path(&["linked_to"]), "The accounts that have the same number."),
        column("attrs", Json, Whole, "The whole number exactly as Clerk sent it.").private(),
    ],
    ..Object::BLANK
};
