//! Enterprise connections: single sign-on through SAML, OpenID Connect or EASIE.

use crate::catalog::FilterOp::Is;
use crate::catalog::Kind::{Boolean, Json, Text, TextArray, Time};
use crate::catalog::Source::Member;
use crate::catalog::column::{attrs, column, exact, member};
use crate::catalog::write::{TEXT, TEXTS, field};
use crate::catalog::{Field, FieldKind, KeyColumn, List, Object, Update, Write, Writes};

const PROVIDERS: &[&str] = &[
    "saml_custom",
    "saml_okta",
    "saml_google",
    "saml_microsoft",
    "oidc_custom",
    "oidc_github_enterprise",
    "oidc_gitlab",
];

/// Which attributes of the identity provider become which of the user.
const ATTRIBUTE_MAPPING: &[Field] = &[
    field("user_id", TEXT).nullable(),
    field("email_address", TEXT).nullable(),
    field("first_name", TEXT).nullable(),
    field("last_name", TEXT).nullable(),
];

/// What the identity provider is told about who signs in.
pub(super) const LOGIN_HINT: FieldKind = FieldKind::Members(&[
    field("mode", FieldKind::Choice(&["email_address", "custom_attribute", "off"])).required(),
    field("source", TEXT),
]);

/// The settings of a new connection through SAML.
const NEW_SAML: &[Field] = &[
    field("idp_entity_id", TEXT).nullable(),
    field("idp_sso_url", TEXT).nullable(),
    field("idp_certificate", TEXT).nullable(),
    field("idp_metadata_url", TEXT).nullable(),
    field("idp_metadata", TEXT).nullable(),
    field("attribute_mapping", FieldKind::Members(ATTRIBUTE_MAPPING)).nullable(),
    field("allow_subdomains", FieldKind::Boolean).nullable(),
    field("allow_idp_initiated", FieldKind::Boolean).nullable(),
    field("force_authn", FieldKind::Boolean).nullable(),
    field("login_hint", LOGIN_HINT).nullable(),
];

/// The settings of a connection through SAML that can be changed.
const CHANGED_SAML: &[Field] = &[
    field("name", TEXT).nullable(),
    field("idp_entity_id", TEXT).nullable(),
    field("idp_sso_url", TEXT).nullable(),
    field("idp_certificate", TEXT).nullable(),
    field("idp_metadata_url", TEXT).nullable(),
    field("idp_metadata", TEXT).nullable(),
    field("attribute_mapping", FieldKind::Members(ATTRIBUTE_MAPPING)).nullable(),
    field("allow_subdomains", FieldKind::Boolean).nullable(),
    field("allow_idp_initiated", FieldKind::Boolean).nullable(),
    field("force_authn", FieldKind::Boolean).nullable(),
    field("login_hint", LOGIN_HINT).nullable(),
];

/// The settings of a connection through OpenID Connect.
const OIDC: &[Field] = &[
    field("client_id", TEXT).nullable(),
    field("client_secret", TEXT).nullable(),
    field("discovery_url", TEXT).nullable(),
    field("auth_url", TEXT).nullable(),
    field("token_url", TEXT).nullable(),
    field("user_info_url", TEXT).nullable(),
    field("requires_pkce", FieldKind::Boolean).nullable(),
];

/// Further attributes that are taken from the identity provider.
const CUSTOM_ATTRIBUTES: FieldKind = FieldKind::List {
    of: &FieldKind::Members(&[
        field("name", FieldKind::Text { min: 1, max: usize::MAX }).required(),
        field("key", FieldKind::Text { min: 1, max: usize::MAX }).required(),
        field("sso_path", TEXT),
        field("scim_path", TEXT),
        field("directory_path", TEXT),
        field("multi_valued", FieldKind::Boolean),
    ]),
    min: 0,
    max: usize::MAX,
};

const WRITES: Writes = Writes {
    insert: Some(Write::post(
        "/enterprise_connections",
        &[
            field("name", TEXT).required(),
            field("provider", FieldKind::Choice(PROVIDERS)).required(),
            field("domains", FieldKind::List { of: &TEXT, min: 1, max: usize::MAX }).required(),
            field("organization_id", TEXT).nullable(),
            field("allow_organization_account_linking", FieldKind::Boolean).nullable(),
            field("active", FieldKind::Boolean).nullable(),
            field("saml", FieldKind::Members(NEW_SAML)).nullable(),
            field("oidc", FieldKind::Members(OIDC)).nullable(),
            field("custom_attributes", CUSTOM_ATTRIBUTES),
        ],
    )),
    updates: &[Update::Fields(Write::patch(
        "/enterprise_connections/{enterprise_connection_id}",
        &[
            field("name", TEXT).nullable(),
            field("domains", TEXTS).nullable(),
            field("active", FieldKind::Boolean).nullable(),
            field("sync_user_attributes", FieldKind::Boolean).nullable(),
            field("disable_additional_identifications", FieldKind::Boolean).nullable(),
            field("allow_organization_account_linking", FieldKind::Boolean).nullable(),
            field("organization_id", TEXT).nullable(),
            field("saml", FieldKind::Members(CHANGED_SAML)).nullable(),
            field("oidc", FieldKind::Members(OIDC)).nullable(),
            field("custom_attributes", CUSTOM_ATTRIBUTES).nullable(),
        ],
    ))],
    delete: Some(Write::delete("/enterprise_connections/{enterprise_connection_id}")),
    ..Writes::NONE
};

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
    writes: WRITES,
    ..Object::BLANK
};
