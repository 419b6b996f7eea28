//! The memberships of users in organizations.

use serde::Deserialize;

use super::form::FieldKind::{Object, Text};
use super::form::{Call, Field, Write, field};
use super::given::Patch;
use super::show::set_role;
use super::{metadata, organizations, users};
use crate::error::ClerkError;
use crate::memberships;
use crate::object::Membership;
use crate::organizations::Extras;
use crate::state::State;

const NEW: &[Field] = &[
    field("user_id", Text).required(),
    field("role", Text).required(),
    field("public_metadata", Object).nullable(),
    field("private_metadata", Object).nullable(),
];

const METADATA: &[Field] = &[field("public_metadata", Object), field("private_metadata", Object)];

const METADATA_NAMES: &[&str] = &["public_metadata", "private_metadata"];

pub(super) const WRITES: &[Write] = &[
    Write::with_body("POST", "/organizations/{organization_id}/memberships", &[NEW], create),
    Write::with_body(
        "PATCH",
        "/organizations/{organization_id}/memberships/{user_id}",
        &[&[field("role", Text).required()]],
        update,
    ),
    Write::plain("DELETE", "/organizations/{organization_id}/memberships/{user_id}", delete),
    Write::with_body("PATCH", "/organizations/{organization_id}/memberships/{user_id}/metadata", &[METADATA], merge)
        .closed()
        .optional(),
];

fn create(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    /// Zero stands for no limit.
    #[derive(Deserialize)]
    struct Limit {
        max_allowed_memberships: Option<i64>,
    }

    let organization = organizations::found(state, call.id())?;
    let user_id = call.given.required("user_id");
    let role = call.given.required("role");
    users::found(state, &user_id)?;
    let mut patch = Patch::default();
    set_role(state, &mut patch, &role)?;
    if state.members_of(call.id()).any(|membership| membership.user_id == user_id) {
        return Err(ClerkError::already_a_member(&user_id));
    }
    let limit: Limit = serde_json::from_str(&organization.json)?;
    let count = i64::try_from(state.members_count(call.id())).unwrap_or(i64::MAX);
    if let Some(max) = limit.max_allowed_memberships.filter(|max| (1..=count).contains(max)) {
        return Err(ClerkError::quota_exceeded(max));
    }
    patch.copy_values(&call.given, METADATA_NAMES);
    state.create_membership(&user_id, call.id(), patch)?;
    Ok(show(state, found(state, call)?))
}

fn update(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    let id = found(state, call)?.id.clone();
    let mut patch = Patch::default();
    set_role(state, &mut patch, &call.given.required("role"))?;
    state.update_membership(&id, patch)?;
    Ok(show(state, found(state, call)?))
}

fn delete(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    let membership = found(state, call)?;
    let (id, shown) = (membership.id.clone(), show(state, membership));
    state.delete_membership(&id)?;
    Ok(shown)
}

fn merge(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    let membership = found(state, call)?;
    let patch = metadata::merge(&membership.json, &call.given, METADATA_NAMES)?;
    let id = membership.id.clone();
    state.update_membership(&id, patch)?;
    Ok(show(state, found(state, call)?))
}

/// The membership of the organization and the user that the request names, in its path or in its body.
fn found<'a>(state: &'a State, call: &Call) -> Result<&'a Membership, ClerkError> {
    organizations::found(state, call.id())?;
    let given = call.given.text("user_id");
    let user_id = given.as_deref().unwrap_or(call.second_id());
    let mut members = state.members_of(call.id());
    let membership = members.find(|membership| membership.user_id == user_id);
    membership.ok_or_else(|| ClerkError::not_found("organization membership", user_id))
}

fn show(state: &State, membership: &Membership) -> String {
    let mut json = Vec::new();
    memberships::write(state, membership, Extras::NONE, &mut json);
    String::from_utf8_lossy(&json).into_owned()
}
