//! Connections to the identity providers of organizations: what enterprise and SAML connections share, and the latter.

use serde_json::{Map, Value};

use super::form::FieldKind::{Boolean, Choice, Form, Text, Texts};
use super::form::{Call, Field, Write, field};
use super::given::{Given, Patch};
use super::{organizations, show};
use crate::error::ClerkError;
use crate::generate::time::DAY;
use crate::state::State;
use crate::table::Row;

const KIND: &str = "saml_connections";
const DOMAINS: &str = "organization_domains";

const HINT: &[Field] =
    &[field("mode", Choice(&["email_address", "custom_attribute", "off"])).required(), field("source", Text)];

pub(super) const LOGIN_HINT: Field = field("login_hint", Form(&[HINT])).nullable();

/// What is known of an identity provider.
pub(super) const PROVIDER: &[Field] = &[
    field("idp_entity_id", Text).nullable(),
    field("idp_sso_url", Text).nullable(),
    field("idp_certificate", Text).nullable(),
    field("idp_metadata_url", Text).nullable(),
    field("idp_metadata", Text).nullable(),
];

const PROVIDER_NAMES: &[&str] =
    &["idp_entity_id", "idp_sso_url", "idp_certificate", "idp_metadata_url", "idp_metadata"];

const MAPPING: &[Field] =
    &[field("user_id", Text), field("email_address", Text), field("first_name", Text), field("last_name", Text)];

const COMMON: &[Field] = &[
    field("organization_id", Text).nullable(),
    field("attribute_mapping", Form(&[MAPPING])).nullable(),
    field("force_authn", Boolean),
    LOGIN_HINT,
];

const SAML_PROVIDERS: &[&str] = &["saml_custom", "saml_okta", "saml_google", "saml_microsoft"];

/// What can be switched on and off.
const SWITCHES: &[&str] = &[
    "sync_user_attributes",
    "allow_subdomains",
    "allow_idp_initiated",
    "disable_additional_identifications",
    "allow_organization_account_linking",
];

pub(super) const WRITES: &[Write] = &[
    Write::with_body(
        "POST",
        "/saml_connections",
        &[
            COMMON,
            PROVIDER,
            &[
                field("name", Text).required(),
                field("domain", Text),
                field("domains", Texts),
                field("provider", Choice(SAML_PROVIDERS)).required(),
            ],
        ],
        create,
    )
    .closed()
    .optional(),
    Write::with_body(
        "PATCH",
        "/saml_connections/{saml_connection_id}",
        &[
            COMMON,
            PROVIDER,
            &[
                field("name", Text).nullable(),
                field("domain", Text).nullable(),
                field("domains", Texts).nullable(),
                field("active", Boolean).nullable(),
                field("sync_user_attributes", Boolean).nullable(),
                field("allow_subdomains", Boolean).nullable(),
                field("allow_idp_initiated", Boolean).nullable(),
                field("disable_additional_identifications", Boolean).nullable(),
                field("allow_organization_account_linking", Boolean).nullable(),
                field("consent_verified_domains_deletion", Boolean).nullable(),
            ],
        ],
        update,
    )
    .closed(),
    Write::plain("DELETE", "/saml_connections/{saml_connection_id}", |state, call| {
        show::delete(state, KIND, call.id())
    }),
];

fn create(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    let given = &call.given;
    // Either of the two will do.
    if !given.has("domain") && !given.has("domains") {
        return Err(ClerkError::required("domains"));
    }
    let mut patch = common(state, given, &Value::Null)?;
    patch.copy(given, &["provider"]);
    patch.copy_or(given, "organization_id", ())?;
    for name in PROVIDER_NAMES {
        patch.copy_or(given, name, ())?;
    }
    if given.raw("idp_certificate").is_none() {
        patch.set("idp_certificate_issued_at", ())?;
        patch.set("idp_certificate_expires_at", ())?;
    }
    patch.set("enterprise_connection_id", ())?;
    patch.set("active", false)?;
    patch.set("user_count", 0)?;
    show::create(state, KIND, patch)
}

fn update(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    let given = &call.given;
    let old = show::found(state, KIND, call.id())?;
    let is_enabled = given.is_true("active") && !old.is_true("active");
    let mut patch = common(state, given, old.value("attribute_mapping"))?;
    patch.copy_values(given, &["organization_id", "active"]);
    patch.copy_values(given, PROVIDER_NAMES);
    patch.copy_values(given, SWITCHES);
    if is_enabled {
        let is_known = |name: &str| given.raw(name).is_some() || old.value(name).is_string();
        require_provider(is_known)?;
        let domains = domains(given)?.unwrap_or_else(|| texts(old.value("domains")));
        let ids = verified(state, &domains);
        if !ids.is_empty() && !given.is_true("consent_verified_domains_deletion") {
            let why = "Organizations have verified some of the domains.";
            return Err(ClerkError::wrong_state(409, "verified_domains_exist", why));
        }
        delete_domains(state, ids)?;
    }
    show::update(state, KIND, call.id(), patch)
}

/// The fields of a SAML connection by what both creating and changing one take.
fn common(state: &State, given: &Given, mapping: &Value) -> Result<Patch, ClerkError> {
    check_organization(state, given)?;
    let mut patch = Patch::default();
    patch.copy_values(given, &["name", "force_authn", "login_hint"]);
    if let Some(domains) = domains(given)? {
        patch.set("domain", domains.first())?;
        patch.set("domains", domains)?;
    }
    if let Some(new) = given.raw("attribute_mapping") {
        let mut mapped = mapping.as_object().cloned().unwrap_or_default();
        mapped.extend(serde_json::from_str::<Map<String, Value>>(new.get())?);
        for name in MAPPING.iter().map(|field| field.name) {
            mapped.entry(name).or_insert_with(|| Value::from(""));
        }
        patch.set("attribute_mapping", mapped)?;
    }
    if given.raw("idp_certificate").is_some() {
        patch.set("idp_certificate_issued_at", state.clock)?;
        patch.set("idp_certificate_expires_at", state.clock + 365 * DAY)?;
    }
    Ok(patch)
}

/// The domains that are given, of which `domain` is an older form.
fn domains(given: &Given) -> Result<Option<Vec<String>>, ClerkError> {
    let old = given.text("domain").map(|domain| vec![domain]);
    let Some(domains) = given.texts("domains").or(old) else { return Ok(None) };
    normalized(domains).map(Some)
}

/// Domains in lower case, if all of them are some.
pub(super) fn normalized(domains: Vec<String>) -> Result<Vec<String>, ClerkError> {
    let is_label = |label: &str| {
        let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty() && label.bytes().all(is_fine) && !label.starts_with('-') && !label.ends_with('-')
    };
    if domains.iter().any(|domain| !domain.contains('.') || !domain.split('.').all(is_label)) {
        return Err(ClerkError::wrong_format("domains", "fully qualified domain names"));
    }
    Ok(domains.into_iter().map(|domain| domain.to_lowercase()).collect())
}

pub(super) fn check_organization(state: &State, given: &Given) -> Result<(), ClerkError> {
    given.text("organization_id").map_or(Ok(()), |id| organizations::found(state, &id).map(|_| ()))
}

/// A connection cannot be active before its provider is known.
pub(super) fn require_provider(is_known: impl Fn(&str) -> bool) -> Result<(), ClerkError> {
    if ["idp_sso_url", "idp_metadata_url", "idp_metadata"].into_iter().any(is_known) {
        return Ok(());
    }
    Err(ClerkError::missing("idp_metadata_url", "active"))
}

/// The ids of the domains that organizations have verified, of these. They give way to an active connection.
pub(super) fn verified(state: &State, domains: &[String]) -> Vec<String> {
    let all = state.entries(DOMAINS).filter(|domain| {
        domain.value("verification")["status"] == "verified" && domains.iter().any(|name| domain.is("name", name))
    });
    all.map(|domain| domain.id().to_owned()).collect()
}

pub(super) fn delete_domains(state: &mut State, ids: Vec<String>) -> Result<(), ClerkError> {
    for id in ids {
        state.delete(DOMAINS, &id)?;
    }
    Ok(())
}

/// An array of texts.
pub(super) fn texts(value: &Value) -> Vec<String> {
    let values = value.as_array().into_iter().flatten();
    values.filter_map(Value::as_str).map(str::to_owned).collect()
}
