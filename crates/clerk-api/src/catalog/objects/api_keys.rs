//! API keys: what users and organizations gave to programs that act for them.

use crate::catalog::Kind::{Boolean, Json, Text, TextArray, Time};
use crate::catalog::Source::{Path, Whole};
use crate::catalog::column::column;
use crate::catalog::{KeyColumn, List, Mirroring, Object};

pub(super) const OBJECT: Object = Object {
    name: "api_keys",
    description: "The API keys of users, organizations and machines, revoked and expired ones included. Clerk lists them by subject.",
    key_columns: &[
        KeyColumn::get("api_key_id", "/api_keys/{api_key_id}"),
        KeyColumn::list(
            "subject",
            List::by_offset("/api_keys?subject={subject}").params(&[("include_invalid", "true")]).max_page_size(100),
        )
        .prefixes(&["user_", "org_", "mch_", "scim_"]),
    ],
    columns: &[
        column("api_key_id", Text, Path(&["id"]), "The API key's id.").id().aliases(&["id"]),
        column("subject", Text, Path(&["subject"]), "The id of the user, organization or machine that it belongs to."),
        column("scopes", TextArray, Path(&["scopes"]), "What it allows."),
        column("revoked", Boolean, Path(&["revoked"]), "Whether it was revoked."),
        column("revocation_reason", Text, Path(&["revocation_reason"]), "Why it was revoked."),
        column("expired", Boolean, Path(&["expired"]), "Whether it has expired."),
        column("expiration", Time, Path(&["expiration"]), "When it expires; null if it never does."),
        column("last_used_at", Time, Path(&["last_used_at"]), "When it was last used."),
        column("type", Text, Path(&["type"]), "What kind of key it is: api_key."),
        column("name", Text, Path(&["name"]), "The name."),
        column("description", Text, Path(&["description"]), "What it is for."),
        column("created_by", Text, Path(&["created_by"]), "The id of the user who made it."),
        column("updated_at", Time, Path(&["updated_at"]), "When it last changed.").update_time(),
        column("created_at", Time, Path(&["created_at"]), "When the key was created.").creation_time(),
        column("claims", Json, Path(&["claims"]), "What it says besides."),
        column("attrs", Json, Whole, "The whole object exactly as Clerk sent it.").private(),
    ],
    mirroring: Mirroring::Never,
    ..Object::BLANK
};
