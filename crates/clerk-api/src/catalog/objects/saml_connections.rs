//! SAML connections: single sign-on through SAML. Clerk prefers enterprise connections by now.

use super::enterprise_connections::LOGIN_HINT;
use crate::catalog::FilterOp::{Contains, Equal, One};
use crate::catalog::Kind::{Boolean, Integer, Json, Text, TextArray, Time};
use crate::catalog::Source::Member;
use crate::catalog::column::{attrs, column, exact, member, narrowing};
use crate::catalog::write::{TEXT, TEXTS, field};
use crate::catalog::{Field, FieldKind, KeyColumn, List, Object, SortColumn, Update, Write, Writes};

/// Which attributes of the identity provider become which of the user.
const ATTRIBUTE_MAPPING: &[Field] =
    &[field("user_id", TEXT), field("email_address", TEXT), field("first_name", TEXT), field("last_name", TEXT)];

const WRITES: Writes = Writes {
    insert: Some(Write::post(
        "/saml_connections",
        &[
            field("name", TEXT).required(),
            field("domain", TEXT),
            field("domains", TEXTS),
            field("provider", FieldKind::Choice(&["saml_custom", "saml_okta", "saml_google", "saml_microsoft"]))
                .required(),
            field("idp_entity_id", TEXT).nullable(),
            field("idp_sso_url", TEXT).nullable(),
            field("idp_certificate", TEXT).nullable(),
            field("idp_metadata_url", TEXT).nullable(),
            field("idp_metadata", TEXT).nullable(),
            field("organization_id", TEXT).nullable(),
            field("attribute_mapping", FieldKind::Members(ATTRIBUTE_MAPPING)).nullable(),
            field("force_authn", FieldKind::Boolean),
            field("login_hint", LOGIN_HINT).nullable(),
        ],
    )),
    updates: &[Update::Fields(Write::patch(
        "/saml_connections/{saml_connection_id}",
        &[
            field("name", TEXT).nullable(),
            field("domain", TEXT).nullable(),
            field("domains", TEXTS).nullable(),
            field("idp_entity_id", TEXT).nullable(),
            field("idp_sso_url", TEXT).nullable(),
            field("idp_certificate", TEXT).nullable(),
            field("idp_metadata_url", TEXT).nullable(),
            field("idp_metadata", TEXT).nullable(),
            field("organization_id", TEXT).nullable(),
            field("attribute_mapping", FieldKind::Members(ATTRIBUTE_MAPPING)).nullable(),
            field("active", FieldKind::Boolean).nullable(),
            field("sync_user_attributes", FieldKind::Boolean).nullable(),
            field("allow_subdomains", FieldKind::Boolean).nullable(),
            field("allow_idp_initiated", FieldKind::Boolean).nullable(),
            field("disable_additional_identifications", FieldKind::Boolean).nullable(),
            field("allow_organization_account_linking", FieldKind::Boolean).nullable(),
            field("force_authn", FieldKind::Boolean),
            field("login_hint", LOGIN_HINT).nullable(),
            field("consent_verified_domains_deletion", FieldKind::Boolean).nullable(),
        ],
    ))],
    delete: Some(Write::delete("/saml_connections/{saml_connection_id}")),
    ..Writes::NONE
};

pub(super) const OBJECT: Object = Object {
    name: "saml_connections",
    description: "The SAML connections. Clerk recommends enterprise_connections instead.",
    list: Some(List::by_offset("/saml_connections")),
    key_columns: &[KeyColumn::get("saml_connection_id", "/saml_connections/{saml_connection_id}")],
    sort_columns: &[SortColumn::BY_CREATION],
    columns: &[
        column("saml_connection_id", Text, Member("id"), "The SAML connection's id.").id().aliases(&["id"]),
        member("name", Text, "The name.")
            .filters(&[narrowing(One { values: &[] }, "query"), narrowing(Contains, "query")]),
        member("active", Boolean, "Whether people can sign in through it."),
        member("provider", Text, "The provider, such as saml_okta."),
        member("domains", TextArray, "The email domains whose users sign in through it."),
        member("organization_id", Text, "The id of the organization that it belongs to, if it belongs to one.")
            .filters(&[exact(Equal { has_prefix: true }, "organization_id")]),
        member("sync_user_attributes", Boolean, "Whether each sign-in updates the user's attributes."),
        member("disable_additional_identifications", Boolean, "Whether its users may not add other ways to sign in."),
        member("allow_organization_account_linking", Boolean, "Whether it links accounts by their organization."),
        member("domain", Text, "The first of domains, under its older name."),
        member("idp_entity_id", Text, "The identity provider's entity id."),
        member("idp_sso_url", Text, "Where the identity provider signs people in."),
        member("idp_certificate", Text, "The identity provider's public certificate."),
        member("idp_certificate_issued_at", Time, "From when the certificate is valid."),
        member("idp_certificate_expires_at", Time, "Until when the certificate is valid."),
        member("idp_metadata_url", Text, "The address of the identity provider's metadata."),
        member("idp_metadata", Text, "The identity provider's metadata, as XML."),
        member("acs_url", Text, "Where the identity provider sends its answers."),
        member("sp_entity_id", Text, "The entity id of Clerk's side."),
        member("sp_metadata_url", Text, "The address of the metadata of Clerk's side."),
        member("user_count", Integer, "How many users signed up through it."),
        member("allow_subdomains", Boolean, "Whether it is for subdomains as well."),
        member("allow_idp_initiated", Boolean, "Whether the identity provider may begin a sign-in."),
        member("force_authn", Boolean, "Whether people must sign in anew each time."),
        member("enterprise_connection_id", Text, "The id of the enterprise connection that stands for it."),
        member("created_at", Time, "When the connection was created.").creation_time(),
        member("updated_at", Time, "When it last changed.").update_time(),
        member("attribute_mapping", Json, "Which attributes of the identity provider become which of the user."),
        member("login_hint", Json, "What the identity provider is told about who signs in."),
        attrs(),
    ],
    writes: WRITES,
    ..Object::BLANK
};
