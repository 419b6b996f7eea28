//! API keys: what users and organizations gave to programs that act for them.

use crate::catalog::Kind::{Boolean, Json, Text, TextArray, Time};
use crate::catalog::Source::Member;
use crate::catalog::column::{attrs, column, member};
use crate::catalog::write::{TEXT, TEXTS, field, id};
use crate::catalog::{Field, FieldKind, KeyColumn, List, Mirroring, Object, Update, Write, Writes};

/// The id of what a key can belong to.
const SUBJECT: FieldKind = id(&["user", "org", "mch", "scim"]);

const DESCRIPTION: FieldKind = FieldKind::Text { min: 0, max: 255 };

/// A span of time. Clerk refuses 0 as well.
const SECONDS: FieldKind = FieldKind::Number { min: 0.0 };

/// What can be said of a revocation.
pub(super) const REVOKED: &[Field] = &[field("revocation_reason", TEXT).nullable()];

const WRITES: Writes = Writes {
    insert: Some(
        Write::post(
            "/api_keys",
            &[
                field("type", FieldKind::Text { min: 3, max: 25 }),
                field("name", FieldKind::Text { min: 3, max: usize::MAX }).required(),
                field("description", DESCRIPTION).nullable(),
                field("subject", SUBJECT).required(),
                field("claims", FieldKind::Any).nullable(),
                field("scopes", TEXTS),
                field("created_by", id(&["user"])).nullable(),
                field("seconds_until_expiration", SECONDS).nullable(),
            ],
        )
        .shown_once(&["secret"]),
    ),
    updates: &[
        Update::Fields(Write::patch(
            "/api_keys/{api_key_id}",
            &[
                field("claims", FieldKind::Any).nullable(),
                field("scopes", TEXTS),
                field("description", DESCRIPTION).nullable(),
                field("subject", SUBJECT),
                field("seconds_until_expiration", SECONDS).nullable(),
            ],
        )),
        Update::Action {
            column: "revoked",
            value: "true",
            write: Write::act("/api_keys/{api_key_id}/revoke").with_fields(REVOKED),
        },
    ],
    delete: Some(Write::delete("/api_keys/{api_key_id}")),
    ..Writes::NONE
};

pub(super) const OBJECT: Object = Object {
    name: "api_keys",
    description: "The API keys of users, organizations and machines, revoked and expired ones included. Clerk lists them by subject.",
    key_columns: &[
        KeyColumn::get("api_key_id", "/api_keys/{api_key_id}").hexadecimal_ids(&["ak", "api_key"]),
        KeyColumn::list(
            "subject",
            List::by_offset("/api_keys?subject={subject}").params(&[("include_invalid", "true")]).max_page_size(100),
        )
        .ids(&["user", "org", "mch", "scim"]),
    ],
    columns: &[
        column("api_key_id", Text, Member("id"), "The API key's id.").id().aliases(&["id"]),
        member("subject", Text, "The id of the user, organization or machine that it belongs to."),
        member("scopes", TextArray, "What it allows."),
        member("revoked", Boolean, "Whether it was revoked."),
        member("revocation_reason", Text, "Why it was revoked."),
        member("expired", Boolean, "Whether it has expired."),
        member("expiration", Time, "When it expires; null if it never does."),
        member("last_used_at", Time, "When it was last used."),
        member("type", Text, "What kind of key it is: api_key."),
        member("name", Text, "The name."),
        member("description", Text, "What it is for."),
        member("created_by", Text, "The id of the user who made it."),
        member("updated_at", Time, "When it last changed.").update_time(),
        member("created_at", Time, "When the key was created.").creation_time(),
        member("claims", Json, "What it says besides."),
        attrs(),
    ],
    writes: WRITES,
    mirroring: Mirroring::Never,
    ..Object::BLANK
};
