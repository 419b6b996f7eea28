//! The accounts at other providers with which users sign in: one row for each, read from the users' own pages.

use super::users;
use crate::catalog::FilterOp::Equal;
use crate::catalog::Kind::{Boolean, Json, Text, Time};
use crate::catalog::Source::{Owner, Path, Whole};
use crate::catalog::column::{column, exact};
use crate::catalog::{Elements, Object};

pub(super) const OBJECT: Object = Object {
    name: "user_external_accounts",
    description: "The accounts at other providers with which users sign in, one row for each.",
    list: Some(users::LIST),
    elements: Some(Elements { of: "users", member: "external_accounts" }),
    key_columns: users::BY_ID,
    columns: &[
        column("user_external_account_id", Text, Path(&["id"]), "The account's id.").id().aliases(&["id"]),
        column("user_id", Text, Owner("id"), "The user's id.")
            .parent("users")
            .filters(&[exact(Equal { has_prefix: true }, "user_id")]),
        column("provider", Text, Path(&["provider"]), "The provider, such as oauth_google."),
        column("provider_user_id", Text, Path(&["provider_user_id"]), "The user's id at the provider."),
        column(
            "identification_id",
            Text,
            Path(&["identification_id"]),
            "The id of the account among all ways to sign in.",
        ),
        column("email_address", Text, Path(&["email_address"]), "The address that the provider knows."),
        column(
            "email_address_verified",
            Boolean,
            Path(&["email_address_verified"]),
            "Whether the provider verified the address; null if that is not known.",
        ),
        column(
            "approved_scopes",
            Text,
            Path(&["approved_scopes"]),
            "The scopes that the user granted, separated by spaces.",
        ),
        column("first_name", Text, Path(&["first_name"]), "The first name that the provider knows."),
        column("last_name", Text, Path(&["last_name"]), "The last name that the provider knows."),
        column("username", Text, Path(&["username"]), "The user's name at the provider."),
        column("phone_number", Text, Path(&["phone_number"]), "The phone number that the provider knows."),
        column("avatar_url", Text, Path(&["avatar_url"]), "The same as image_url, under its older name."),
        column("image_url", Text, Path(&["image_url"]), "The address of the image that the provider knows."),
        column("label", Text, Path(&["label"]), "A label."),
        column("created_at", Time, Path(&["created_at"]), "When it was added.").creation_time(),
        column("updated_at", Time, Path(&["updated_at"]), "When it last changed.").update_time(),
        column("public_metadata", Json, Path(&["public_metadata"]), "Metadata that the frontend may read."),
        column("verification", Json, Path(&["verification"]), "How it was verified."),
        column("attrs", Json, Whole, "The whole account exactly as Clerk sent it.").private(),
    ],
    ..Object::BLANK
};
