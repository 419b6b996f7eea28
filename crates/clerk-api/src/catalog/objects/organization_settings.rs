//! The settings of organizations in the whole instance.

use crate::catalog::Kind::{Boolean, Integer, Text, TextArray};
use crate::catalog::Source::Member;
use crate::catalog::column::{attrs, column, member};
use crate::catalog::write::{INTEGER, TEXT, TEXTS, field};
use crate::catalog::{FieldKind, List, Object, Update, Write, Writes};

const WRITES: Writes = Writes {
    updates: &[Update::Fields(Write::patch(
        "/instance/organization_settings",
        &[
            field("enabled", FieldKind::Boolean).nullable(),
            field("max_allowed_memberships", INTEGER).nullable(),
            field("admin_delete_enabled", FieldKind::Boolean).nullable(),
            field("domains_enabled", FieldKind::Boolean).nullable(),
            field("slug_disabled", FieldKind::Boolean).nullable(),
            field("domains_enrollment_modes", TEXTS),
            field("creator_role_id", TEXT).nullable(),
            field("domains_default_role_id", TEXT).nullable(),
        ],
    ))],
    ..Writes::NONE
};

pub(super) const OBJECT: Object = Object {
    name: "organization_settings",
    description: "The settings that all organizations share, in one row.",
    list: Some(List::single("/instance/organization_settings")),
    columns: &[
        column(
            "organization_settings_id",
            Text,
            Member("object"),
            "Always organization_settings, because there is one row.",
        )
        .id()
        .aliases(&["id"]),
        member("enabled", Boolean, "Whether the application uses organizations."),
        member("max_allowed_memberships", Integer, "How many members an organization may have; 0 means any number."),
        member("max_allowed_roles", Integer, "How many roles there may be."),
        member("max_role_sets_allowed", Integer, "How many role sets there may be."),
        member("max_allowed_domains", Integer, "How many domains an organization may have."),
        member("max_allowed_permissions", Integer, "How many permissions there may be; Clerk no longer limits it."),
        member("creator_role", Text, "The key of the role that whoever creates an organization gets."),
        member("admin_delete_enabled", Boolean, "Whether admins may delete their organizations."),
        member("domains_enabled", Boolean, "Whether organizations can have domains."),
        member("slug_disabled", Boolean, "Whether organizations have no slugs."),
        member("domains_enrollment_modes", TextArray, "The enrollment modes that domains can have."),
        member("domains_default_role", Text, "The key of the role that people who join by their domain get."),
        member("initial_role_set_key", Text, "The key of the role set that new organizations get."),
        attrs(),
    ],
    writes: WRITES,
    ..Object::BLANK
};
