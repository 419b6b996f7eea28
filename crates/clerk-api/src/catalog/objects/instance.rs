//! The Clerk instance that a key belongs to.

use crate::catalog::Kind::{Json, Text, TextArray};
use crate::catalog::Source::{Path, Whole};
use crate::catalog::column::column;
use crate::catalog::{List, Object};

pub(super) const OBJECT: Object = Object {
    name: "instance",
    description: "The Clerk instance itself, in one row.",
    list: Some(List::single("/instance")),
    columns: &[
        column("instance_id", Text, Path(&["id"]), "The instance's id.").id().aliases(&["id"]),
        column("environment_type", Text, Path(&["environment_type"]), "production, staging or development."),
        column(
            "allowed_origins",
            TextArray,
            Path(&["allowed_origins"]),
            "The origins from which native applications and browser extensions may call Clerk.",
        ),
        column(
            "workspace_id",
            Text,
            Path(&["workspace_id"]),
            "The id of the Clerk workspace that owns the application.",
        ),
        column("attrs", Json, Whole, "The whole object exactly as Clerk sent it.").private(),
    ],
    ..Object::BLANK
};
