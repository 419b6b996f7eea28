//! Users: the people who signed up to the application.

use crate::catalog::FilterOp::{After, Before, Contains, Equal, Is};
use crate::catalog::Kind::{Boolean, Integer, Json, Phone, Text, Time};
use crate::catalog::Source::{Path, Primary, Whole};
use crate::catalog::column::{column, exact, narrowing};
use crate::catalog::{Access, Event, KeyColumn, List, Mirroring, Object, Paging, SortColumn};

/// One day in milliseconds. Clerk compares the exact time of the last activity, but shows only its day, so the two
/// differ by up to a day.
const DAY: i64 = 86_400_000;

/// The list of users, which other objects' rows come from as well.
pub(super) const LIST: List = List::new(
    "/users",
    Paging::Cursor {
        cursor: "starting_after",
        count: "/users/count",
        created_after: "created_at_after",
        created_before: "created_at_before",
    },
);

/// The endpoint for a single user.
pub(super) const BY_ID: &[KeyColumn] = &[KeyColumn::get("user_id", "/users/{user_id}")];

pub(super) const OBJECT: Object = Object {
    name: "users",
    description: "The users of the Clerk instance.",
    list: Some(LIST),
    key_columns: BY_ID,
    sort_columns: &[
        SortColumn::BY_CREATION,
        SortColumn { column: "updated_at", parameter: "updated_at", is_stable: false },
    ],
    columns: &[
        column("user_id", Text, Path(&["id"]), "The user's id, which begins with user_.")
            .id()
            .shared()
            .filters(&[exact(Equal { has_prefix: true }, "user_id")])
            .aliases(&["id"]),
        column("username", Text, Path(&["username"]), "The user's name for signing in, if the instance uses them.")
            .shared()
            .filters(&[narrowing(Equal { has_prefix: false }, "username"), narrowing(Contains, "username_query")]),
        column("first_name", Text, Path(&["first_name"]), "The first name.")
            .shared()
            .filters(&[narrowing(Contains, "name_query")]),
        column("last_name", Text, Path(&["last_name"]), "The last name.")
            .shared()
            .filters(&[narrowing(Contains, "name_query")]),
        column(
            "email",
            Text,
            Primary { id: "primary_email_address_id", list: "email_addresses", value: "email_address" },
            "The primary email address; all of them are in user_email_addresses.",
        )
        .filters(&[
            narrowing(Equal { has_prefix: false }, "email_address"),
            narrowing(Contains, "email_address_query"),
        ]),
        column(
            "phone_number",
            Phone,
            Primary { id: "primary_phone_number_id", list: "phone_numbers", value: "phone_number" },
            "The primary phone number in E.164 form; all of them are in user_phone_numbers.",
        )
        .filters(&[narrowing(Equal { has_prefix: false }, "phone_number"), narrowing(Contains, "phone_number_query")])
        .scalar_aliases(&["phone_numbers"]),
        column("external_id", Text, Path(&["external_id"]), "The application's own id for the user.")
            .filters(&[narrowing(Equal { has_prefix: true }, "external_id")]),
        column(
            "web3_wallet",
            Text,
            Primary { id: "primary_web3_wallet_id", list: "web3_wallets", value: "web3_wallet" },
            "The primary web3 wallet; all of them are in user_web3_wallets.",
        )
        .filters(&[narrowing(Equal { has_prefix: false }, "web3_wallet")]),
        column(
            "primary_email_address_id",
            Text,
            Path(&["primary_email_address_id"]),
            "The id of the primary email address.",
        ),
        column(
            "primary_phone_number_id",
            Text,
            Path(&["primary_phone_number_id"]),
            "The id of the primary phone number.",
        ),
        column("primary_web3_wallet_id", Text, Path(&["primary_web3_wallet_id"]), "The id of the primary web3 wallet."),
        column("locale", Text, Path(&["locale"]), "The language that the user prefers, such as en-US."),
        column("image_url", Text, Path(&["image_url"]), "The address of the profile image.").shared(),
        column("profile_image_url", Text, Path(&["profile_image_url"]), "The same as image_url, under its older name."),
        column("has_image", Boolean, Path(&["has_image"]), "Whether the user chose an image.").shared(),
        column("banned", Boolean, Path(&["banned"]), "Whether the user is banned from signing in.")
            .banned()
            .filters(&[exact(Is, "banned")]),
        column("locked", Boolean, Path(&["locked"]), "Whether too many failed attempts lock the user out now."),
        column("two_factor_enabled", Boolean, Path(&["two_factor_enabled"]), "Whether a second factor is set up."),
        column("password_enabled", Boolean, Path(&["password_enabled"]), "Whether the user has a password."),
        column("totp_enabled", Boolean, Path(&["totp_enabled"]), "Whether an authenticator app is a second factor."),
        column("backup_code_enabled", Boolean, Path(&["backup_code_enabled"]), "Whether there are backup codes."),
        column("deprovisioned", Boolean, Path(&["deprovisioned"]), "Whether a directory has removed the user."),
        column("delete_self_enabled", Boolean, Path(&["delete_self_enabled"]), "Whether users may delete themselves."),
        column(
            "create_organization_enabled",
            Boolean,
            Path(&["create_organization_enabled"]),
            "Whether the user may create organizations.",
        ),
        column(
            "create_organizations_limit",
            Integer,
            Path(&["create_organizations_limit"]),
            "How many organizations the user may create; 0 means any number.",
        ),
        column(
            "verification_attempts_remaining",
            Integer,
            Path(&["verification_attempts_remaining"]),
            "How many failed attempts are left before the user is locked out.",
        ),
        column(
            "bypass_client_trust",
            Boolean,
            Path(&["bypass_client_trust"]),
            "Whether the user can sign in on a new device without further checks.",
        ),
        column("created_at", Time, Path(&["created_at"]), "When the user was created.")
            .creation_time()
            .filters(&[exact(After, "created_at_after"), exact(Before { within: 0 }, "created_at_before")]),
        column("updated_at", Time, Path(&["updated_at"]), "When the user last changed.").update_time(),
        column("last_sign_in_at", Time, Path(&["last_sign_in_at"]), "The last sign-in; null if there was none.")
            .filters(&[exact(After, "last_sign_in_at_after"), exact(Before { within: 0 }, "last_sign_in_at_before")]),
        column("last_active_at", Time, Path(&["last_active_at"]), "The last session activity, to the day.").filters(&[
            narrowing(After, "last_active_at_after"),
            narrowing(Before { within: DAY }, "last_active_at_before"),
        ]),
        column("legal_accepted_at", Time, Path(&["legal_accepted_at"]), "When the user accepted the legal terms."),
        column(
            "password_last_updated_at",
            Time,
            Path(&["password_last_updated_at"]),
            "When the password was last changed.",
        ),
        column("mfa_enabled_at", Time, Path(&["mfa_enabled_at"]), "When a second factor was last set up."),
        column("mfa_disabled_at", Time, Path(&["mfa_disabled_at"]), "When the last second factor was removed."),
        column("public_metadata", Json, Path(&["public_metadata"]), "Metadata that the frontend may read."),
        column("private_metadata", Json, Path(&["private_metadata"]), "Metadata for the backend alone.").private(),
        column(
            "unsafe_metadata",
            Json,
            Path(&["unsafe_metadata"]),
            "Metadata that the user's own browser may write: never trust it.",
        ),
        column("attrs", Json, Whole, "The whole object exactly as Clerk sent it.").private(),
    ],
    events: &[Event::upsert("user.created"), Event::upsert("user.updated"), Event::delete("user.deleted")],
    access: Access::User,
    mirroring: Mirroring::ByDefault,
    ..Object::BLANK
};
