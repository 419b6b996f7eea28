//! Machine-to-machine tokens: what machines show each other.

use crate::catalog::Kind::{Boolean, Json, Text, TextArray, Time};
use crate::catalog::Source::{Path, Whole};
use crate::catalog::column::column;
use crate::catalog::{KeyColumn, List, Mirroring, Object};

pub(super) const OBJECT: Object = Object {
    name: "m2m_tokens",
    description: "The machine-to-machine tokens, revoked and expired ones included. Clerk lists them by subject, which is a machine.",
    key_columns: &[KeyColumn::list(
        "subject",
        List::by_offset("/m2m_tokens?subject={subject}")
            .params(&[("revoked", "true"), ("expired", "true")])
            .max_page_size(100)
            .member("m2m_tokens"),
    )
    .prefixes(&["mch_"])],
    columns: &[
        column("m2m_token_id", Text, Path(&["id"]), "The M2M token's id.").id().aliases(&["id"]),
        column("subject", Text, Path(&["subject"]), "The id of the machine that it belongs to."),
        column("scopes", TextArray, Path(&["scopes"]), "The ids of the machines that accept it."),
        column("revoked", Boolean, Path(&["revoked"]), "Whether it was revoked."),
        column("revocation_reason", Text, Path(&["revocation_reason"]), "Why it was revoked."),
        column("expired", Boolean, Path(&["expired"]), "Whether it has expired."),
        column("expiration", Time, Path(&["expiration"]), "When it expires; null if it never does."),
        column("last_used_at", Time, Path(&["last_used_at"]), "When it was last used."),
        column("updated_at", Time, Path(&["updated_at"]), "When it last changed.").update_time(),
        column("created_at", Time, Path(&["created_at"]), "When the token was created.").creation_time(),
        column("claims", Json, Path(&["claims"]), "What it says besides."),
        column("attrs", Json, Whole, "The whole object exactly as Clerk sent it.").private(),
    ],
    mirroring: Mirroring::Never,
    ..Object::BLANK
};
