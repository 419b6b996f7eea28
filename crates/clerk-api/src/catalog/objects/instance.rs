//! The Clerk instance that a key belongs to.

use crate::catalog::Kind::{Text, TextArray};
use crate::catalog::Source::Member;
use crate::catalog::column::{attrs, column, member};
use crate::catalog::{List, Object};

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
    ..Object::BLANK
};
