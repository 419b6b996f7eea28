//! Enterprise connections, and the directories that provision their users.

use serde_json::{Map, Value, json};

use super::connections::{
    LOGIN_HINT, PROVIDER, check_organization, delete_domains, normalized, require_provider, texts, verified,
};
use super::form::FieldKind::{
    Boolean, Choice, Form, Forms, Integer, Length, Mapping, OpenForms, Text, TextCount, Texts,
};
use super::form::{Call, Field, Write, field};
use super::given::{Given, Patch};
use super::machines::with_secret;
use super::show;
use crate::error::ClerkError;
use crate::generate::id;
use crate::object::Fields;
use crate::state::State;

const CONNECTIONS: &str = "enterprise_connections";
const DIRECTORIES: &str = "directories";

const PROVIDERS: &[&str] = &[
    "saml_custom",
    "saml_okta",
    "saml_google",
    "saml_microsoft",
    "oidc_custom",
    "oidc_github_enterprise",
    "oidc_gitlab",
];

const MAPPING: &[Field] = &[
    field("user_id", Text).nullable(),
    field("email_address", Text).nullable(),
    field("first_name", Text).nullable(),
    field("last_name", Text).nullable(),
];

const SAML: &[Field] = &[
    field("attribute_mapping", Form(&[MAPPING])).nullable(),
    field("allow_subdomains", Boolean).nullable(),
    field("allow_idp_initiated", Boolean).nullable(),
    field("force_authn", Boolean).nullable(),
    LOGIN_HINT,
];

const OIDC: &[Field] = &[
    field("client_id", Text).nullable(),
    field("client_secret", Text).nullable(),
    field("discovery_url", Text).nullable(),
    field("auth_url", Text).nullable(),
    field("token_url", Text).nullable(),
    field("user_info_url", Text).nullable(),
    field("requires_pkce", Boolean).nullable(),
];

/// A key of the user's metadata. Those that begin with an underscore are Clerk's own.
const ATTRIBUTE: &[Field] = &[
    field("name", Length(1, usize::MAX)).required(),
    field("key", Length(1, usize::MAX)).required(),
    field("sso_path", Text),
    field("scim_path", Text),
    field("directory_path", Text),
    field("multi_valued", Boolean),
];

const COMMON: &[Field] = &[
    field("organization_id", Text).nullable(),
    field("allow_organization_account_linking", Boolean).nullable(),
    field("active", Boolean).nullable(),
    field("oidc", Form(&[OIDC])).nullable(),
];

const GROUP: &[Field] = &[
    field("directory_group_id", Text),
    field("scim_group_id", Text),
    field("directory_group_display_name", Length(0, 255)),
    field("scim_group_display_name", Length(0, 255)),
    field("role_id", Text).required(),
    field("precedence", Integer(1, i64::MAX)),
];

pub(super) const WRITES: &[Write] = &[
    Write::with_body(
        "POST",
        "/enterprise_connections",
        &[
            COMMON,
            &[
                field("name", Text).required(),
                field("provider", Choice(PROVIDERS)).required(),
                field("domains", TextCount(1, usize::MAX)).required(),
                field("saml", Form(&[PROVIDER, SAML])).nullable(),
                field("custom_attributes", Forms(&[ATTRIBUTE])),
            ],
        ],
        create,
    )
    .closed()
    .optional()
    .answering(201),
    Write::with_body(
        "PATCH",
        "/enterprise_connections/{enterprise_connection_id}",
        &[
            COMMON,
            &[
                field("name", Text).nullable(),
                field("domains", Texts).nullable(),
                field("sync_user_attributes", Boolean).nullable(),
                field("disable_additional_identifications", Boolean).nullable(),
                field("saml", Form(&[PROVIDER, SAML, &[field("name", Text).nullable()]])).nullable(),
                field("custom_attributes", Forms(&[ATTRIBUTE])).nullable(),
            ],
        ],
        update,
    )
    .closed(),
    Write::plain("DELETE", "/enterprise_connections/{enterprise_connection_id}", |state, call| {
        show::delete(state, CONNECTIONS, call.id())
    }),
    Write::with_body(
        "POST",
        "/directories",
        &[&[
            field("enterprise_connection_id", Text).required(),
            field("name", Text),
            field("provider", Text).required(),
            field("group_role_mappings", OpenForms(&[GROUP])),
        ]],
        create_directory,
    )
    .optional(),
    Write::with_body(
        "PATCH",
        "/directories/{directory_id}",
        &[&[
            field("name", Text),
            field("enabled", Boolean),
            field("provider", Text),
            field("attribute_mapping", Mapping),
            field("group_role_mapping_enabled", Boolean),
        ]],
        update_directory,
    )
    .optional(),
    Write::plain("DELETE", "/directories/{directory_id}", |state, call| show::delete(state, DIRECTORIES, call.id())),
    Write::plain("POST", "/directories/{directory_id}/rotate_api_key", |state, call| {
        with_secret(show::shown(state, DIRECTORIES, call.id())?, "api_key")
    }),
];

fn create(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    let given = &call.given;
    check(state, given)?;
    let (name, provider) = (given.required("name"), given.required("provider"));
    let domains = normalized(given.texts("domains").unwrap_or_default())?;
    let is_active = given.is_true("active");
    let now = state.clock;
    let id = id::new("samlc_", &mut state.random, now);
    let mut patch = Patch::default();
    if provider.starts_with("saml_") {
        let saml = merged(
            given,
            "saml",
            &json!({
                "id": id,
                "name": name,
                "idp_entity_id": null,
                "idp_sso_url": null,
                "idp_metadata_url": null,
                "acs_url": format!("https://clerk.example.com/v1/saml/acs/{id}"),
                "sp_entity_id": format!("https://clerk.example.com/v1/saml/{id}"),
                "sp_metadata_url": format!("https://clerk.example.com/v1/saml/metadata/{id}.xml"),
                "active": is_active,
                "allow_idp_initiated": false,
                "allow_subdomains": false,
                "force_authn": false,
                "login_hint": { "mode": "email_address" },
            }),
        )?;
        if is_active {
            require_known(given, &saml)?;
        }
        patch.set("saml_connection", saml)?;
        patch.set("oauth_config", ())?;
    } else {
        let oidc = merged(
            given,
            "oidc",
            &json!({
                "id": id,
                "name": name,
                "provider_key": provider,
                "client_id": null,
                "discovery_url": null,
                "auth_url": null,
                "token_url": null,
                "user_info_url": null,
                "requires_pkce": false,
                "logo_public_url": null,
                "created_at": now,
                "updated_at": now,
            }),
        )?;
        patch.set("oauth_config", oidc)?;
        patch.set("saml_connection", ())?;
    }
    patch.copy(given, &["name", "provider"]);
    patch.set("domains", domains)?;
    patch.copy_or(given, "organization_id", ())?;
    patch.copy_or(given, "allow_organization_account_linking", false)?;
    patch.copy_or(given, "custom_attributes", json!([]))?;
    patch.set("active", is_active)?;
    patch.set("logo_public_url", ())?;
    show::create(state, CONNECTIONS, patch)
}

fn update(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    let given = &call.given;
    let old = show::found(state, CONNECTIONS, call.id())?;
    check(state, given)?;
    let is_enabled = given.is_true("active") && !old.is_true("active");
    let mut patch = Patch::default();
    patch.copy_values(given, &["name", "active", "organization_id", "custom_attributes"]);
    let switches = ["sync_user_attributes", "disable_additional_identifications", "allow_organization_account_linking"];
    patch.copy_values(given, &switches);
    // An empty array means no change.
    let new = given.texts("domains").filter(|domains| !domains.is_empty());
    let domains = new.map_or_else(|| Ok(texts(old.value("domains"))), normalized)?;
    if let Value::Object(_) = old.value("saml_connection") {
        let mut saml = merged(given, "saml", old.value("saml_connection"))?;
        if is_enabled {
            require_known(given, &saml)?;
        }
        if let Some(active) = given.boolean("active") {
            saml["active"] = json!(active);
        }
        patch.set("saml_connection", saml)?;
    }
    if let Value::Object(_) = old.value("oauth_config") {
        patch.set("oauth_config", merged(given, "oidc", old.value("oauth_config"))?)?;
    }
    if is_enabled {
        let ids = verified(state, &domains);
        delete_domains(state, ids)?;
    }
    patch.set("domains", domains)?;
    show::update(state, CONNECTIONS, call.id(), patch)
}

fn check(state: &State, given: &Given) -> Result<(), ClerkError> {
    check_organization(state, given)?;
    let attributes: Vec<Map<String, Value>> =
        given.raw("custom_attributes").map_or(Ok(Vec::new()), |attributes| serde_json::from_str(attributes.get()))?;
    let is_fine = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-');
    for key in attributes.iter().filter_map(|attribute| attribute["key"].as_str()) {
        // The first character may be anything but an underscore.
        let rest: String = key.chars().skip(1).collect();
        if key.starts_with('_') || !rest.chars().all(is_fine) {
            let expected = "made of letters, digits, underscores and dashes, without an underscore at its start";
            return Err(ClerkError::wrong_format("custom_attributes.key", expected));
        }
    }
    Ok(())
}

/// A part of a connection with what is given of the fields that it shows. Null means that nothing is given.
fn merged(given: &Given, name: &str, old: &Value) -> Result<Value, ClerkError> {
    let new: Map<String, Value> = given.raw(name).map_or(Ok(Map::new()), |new| serde_json::from_str(new.get()))?;
    let mut all = old.clone();
    for (field, value) in new.into_iter().filter(|(field, value)| !value.is_null() && old.get(field).is_some()) {
        all[field] = value;
    }
    Ok(all)
}

fn require_known(given: &Given, saml: &Value) -> Result<(), ClerkError> {
    let new: Fields = given.raw("saml").map_or(Ok(Fields::new()), |new| serde_json::from_str(new.get()))?;
    require_provider(|name| saml[name].is_string() || new.get(name).is_some_and(|value| value.get() != "null"))
}

fn create_directory(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    let given = &call.given;
    if state.entry(CONNECTIONS, &given.required("enterprise_connection_id")).is_none() {
        return Err(ClerkError::missing_resource("enterprise_connection_id"));
    }
    let groups: Vec<Map<String, Value>> =
        given.raw("group_role_mappings").map_or(Ok(Vec::new()), |groups| serde_json::from_str(groups.get()))?;
    for group in &groups {
        match (group.get("directory_group_id"), group.get("scim_group_id")) {
            (None, None) => return Err(ClerkError::required("group_role_mappings.directory_group_id")),
            (Some(id), Some(other)) if id != other => {
                let why = "it has another value than scim_group_id";
                return Err(ClerkError::invalid_value("group_role_mappings.directory_group_id", why));
            }
            _ => {}
        }
        if state.entry("organization_roles", group["role_id"].as_str().unwrap_or_default()).is_none() {
            return Err(ClerkError::missing_resource("group_role_mappings.role_id"));
        }
    }
    let mut patch = Patch::default();
    patch.copy(given, &["enterprise_connection_id", "provider"]);
    patch.copy_or(given, "name", given.required("provider"))?;
    patch.set("custom_attributes", json!([]))?;
    patch.set("group_role_mapping_enabled", !groups.is_empty())?;
    // Only the answer to this request has it.
    patch.set("api_key", ())?;
    with_secret(show::create(state, DIRECTORIES, patch)?, "api_key")
}

fn update_directory(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    let given = &call.given;
    let old = show::found(state, DIRECTORIES, call.id())?;
    let mut patch = Patch::default();
    patch.copy(given, &["name", "enabled", "provider", "group_role_mapping_enabled"]);
    if let Some(new) = given.raw("attribute_mapping") {
        let mut mapping = old.value("attribute_mapping").as_object().cloned().unwrap_or_default();
        mapping.extend(serde_json::from_str::<Map<String, Value>>(new.get())?);
        mapping.retain(|_, path| !path.is_null());
        patch.set("attribute_mapping", mapping)?;
    }
    show::update(state, DIRECTORIES, call.id(), patch)
}
