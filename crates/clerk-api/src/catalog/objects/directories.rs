//! Directories: identity providers that create and remove users by themselves.

use crate::catalog::Kind::{Boolean, Json, Text, Time};
use crate::catalog::Source::Member;
use crate::catalog::column::{attrs, column, member};
use crate::catalog::write::{TEXT, field};
use crate::catalog::{FieldKind, KeyColumn, List, Object, Update, Write, Writes};

/// Which groups become which roles.
const GROUP_ROLE_MAPPINGS: FieldKind = FieldKind::List {
    of: &FieldKind::Members(&[
        field("directory_group_id", TEXT),
        field("scim_group_id", TEXT),
        field("directory_group_display_name", GROUP_NAME),
        field("scim_group_display_name", GROUP_NAME),
        field("role_id", TEXT).required(),
        field("precedence", FieldKind::Integer { min: 1, max: i64::MAX }),
    ]),
    min: 0,
    max: usize::MAX,
};

const GROUP_NAME: FieldKind = FieldKind::Text { min: 0, max: 255 };

const WRITES: Writes = Writes {
    insert: Some(
        Write::post(
            "/directories",
            &[
                field("enterprise_connection_id", TEXT).required(),
                field("name", TEXT),
                field("provider", TEXT).required(),
                field("group_role_mappings", GROUP_ROLE_MAPPINGS),
            ],
        )
        .shown_once(&["api_key"]),
    ),
    updates: &[Update::Fields(Write::patch(
        "/directories/{directory_id}",
        &[
            field("name", TEXT),
            field("enabled", FieldKind::Boolean),
            field("provider", TEXT),
            field("attribute_mapping", FieldKind::Object),
            field("group_role_mapping_enabled", FieldKind::Boolean),
        ],
    ))],
    delete: Some(Write::delete("/directories/{directory_id}")),
    ..Writes::NONE
};

pub(super) const OBJECT: Object = Object {
    name: "directories",
    description: "The directories from which users are provisioned.",
    list: Some(List::by_offset("/directories")),
    key_columns: &[KeyColumn::get("directory_id", "/directories/{directory_id}")],
    columns: &[
        column("directory_id", Text, Member("id"), "The directory's id.").id().aliases(&["id"]),
        member("name", Text, "The name."),
        member("enterprise_connection_id", Text, "The id of the enterprise connection that it belongs to."),
        member("endpoint_url", Text, "Where the identity provider sends its changes."),
        member("provider", Text, "The identity provider."),
        member("enabled", Boolean, "Whether it is in use."),
        member("group_role_mapping_enabled", Boolean, "Whether groups of the directory become roles."),
        member(
            "api_key",
            Text,
            "The key with which the identity provider authenticates itself; Clerk sends it only when it is made.",
        )
        .secret(),
        member("created_at", Time, "When the directory was created.").creation_time(),
        member("updated_at", Time, "When it last changed.").update_time(),
        member("attribute_mapping", Json, "Which attributes of the directory become which of the user."),
        member("custom_attributes", Json, "Further attributes that are taken from the directory."),
        attrs(),
    ],
    writes: WRITES,
    ..Object::BLANK
};
