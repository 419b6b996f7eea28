//! Enterprise connections: single sign-on through SAML, OpenID Connect or EASIE.

use crate::catalog::FilterOp::Is;
use crate::catalog::Kind::{Boolean, Json, Text, TextArray, Time};
use crate::catalog::Source::{Path, Whole};
use crate::catalog::column::{column, exact};
use crate::catalog::{KeyColumn, List, Object};

pub(super) const OBJECT: Object = Object {
    name: "enterprise_connections",
    description: "The enterprise connections for single sign-on.",
    list: Some(List::by_offset("/enterprise_connections")),
    key_columns: &[
        KeyColumn::get("enterprise_connection_id", "/enterprise_connections/{enterprise_connection_id}"),
        KeyColumn::list(
            "organization_id",
            List::by_offset("/enterprise_connections?organization_id={organization_id}"),
        )
        .filters(&[("active", exact(Is, "active"))]),
    ],
    columns: &[
        column("enterprise_connection_id", Text, Path(&["id"]), "The enterprise connection's id.")
            .id()
            .aliases(&["id"]),
        column("name", Text, Path(&["name"]), "The name."),
        column("active", Boolean, Path(&["active"]), "Whether people can sign in through it.")
            .filters(&[exact(Is, "active")]),
        column("provider", Text, Path(&["provider"]), "The provider, such as saml_okta."),
        column("domains", TextArray, Path(&["domains"]), "The email domains whose users sign in through it."),
        column(
            "organization_id",
            Text,
            Path(&["organization_id"]),
            "The id of the organization that it belongs to, if it belongs to one.",
        ),
        column(
            "sync_user_attributes",
            Boolean,
            Path(&["sync_user_attributes"]),
            "Whether each sign-in updates the user's attributes.",
        ),
        column(
            "disable_additional_identifications",
            Boolean,
            Path(&["disable_additional_identifications"]),
            "Whether its users may not add other ways to sign in.",
        ),
        column(
            "allow_organization_account_linking",
            Boolean,
            Path(&["allow_organization_account_linking"]),
            "Whether it links accounts by their organization.",
        ),
        column("logo_public_url", Text, Path(&["logo_public_url"]), "The address of the logo."),
        column("created_at", Time, Path(&["created_at"]), "When the connection was created.").creation_time(),
        column("updated_at", Time, Path(&["updated_at"]), "When it last changed.").update_time(),
        column(
            "custom_attributes",
            Json,
            Path(&["custom_attributes"]),
            "Further attributes that are taken from the identity provider.",
        ),
        column("saml_connection", Json, Path(&["saml_connection"]), "The settings of a connection through SAML."),
        column(
            "oauth_config",
            Json,
            Path(&["oauth_config"]),
            "The settings of a connection through OpenID Connect or EASIE.",
        ),
        column("attrs", Json, Whole, "The whole object exactly as Clerk sent it.").private(),
    ],
    ..Object::BLANK
};
