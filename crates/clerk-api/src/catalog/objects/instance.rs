//! The Clerk instance that a key belongs to.

use crate::catalog::Kind::{Text, TextArray};
use crate::catalog::Source::Member;
use crate::catalog::column::{attrs, column, member};
use crate::catalog::write::{TEXT, TEXTS, field};
use crate::catalog::{FieldKind, List, Object, Update, Write, Writes};

const WRITES: Writes = Writes {
    updates: &[Update::Fields(
        Write::patch(
            "/instance",
            &[
                field("test_mode", FieldKind::Boolean).nullable(),
                field("hibp", FieldKind::Boolean).nullable(),
                field("support_email", TEXT).nullable(),
                field("clerk_js_version", TEXT).nullable(),
                field("development_origin", TEXT).nullable(),
                field("allowed_origins", TEXTS),
                field("cookieless_dev", FieldKind::Boolean).nullable(),
                field("url_based_session_syncing", FieldKind::Boolean).nullable(),
                field("preferred_sign_in_strategy_when_password_required", FieldKind::Choice(&["password", "otp", ""]))
                    .nullable(),
            ],
        )
        .answering_otherwise(),
    )],
    ..Writes::NONE
};

pub(super) const OBJECT: Object = Object {
    name: "instance",
    description: "The Clerk instance itself, in one row.",
    list: Some(List::single("/instance")),
    columns: &[
        column("instance_id", Text, Member("id"), "The instance's id.").id().aliases(&["id"]),
        member("environment_type", Text, "production, staging or development."),
        member(
            "allowed_origins",
            TextArray,
            "The origins from which native applications and browser extensions may call Clerk.",
        ),
        member("workspace_id", Text, "The id of the Clerk workspace that owns the application."),
        attrs(),
    ],
    writes: WRITES,
    ..Object::BLANK
};
