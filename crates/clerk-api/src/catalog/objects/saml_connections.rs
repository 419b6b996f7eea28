//! SAML connections: single sign-on through SAML. Clerk prefers enterprise connections by now.

use crate::catalog::FilterOp::{Contains, Equal, One};
use crate::catalog::Kind::{Boolean, Integer, Json, Text, TextArray, Time};
use crate::catalog::Source::{Path, Whole};
use crate::catalog::column::{column, exact, narrowing};
use crate::catalog::{KeyColumn, List, Object, SortColumn};

pub(super) const OBJECT: Object = Object {
    name: "saml_connections",
    description: "The SAML connections. Clerk recommends enterprise_connections instead.",
    list: Some(List::by_offset("/saml_connections")),
    key_columns: &[KeyColumn::get("saml_connection_id", "/saml_connections/{saml_connection_id}")],
    sort_columns: &[SortColumn::BY_CREATION],
    columns: &[
        column("saml_connection_id", Text, Path(&["id"]), "The SAML connection's id.").id().aliases(&["id"]),
        column("name", Text, Path(&["name"]), "The name.")
            .filters(&[narrowing(One { values: &[] }, "query"), narrowing(Contains, "query")]),
        column("active", Boolean, Path(&["active"]), "Whether people can sign in through it."),
        column("provider", Text, Path(&["provider"]), "The provider, such as saml_okta."),
        column("domains", TextArray, Path(&["domains"]), "The email domains whose users sign in through it."),
        column(
            "organization_id",
            Text,
            Path(&["organization_id"]),
            "The id of the organization that it belongs to, if it belongs to one.",
        )
        .filters(&[exact(Equal { has_prefix: true }, "organization_id")]),
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
        column("domain", Text, Path(&["domain"]), "The first of domains, under its older name."),
        column("idp_entity_id", Text, Path(&["idp_entity_id"]), "The identity provider's entity id."),
        column("idp_sso_url", Text, Path(&["idp_sso_url"]), "Where the identity provider signs people in."),
        column("idp_certificate", Text, Path(&["idp_certificate"]), "The identity provider's public certificate."),
        column(
            "idp_certificate_issued_at",
            Time,
            Path(&["idp_certificate_issued_at"]),
            "From when the certificate is valid.",
        ),
        column(
            "idp_certificate_expires_at",
            Time,
            Path(&["idp_certificate_expires_at"]),
            "Until when the certificate is valid.",
        ),
        column(
            "idp_metadata_url",
            Text,
            Path(&["idp_metadata_url"]),
            "The address of the identity provider's metadata.",
        ),
        column("idp_metadata", Text, Path(&["idp_metadata"]), "The identity provider's metadata, as XML."),
        column("acs_url", Text, Path(&["acs_url"]), "Where the identity provider sends its answers."),
        column("sp_entity_id", Text, Path(&["sp_entity_id"]), "The entity id of Clerk's side."),
        column("sp_metadata_url", Text, Path(&["sp_metadata_url"]), "The address of the metadata of Clerk's side."),
        column("user_count", Integer, Path(&["user_count"]), "How many users signed up through it."),
        column("allow_subdomains", Boolean, Path(&["allow_subdomains"]), "Whether it is for subdomains as well."),
        column(
            "allow_idp_initiated",
            Boolean,
            Path(&["allow_idp_initiated"]),
            "Whether the identity provider may begin a sign-in.",
        ),
        column("force_authn", Boolean, Path(&["force_authn"]), "Whether people must sign in anew each time."),
        column(
            "enterprise_connection_id",
            Text,
            Path(&["enterprise_connection_id"]),
            "The id of the enterprise connection that stands for it.",
        ),
        column("created_at", Time, Path(&["created_at"]), "When the connection was created.").creation_time(),
        column("updated_at", Time, Path(&["updated_at"]), "When it last changed.").update_time(),
        column(
            "attribute_mapping",
            Json,
            Path(&["attribute_mapping"]),
            "Which attributes of the identity provider become which of the user.",
        ),
        column("login_hint", Json, Path(&["login_hint"]), "What the identity provider is told about who signs in."),
        column("attrs", Json, Whole, "The whole object exactly as Clerk sent it.").private(),
    ],
    ..Object::BLANK
};
