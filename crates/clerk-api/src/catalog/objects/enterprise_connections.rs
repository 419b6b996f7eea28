//! Enterprise connections: single sign-on through SAML, OpenID Connect or EASIE.

use crate::catalog::FilterOp::Is;
use crate::catalog::Kind::{Boolean, Json, Text, TextArray, Time};
use crate::catalog::Source::Member;
use crate::catalog::column::{attrs, column, exact, member};
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
        column("enterprise_connection_id", Text, Member("id"), "The enterprise connection's id.").id().aliases(&["id"]),
        member("name", Text, "The name."),
        member("active", Boolean, "Whether people can sign in through it.").filters(&[exact(Is, "active")]),
        member("provider", Text, "The provider, such as saml_okta."),
        member("domains", TextArray, "The email domains whose users sign in through it."),
        member("organization_id", Text, "The id of the organization that it belongs to, if it belongs to one."),
        member("sync_user_attributes", Boolean, "Whether each sign-in updates the user's attributes."),
        member("disable_additional_identifications", Boolean, "Whether its users may not add other ways to sign in."),
        member("allow_organization_account_linking", Boolean, "Whether it links accounts by their organization."),
        member("logo_public_url", Text, "The address of the logo."),
        member("created_at", Time, "When the connection was created.").creation_time(),
        member("updated_at", Time, "When it last changed.").update_time(),
        member("custom_attributes", Json, "Further attributes that are taken from the identity provider."),
        member("saml_connection", Json, "The settings of a connection through SAML."),
        member("oauth_config", Json, "The settings of a connection through OpenID Connect or EASIE."),
        attrs(),
    ],
    ..Object::BLANK
};
