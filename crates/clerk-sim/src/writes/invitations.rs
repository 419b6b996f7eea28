//! Invitations to the application.

use std::collections::HashSet;

use serde_json::json;

use super::form::FieldKind::{Boolean, Choice, Integer, Object, Text};
use super::form::{Call, Field, Write, field};
use super::given::{Given, Patch};
use super::show::{self, check_email};
use crate::error::ClerkError;
use crate::generate::time::DAY;
use crate::state::State;

const KIND: &str = "invitations";

/// For how many days an invitation is valid, unless the request says so.
pub(super) const VALID_DAYS: i64 = 30;

const COMMON: &[Field] = &[
    field("email_address", Text).required(),
    field("notify", Boolean).nullable(),
    field("ignore_existing", Boolean).nullable(),
    field("expires_in_days", Integer(1, 365)).nullable(),
    field("template_slug", Choice(&["invitation", "waitlist_invitation"])),
];

const ONE: &[Field] = &[field("public_metadata", Object), field("redirect_url", Text)];

const MANY: &[Field] = &[field("public_metadata", Object).nullable(), field("redirect_url", Text).nullable()];

pub(super) const WRITES: &[Write] = &[
    Write::with_body("POST", "/invitations", &[COMMON, ONE], create).closed().optional(),
    Write::with_array("/invitations/bulk", &[COMMON, MANY], 10, create_all).closed(),
    Write::plain("POST", "/invitations/{invitation_id}/revoke", revoke),
];

fn create(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    check(state, &call.given, true)?;
    let patch = patch(state, &call.given)?;
    show::create(state, KIND, patch)
}

fn create_all(state: &mut State, calls: &[Call]) -> Result<String, ClerkError> {
    let mut seen = HashSet::new();
    for call in calls {
        // Here, nothing permits to invite somebody who is a user.
        check(state, &call.given, false)?;
        let is_new = seen.insert(call.given.required("email_address").to_lowercase());
        if !is_new && !call.given.is_true("ignore_existing") {
            return Err(duplicate());
        }
    }
    let mut invitations = Vec::new();
    for call in calls {
        let patch = patch(state, &call.given)?;
        invitations.push(show::create(state, KIND, patch)?);
    }
    Ok(format!("[{}]", invitations.join(",")))
}

/// Refuses an email address that was invited before, and that of a user.
fn check(state: &State, given: &Given, may_be_user: bool) -> Result<(), ClerkError> {
    let email = given.required("email_address");
    check_email("email_address", &email)?;
    let ignores = given.is_true("ignore_existing");
    let is_invited = show::has(state, KIND, "", |invitation| {
        invitation.is("status", "pending") && invitation.text("email_address").eq_ignore_ascii_case(&email)
    });
    if is_invited && !ignores {
        return Err(duplicate());
    }
    let email = email.to_lowercase();
    let is_user = state.users_identified_by(&email).any(|user| user.emails().any(|own| own.to_lowercase() == email));
    if is_user && !(ignores && may_be_user) {
        return Err(ClerkError::taken("email_address", "email address"));
    }
    Ok(())
}

fn duplicate() -> ClerkError {
    ClerkError::duplicate("a pending invitation for this email address")
}

/// The fields of a new invitation.
fn patch(state: &State, given: &Given) -> Result<Patch, ClerkError> {
    let mut patch = Patch::default();
    patch.copy(given, &["email_address"]);
    patch.copy_or(given, "public_metadata", json!({}))?;
    patch.set("expires_at", expiry(state, given))?;
    Ok(patch)
}

/// When a new invitation expires.
pub(super) fn expiry(state: &State, given: &Given) -> i64 {
    state.clock + given.integer("expires_in_days").unwrap_or(VALID_DAYS) * DAY
}

fn revoke(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    let invitation = show::found(state, KIND, call.id())?;
    let code = match invitation.text("status") {
        "accepted" => Some("invitation_already_accepted"),
        "revoked" => Some("invitation_already_revoked"),
        _ => None,
    };
    if let Some(code) = code {
        return Err(ClerkError::wrong_state(400, code, "The invitation was accepted or revoked before."));
    }
    let mut patch = Patch::default();
    patch.set("status", "revoked")?;
    show::update(state, KIND, call.id(), patch)
}
