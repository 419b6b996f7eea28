//! Invitations to organizations.

use std::collections::HashSet;

use serde_json::json;

use super::form::FieldKind::{Boolean, Integer, Object, Text};
use super::form::{Call, Field, Write, field};
use super::given::{Given, Patch};
use super::invitations::expiry;
use super::show::{self, check_email, check_role};
use super::{organizations, users};
use crate::entry::Entry;
use crate::error::ClerkError;
use crate::state::State;

const KIND: &str = "organization_invitations";

const NEW: &[Field] = &[
    field("email_address", Text).required(),
    field("inviter_user_id", Text).nullable(),
    field("role", Text).required(),
    field("public_metadata", Object).nullable(),
    field("private_metadata", Object).nullable(),
    field("redirect_url", Text).nullable(),
    field("expires_in_days", Integer(1, 365)).nullable(),
    field("notify", Boolean).nullable(),
];

pub(super) const WRITES: &[Write] = &[
    Write::with_body("POST", "/organizations/{organization_id}/invitations", &[NEW], create).optional(),
    Write::with_array("/organizations/{organization_id}/invitations/bulk", &[NEW], 10, create_all),
    Write::with_body(
        "POST",
        "/organizations/{organization_id}/invitations/{invitation_id}/revoke",
        &[&[field("requesting_user_id", Text).nullable()]],
        revoke,
    )
    .optional(),
];

fn create(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    check(state, call)?;
    let id = make(state, call)?;
    show(state, &id)
}

fn create_all(state: &mut State, calls: &[Call]) -> Result<String, ClerkError> {
    let mut seen = HashSet::new();
    for call in calls {
        check(state, call)?;
        if !seen.insert(call.given.required("email_address").to_lowercase()) {
            return Err(duplicate());
        }
    }
    let mut invitations = Vec::new();
    for call in calls {
        let id = make(state, call)?;
        invitations.push(show(state, &id)?);
    }
    Ok(format!(r#"{{"data":[{}],"total_count":{}}}"#, invitations.join(","), invitations.len()))
}

/// Refuses an email address that was invited before, and that of a member.
fn check(state: &State, call: &Call) -> Result<(), ClerkError> {
    organizations::found(state, call.id())?;
    let email = call.given.required("email_address");
    check_email("email_address", &email)?;
    check_role(state, "role", &call.given.required("role"))?;
    if let Some(inviter) = call.given.text("inviter_user_id") {
        users::found(state, &inviter)?;
        require_admin(state, call.id(), &inviter)?;
    }
    let is_invited = show::has(state, KIND, "", |invitation| {
        invitation.is("organization_id", call.id())
            && invitation.is("status", "pending")
            && invitation.text("email_address").eq_ignore_ascii_case(&email)
    });
    if is_invited {
        return Err(duplicate());
    }
    let lower = email.to_lowercase();
    let is_member = |user_id: &str| state.members_of(call.id()).any(|membership| membership.user_id == user_id);
    if state.users_identified_by(&lower).any(|user| is_member(&user.id)) {
        return Err(ClerkError::already_a_member(&email));
    }
    Ok(())
}

fn duplicate() -> ClerkError {
    ClerkError::duplicate("a pending invitation of the organization for this email address")
}

/// Only an administrator of the organization may invite and revoke in its name.
fn require_admin(state: &State, organization_id: &str, user_id: &str) -> Result<(), ClerkError> {
    let mut members = state.members_of(organization_id);
    if members.any(|membership| membership.user_id == user_id && membership.role == "org:admin") {
        return Ok(());
    }
    Err(ClerkError::with_status(403, None))
}

fn make(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    let given: &Given = &call.given;
    let mut patch = Patch::default();
    patch.copy(given, &["email_address", "role"]);
    patch.copy_or(given, "public_metadata", json!({}))?;
    patch.copy_or(given, "private_metadata", json!({}))?;
    patch.set("organization_id", call.id())?;
    patch.set("expires_at", expiry(state, given))?;
    match given.text("inviter_user_id") {
        Some(inviter) => patch.set("inviter_id", inviter)?,
        None => {
            patch.set("inviter_id", ())?;
            patch.set("public_inviter_data", ())?;
        }
    }
    Ok(state.create(KIND, patch)?)
}

fn revoke(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    organizations::found(state, call.id())?;
    let id = call.second_id();
    let invitation = own(state, call)?;
    if !invitation.is("status", "pending") {
        let why = "Only pending organization invitations can be revoked.";
        return Err(ClerkError::wrong_state(400, "organization_invitation_not_pending", why));
    }
    if let Some(user) = call.given.text("requesting_user_id") {
        users::found(state, &user)?;
        require_admin(state, call.id(), &user)?;
    }
    state.update(KIND, id, json!({ "status": "revoked" }))?;
    show(state, id)
}

fn own<'a>(state: &'a State, call: &Call) -> Result<&'a Entry, ClerkError> {
    let invitation = show::found(state, KIND, call.second_id())?;
    if invitation.is("organization_id", call.id()) {
        return Ok(invitation);
    }
    Err(ClerkError::not_found("organization invitation", call.second_id()))
}

/// An invitation as the lists of one organization show it.
fn show(state: &State, id: &str) -> Result<String, ClerkError> {
    Ok(show::found(state, KIND, id)?.json.clone())
}
