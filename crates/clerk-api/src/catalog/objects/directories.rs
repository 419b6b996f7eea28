//! Directories: identity providers that create and remove users by themselves.

use crate::catalog::Kind::{Boolean, Json, Text, Time};
use crate::catalog::Source::{Path, Whole};
use crate::catalog::column::column;
use crate::catalog::{KeyColumn, List, Object};

pub(super) const OBJECT: Object = Object {
    name: "directories",
    description: "The directories from which users are provisioned.",
    list: Some(List::by_offset("/directories")),
    key_columns: &[KeyColumn::get("directory_id", "/directories/{directory_id}")],
    columns: &[
        column("directory_id", Text, Path(&["id"]), "The directory's id.").id().aliases(&["id"]),
        column("name", Text, Path(&["name"]), "The name."),
        column(
            "enterprise_connection_id",
            Text,
            Path(&["enterprise_connection_id"]),
            "The id of the enterprise connection that it belongs to.",
        ),
        column("endpoint_url", Text, Path(&["endpoint_url"]), "Where the identity provider sends its changes."),
        column("provider", Text, Path(&["provider"]), "The identity provider."),
        column("enabled", Boolean, Path(&["enabled"]), "Whether it is in use."),
        column(
            "group_role_mapping_enabled",
            Boolean,
            Path(&["group_role_mapping_enabled"]),
            "Whether groups of the directory become roles.",
        ),
        column(
            "api_key",
            Text,
            Path(&["api_key"]),
            "The key with which the identity provider authenticates itself; Clerk sends it only when it is made.",
        )
        .secret(),
        column("created_at", Time, Path(&["created_at"]), "When the directory was created.").creation_time(),
        column("updated_at", Time, Path(&["updated_at"]), "When it last changed.").update_time(),
        column(
            "attribute_mapping",
            Json,
            Path(&["attribute_mapping"]),
            "Which attributes of the directory become which of the user.",
        ),
        column(
            "custom_attributes",
            Json,
            Path(&["custom_attributes"]),
            "Further attributes that are taken from the directory.",
        ),
        column("attrs", Json, Whole, "The whole object exactly as Clerk sent it.").private(),
    ],
    ..Object::BLANK
};
