//! Role sets: the roles that the members of an organization may have.

use serde_json::{Value, json};

use super::form::FieldKind::{Choice, Text, TextCount, Texts};
use super::form::{Call, Write, field};
use super::given::{Given, Patch};
use super::{instance, show};
use crate::entry::Entry;
use crate::error::ClerkError;
use crate::state::State;
use crate::table::Row;

const SETS: &str = "role_sets";
const ROLES: &str = "organization_roles";

/// How many roles a set may have.
const MAX_ROLES: usize = 10;

pub(super) const WRITES: &[Write] = &[
    Write::with_body(
        "POST",
        "/role_sets",
        &[&[
            field("name", Text).required(),
            field("key", Text),
            field("description", Text).nullable(),
            field("default_role_key", Text).required(),
            field("creator_role_key", Text).required(),
            field("type", Choice(&["initial", "custom"])),
            field("roles", TextCount(1, MAX_ROLES)).required(),
        ]],
        create,
    )
    .closed(),
    Write::with_body(
        "PATCH",
        "/role_sets/{role_set_key_or_id}",
        &[&[
            field("name", Text).nullable(),
            field("key", Text).nullable(),
            field("description", Text).nullable(),
            field("type", Choice(&["initial"])).nullable(),
            field("default_role_key", Text).nullable(),
            field("creator_role_key", Text).nullable(),
        ]],
        update,
    ),
    Write::with_body(
        "POST",
        "/role_sets/{role_set_key_or_id}/roles",
        &[&[field("role_keys", Texts).required(), field("default_role_key", Text), field("creator_role_key", Text)]],
        add_roles,
    ),
];

fn create(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    let given = &call.given;
    let name = given.required("name");
    let key = given.text("key").unwrap_or_else(|| key(&name));
    check_key(state, &key, "")?;
    let keys = given.texts("roles").unwrap_or_default();
    let roles = keys.iter().map(|key| item(state, key)).collect::<Result<Vec<Value>, ClerkError>>()?;
    let mut patch = special_roles(state, given, &roles)?;
    patch.set("name", name)?;
    patch.set("key", key)?;
    patch.copy_or(given, "description", ())?;
    patch.copy_or(given, "type", "custom")?;
    patch.set("roles", roles)?;
    let id = state.create(SETS, patch)?;
    make_initial(state, given, &id)?;
    show::shown(state, SETS, &id)
}

fn update(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    let given = &call.given;
    let set = found(state, call.id())?;
    let id = set.id().to_owned();
    if let Some(key) = given.text("key") {
        check_key(state, &key, &id)?;
    }
    let roles = set.value("roles").as_array().cloned().unwrap_or_default();
    let mut patch = special_roles(state, given, &roles)?;
    patch.copy_values(given, &["name", "key", "description", "type"]);
    state.update(SETS, &id, patch)?;
    make_initial(state, given, &id)?;
    show::shown(state, SETS, &id)
}

fn add_roles(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    let set = found(state, call.id())?;
    let id = set.id().to_owned();
    let mut roles = set.value("roles").as_array().cloned().unwrap_or_default();
    for key in call.given.texts("role_keys").unwrap_or_default() {
        if roles.iter().all(|role| role["key"] != key.as_str()) {
            roles.push(item(state, &key)?);
        }
    }
    if roles.len() > MAX_ROLES {
        return Err(ClerkError::too_many_values("role_keys", MAX_ROLES));
    }
    let mut patch = special_roles(state, &call.given, &roles)?;
    patch.set("roles", roles)?;
    show::update(state, SETS, &id, patch)
}

/// The set with an id or a key, or the answer is 404.
fn found<'a>(state: &'a State, key_or_id: &str) -> Result<&'a Entry, ClerkError> {
    let set = state.entries(SETS).find(|set| set.id() == key_or_id || set.is("key", key_or_id));
    set.ok_or_else(|| ClerkError::not_found("role set", key_or_id))
}

/// The default role and that of creators, both of which are roles of the set.
fn special_roles(state: &State, given: &Given, roles: &[Value]) -> Result<Patch, ClerkError> {
    let mut patch = Patch::default();
    for (field, shown) in [("default_role_key", "default_role"), ("creator_role_key", "creator_role")] {
        let Some(key) = given.text(field) else { continue };
        let role = roles.iter().find(|role| role["key"] == key.as_str());
        let role = role.ok_or_else(|| ClerkError::invalid_value(field, "it is none of the roles of the set"))?;
        let is_eligible = |role: &Entry| role.is("key", &key) && role.is_true("is_creator_eligible");
        if shown == "creator_role" && !show::has(state, ROLES, "", is_eligible) {
            return Err(ClerkError::no_creator_role());
        }
        patch.set(shown, role)?;
    }
    Ok(patch)
}

/// A role as role sets contain it.
fn item(state: &State, key: &str) -> Result<Value, ClerkError> {
    let role = state.entries(ROLES).find(|role| role.is("key", key));
    let role = role.ok_or_else(|| ClerkError::not_found("role", key))?;
    let members = state.memberships.iter().filter(|membership| membership.role == key).count();
    Ok(json!({
        "object": "role_set_item",
        "id": role.id(),
        "name": role.value("name"),
        "key": key,
        "description": role.value("description"),
        "members_count": members,
        "has_members": members > 0,
        "created_at": role.created_at(),
        "updated_at": role.value("updated_at"),
    }))
}

/// Only one set is the initial one.
fn make_initial(state: &mut State, given: &Given, id: &str) -> Result<(), ClerkError> {
    if given.text("type").as_deref() != Some("initial") {
        return Ok(());
    }
    let others = state.entries(SETS).filter(|set| set.id() != id && set.is("type", "initial"));
    let others: Vec<String> = others.map(|set| set.id().to_owned()).collect();
    for other in others {
        state.update(SETS, &other, json!({ "type": "custom" }))?;
    }
    let key = state.entry(SETS, id).map(|set| set.text("key").to_owned());
    if let Some(settings) = instance::settings(state).map(|settings| settings.id().to_owned()) {
        state.update(instance::SETTINGS, &settings, json!({ "initial_role_set_key": key }))?;
    }
    Ok(())
}

/// A key made of a name.
fn key(name: &str) -> String {
    let lower = name.to_lowercase();
    let words = lower.split(|char: char| !char.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    format!("role_set:{}", words.collect::<Vec<&str>>().join("_"))
}

/// Keys look like `role_set:sales_team`, and no two sets have the same.
fn check_key(state: &State, key: &str, own_id: &str) -> Result<(), ClerkError> {
    let is_fine = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_';
    if !key.strip_prefix("role_set:").is_some_and(|rest| !rest.is_empty() && rest.chars().all(is_fine)) {
        let expected = "made of role_set: and lowercase letters, digits and underscores";
        return Err(ClerkError::wrong_format("key", expected));
    }
    show::require_unique(state, SETS, "key", key, own_id)
}
