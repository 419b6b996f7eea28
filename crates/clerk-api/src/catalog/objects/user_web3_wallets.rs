//! The web3 wallets of users: one row for each, read from the users' own pages.

use super::users;
use crate::catalog::FilterOp::Equal;
use crate::catalog::Kind::{Boolean, Json, Text, Time};
use crate::catalog::Source::{IsPrimary, Member, Owner};
use crate::catalog::column::{attrs, column, exact, member, narrowing};
use crate::catalog::{Elements, Object, Write, Writes};

const WRITES: Writes =
    Writes { delete: Some(Write::delete("/users/{user_id}/web3_wallets/{user_web3_wallet_id}")), ..Writes::NONE };

pub(super) const OBJECT: Object = Object {
    name: "user_web3_wallets",
    description: "The web3 wallets of users, one row for each.",
    list: Some(users::LIST),
    elements: Some(Elements { of: "users", member: "web3_wallets" }),
    key_columns: users::BY_ID,
    columns: &[
        column("user_web3_wallet_id", Text, Member("id"), "The wallet's id.").id().aliases(&["id"]),
        column("user_id", Text, Owner("id"), "The user's id.")
            .parent("users")
            .filters(&[exact(Equal { has_prefix: true }, "user_id")]),
        member("web3_wallet", Text, "The address of the wallet.")
            .filters(&[narrowing(Equal { has_prefix: false }, "web3_wallet")]),
        column(
            "is_primary",
            Boolean,
            IsPrimary { id: "primary_web3_wallet_id" },
            "Whether it is the user's primary wallet.",
        ),
        member("created_at", Time, "When it was added.").creation_time(),
        member("updated_at", Time, "When it last changed.").update_time(),
        member("verification", Json, "How it was verified."),
        attrs(),
    ],
    writes: WRITES,
    ..Object::BLANK
};
