//! How what was changed is shown, and checks that several subjects share.

use serde_json::json;

use super::given::Patch;
use crate::entry::Entry;
use crate::error::ClerkError;
use crate::resources;
use crate::schema;
use crate::state::State;
use crate::table::Row;

/// An object of a kind that `resources` has, as its list shows it.
pub(super) fn shown(state: &State, kind: &str, id: &str) -> Result<String, ClerkError> {
    let kind = resources::kind_named(kind).ok_or_else(ClerkError::no_such_route)?;
    let entry = state.entry(kind.name, id).ok_or_else(|| ClerkError::not_found(kind.noun, id))?;
    Ok(kind.shown(state, entry))
}

/// An object that has to be there, or the answer is 404.
pub(super) fn found<'a>(state: &'a State, kind: &str, id: &str) -> Result<&'a Entry, ClerkError> {
    let noun = resources::kind_named(kind).map_or("object", |kind| kind.noun);
    state.entry(kind, id).ok_or_else(|| ClerkError::not_found(noun, id))
}

/// Creates an object, and shows it.
pub(super) fn create(state: &mut State, kind: &str, patch: Patch) -> Result<String, ClerkError> {
    let id = state.create(kind, patch)?;
    shown(state, kind, &id)
}

/// Changes an object, and shows it.
pub(super) fn update(state: &mut State, kind: &str, id: &str, patch: Patch) -> Result<String, ClerkError> {
    state.update(kind, id, patch)?;
    shown(state, kind, id)
}

/// Deletes an object, and tells that.
pub(super) fn delete(state: &mut State, kind: &str, id: &str) -> Result<String, ClerkError> {
    let entry = found(state, kind, id)?;
    let deleted = json!({ "object": entry.value("object"), "id": id, "deleted": true });
    state.delete(kind, id)?;
    Ok(deleted.to_string())
}

/// Refuses a value that another object of the kind has.
pub(super) fn require_unique(
    state: &State,
    kind: &str,
    field: &str,
    value: &str,
    own_id: &str,
) -> Result<(), ClerkError> {
    if has(state, kind, own_id, |entry| entry.is(field, value)) {
        return Err(ClerkError::taken(field, field));
    }
    Ok(())
}

/// Whether there is such an object of the kind, apart from the one with an id.
pub(super) fn has(state: &State, kind: &str, own_id: &str, is_such: impl Fn(&Entry) -> bool) -> bool {
    state.entries(kind).any(|entry| entry.id() != own_id && is_such(entry))
}

/// Refuses what is not an email address.
pub(super) fn check_email(field: &str, text: &str) -> Result<(), ClerkError> {
    let is_fine = text.split_once('@').is_some_and(|(name, domain)| {
        !name.is_empty()
            && domain.contains('.')
            && !domain.starts_with('.')
            && !domain.ends_with('.')
            && !domain.contains('@')
    });
    if is_fine && !text.contains(char::is_whitespace) {
        return Ok(());
    }
    Err(ClerkError::wrong_format(field, "a valid email address"))
}

/// Sets a membership's role, with its name and permissions as they are by now.
pub(super) fn set_role(state: &State, patch: &mut Patch, key: &str) -> Result<(), ClerkError> {
    check_role(state, "role", key)?;
    patch.set("role", key)?;
    let Some(role) = state.entries("organization_roles").find(|role| role.is("key", key)) else { return Ok(()) };
    let permissions = role.value("permissions").as_array().into_iter().flatten();
    let keys: Vec<&str> = permissions.filter_map(|permission| permission["key"].as_str()).collect();
    // Generated memberships have the same permissions as their role in another order, which a change keeps.
    let (_, generated) = schema::role(key);
    let is_same = generated.len() == keys.len() && generated.iter().all(|key| keys.contains(key));
    patch.set("role_name", role.value("name"))?;
    patch.set("permissions", if is_same { generated } else { keys.as_slice() })
}

/// Refuses the key of a role that there is not.
pub(super) fn check_role(state: &State, field: &str, key: &str) -> Result<(), ClerkError> {
    if has(state, "organization_roles", "", |role| role.is("key", key)) {
        return Ok(());
    }
    Err(ClerkError::invalid_value(field, "there is no such role"))
}
