//! Machines, their tokens, API keys, and OAuth applications: what signs in that is not a user.

use serde_json::{Value, json};

use super::form::FieldKind::{Any, Boolean, Integer, Length, Text, TextCount, Texts};
use super::form::{Call, Field, Write, field};
use super::given::{Given, Patch};
use super::{organizations, show, users};
use crate::error::ClerkError;
use crate::object::{self, Fields, raw};
use crate::state::State;

const MACHINES: &str = "machines";
const KEYS: &str = "api_keys";
const TOKENS: &str = "m2m_tokens";
const APPLICATIONS: &str = "oauth_applications";

/// The longest time that a token of a machine may be valid, in seconds.
const MAX_TTL: i64 = 315_360_000;

/// What only the answer to a creation has, in the place of a secret that nobody can take for a real one.
const SECRET: &str = "not-a-secret";

const APPLICATION: &[Field] = &[
    field("redirect_uris", Texts).nullable(),
    field("callback_url", Length(0, 1024)).nullable(),
    field("scopes", Length(0, 1024)).nullable(),
    field("consent_screen_enabled", Boolean).nullable(),
    field("pkce_required", Boolean).nullable(),
    field("public", Boolean).nullable(),
];

const KEY: &[Field] = &[
    field("claims", Any).nullable(),
    field("scopes", Texts),
    field("description", Length(0, 255)).nullable(),
    field("seconds_until_expiration", Integer(1, i64::MAX / 1_000_000)).nullable(),
];

pub(super) const WRITES: &[Write] = &[
    Write::with_body(
        "POST",
        "/machines",
        &[&[
            field("name", Length(1, 255)).required(),
            field("scoped_machines", TextCount(0, 150)),
            field("default_token_ttl", Integer(1, MAX_TTL)),
        ]],
        add_machine,
    )
    .optional(),
    Write::with_body(
        "PATCH",
        "/machines/{machine_id}",
        &[&[field("name", Length(1, 255)), field("default_token_ttl", Integer(1, MAX_TTL))]],
        change_machine,
    )
    .optional(),
    Write::plain("DELETE", "/machines/{machine_id}", |state, call| show::delete(state, MACHINES, call.id())),
    Write::with_body(
        "POST",
        "/api_keys",
        &[
            &[
                field("type", Length(3, 25)),
                field("name", Length(3, usize::MAX)).required(),
                field("subject", Text).required(),
                field("created_by", Text).nullable(),
            ],
            KEY,
        ],
        add_key,
    )
    .closed()
    .refusing_with(400),
    Write::with_body("PATCH", "/api_keys/{apiKeyID}", &[KEY, &[field("subject", Text)]], change_key)
        .closed()
        .refusing_with(400),
    Write::plain("DELETE", "/api_keys/{apiKeyID}", |state, call| show::delete(state, KEYS, call.id())),
    Write::with_body(
        "POST",
        "/api_keys/{apiKeyID}/revoke",
        &[&[field("revocation_reason", Text).nullable()]],
        |state, call| revoke(state, call, KEYS),
    )
    .closed()
    .refusing_with(400),
    Write::with_body(
        "POST",
        "/m2m_tokens/{m2m_token_id}/revoke",
        &[&[field("revocation_reason", Text).nullable()]],
        |state, call| revoke(state, call, TOKENS),
    )
    .closed()
    .refusing_with(400),
    Write::with_body("POST", "/oauth_applications", &[APPLICATION, &[field("name", Text).required()]], add_application)
        .optional(),
    Write::with_body(
        "PATCH",
        "/oauth_applications/{oauth_application_id}",
        &[APPLICATION, &[field("name", Text).nullable()]],
        change_application,
    )
    .closed(),
    Write::plain("DELETE", "/oauth_applications/{oauth_application_id}", |state, call| {
        show::delete(state, APPLICATIONS, call.id())
    }),
    Write::plain("POST", "/oauth_applications/{oauth_application_id}/rotate_secret", |state, call| {
        with_secret(show::shown(state, APPLICATIONS, call.id())?, "client_secret")
    }),
];

fn add_machine(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    let mut scoped = Vec::new();
    for id in call.given.texts("scoped_machines").unwrap_or_default() {
        let machine = state.entry(MACHINES, &id).ok_or_else(|| ClerkError::missing_resource("scoped_machines"))?;
        let mut machine: Value = serde_json::from_str(&machine.json)?;
        if let Some(fields) = machine.as_object_mut() {
            fields.remove("scoped_machines");
        }
        scoped.push(machine);
    }
    let mut patch = Patch::default();
    patch.copy(&call.given, &["name"]);
    patch.copy_or(&call.given, "default_token_ttl", 3600)?;
    patch.set("scoped_machines", scoped)?;
    with_secret(show::create(state, MACHINES, patch)?, "secret_key")
}

fn change_machine(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    let mut patch = Patch::default();
    patch.copy(&call.given, &["name", "default_token_ttl"]);
    show::update(state, MACHINES, call.id(), patch)
}

fn add_key(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    let given = &call.given;
    let subject = given.required("subject");
    if given.text("name").is_some_and(|name| name.trim() != name) {
        return Err(ClerkError::wrong_format("name", "a text without white space at its ends"));
    }
    check_subject(state, &subject)?;
    if let Some(creator) = given.text("created_by") {
        users::found(state, &creator)?;
    }
    let mut patch = Patch::default();
    patch.copy(given, &["name", "subject"]);
    patch.copy_or(given, "type", "api_key")?;
    patch.copy_or(given, "description", ())?;
    patch.copy_or(given, "claims", ())?;
    patch.copy_or(given, "scopes", json!([]))?;
    patch.copy_or(given, "created_by", ())?;
    patch.set("expiration", expiration(state, given))?;
    with_secret(show::create(state, KEYS, patch)?, "secret")
}

fn change_key(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    show::found(state, KEYS, call.id())?;
    if let Some(subject) = call.given.text("subject") {
        check_subject(state, &subject)?;
    }
    let mut patch = Patch::default();
    patch.copy(&call.given, &["claims", "scopes", "description", "subject"]);
    if call.given.has("seconds_until_expiration") {
        patch.set("expiration", expiration(state, &call.given))?;
    }
    show::update(state, KEYS, call.id(), patch)
}

fn revoke(state: &mut State, call: &Call, kind: &str) -> Result<String, ClerkError> {
    show::found(state, kind, call.id())?;
    let mut patch = Patch::default();
    patch.set("revoked", true)?;
    patch.copy_or(&call.given, "revocation_reason", ())?;
    show::update(state, kind, call.id(), patch)
}

/// A key belongs to a user, an organization or a machine.
fn check_subject(state: &State, id: &str) -> Result<(), ClerkError> {
    match id.split_once('_') {
        Some(("user", _)) => users::found(state, id).map(|_| ()),
        Some(("org", _)) => organizations::found(state, id).map(|_| ()),
        _ => show::found(state, MACHINES, id).map(|_| ()),
    }
}

/// When a key expires, in Unix milliseconds, as the generated keys have it.
fn expiration(state: &State, given: &Given) -> Option<i64> {
    Some(state.clock + given.integer("seconds_until_expiration")? * 1000)
}

fn add_application(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    let given = &call.given;
    let mut patch = application(given)?;
    patch.copy_or(given, "scopes", "profile email")?;
    patch.copy_or(given, "consent_screen_enabled", true)?;
    patch.copy_or(given, "pkce_required", false)?;
    patch.copy_or(given, "public", false)?;
    patch.set("dynamically_registered", false)?;
    if given.raw("redirect_uris").or(given.raw("callback_url")).is_none() {
        patch.set("redirect_uris", json!([]))?;
        patch.set("callback_url", "")?;
    }
    with_secret(show::create(state, APPLICATIONS, patch)?, "client_secret")
}

fn change_application(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    show::found(state, APPLICATIONS, call.id())?;
    let mut patch = application(&call.given)?;
    patch.copy_values(&call.given, &["scopes", "consent_screen_enabled", "pkce_required", "public"]);
    show::update(state, APPLICATIONS, call.id(), patch)
}

/// The fields of an application by what both creating and changing one take. The callback URL is an older name for the
/// first of the redirect URIs.
fn application(given: &Given) -> Result<Patch, ClerkError> {
    let mut patch = Patch::default();
    patch.copy_values(given, &["name"]);
    if let Some(uris) = given.texts("redirect_uris") {
        patch.set("callback_url", uris.first().map_or("", String::as_str))?;
        patch.set("redirect_uris", uris)?;
    } else if let Some(url) = given.text("callback_url") {
        patch.set("redirect_uris", [&url])?;
        patch.set("callback_url", url)?;
    }
    Ok(patch)
}

/// An object with the secret that only this answer shows.
pub(super) fn with_secret(json: String, field: &str) -> Result<String, ClerkError> {
    let fields = Fields::from_iter([(field.to_owned(), raw(SECRET)?)]);
    Ok(object::patched(&json, fields)?)
}
