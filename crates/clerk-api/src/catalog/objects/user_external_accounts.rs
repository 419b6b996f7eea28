//! The accounts at other providers with which users sign in: one row for each, read from the users' own pages.

use super::users;
use crate::catalog::FilterOp::Equal;
use crate::catalog::Kind::{Boolean, Json, Text, Time};
use crate::catalog::Source::{Member, Owner};
use crate::catalog::column::{attrs, column, exact, member};
use crate::catalog::{Elements, Object, Write, Writes};

const WRITES: Writes = Writes {
    delete: Some(Write::delete("/users/{user_id}/external_accounts/{user_external_account_id}")),
    ..Writes::NONE
};

pub(super) const OBJECT: Object = Object {
    name: "user_external_accounts",
    description: "The accounts at other providers with which users sign in, one row for each.",
    list: Some(users::LIST),
    elements: Some(Elements { of: "users", member: "external_accounts" }),
    key_columns: users::BY_ID,
    columns: &[
        column("user_external_account_id", Text, Member("id"), "The account's id.").id().aliases(&["id"]),
        column("user_id", Text, Owner("id"), "The user's id.")
            .parent("users")
            .filters(&[exact(Equal { has_prefix: true }, "user_id")]),
        member("provider", Text, "The provider, such as oauth_google."),
        member("provider_user_id", Text, "The user's id at the provider."),
        member("identification_id", Text, "The id of the account among all ways to sign in."),
        member("email_address", Text, "The address that the provider knows."),
        member(
            "email_address_verified",
            Boolean,
            "Whether the provider verified the address; null if that is not known.",
        ),
        member("approved_scopes", Text, "The scopes that the user granted, separated by spaces."),
        member("first_name", Text, "The first name that the provider knows."),
        member("last_name", Text, "The last name that the provider knows."),
        member("username", Text, "The user's name at the provider."),
        member("phone_number", Text, "The phone number that the provider knows."),
        member("avatar_url", Text, "The same as image_url, under its older name."),
        member("image_url", Text, "The address of the image that the provider knows."),
        member("label", Text, "A label."),
        member("created_at", Time, "When it was added.").creation_time(),
        member("updated_at", Time, "When it last changed.").update_time(),
        member("public_metadata", Json, "Metadata that the frontend may read."),
        member("verification", Json, "How it was verified."),
        attrs(),
    ],
    writes: WRITES,
    ..Object::BLANK
};
