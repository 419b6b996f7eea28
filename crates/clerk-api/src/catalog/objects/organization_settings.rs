//! The settings of organizations in the whole instance.

use crate::catalog::Kind::{Boolean, Integer, Json, Text, TextArray};
use crate::catalog::Source::{Path, Whole};
use crate::catalog::column::column;
use crate::catalog::{List, Object};

pub(super) const OBJECT: Object = Object {
    name: "organization_settings",
    description: "The settings that all organizations share, in one row.",
    list: Some(List::single("/instance/organization_settings")),
    columns: &[
        column(
            "organization_settings_id",
            Text,
            Path(&["object"]),
            "Always organization_settings, because there is one row.",
        )
        .id()
        .aliases(&["id"]),
        column("enabled", Boolean, Path(&["enabled"]), "Whether the application uses organizations."),
        column(
            "max_allowed_memberships",
            Integer,
            Path(&["max_allowed_memberships"]),
            "How many members an organization may have; 0 means any number.",
        ),
        column("max_allowed_roles", Integer, Path(&["max_allowed_roles"]), "How many roles there may be."),
        column("max_role_sets_allowed", Integer, Path(&["max_role_sets_allowed"]), "How many role sets there may be."),
        column(
            "max_allowed_domains",
            Integer,
            Path(&["max_allowed_domains"]),
            "How many domains an organization may have.",
        ),
        column(
            "max_allowed_permissions",
            Integer,
            Path(&["max_allowed_permissions"]),
            "How many permissions there may be; Clerk no longer limits it.",
        ),
        column(
            "creator_role",
            Text,
            Path(&["creator_role"]),
            "The key of the role that whoever creates an organization gets.",
        ),
        column(
            "admin_delete_enabled",
            Boolean,
            Path(&["admin_delete_enabled"]),
            "Whether admins may delete their organizations.",
        ),
        column("domains_enabled", Boolean, Path(&["domains_enabled"]), "Whether organizations can have domains."),
        column("slug_disabled", Boolean, Path(&["slug_disabled"]), "Whether organizations have no slugs."),
        column(
            "domains_enrollment_modes",
            TextArray,
            Path(&["domains_enrollment_modes"]),
            "The enrollment modes that domains can have.",
        ),
        column(
            "domains_default_role",
            Text,
            Path(&["domains_default_role"]),
            "The key of the role that people who join by their domain get.",
        ),
        column(
            "initial_role_set_key",
            Text,
            Path(&["initial_role_set_key"]),
            "The key of the role set that new organizations get.",
        ),
        column("attrs", Json, Whole, "The whole object exactly as Clerk sent it.").private(),
    ],
    ..Object::BLANK
};
