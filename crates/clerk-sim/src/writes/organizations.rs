//! Organizations.

use serde::Deserialize;

use super::form::FieldKind::{Boolean, Integer, Object, Text, Time};
use super::form::{Call, Field, Write, field};
use super::given::{Given, Patch};
use super::{instance, metadata, show};
use crate::error::ClerkError;
use crate::event;
use crate::object::{Organization, User};
use crate::organizations::{self, Extras};
use crate::state::State;

/// How many characters the name of an organization may have.
const MAX_NAME: usize = 256;

const NEW: &[Field] = &[
    field("name", Text).required(),
    field("created_by", Text).nullable(),
    field("private_metadata", Object).nullable(),
    field("public_metadata", Object).nullable(),
];

const CHANGED: &[Field] = &[field("name", Text).nullable(), field("admin_delete_enabled", Boolean).nullable()];

const COMMON: &[Field] = &[
    field("slug", Text).nullable(),
    field("max_allowed_memberships", Integer(0, i64::MAX)).nullable(),
    field("created_at", Time).nullable(),
    field("role_set_key", Text).nullable(),
];

const METADATA: &[Field] = &[field("public_metadata", Object), field("private_metadata", Object)];

const METADATA_NAMES: &[&str] = &["public_metadata", "private_metadata"];

pub(super) const WRITES: &[Write] = &[
    Write::with_body("POST", "/organizations", &[NEW, COMMON], create).optional(),
    Write::with_body("PATCH", "/organizations/{organization_id}", &[CHANGED, COMMON], update).closed(),
    Write::plain("DELETE", "/organizations/{organization_id}", delete),
    Write::with_body("PATCH", "/organizations/{organization_id}/metadata", &[METADATA], merge).closed(),
    Write::with_body("PUT", "/organizations/{organization_id}/metadata", &[METADATA], replace).closed(),
];

fn create(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    let given = &call.given;
    let settings = instance::settings(state);
    if settings.is_some_and(|settings| settings.value("enabled") == false) {
        let why = "Organizations are not enabled for this instance.";
        return Err(ClerkError::wrong_state(403, "organization_not_enabled_in_instance", why));
    }
    let creator = given.text("created_by");
    let mut member = Patch::default();
    if let Some(id) = &creator {
        let creator = state.users.get(id).ok_or_else(|| ClerkError::missing_resource("created_by"))?;
        check_limit(state, creator)?;
        show::set_role(state, &mut member, &creator_role(state, given))?;
    }
    let max = settings.and_then(|settings| settings.value("max_allowed_memberships").as_i64());
    let mut patch = common(state, given, "")?;
    if let Some(max) = max.filter(|_| given.raw("max_allowed_memberships").is_none()) {
        patch.set("max_allowed_memberships", max)?;
    }
    if given.text("slug").is_none() {
        patch.set("slug", slug(state, &given.required("name")))?;
    }
    patch.copy_values(given, METADATA_NAMES);
    patch.copy_values(given, &["created_by"]);
    let id = state.create_organization(patch)?;
    if let Some(creator) = creator {
        state.create_membership(&creator, &id, member)?;
    }
    show(state, &id)
}

/// Refuses what would be one organization more than a user may create. Zero stands for no limit.
fn check_limit(state: &State, creator: &User) -> Result<(), ClerkError> {
    #[derive(Deserialize)]
    struct Limit {
        create_organizations_limit: Option<i64>,
    }

    #[derive(Deserialize)]
    struct Created {
        created_by: Option<String>,
    }

    let limit: Limit = serde_json::from_str(&creator.json)?;
    let Some(max) = limit.create_organizations_limit.filter(|max| *max > 0) else { return Ok(()) };
    let is_own = |other: &&Organization| {
        let created: serde_json::Result<Created> = serde_json::from_str(&other.json);
        created.is_ok_and(|created| created.created_by.as_ref() == Some(&creator.id))
    };
    let count = state.organizations.iter().filter(is_own).count();
    if i64::try_from(count).is_ok_and(|count| count < max) {
        return Ok(());
    }
    let why = format!("The user has reached the limit of {max} organizations.");
    Err(ClerkError::wrong_state(403, "organization_quota_exceeded", &why))
}

/// The role of whoever creates an organization: that of the role set, or of the instance.
fn creator_role(state: &State, given: &Given) -> String {
    let key = given.text("role_set_key");
    let set = state.entries("role_sets").find(|set| key.as_ref().is_some_and(|key| set.is("key", key)));
    let of_set = set.and_then(|set| set.value("creator_role")["key"].as_str());
    let of_instance = instance::settings(state).map(|settings| settings.text("creator_role"));
    of_set.or(of_instance).unwrap_or("org:admin").to_owned()
}

fn update(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    found(state, call.id())?;
    let mut patch = common(state, &call.given, call.id())?;
    patch.copy_values(&call.given, &["admin_delete_enabled"]);
    state.update_organization(call.id(), patch)?;
    show(state, call.id())
}

/// The fields of an organization by what both creating and changing one take.
fn common(state: &State, given: &Given, own_id: &str) -> Result<Patch, ClerkError> {
    if given.text("name").is_some_and(|name| name.trim().is_empty()) {
        return Err(ClerkError::too_short("name", 1));
    }
    if given.text("name").is_some_and(|name| name.chars().count() > MAX_NAME) {
        return Err(ClerkError::too_long("name", MAX_NAME));
    }
    let has_slugs = instance::settings(state).is_none_or(|settings| !settings.is_true("slug_disabled"));
    if given.raw("slug").is_some() && !has_slugs {
        return Err(ClerkError::unknown("slug"));
    }
    if let Some(slug) = given.text("slug") {
        let is_fine = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-';
        if slug.is_empty() || !slug.chars().all(is_fine) {
            return Err(ClerkError::wrong_format("slug", "made of lowercase letters, digits and dashes"));
        }
        if state.organizations.iter().any(|other| other.slug == slug && other.id != own_id) {
            return Err(ClerkError::taken("slug", "slug"));
        }
    }
    if let Some(key) = given.text("role_set_key")
        && !show::has(state, "role_sets", "", |set| set.is("key", &key))
    {
        return Err(ClerkError::invalid_value("role_set_key", "there is no such role set"));
    }
    let mut patch = Patch::default();
    patch.copy_values(given, &["name", "slug", "max_allowed_memberships", "role_set_key"]);
    if let Some(time) = given.time("created_at") {
        patch.set("created_at", time)?;
    }
    Ok(patch)
}

/// A slug that no organization has, made of a name.
fn slug(state: &State, name: &str) -> String {
    let lower = name.to_lowercase();
    let words = lower.split(|char: char| !char.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let slug = words.collect::<Vec<&str>>().join("-");
    let is_free = !slug.is_empty() && state.organizations.iter().all(|other| other.slug != slug);
    // The clock goes on with every change, so that no two organizations get the same number.
    if is_free { slug } else { format!("{slug}-{}", state.clock / 1000).trim_start_matches('-').to_owned() }
}

fn delete(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    let deleted = event::deleted_organization(found(state, call.id())?);
    state.delete_organization(call.id())?;
    Ok(deleted)
}

fn merge(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    let patch = metadata::merge(&found(state, call.id())?.json, &call.given, METADATA_NAMES)?;
    state.update_organization(call.id(), patch)?;
    show(state, call.id())
}

fn replace(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    let mut patch = Patch::default();
    patch.copy_values(&call.given, METADATA_NAMES);
    state.update_organization(call.id(), patch)?;
    show(state, call.id())
}

pub(super) fn found<'a>(state: &'a State, id: &str) -> Result<&'a Organization, ClerkError> {
    state.organizations.get(id).ok_or_else(|| ClerkError::not_found("organization", id))
}

fn show(state: &State, id: &str) -> Result<String, ClerkError> {
    let mut json = Vec::new();
    organizations::write(state, found(state, id)?, Extras::NONE, &mut json);
    Ok(String::from_utf8_lossy(&json).into_owned())
}
