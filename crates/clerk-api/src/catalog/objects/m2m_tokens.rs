//! Machine-to-machine tokens: what machines show each other.

use super::api_keys::REVOKED;
use crate::catalog::Kind::{Boolean, Json, Text, TextArray, Time};
use crate::catalog::Source::Member;
use crate::catalog::column::{attrs, column, member};
use crate::catalog::{KeyColumn, List, Mirroring, Object, Update, Write, Writes};

/// Revokes a token, which Clerk keeps. Only a machine can make tokens, with a key of its own.
const REVOKE: Write = Write::act("/m2m_tokens/{m2m_token_id}/revoke").with_fields(REVOKED);

const WRITES: Writes = Writes {
    updates: &[Update::Action { column: "revoked", value: "true", write: REVOKE }],
    delete: Some(REVOKE),
    ..Writes::NONE
};

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
    .ids(&["mch"])],
    columns: &[
        column("m2m_token_id", Text, Member("id"), "The M2M token's id.").id().aliases(&["id"]),
        member("subject", Text, "The id of the machine that it belongs to."),
        member("scopes", TextArray, "The ids of the machines that accept it."),
        member("revoked", Boolean, "Whether it was revoked."),
        member("revocation_reason", Text, "Why it was revoked."),
        member("expired", Boolean, "Whether it has expired."),
        member("expiration", Time, "When it expires; null if it never does."),
        member("last_used_at", Time, "When it was last used."),
        member("updated_at", Time, "When it last changed.").update_time(),
        member("created_at", Time, "When the token was created.").creation_time(),
        member("claims", Json, "What it says besides."),
        attrs(),
    ],
    writes: WRITES,
    mirroring: Mirroring::Never,
    ..Object::BLANK
};
