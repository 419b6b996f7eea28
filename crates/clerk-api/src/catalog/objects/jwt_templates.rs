//! JWT templates: what the tokens for other services contain.

use crate::catalog::Kind::{Boolean, Integer, Json, Text, Time};
use crate::catalog::Source::{Path, Whole};
use crate::catalog::column::column;
use crate::catalog::{KeyColumn, List, Object};

pub(super) const OBJECT: Object = Object {
    name: "jwt_templates",
    description: "The templates of tokens for other services.",
    list: Some(List::bare("/jwt_templates")),
    key_columns: &[KeyColumn::get("jwt_template_id", "/jwt_templates/{jwt_template_id}")],
    columns: &[
        column("jwt_template_id", Text, Path(&["id"]), "The JWT template's id.").id().aliases(&["id"]),
        column("name", Text, Path(&["name"]), "The name."),
        column("lifetime", Integer, Path(&["lifetime"]), "How long a token is valid, in seconds."),
        column(
            "allowed_clock_skew",
            Integer,
            Path(&["allowed_clock_skew"]),
            "How far the clocks of issuer and reader may differ, in seconds.",
        ),
        column(
            "custom_signing_key",
            Boolean,
            Path(&["custom_signing_key"]),
            "Whether tokens are signed with a key of the application.",
        ),
        column(
            "signing_algorithm",
            Text,
            Path(&["signing_algorithm"]),
            "The algorithm of the signature, such as RS256.",
        ),
        column("created_at", Time, Path(&["created_at"]), "When the template was created.").creation_time(),
        column("updated_at", Time, Path(&["updated_at"]), "When it last changed.").update_time(),
        column("claims", Json, Path(&["claims"]), "The claims, with placeholders for what is known about the user."),
        column("attrs", Json, Whole, "The whole object exactly as Clerk sent it.").private(),
    ],
    ..Object::BLANK
};
