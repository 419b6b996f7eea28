//! JWT templates: what the tokens for other services contain.

use crate::catalog::Kind::{Boolean, Integer, Json, Text, Time};
use crate::catalog::Source::Member;
use crate::catalog::column::{attrs, column, member};
use crate::catalog::write::{TEXT, field};
use crate::catalog::{Field, FieldKind, KeyColumn, List, Object, Update, Write, Writes};

/// What Clerk takes for a new template and for a changed one.
const FIELDS: &[Field] = &[
    field("name", TEXT).required(),
    field("claims", FieldKind::Object).required(),
    field("lifetime", FieldKind::Integer { min: 30, max: 315_360_000 }).nullable(),
    field("allowed_clock_skew", FieldKind::Integer { min: 0, max: 300 }).nullable(),
    field("custom_signing_key", FieldKind::Boolean),
    field("signing_algorithm", TEXT).nullable(),
    field("signing_key", TEXT).nullable(),
];

const WRITES: Writes = Writes {
    insert: Some(Write::post("/jwt_templates", FIELDS)),
    updates: &[Update::Fields(Write::patch("/jwt_templates/{jwt_template_id}", FIELDS))],
    delete: Some(Write::delete("/jwt_templates/{jwt_template_id}")),
    ..Writes::NONE
};

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
    writes: WRITES,
    ..Object::BLANK
};
