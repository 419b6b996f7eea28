//! Permissions and roles of organizations.

use serde_json::Value;

use super::form::FieldKind::{Boolean, Text, Texts};
use super::form::{Call, Field, Write, field};
use super::given::{Given, Patch};
use super::show;
use crate::error::ClerkError;
use crate::state::State;
use crate::table::Row;

const PERMISSIONS: &str = "organization_permissions";
const ROLES: &str = "organization_roles";

const PERMISSION: &[Field] = &[field("description", Text)];

pub(super) const WRITES: &[Write] = &[
    Write::with_body(
        "POST",
        "/organization_permissions",
        &[PERMISSION, &[field("name", Text).required(), field("key", Text).required()]],
        add_permission,
    ),
    Write::with_body(
        "PATCH",
        "/organization_permissions/{permission_id}",
        &[PERMISSION, &[field("name", Text), field("key", Text)]],
        change_permission,
    ),
    Write::plain("DELETE", "/organization_permissions/{permission_id}", delete_permission),
    Write::with_body(
        "POST",
        "/organization_roles",
        &[&[
            field("name", Text).required(),
            field("key", Text).required(),
            field("description", Text).nullable(),
            field("permissions", Texts).nullable(),
            field("include_in_initial_role_set", Boolean).nullable(),
        ]],
        add_role,
    )
    .closed(),
    Write::with_body(
        "PATCH",
        "/organization_roles/{organization_role_id}",
        &[&[
            field("name", Text).nullable(),
            field("key", Text).nullable(),
            field("description", Text).nullable(),
            field("permissions", Texts).nullable(),
        ]],
        change_role,
    ),
    Write::plain("DELETE", "/organization_roles/{organization_role_id}", delete_role),
    Write::plain("POST", "/organization_roles/{organization_role_id}/permissions/{permission_id}", |state, call| {
        assign(state, call, true)
    }),
    Write::plain("DELETE", "/organization_roles/{organization_role_id}/permissions/{permission_id}", |state, call| {
        assign(state, call, false)
    }),
];

fn add_permission(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    check_key(state, PERMISSIONS, &call.given, "")?;
    let mut patch = Patch::default();
    patch.copy(&call.given, &["name", "key"]);
    patch.copy_or(&call.given, "description", "")?;
    patch.set("type", "user")?;
    show::create(state, PERMISSIONS, patch)
}

fn change_permission(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    require_own(state, call.id())?;
    check_key(state, PERMISSIONS, &call.given, call.id())?;
    let mut patch = Patch::default();
    patch.copy(&call.given, &["name", "key", "description"]);
    show::update(state, PERMISSIONS, call.id(), patch)
}

fn delete_permission(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    require_own(state, call.id())?;
    show::delete(state, PERMISSIONS, call.id())
}

/// Refuses to touch a permission that Clerk provides.
fn require_own(state: &State, id: &str) -> Result<(), ClerkError> {
    if show::found(state, PERMISSIONS, id)?.is("type", "system") {
        return Err(ClerkError::with_status(403, None));
    }
    Ok(())
}

/// Keys look like `org:invoices:export`, and no two objects have the same.
fn check_key(state: &State, kind: &str, given: &Given, own_id: &str) -> Result<(), ClerkError> {
    let Some(key) = given.text("key") else { return Ok(()) };
    let is_fine = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | ':');
    if !key.starts_with("org:") || !key.chars().all(is_fine) {
        return Err(ClerkError::wrong_format("key", "made of org: and letters, digits, underscores and colons"));
    }
    show::require_unique(state, kind, "key", &key, own_id)
}

fn add_role(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    check_key(state, ROLES, &call.given, "")?;
    let permissions = permissions(state, &call.given)?.unwrap_or_default();
    let mut patch = Patch::default();
    patch.copy(&call.given, &["name", "key"]);
    patch.copy_or(&call.given, "description", ())?;
    patch.set("is_creator_eligible", false)?;
    patch.set("permissions", permissions)?;
    show::create(state, ROLES, patch)
}

fn change_role(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    show::found(state, ROLES, call.id())?;
    check_key(state, ROLES, &call.given, call.id())?;
    let mut patch = Patch::default();
    patch.copy_values(&call.given, &["name", "key", "description"]);
    if let Some(permissions) = permissions(state, &call.given)? {
        patch.set("permissions", permissions)?;
    }
    show::update(state, ROLES, call.id(), patch)
}

/// The permissions that are given by their ids or keys.
fn permissions(state: &State, given: &Given) -> Result<Option<Vec<Value>>, ClerkError> {
    let Some(ids) = given.texts("permissions") else { return Ok(None) };
    let mut found = Vec::new();
    for id in ids {
        let mut all = state.entries(PERMISSIONS);
        let permission = all.find(|permission| permission.id() == id || permission.is("key", &id));
        let permission = permission.ok_or_else(|| ClerkError::missing_resource("permissions"))?;
        found.push(serde_json::from_str(&permission.json)?);
    }
    Ok(Some(found))
}

fn delete_role(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    let key = show::found(state, ROLES, call.id())?.text("key");
    if state.memberships.iter().any(|membership| membership.role == key) {
        let why = "A role that members have cannot be deleted.";
        return Err(ClerkError::wrong_state(422, "organization_role_used_by_members", why));
    }
    show::delete(state, ROLES, call.id())
}

/// Gives a role a permission, or takes it away.
fn assign(state: &mut State, call: &Call, gives: bool) -> Result<String, ClerkError> {
    let role = show::found(state, ROLES, call.id())?;
    let permission = show::found(state, PERMISSIONS, call.second_id())?;
    let mut permissions = role.value("permissions").as_array().cloned().unwrap_or_default();
    let has = permissions.iter().any(|known| known["id"] == call.second_id());
    if gives && has {
        let why = "The role has this permission already.";
        return Err(ClerkError::wrong_state(409, "organization_role_permission_association_exists", why));
    }
    if !gives && !has {
        return Err(ClerkError::not_found("permission of the role", call.second_id()));
    }
    if gives {
        permissions.push(serde_json::from_str(&permission.json)?);
    } else {
        permissions.retain(|known| known["id"] != call.second_id());
    }
    let mut patch = Patch::default();
    patch.set("permissions", permissions)?;
    show::update(state, ROLES, call.id(), patch)
}
