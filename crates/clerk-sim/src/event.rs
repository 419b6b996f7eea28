//! The `data` of webhook events, as in Clerk's description of them.

use serde_json::json;

use crate::memberships;
use crate::object::{Membership, Organization, User};
use crate::organizations::{self, Extras};
use crate::state::State;

/// An organization with all its counts, as Clerk's examples have them.
pub(crate) fn organization(state: &State, id: &str) -> String {
    let mut json = Vec::new();
    if let Some(organization) = state.organizations.get(id) {
        organizations::write(state, organization, Extras::ALL, &mut json);
    }
    text(json)
}

/// A membership. Clerk sends it whole even after it was deleted, unlike users and organizations.
pub(crate) fn membership(state: &State, membership: &Membership) -> String {
    let mut json = Vec::new();
    memberships::write(state, membership, Extras::ALL, &mut json);
    text(json)
}

pub(crate) fn deleted_user(user: &User) -> String {
    let mut deleted = json!({ "object": "user", "id": user.id, "deleted": true });
    if let Some(external_id) = &user.external_id {
        deleted["external_id"] = json!(external_id);
    }
    deleted.to_string()
}

pub(crate) fn deleted_organization(organization: &Organization) -> String {
    json!({ "object": "organization", "id": organization.id, "slug": organization.slug, "deleted": true }).to_string()
}

fn text(json: Vec<u8>) -> String {
    String::from_utf8_lossy(&json).into_owned()
}
