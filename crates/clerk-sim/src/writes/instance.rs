//! The instance itself, and what organizations may do in it.

use super::form::FieldKind::{Boolean, Choice, Integer, Text, Texts};
use super::form::{Call, Write, field};
use super::given::Patch;
use super::show;
use crate::entry::Entry;
use crate::error::ClerkError;
use crate::state::State;
use crate::table::Row;

pub(super) const SETTINGS: &str = "organization_settings";
const ROLES: &str = "organization_roles";
const MODES: &[&str] = &["manual_invitation", "automatic_invitation", "automatic_suggestion"];

pub(super) const WRITES: &[Write] = &[
    Write::with_body(
        "PATCH",
        "/instance",
        &[&[
            field("test_mode", Boolean).nullable(),
            field("hibp", Boolean).nullable(),
            field("support_email", Text).nullable(),
            field("clerk_js_version", Text).nullable(),
            field("development_origin", Text).nullable(),
            field("allowed_origins", Texts),
            field("cookieless_dev", Boolean).nullable(),
            field("url_based_session_syncing", Boolean).nullable(),
            field("preferred_sign_in_strategy_when_password_required", Choice(&["password", "otp", ""])).nullable(),
        ]],
        change_instance,
    )
    .closed()
    .optional()
    .answering(204),
    Write::with_body(
        "PATCH",
        "/instance/organization_settings",
        &[&[
            field("enabled", Boolean).nullable(),
            field("max_allowed_memberships", Integer(0, i64::MAX)).nullable(),
            field("admin_delete_enabled", Boolean).nullable(),
            field("domains_enabled", Boolean).nullable(),
            field("slug_disabled", Boolean).nullable(),
            field("domains_enrollment_modes", Texts),
            field("creator_role_id", Text).nullable(),
            field("domains_default_role_id", Text).nullable(),
        ]],
        change_settings,
    )
    .closed()
    .optional(),
];

/// Of all that can be changed, only the origins are shown anywhere.
fn change_instance(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    if let Some(email) = call.given.text("support_email").filter(|email| !email.is_empty()) {
        show::check_email("support_email", &email)?;
    }
    if let Some(origins) = call.given.texts("allowed_origins") {
        state.instance.allowed_origins = Some(origins);
    }
    Ok(String::new())
}

fn change_settings(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    let given = &call.given;
    let id = settings(state).map(|settings| settings.id().to_owned());
    let id = id.ok_or_else(|| ClerkError::not_found("organization settings", ""))?;
    let modes = given.texts("domains_enrollment_modes").unwrap_or_default();
    if let Some(mode) = modes.iter().find(|mode| !MODES.contains(&mode.as_str())) {
        return Err(ClerkError::invalid_value("domains_enrollment_modes", &format!("there is no mode {mode}")));
    }
    let mut patch = Patch::default();
    patch.copy_values(given, &["enabled", "max_allowed_memberships", "admin_delete_enabled", "domains_enabled"]);
    patch.copy_values(given, &["slug_disabled", "domains_enrollment_modes"]);
    if let Some(id) = given.text("creator_role_id") {
        let role = show::found(state, ROLES, &id)?;
        if !role.is_true("is_creator_eligible") {
            return Err(ClerkError::no_creator_role());
        }
        patch.set("creator_role", role.text("key"))?;
    }
    if let Some(id) = given.text("domains_default_role_id") {
        patch.set("domains_default_role", show::found(state, ROLES, &id)?.text("key"))?;
    }
    show::update(state, SETTINGS, &id, patch)
}

/// What organizations may do.
pub(super) fn settings(state: &State) -> Option<&Entry> {
    state.entries(SETTINGS).next()
}
