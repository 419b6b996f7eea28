//! Users: the people who signed up to the application.

use crate::catalog::FilterOp::{After, Before, Contains, Equal, Is};
use crate::catalog::Kind::{Boolean, Integer, Json, Phone, Text, Time};
use crate::catalog::Source::{Member, Primary};
use crate::catalog::column::{attrs, column, exact, member, narrowing};
use crate::catalog::write::{INTEGER, TEXT, TEXTS, field};
use crate::catalog::{
    Access, Event, Field, FieldKind, KeyColumn, List, Mirroring, Object, Paging, SortColumn, Update, Write, Writes,
};

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

/// The status with which each address or number of a new user begins.
const IDENTIFICATION_STATUS: FieldKind =
    FieldKind::List { of: &FieldKind::Choice(&["verified", "reserved"]), min: 0, max: usize::MAX };

/// The metadata, whose members are changed one by one.
const METADATA: &[Field] = &[
    field("public_metadata", FieldKind::Object),
    field("private_metadata", FieldKind::Object),
    field("unsafe_metadata", FieldKind::Object),
];

const NEW: &[Field] = &[
    field("external_id", TEXT).nullable(),
    field("first_name", TEXT).nullable(),
    field("last_name", TEXT).nullable(),
    field("locale", TEXT).nullable(),
    field("email_address", TEXTS).from("email"),
    field("email_address_identification_status", IDENTIFICATION_STATUS),
    field("phone_number", TEXTS),
    field("phone_number_identification_status", IDENTIFICATION_STATUS),
    field("web3_wallet", TEXTS),
    field("username", TEXT).nullable(),
    field("password", TEXT).nullable(),
    field("password_digest", TEXT).nullable(),
    field("password_hasher", TEXT),
    field("skip_password_checks", FieldKind::Boolean).nullable(),
    field("skip_password_requirement", FieldKind::Boolean).nullable(),
    field("totp_secret", TEXT).nullable(),
    field("backup_codes", TEXTS),
    field("public_metadata", FieldKind::Object),
    field("private_metadata", FieldKind::Object),
    field("unsafe_metadata", FieldKind::Object),
    field("delete_self_enabled", FieldKind::Boolean).nullable(),
    field("legal_accepted_at", FieldKind::Time).nullable(),
    field("skip_legal_checks", FieldKind::Boolean).nullable(),
    field("skip_user_requirement", FieldKind::Boolean).nullable(),
    field("create_organization_enabled", FieldKind::Boolean).nullable(),
    field("create_organizations_limit", INTEGER).nullable(),
    field("created_at", FieldKind::Time).nullable(),
    field("bypass_client_trust", FieldKind::Boolean).nullable(),
    field("banned", FieldKind::Boolean).nullable(),
    field("locked", FieldKind::Boolean).nullable(),
];

const CHANGED: &[Field] = &[
    field("external_id", TEXT).nullable(),
    field("first_name", TEXT).nullable(),
    field("last_name", TEXT).nullable(),
    field("locale", TEXT).nullable(),
    field("primary_email_address_id", TEXT).nullable(),
    field("notify_primary_email_address_changed", FieldKind::Boolean).nullable(),
    field("primary_phone_number_id", TEXT).nullable(),
    field("primary_web3_wallet_id", TEXT).nullable(),
    field("username", TEXT).nullable(),
    field("profile_image_id", TEXT).nullable(),
    field("password", TEXT).nullable(),
    field("password_digest", TEXT),
    field("password_hasher", TEXT),
    field("skip_password_checks", FieldKind::Boolean).nullable(),
    field("sign_out_of_other_sessions", FieldKind::Boolean).nullable(),
    field("totp_secret", TEXT).nullable(),
    field("backup_codes", TEXTS),
    field("delete_self_enabled", FieldKind::Boolean).nullable(),
    field("create_organization_enabled", FieldKind::Boolean).nullable(),
    field("legal_accepted_at", FieldKind::Time).nullable(),
    field("skip_legal_checks", FieldKind::Boolean).nullable(),
    field("create_organizations_limit", INTEGER).nullable(),
    field("created_at", FieldKind::Time).nullable(),
    field("bypass_client_trust", FieldKind::Boolean).nullable(),
];

const WRITES: Writes = Writes {
    insert: Some(Write::post("/users", NEW)),
    updates: &[
        Update::Fields(Write::patch("/users/{user_id}", CHANGED)),
        Update::Merge(Write::patch("/users/{user_id}/metadata", METADATA)),
        Update::Action { column: "locked", value: "true", write: Write::act("/users/{user_id}/lock") },
        Update::Action { column: "locked", value: "false", write: Write::act("/users/{user_id}/unlock") },
        Update::Action { column: "banned", value: "true", write: Write::act("/users/{user_id}/ban") },
        Update::Action { column: "banned", value: "false", write: Write::act("/users/{user_id}/unban") },
    ],
    delete: Some(Write::delete("/users/{user_id}")),
    unique: &[&["email"], &["phone_number"], &["username"], &["external_id"], &["web3_wallet"]],
    ..Writes::NONE
};

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
        column("user_id", Text, Member("id"), "The user's id, which begins with user_.")
            .id()
            .shared()
            .filters(&[exact(Equal { has_prefix: true }, "user_id")])
            .aliases(&["id"]),
        member("username", Text, "The user's name for signing in, if the instance uses them.")
            .shared()
            .filters(&[narrowing(Equal { has_prefix: false }, "username"), narrowing(Contains, "username_query")]),
        member("first_name", Text, "The first name.").shared().filters(&[narrowing(Contains, "name_query")]),
        member("last_name", Text, "The last name.").shared().filters(&[narrowing(Contains, "name_query")]),
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
        member("external_id", Text, "The application's own id for the user.")
            .filters(&[narrowing(Equal { has_prefix: true }, "external_id")]),
        column(
            "web3_wallet",
            Text,
            Primary { id: "primary_web3_wallet_id", list: "web3_wallets", value: "web3_wallet" },
            "The primary web3 wallet; all of them are in user_web3_wallets.",
        )
        .filters(&[narrowing(Equal { has_prefix: false }, "web3_wallet")]),
        member("primary_email_address_id", Text, "The id of the primary email address."),
        member("primary_phone_number_id", Text, "The id of the primary phone number."),
        member("primary_web3_wallet_id", Text, "The id of the primary web3 wallet."),
        member("locale", Text, "The language that the user prefers, such as en-US."),
        member("image_url", Text, "The address of the profile image.").shared(),
        member("profile_image_url", Text, "The same as image_url, under its older name."),
        member("has_image", Boolean, "Whether the user chose an image.").shared(),
        member("banned", Boolean, "Whether the user is banned from signing in.")
            .banned()
            .filters(&[exact(Is, "banned")]),
        member("locked", Boolean, "Whether too many failed attempts lock the user out now."),
        member("two_factor_enabled", Boolean, "Whether a second factor is set up."),
        member("password_enabled", Boolean, "Whether the user has a password."),
        member("totp_enabled", Boolean, "Whether an authenticator app is a second factor."),
        member("backup_code_enabled", Boolean, "Whether there are backup codes."),
        member("deprovisioned", Boolean, "Whether a directory has removed the user."),
        member("delete_self_enabled", Boolean, "Whether users may delete themselves."),
        member("create_organization_enabled", Boolean, "Whether the user may create organizations."),
        member(
            "create_organizations_limit",
            Integer,
            "How many organizations the user may create; 0 means any number.",
        ),
        member(
            "verification_attempts_remaining",
            Integer,
            "How many failed attempts are left before the user is locked out.",
        ),
        member("bypass_client_trust", Boolean, "Whether the user can sign in on a new device without further checks."),
        member("created_at", Time, "When the user was created.")
            .creation_time()
            .filters(&[exact(After, "created_at_after"), exact(Before { within: 0 }, "created_at_before")]),
        member("updated_at", Time, "When the user last changed.").update_time(),
        member("last_sign_in_at", Time, "The last sign-in; null if there was none.")
            .filters(&[exact(After, "last_sign_in_at_after"), exact(Before { within: 0 }, "last_sign_in_at_before")]),
        member("last_active_at", Time, "The last session activity, to the day.").filters(&[
            narrowing(After, "last_active_at_after"),
            narrowing(Before { within: DAY }, "last_active_at_before"),
        ]),
        member("legal_accepted_at", Time, "When the user accepted the legal terms."),
        member("password_last_updated_at", Time, "When the password was last changed."),
        member("mfa_enabled_at", Time, "When a second factor was last set up."),
        member("mfa_disabled_at", Time, "When the last second factor was removed."),
        member("public_metadata", Json, "Metadata that the frontend may read."),
        member("private_metadata", Json, "Metadata for the backend alone.").private(),
        member("unsafe_metadata", Json, "Metadata that the user's own browser may write: never trust it."),
        attrs(),
    ],
    writes: WRITES,
    events: &[Event::upsert("user.created"), Event::upsert("user.updated"), Event::delete("user.deleted")],
    access: Access::User,
    mirroring: Mirroring::ByDefault,
    ..Object::BLANK
};
