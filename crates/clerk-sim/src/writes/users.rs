//! Users.

use serde_json::json;

use super::form::FieldKind::{Boolean, Choice, Integer, Object, Text, TextCount, Texts, Time};
use super::form::{Call, Field, Write, field};
use super::given::{Given, Patch};
use super::members::is_true;
use super::passwords::HASHERS;
use super::{identifiers, metadata, passwords};
use crate::error::ClerkError;
use crate::event;
use crate::object::{Fields, User};
use crate::state::State;
use crate::table::Row;

/// For how long a user is locked who is locked by an administrator.
const LOCK_SECONDS: i64 = 3600;
/// How often a user who is not locked may try to sign in.
const ATTEMPTS: i64 = 100;

/// What both creating and changing a user take.
const COMMON: &[Field] = &[
    field("external_id", Text).nullable(),
    field("first_name", Text).nullable(),
    field("last_name", Text).nullable(),
    field("locale", Text).nullable(),
    field("username", Text).nullable(),
    field("password", Text).nullable(),
    field("password_hasher", Choice(HASHERS)),
    field("skip_password_checks", Boolean).nullable(),
    field("totp_secret", Text).nullable(),
    field("backup_codes", Texts),
    field("delete_self_enabled", Boolean).nullable(),
    field("legal_accepted_at", Time).nullable(),
    field("skip_legal_checks", Boolean).nullable(),
    field("create_organization_enabled", Boolean).nullable(),
    field("create_organizations_limit", Integer(i64::MIN, i64::MAX)).nullable(),
    field("created_at", Time).nullable(),
    field("bypass_client_trust", Boolean).nullable(),
];

const METADATA: &[Field] =
    &[field("public_metadata", Object), field("private_metadata", Object), field("unsafe_metadata", Object)];

const METADATA_NAMES: &[&str] = &["public_metadata", "private_metadata", "unsafe_metadata"];

const NEW: &[Field] = &[
    field("email_address", Texts),
    field("email_address_identification_status", Texts),
    field("phone_number", Texts),
    field("phone_number_identification_status", Texts),
    field("web3_wallet", Texts),
    field("password_digest", Text).nullable(),
    field("skip_password_requirement", Boolean).nullable(),
    field("skip_user_requirement", Boolean).nullable(),
    field("banned", Boolean).nullable(),
    field("locked", Boolean).nullable(),
];

const CHANGED: &[Field] = &[
    field("primary_email_address_id", Text).nullable(),
    field("notify_primary_email_address_changed", Boolean).nullable(),
    field("primary_phone_number_id", Text).nullable(),
    field("primary_web3_wallet_id", Text).nullable(),
    field("profile_image_id", Text).nullable(),
    field("password_digest", Text),
    field("sign_out_of_other_sessions", Boolean).nullable(),
];

const USER_IDS: &[Field] = &[field("user_ids", TextCount(1, 50)).required()];

pub(super) const WRITES: &[Write] = &[
    Write::with_body("POST", "/users", &[COMMON, METADATA, NEW], create).closed(),
    Write::with_body("PATCH", "/users/{user_id}", &[COMMON, CHANGED], update).closed(),
    Write::plain("DELETE", "/users/{user_id}", delete),
    Write::with_body("PATCH", "/users/{user_id}/metadata", &[METADATA], merge).closed().optional(),
    Write::with_body("PUT", "/users/{user_id}/metadata", &[METADATA], replace).closed().optional(),
    Write::plain("POST", "/users/{user_id}/ban", |state, call| ban(state, call.id(), true)),
    Write::plain("POST", "/users/{user_id}/unban", |state, call| ban(state, call.id(), false)),
    Write::with_body("POST", "/users/ban", &[USER_IDS], |state, call| ban_all(state, call, true)).refusing_with(400),
    Write::with_body("POST", "/users/unban", &[USER_IDS], |state, call| ban_all(state, call, false)).refusing_with(400),
    Write::with_body(
        "POST",
        "/users/{user_id}/remove_password",
        &[&[field("sign_out_of_other_sessions", Boolean)]],
        remove_password,
    )
    .closed()
    .optional()
    .refusing_with(400),
    Write::plain("POST", "/users/{user_id}/lock", |state, call| lock(state, call.id(), true)),
    Write::plain("POST", "/users/{user_id}/unlock", |state, call| lock(state, call.id(), false)),
];

fn create(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    let given = &call.given;
    identifiers::check(state, given, "")?;
    passwords::check(given)?;
    if let Some(max) = state.user_quota.filter(|max| state.users.len() >= *max) {
        return Err(ClerkError::user_quota_exceeded(max));
    }
    let mut patch = common(state, given)?;
    patch.copy_values(given, METADATA_NAMES);
    patch.copy_values(given, &["email_address", "phone_number", "web3_wallet", "banned"]);
    patch.copy_values(given, &["email_address_identification_status", "phone_number_identification_status"]);
    if given.is_true("locked") {
        set_locked(&mut patch, true)?;
    }
    let id = state.create_user(patch)?;
    show(state, &id)
}

fn update(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    let given = &call.given;
    let user = found(state, call.id())?;
    for (name, ids) in [
        ("primary_email_address_id", user.email_ids()),
        ("primary_phone_number_id", user.phone_ids()),
        ("primary_web3_wallet_id", user.wallet_ids()),
    ] {
        if given.text(name).is_some_and(|id| !ids.contains(&id.as_str())) {
            return Err(ClerkError::missing_resource(name));
        }
    }
    identifiers::check(state, given, call.id())?;
    passwords::check(given)?;
    let mut patch = common(state, given)?;
    patch.copy_values(given, &["primary_email_address_id", "primary_phone_number_id", "primary_web3_wallet_id"]);
    if given.is_true("sign_out_of_other_sessions") {
        revoke_sessions(state, call.id())?;
    }
    state.update_user(call.id(), patch)?;
    show(state, call.id())
}

/// The fields of a user by what both creating and changing one take.
fn common(state: &State, given: &Given) -> Result<Patch, ClerkError> {
    let mut patch = Patch::default();
    patch.copy(given, &["external_id", "first_name", "last_name", "locale"]);
    patch.copy_values(given, &["delete_self_enabled", "create_organization_enabled", "bypass_client_trust"]);
    patch.copy(given, &["create_organizations_limit"]);
    if given.has("username") {
        patch.set("username", given.text("username").filter(|name| !name.is_empty()))?;
    }
    for name in ["created_at", "legal_accepted_at"] {
        if let Some(time) = given.time(name) {
            patch.set(name, time)?;
        }
    }
    passwords::note(given, &mut patch, state.clock)?;
    Ok(patch)
}

fn delete(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    let deleted = event::deleted_user(found(state, call.id())?);
    state.delete_user(call.id())?;
    Ok(deleted)
}

fn merge(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    let patch = metadata::merge(&found(state, call.id())?.json, &call.given, METADATA_NAMES)?;
    state.update_user(call.id(), patch)?;
    show(state, call.id())
}

fn replace(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    let mut patch = Patch::default();
    patch.copy_values(&call.given, METADATA_NAMES);
    state.update_user(call.id(), patch)?;
    show(state, call.id())
}

fn ban(state: &mut State, id: &str, banned: bool) -> Result<String, ClerkError> {
    found(state, id)?;
    if banned {
        revoke_sessions(state, id)?;
    }
    state.update_user(id, json!({ "banned": banned }))?;
    show(state, id)
}

fn ban_all(state: &mut State, call: &Call, banned: bool) -> Result<String, ClerkError> {
    let ids = call.given.texts("user_ids").unwrap_or_default();
    for id in &ids {
        found(state, id)?;
    }
    let mut users = Vec::new();
    for id in &ids {
        users.push(ban(state, id, banned)?);
    }
    Ok(format!("[{}]", users.join(",")))
}

fn lock(state: &mut State, id: &str, locked: bool) -> Result<String, ClerkError> {
    let mut patch = Patch::default();
    set_locked(&mut patch, locked)?;
    state.update_user(id, patch)?;
    show(state, id)
}

/// Nothing happens to a user without a password.
fn remove_password(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    let user: Fields = serde_json::from_str(&found(state, call.id())?.json)?;
    if is_true(&user, "password_enabled") {
        if call.given.is_true("sign_out_of_other_sessions") {
            revoke_sessions(state, call.id())?;
        }
        state.update_user(call.id(), json!({ "password_enabled": false, "password_last_updated_at": null }))?;
    }
    show(state, call.id())
}

fn set_locked(patch: &mut Patch, locked: bool) -> Result<(), ClerkError> {
    patch.set("locked", locked)?;
    patch.set("lockout_expires_in_seconds", locked.then_some(LOCK_SECONDS))?;
    patch.set("verification_attempts_remaining", if locked { 0 } else { ATTEMPTS })
}

fn revoke_sessions(state: &mut State, user_id: &str) -> Result<(), ClerkError> {
    let sessions = state.entries("sessions");
    let active = sessions.filter(|session| session.is("user_id", user_id) && session.is("status", "active"));
    let ids: Vec<String> = active.map(|session| session.id().to_owned()).collect();
    for id in ids {
        state.update("sessions", &id, json!({ "status": "revoked" }))?;
    }
    Ok(())
}

pub(super) fn found<'a>(state: &'a State, id: &str) -> Result<&'a User, ClerkError> {
    state.users.get(id).ok_or_else(|| ClerkError::not_found("user", id))
}

fn show(state: &State, id: &str) -> Result<String, ClerkError> {
    Ok(found(state, id)?.json.clone())
}
