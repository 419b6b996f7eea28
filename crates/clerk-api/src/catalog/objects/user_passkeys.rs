//! The passkeys of users: one row for each, read from the users' own pages.

use super::users;
use crate::catalog::FilterOp::Equal;
use crate::catalog::Kind::{Json, Text, Time};
use crate::catalog::Source::{Owner, Path, Whole};
use crate::catalog::column::{column, exact};
use crate::catalog::{Elements, Object};

pub(super) const OBJECT: Object = Object {
    name: "user_passkeys",
    description: "The passkeys of users, one row for each.",
    list: Some(users::LIST),
    elements: Some(Elements { of: "users", member: "passkeys" }),
    key_columns: users::BY_ID,
    columns: &[
        column("user_passkey_id", Text, Path(&["id"]), "The passkey's id.").id().aliases(&["id"]),
        column("user_id", Text, Owner("id"), "The user's id.")
            .parent("users")
            .filters(&[exact(Equal { has_prefix: true }, "user_id")]),
        column("name", Text, Path(&["name"]), "The name that the user sees."),
        column("last_used_at", Time, Path(&["last_used_at"]), "When it was last used."),
        column("verification", Json, Path(&["verification"]), "How it was verified."),
        column("attrs", Json, Whole, "The whole passkey exactly as Clerk sent it.").private(),
    ],
    ..Object::BLANK
};
