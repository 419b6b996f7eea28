//! The domains of organizations.

use serde_json::{Value, json};

use super::form::FieldKind::{Boolean, Text};
use super::form::{Call, Write, field};
use super::given::{Given, Patch};
use super::{organizations, show};
use crate::entry::Entry;
use crate::error::ClerkError;
use crate::state::State;

const KIND: &str = "organization_domains";

const MODES: &[&str] = &["manual_invitation", "automatic_invitation", "automatic_suggestion", "enterprise_sso"];

pub(super) const WRITES: &[Write] = &[
    Write::with_body(
        "POST",
        "/organizations/{organization_id}/domains",
        &[&[field("name", Text), field("enrollment_mode", Text), field("verified", Boolean).nullable()]],
        create,
    )
    .closed(),
    Write::with_body(
        "PATCH",
        "/organizations/{organization_id}/domains/{domain_id}",
        &[&[field("enrollment_mode", Text).nullable(), field("verified", Boolean).nullable()]],
        update,
    ),
    Write::plain("DELETE", "/organizations/{organization_id}/domains/{domain_id}", delete),
    Write::plain("POST", "/organizations/{organization_id}/domains/{domain_id}/verify_ownership", verify),
];

fn create(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    organizations::found(state, call.id())?;
    let given = &call.given;
    // Clerk's description does not say so, but there is no domain without a name.
    let name = given.text("name").ok_or_else(|| ClerkError::required("name"))?;
    if !name.contains('.') || name.contains(char::is_whitespace) {
        return Err(ClerkError::wrong_format("name", "a valid domain"));
    }
    check_mode(given)?;
    if show::has(state, KIND, "", |domain| domain.text("name").eq_ignore_ascii_case(&name)) {
        return Err(ClerkError::taken("name", "domain"));
    }
    let mut patch = Patch::default();
    patch.set("name", name)?;
    patch.set("organization_id", call.id())?;
    patch.copy_or(given, "enrollment_mode", "manual_invitation")?;
    patch.set("total_pending_invitations", 0)?;
    patch.set("total_pending_suggestions", 0)?;
    patch.set("affiliation_email_address", ())?;
    patch.set("affiliation_verification", ())?;
    patch.set("ownership_verification", ())?;
    patch.set("verification", verification(state, given.is_true("verified")))?;
    let id = state.create(KIND, patch)?;
    show(state, &id)
}

fn update(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    own(state, call)?;
    check_mode(&call.given)?;
    let mut patch = Patch::default();
    patch.copy_values(&call.given, &["enrollment_mode"]);
    if call.given.raw("verified").is_some() {
        patch.set("verification", verification(state, call.given.is_true("verified")))?;
    }
    state.update(KIND, call.second_id(), patch)?;
    show(state, call.second_id())
}

fn delete(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    own(state, call)?;
    show::delete(state, KIND, call.second_id())
}

/// The ownership is proved at once.
fn verify(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    own(state, call)?;
    let mut proved = verification(state, true);
    proved["strategy"] = json!("txt");
    let mut patch = Patch::default();
    patch.set("ownership_verification", proved)?;
    state.update(KIND, call.second_id(), patch)?;
    show(state, call.second_id())
}

fn verification(state: &State, is_verified: bool) -> Value {
    json!({
        "status": if is_verified { "verified" } else { "unverified" },
        "strategy": "backend_api",
        "attempts": 0,
        "expire_at": null,
        "verified_at": is_verified.then_some(state.clock),
    })
}

fn check_mode(given: &Given) -> Result<(), ClerkError> {
    if given.text("enrollment_mode").is_none_or(|mode| MODES.contains(&mode.as_str())) {
        return Ok(());
    }
    Err(ClerkError::invalid_value("enrollment_mode", &format!("it has to be one of {}", MODES.join(", "))))
}

fn own<'a>(state: &'a State, call: &Call) -> Result<&'a Entry, ClerkError> {
    organizations::found(state, call.id())?;
    let domain = show::found(state, KIND, call.second_id())?;
    if domain.is("organization_id", call.id()) {
        return Ok(domain);
    }
    Err(ClerkError::not_found("organization domain", call.second_id()))
}

/// A domain as the lists of one organization show it.
fn show(state: &State, id: &str) -> Result<String, ClerkError> {
    Ok(show::found(state, KIND, id)?.json.clone())
}
