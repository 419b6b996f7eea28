//! The sessions of users.

use super::form::FieldKind::Text;
use super::form::{Call, Write, field};
use super::given::Patch;
use super::{organizations, show, users};
use crate::error::ClerkError;
use crate::state::State;

const KIND: &str = "sessions";

pub(super) const WRITES: &[Write] = &[
    Write::with_body(
        "POST",
        "/sessions",
        &[&[field("user_id", Text).required(), field("active_organization_id", Text)]],
        create,
    )
    .optional(),
    Write::plain("POST", "/sessions/{session_id}/revoke", revoke),
];

fn create(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    if state.instance.is_production() {
        let why = "Sessions can be created only in development instances.";
        return Err(ClerkError::wrong_state(400, "request_invalid_for_environment", why));
    }
    let user_id = call.given.required("user_id");
    users::found(state, &user_id)?;
    let organization = call.given.text("active_organization_id");
    if let Some(id) = &organization {
        organizations::found(state, id)?;
        if !state.members_of(id).any(|membership| membership.user_id == user_id) {
            return Err(ClerkError::missing_resource("active_organization_id"));
        }
    }
    let mut patch = Patch::default();
    patch.set("user_id", user_id)?;
    patch.set("last_active_organization_id", organization)?;
    show::create(state, KIND, patch)
}

fn revoke(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    show::found(state, KIND, call.id())?;
    let mut patch = Patch::default();
    patch.set("status", "revoked")?;
    show::update(state, KIND, call.id(), patch)
}
