//! JWT templates: what the tokens for other services contain.

use crate::catalog::Kind::{Boolean, Integer, Json, Text, Time};
use crate::catalog::Source::Member;
use crate::catalog::column::{attrs, column, member};
use crate::catalog::{KeyColumn, List, Object};

pub(super) const OBJECT: Object = Object {
    name: "jwt_templates",
    description: "The templates of tokens for other services.",
    list: Some(List::bare("/jwt_templates")),
    key_columns: &[KeyColumn::get("jwt_template_id", "/jwt_templates/{jwt_template_id}")],
    columns: &[
        column("jwt_template_id", Text, Member("id"), "The JWT template's id.").id().aliases(&["id"]),
        member("name", Text, "The name."),
        member("lifetime", Integer, "How long a token is valid, in seconds."),
        member("allowed_clock_skew", Integer, "How far the clocks of issuer and reader may differ, in seconds."),
        member("custom_signing_key", Boolean, "Whether tokens are signed with a key of the application."),
        member("signing_algorithm", Text, "The algorithm of the signature, such as RS256."),
        member("created_at", Time, "When the template was created.").creation_time(),
        member("updated_at", Time, "When it last changed.").update_time(),
        member("claims", Json, "The claims, with placeholders for what is known about the user."),
        attrs(),
    ],
    ..Object::BLANK
};
