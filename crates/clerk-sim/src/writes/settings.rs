//! Settings of the instance: redirect URLs, JWT templates and domains.

use super::form::FieldKind::{Boolean, Integer, Object, Text, True};
use super::form::{Call, Field, Write, field};
use super::given::{Given, Patch};
use super::show;
use crate::error::ClerkError;
use crate::state::State;

const URLS: &str = "redirect_urls";
const TEMPLATES: &str = "jwt_templates";
const DOMAINS: &str = "domains";

const TEMPLATE: &[Field] = &[
    field("name", Text).required(),
    field("claims", Object).required(),
    field("lifetime", Integer(30, 315_360_000)).nullable(),
    field("allowed_clock_skew", Integer(0, 300)).nullable(),
    field("custom_signing_key", Boolean),
    field("signing_algorithm", Text).nullable(),
    field("signing_key", Text).nullable(),
];

pub(super) const WRITES: &[Write] = &[
    Write::with_body("POST", "/redirect_urls", &[&[field("url", Text).required()]], add_url).optional(),
    Write::plain("DELETE", "/redirect_urls/{id}", |state, call| show::delete(state, URLS, call.id())),
    Write::with_body("POST", "/jwt_templates", &[TEMPLATE], add_template).optional(),
    Write::with_body("PATCH", "/jwt_templates/{template_id}", &[TEMPLATE], change_template).optional(),
    Write::plain("DELETE", "/jwt_templates/{template_id}", |state, call| show::delete(state, TEMPLATES, call.id())),
    Write::with_body(
        "POST",
        "/domains",
        &[&[
            field("name", Text).required(),
            field("is_satellite", True).required(),
            field("proxy_url", Text).nullable(),
        ]],
        add_domain,
    )
    .optional(),
    Write::with_body(
        "PATCH",
        "/domains/{domain_id}",
        &[&[
            field("name", Text).nullable(),
            field("proxy_url", Text).nullable(),
            field("is_secondary", Boolean).nullable(),
        ]],
        change_domain,
    )
    .closed(),
    Write::plain("DELETE", "/domains/{domain_id}", delete_domain),
];

fn add_url(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    let url = call.given.required("url");
    if !url.split_once("://").is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty()) {
        return Err(ClerkError::wrong_format("url", "a valid url"));
    }
    if show::has(state, URLS, "", |known| known.is("url", &url)) {
        return Err(ClerkError::duplicate("such a redirect URL"));
    }
    let mut patch = Patch::default();
    patch.set("url", url)?;
    show::create(state, URLS, patch)
}

fn add_template(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    let given = &call.given;
    check_template(state, given, "")?;
    let is_custom = given.is_true("custom_signing_key");
    let mut patch = Patch::default();
    patch.copy(given, &["name", "claims"]);
    patch.copy_or(given, "lifetime", 60)?;
    patch.copy_or(given, "allowed_clock_skew", 5)?;
    patch.set("custom_signing_key", is_custom)?;
    patch.copy_or(given, "signing_algorithm", "RS256")?;
    show::create(state, TEMPLATES, patch)
}

fn change_template(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    show::found(state, TEMPLATES, call.id())?;
    check_template(state, &call.given, call.id())?;
    let mut patch = Patch::default();
    patch.copy_values(&call.given, &["name", "claims", "lifetime", "allowed_clock_skew"]);
    patch.copy_values(&call.given, &["custom_signing_key", "signing_algorithm"]);
    show::update(state, TEMPLATES, call.id(), patch)
}

fn check_template(state: &State, given: &Given, own_id: &str) -> Result<(), ClerkError> {
    for field in ["signing_algorithm", "signing_key"] {
        if given.is_true("custom_signing_key") && given.raw(field).is_none() {
            return Err(ClerkError::missing(field, "custom_signing_key"));
        }
    }
    show::require_unique(state, TEMPLATES, "name", &given.required("name"), own_id)
}

fn add_domain(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    let name = call.given.required("name");
    show::require_unique(state, DOMAINS, "name", &name, "")?;
    let mut patch = Patch::default();
    patch.copy(&call.given, &["name", "is_satellite"]);
    patch.set("frontend_api_url", format!("https://clerk.{name}"))?;
    patch.copy_or(&call.given, "proxy_url", ())?;
    show::create(state, DOMAINS, patch)
}

fn change_domain(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    show::found(state, DOMAINS, call.id())?;
    let mut patch = Patch::default();
    if let Some(name) = call.given.text("name") {
        show::require_unique(state, DOMAINS, "name", &name, call.id())?;
        patch.set("frontend_api_url", format!("https://clerk.{name}"))?;
        patch.set("name", name)?;
    }
    patch.copy(&call.given, &["proxy_url"]);
    show::update(state, DOMAINS, call.id(), patch)
}

fn delete_domain(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    if !show::found(state, DOMAINS, call.id())?.is_true("is_satellite") {
        let why = "Only satellite domains can be deleted.";
        return Err(ClerkError::wrong_state(403, "operation_not_allowed_on_primary_domain", why));
    }
    show::delete(state, DOMAINS, call.id())
}
