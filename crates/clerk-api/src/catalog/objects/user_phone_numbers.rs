//! The phone numbers of users: one row for each, read from the users' own pages.

use super::users;
use crate::catalog::FilterOp::{Contains, Equal};
use crate::catalog::Kind::{Boolean, Json, Phone, Text, TextArray, Time};
use crate::catalog::Source::{IsPrimary, Member, Owner};
use crate::catalog::column::{attrs, column, exact, member, narrowing};
use crate::catalog::write::{TEXT, field};
use crate::catalog::{Elements, FieldKind, Object, Update, Write, Writes};

const WRITES: Writes = Writes {
    insert: Some(
        Write::post(
            "/phone_numbers",
            &[
                field("user_id", TEXT).required(),
                field("phone_number", TEXT).required(),
                field("verified", FieldKind::Boolean).nullable(),
                field("primary", FieldKind::Boolean).from("is_primary").nullable(),
                field("reserved_for_second_factor", FieldKind::Boolean).nullable(),
            ],
        )
        .shown_once(&["backup_codes"]),
    ),
    updates: &[Update::Fields(
        Write::patch(
            "/phone_numbers/{user_phone_number_id}",
            &[
                field("verified", FieldKind::Boolean).nullable(),
                field("primary", FieldKind::Boolean).from("is_primary").nullable(),
                field("reserved_for_second_factor", FieldKind::Boolean).nullable(),
            ],
        )
        .shown_once(&["backup_codes"]),
    )],
    delete: Some(Write::delete("/phone_numbers/{user_phone_number_id}")),
    unique: &[&["phone_number"]],
    ..Writes::NONE
};

pub(super) const OBJECT: Object = Object {
    name: "user_phone_numbers",
    description: "The phone numbers of users, one row for each.",
    list: Some(users::LIST),
    elements: Some(Elements { of: "users", member: "phone_numbers" }),
    key_columns: users::BY_ID,
    columns: &[
        column("user_phone_number_id", Text, Member("id"), "The phone number's id.").id().aliases(&["id"]),
        column("user_id", Text, Owner("id"), "The user's id.")
            .parent("users")
            .filters(&[exact(Equal { has_prefix: true }, "user_id")]),
        member("phone_number", Phone, "The number in E.164 form.").filters(&[
            narrowing(Equal { has_prefix: false }, "phone_number"),
            narrowing(Contains, "phone_number_query"),
        ]),
        column(
            "is_primary",
            Boolean,
            IsPrimary { id: "primary_phone_number_id" },
            "Whether it is the user's primary phone number.",
        ),
        member("reserved", Boolean, "Whether the number is reserved during a sign-up."),
        member("reserved_for_second_factor", Boolean, "Whether the number is a second factor only."),
        member("default_second_factor", Boolean, "Whether it is the second factor that is asked for first."),
        member("backup_codes", TextArray, "The backup codes; Clerk sends them only when they are made.").secret(),
        member("created_at", Time, "When it was added.").creation_time(),
        member("updated_at", Time, "When it last changed.").update_time(),
        member("verification", Json, "How it was verified."),
        member("linked_to", Json, "The accounts that have the same number."),
        attrs(),
    ],
    writes: WRITES,
    ..Object::BLANK
};
