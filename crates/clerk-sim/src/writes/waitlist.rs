//! The waitlist of the application.

use std::collections::HashSet;

use serde_json::json;
use serde_json::value::RawValue;

use super::form::FieldKind::{Boolean, Text};
use super::form::{Call, Field, Write, field};
use super::given::Patch;
use super::show::{self, check_email};
use crate::entry::Entry;
use crate::error::ClerkError;
use crate::state::State;

const KIND: &str = "waitlist_entries";

const NEW: &[Field] = &[field("email_address", Text).required(), field("notify", Boolean).nullable()];

pub(super) const WRITES: &[Write] = &[
    Write::with_body("POST", "/waitlist_entries", &[NEW], create).optional(),
    Write::with_array("/waitlist_entries/bulk", &[NEW], 50, create_all).closed(),
    Write::plain("DELETE", "/waitlist_entries/{waitlist_entry_id}", delete),
    Write::with_body(
        "POST",
        "/waitlist_entries/{waitlist_entry_id}/invite",
        &[&[field("ignore_existing", Boolean).nullable()]],
        invite,
    )
    .optional(),
    Write::plain("POST", "/waitlist_entries/{waitlist_entry_id}/reject", reject),
];

fn create(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    let email = call.given.required("email_address");
    check_email("email_address", &email)?;
    match known(state, &email) {
        // Whoever is on the list already stays where they are.
        Some(id) => show::shown(state, KIND, &id),
        None => make(state, &email),
    }
}

fn create_all(state: &mut State, calls: &[Call]) -> Result<String, ClerkError> {
    let mut seen = HashSet::new();
    for call in calls {
        let email = call.given.required("email_address");
        check_email("email_address", &email)?;
        if !seen.insert(email.to_lowercase()) {
            return Err(ClerkError::invalid_value("email_address", "it is given twice"));
        }
    }
    let mut entries = Vec::new();
    for call in calls {
        entries.push(create(state, call)?);
    }
    Ok(format!("[{}]", entries.join(",")))
}

fn known(state: &State, email: &str) -> Option<String> {
    let mut entries = state.entries(KIND);
    let entry = entries.find(|entry| entry.text("email_address").eq_ignore_ascii_case(email))?;
    entry.value("id").as_str().map(str::to_owned)
}

fn make(state: &mut State, email: &str) -> Result<String, ClerkError> {
    let mut patch = Patch::default();
    patch.set("email_address", email)?;
    show::create(state, KIND, patch)
}

/// An entry that waits for somebody's decision.
fn pending<'a>(state: &'a State, id: &str) -> Result<&'a Entry, ClerkError> {
    let entry = show::found(state, KIND, id)?;
    if entry.is_true("is_locked") {
        return Err(ClerkError::wrong_state(409, "waitlist_entry_locked", "The waitlist entry is being processed."));
    }
    if !entry.is("status", "pending") {
        let why = "The waitlist entry is not pending any more.";
        return Err(ClerkError::wrong_state(409, "waitlist_entry_not_pending", why));
    }
    Ok(entry)
}

fn delete(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    pending(state, call.id())?;
    show::delete(state, KIND, call.id())
}

fn invite(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    let email = pending(state, call.id())?.text("email_address").to_owned();
    let is_invited = |invitation: &Entry| {
        invitation.is("status", "pending") && invitation.text("email_address").eq_ignore_ascii_case(&email)
    };
    if show::has(state, "invitations", "", is_invited) && !call.given.is_true("ignore_existing") {
        return Err(ClerkError::duplicate("a pending invitation for this email address"));
    }
    let mut invitation = Patch::default();
    invitation.set("email_address", &email)?;
    invitation.set("public_metadata", json!({}))?;
    let invitation = show::create(state, "invitations", invitation)?;
    let mut patch = Patch::default();
    patch.set("status", "invited")?;
    patch.set("invitation", RawValue::from_string(invitation)?)?;
    patch.set("invited_at", state.clock)?;
    show::update(state, KIND, call.id(), patch)
}

fn reject(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    pending(state, call.id())?;
    let mut patch = Patch::default();
    patch.set("status", "rejected")?;
    show::update(state, KIND, call.id(), patch)
}
