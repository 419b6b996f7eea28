//! The passkeys of users: one row for each, read from the users' own pages.

use super::users;
use crate::catalog::FilterOp::Equal;
use crate::catalog::Kind::{Json, Text, Time};
use crate::catalog::Source::{Member, Owner};
use crate::catalog::column::{attrs, column, exact, member};
use crate::catalog::{Elements, Object, Write, Writes};

const WRITES: Writes =
    Writes { delete: Some(Write::delete("/users/{user_id}/passkeys/{user_passkey_id}")), ..Writes::NONE };

pub(super) const OBJECT: Object = Object {
    name: "user_passkeys",
    description: "The passkeys of users, one row for each.",
    list: Some(users::LIST),
    elements: Some(Elements { of: "users", member: "passkeys" }),
    key_columns: users::BY_ID,
    columns: &[
        column("user_passkey_id", Text, Member("id"), "The passkey's id.").id().aliases(&["id"]),
        column("user_id", Text, Owner("id"), "The user's id.")
            .parent("users")
            .filters(&[exact(Equal { has_prefix: true }, "user_id")]),
        member("name", Text, "The name that the user sees."),
        member("last_used_at", Time, "When it was last used."),
        member("verification", Json, "How it was verified."),
        attrs(),
    ],
    writes: WRITES,
    ..Object::BLANK
};
