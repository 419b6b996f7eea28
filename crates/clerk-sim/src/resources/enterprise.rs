//! Sign-in with other providers: OAuth applications, SAML and enterprise connections, and directories.

use serde_json::{Value, json};

use super::kind::{Amount, Kind, no_event, same_data};
use super::maker::Maker;
use super::route::{COUNTED, Route};
use crate::endpoint::Condition::{Is, Matches};
use crate::endpoint::ParameterKind::{Boolean, IncludeExclude, OldestFirst, OrderBy, Text};
use crate::endpoint::{Endpoint, PAGE, filter, parameter};
use crate::table::Row;

/// A kind of these, none of which webhooks tell of.
const fn quiet(name: &'static str, noun: &'static str, make: fn(&mut Maker) -> Option<Value>) -> Kind {
    Kind { name, noun, hidden: &[], owners: &[], amount: Amount::Many, make, event: no_event, event_data: same_data }
}

pub(super) const KINDS: &[Kind] = &[
    quiet("oauth_applications", "OAuth application", oauth_application),
    quiet("enterprise_connections", "enterprise connection", enterprise_connection),
    quiet("saml_connections", "SAML connection", saml_connection),
    quiet("directories", "directory", directory),
];

pub(super) const ROUTES: &[Route] = &[
    Route::list(
        "oauth_applications",
        Endpoint {
            path: "/oauth_applications",
            parameters: &[
                &[
                    parameter("order_by", OldestFirst(&["created_at", "name"])),
                    filter("name_query", Text, Matches { part: &["name"], exactly: &["client_id"] }),
                ],
                PAGE,
            ],
        },
        COUNTED,
    ),
    Route::one("oauth_applications", "/oauth_applications/{oauth_application_id}"),
    Route::list(
        "saml_connections",
        Endpoint {
            path: "/saml_connections",
            parameters: &[
                &[
                    filter("query", Text, Matches { part: &["name"], exactly: &[] }),
                    // Clerk documents the keys of memberships here. Connections have only one of them, and come in the
                    // order of creation for the others.
                    parameter(
                        "order_by",
                        OrderBy(&[
                            "phone_number",
                            "email_address",
                            "created_at",
                            "first_name",
                            "last_name",
                            "username",
                        ]),
                    ),
                    filter("organization_id", IncludeExclude, Is("organization_id")),
                ],
                PAGE,
            ],
        },
        COUNTED,
    ),
    Route::one("saml_connections", "/saml_connections/{saml_connection_id}"),
    Route::list(
        "enterprise_connections",
        Endpoint {
            path: "/enterprise_connections",
            parameters: &[
                &[filter("organization_id", Text, Is("organization_id")), filter("active", Boolean, Is("active"))],
                PAGE,
            ],
        },
        COUNTED,
    ),
    Route::one("enterprise_connections", "/enterprise_connections/{enterprise_connection_id}"),
    Route::list("directories", Endpoint { path: "/directories", parameters: &[PAGE] }, COUNTED),
    Route::one("directories", "/directories/{directory_id}"),
];

fn oauth_application(maker: &mut Maker) -> Option<Value> {
    let id = maker.id("oa_");
    let domain = maker.domain();
    let redirects: Vec<String> = (0..maker.index % 3).map(|n| format!("https://{domain}/callback/{n}")).collect();
    let mut application = json!({
        "object": "oauth_application",
        "id": id,
        "instance_id": maker.state.instance.id,
        "name": maker.name(),
        "client_id": format!("client-{:06}", maker.number(0, 999_999)),
        "client_uri": format!("https://{domain}"),
        "client_image_url": format!("https://{domain}/logo.png"),
        "dynamically_registered": maker.chance(0.3),
        "consent_screen_enabled": maker.chance(0.5),
        "pkce_required": maker.chance(0.5),
        "public": maker.chance(0.3),
        "scopes": "profile email openid",
        "callback_url": redirects.first().map_or("", String::as_str),
        "redirect_uris": redirects,
        "authorize_url": "https://clerk.example.com/oauth/authorize",
        "token_fetch_url": "https://clerk.example.com/oauth/token",
        "user_info_url": "https://clerk.example.com/oauth/userinfo",
        "discovery_url": "https://clerk.example.com/.well-known/openid-configuration",
        "token_introspection_url": "https://clerk.example.com/oauth/token_info",
        "created_at": maker.at,
        "updated_at": maker.updated(),
    });
    maker.thin(&mut application, &[], &["client_uri", "client_image_url"]);
    Some(application)
}

/// The id of an organization, for two of three objects.
fn organization_id(maker: &mut Maker) -> Option<String> {
    let organization = maker.organization("organization_id");
    let has_one = maker.index % 3 != 2 || maker.given_text("organization_id").is_some();
    organization.filter(|_| has_one).map(|organization| organization.id.clone())
}

fn custom_attributes(maker: &mut Maker) -> Value {
    let mut attribute = json!({
        "name": "Größe",
        "key": "size",
        "sso_path": "user.size",
        "scim_path": "urn:example:size",
        "directory_path": "size",
        "multi_valued": maker.chance(0.5),
    });
    maker.thin(&mut attribute, &["sso_path", "scim_path", "directory_path", "multi_valued"], &[]);
    if maker.index.is_multiple_of(2) { json!([]) } else { json!([attribute]) }
}

fn login_hint(maker: &Maker) -> Value {
    match maker.turn(&["email_address", "custom_attribute", "off"]) {
        "custom_attribute" => json!({ "mode": "custom_attribute", "source": "public_metadata.login" }),
        mode => json!({ "mode": mode }),
    }
}

fn enterprise_connection(maker: &mut Maker) -> Option<Value> {
    let id = maker.id("entconn_");
    let provider = maker.turn(&["saml_okta", "oidc_custom", "saml_microsoft", "saml_google", "oidc_github_enterprise"]);
    let organization_id = organization_id(maker);
    let domain = maker.domain();
    let nested_id = maker.id("samlc_");
    let saml = json!({
        "id": nested_id,
        "name": maker.name(),
        "idp_entity_id": "https://idp.example.com/entity",
        "idp_sso_url": "https://idp.example.com/sso",
        "idp_metadata_url": null,
        "acs_url": "https://clerk.example.com/v1/saml/acs",
        "sp_entity_id": "https://clerk.example.com/v1/saml",
        "sp_metadata_url": "https://clerk.example.com/v1/saml/metadata",
        "active": true,
        "allow_idp_initiated": false,
        "allow_subdomains": maker.chance(0.5),
        "force_authn": false,
        "login_hint": login_hint(maker),
    });
    let oauth = json!({
        "id": nested_id,
        "name": maker.name(),
        "provider_key": provider,
        "client_id": "client-of-the-provider",
        "discovery_url": "https://idp.example.com/.well-known/openid-configuration",
        "auth_url": null,
        "token_url": null,
        "user_info_url": null,
        "requires_pkce": maker.chance(0.5),
        "logo_public_url": null,
        "created_at": maker.at,
        "updated_at": maker.at,
    });
    let is_saml = provider.starts_with("saml_");
    let mut connection = json!({
        "object": "enterprise_connection",
        "id": id,
        "name": maker.name(),
        "provider": provider,
        "logo_public_url": "https://img.clerk.com/static/okta.svg",
        "active": maker.is_new || maker.index % 4 != 1,
        "domains": if maker.index % 5 == 3 { json!([]) } else { json!([domain, "example.org"]) },
        "organization_id": organization_id,
        "sync_user_attributes": maker.chance(0.5),
        "disable_additional_identifications": maker.chance(0.3),
        "allow_organization_account_linking": maker.chance(0.3),
        "custom_attributes": custom_attributes(maker),
        "saml_connection": is_saml.then_some(saml),
        "oauth_config": (!is_saml).then_some(oauth),
        "authenticatable": !maker.chance(0.2),
        "disable_jit_provisioning": maker.chance(0.2),
        "created_at": maker.at,
        "updated_at": maker.updated(),
    });
    maker.thin(
        &mut connection,
        &["sync_user_attributes", "custom_attributes", "logo_public_url"],
        &["logo_public_url"],
    );
    Some(connection)
}

fn saml_connection(maker: &mut Maker) -> Option<Value> {
    let id = maker.id("samlc_");
    let organization_id = organization_id(maker);
    let connection = maker.entry("enterprise_connections", "enterprise_connection_id");
    let domain = maker.domain();
    let mut saml = json!({
        "object": "saml_connection",
        "id": id,
        "name": maker.name(),
        "domain": domain,
        "domains": [domain],
        "idp_entity_id": "https://idp.example.com/entity",
        "idp_sso_url": "https://idp.example.com/sso",
        "idp_certificate": maker.secret(),
        "idp_certificate_issued_at": maker.days(-100),
        "idp_certificate_expires_at": maker.days(1000),
        "idp_metadata_url": "https://idp.example.com/metadata",
        "idp_metadata": "<EntityDescriptor xmlns=\"urn:example\" note=\"größer &gt; kleiner\"/>",
        "acs_url": format!("https://clerk.example.com/v1/saml/acs/{id}"),
        "sp_entity_id": format!("https://clerk.example.com/v1/saml/{id}"),
        "sp_metadata_url": format!("https://clerk.example.com/v1/saml/metadata/{id}.xml"),
        "organization_id": organization_id,
        "attribute_mapping": {
            "user_id": "uid", "email_address": "mail", "first_name": "givenName", "last_name": "sn",
        },
        "active": maker.is_new || !maker.index.is_multiple_of(3),
        "provider": maker.turn(&["saml_okta", "saml_microsoft", "saml_google", "saml_custom"]),
        "user_count": maker.number(0, 500),
        "sync_user_attributes": maker.chance(0.5),
        "allow_subdomains": maker.chance(0.3),
        "allow_idp_initiated": maker.chance(0.3),
        "disable_additional_identifications": maker.chance(0.3),
        "allow_organization_account_linking": maker.chance(0.3),
        "authenticatable": !maker.chance(0.2),
        "disable_jit_provisioning": maker.chance(0.2),
        "force_authn": maker.chance(0.3),
        "login_hint": login_hint(maker),
        "enterprise_connection_id": connection.map(Row::id),
        "created_at": maker.at,
        "updated_at": maker.updated(),
    });
    let nullable = ["idp_entity_id", "idp_sso_url", "idp_metadata_url", "idp_metadata", "enterprise_connection_id"];
    maker.thin(&mut saml, &["domain", "idp_metadata", "attribute_mapping"], &nullable);
    if maker.chance(0.25) {
        for field in ["idp_certificate", "idp_certificate_issued_at", "idp_certificate_expires_at"] {
            saml[field] = Value::Null;
        }
    }
    Some(saml)
}

fn directory(maker: &mut Maker) -> Option<Value> {
    let id = maker.id("dir_");
    let connection = maker.entry("enterprise_connections", "enterprise_connection_id");
    let mut directory = json!({
        "object": "directory",
        "id": id,
        "name": maker.name(),
        "enterprise_connection_id": connection.map(Row::id),
        "endpoint_url": format!("https://clerk.example.com/v1/scim/{id}"),
        "provider": maker.turn(&["okta", "microsoft", "custom"]),
        "enabled": !maker.chance(0.3),
        "group_role_mapping_enabled": maker.chance(0.5),
        "attribute_mapping": { "userName": "username", "name.givenName": "first_name" },
        "custom_attributes": custom_attributes(maker),
        "api_key": maker.secret(),
        "created_at": maker.at,
        "updated_at": maker.updated(),
    });
    maker.thin(&mut directory, &["custom_attributes", "api_key"], &["enterprise_connection_id", "api_key"]);
    Some(directory)
}
