//! What users consist of: the objects in their arrays, which a change adds, changes or removes one at a time.

use serde_json::json;

use super::form::{Call, Write};
use super::given::Patch;
use super::members::{set, text};
use super::users;
use crate::error::ClerkError;
use crate::object::{Fields, User};
use crate::state::State;

/// An array of users.
pub(super) struct Part {
    /// What errors call one of its objects, such as `email address`.
    pub(super) noun: &'static str,
    /// Such as `email_addresses`.
    pub(super) array: &'static str,
    /// The field with the id of the primary one, such as `primary_email_address_id`; empty if none is.
    pub(super) primary: &'static str,
}

const PASSKEYS: &Part = &Part { noun: "passkey", array: "passkeys", primary: "" };
const WALLETS: &Part = &Part { noun: "web3 wallet", array: "web3_wallets", primary: "primary_web3_wallet_id" };
const ACCOUNTS: &Part = &Part { noun: "external account", array: "external_accounts", primary: "" };

pub(super) const WRITES: &[Write] = &[
    Write::plain("DELETE", "/users/{user_id}/passkeys/{passkey_identification_id}", |state, call| {
        let (patch, deleted) = removal(users::found(state, call.id())?, PASSKEYS, call.second_id())?;
        state.update_user(call.id(), patch)?;
        Ok(deleted)
    }),
    Write::plain("DELETE", "/users/{user_id}/web3_wallets/{web3_wallet_identification_id}", |state, call| {
        let (patch, deleted) = removal(users::found(state, call.id())?, WALLETS, call.second_id())?;
        state.update_user(call.id(), patch)?;
        Ok(deleted)
    }),
    Write::plain("DELETE", "/users/{user_id}/external_accounts/{external_account_id}", delete_account),
];

/// Deletes an account, and takes it from the email addresses that are linked to it.
fn delete_account(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    let user = users::found(state, call.id())?;
    let account = user.objects(ACCOUNTS.array)?.into_iter().find(|account| text(account, "id") == call.second_id());
    let linked = account.map(|account| text(&account, "identification_id")).unwrap_or_default();
    let (mut patch, deleted) = removal(user, ACCOUNTS, call.second_id())?;
    let mut emails = user.objects("email_addresses")?;
    for email in &mut emails {
        let links = email.get("linked_to").map_or(Ok(Vec::new()), |links| serde_json::from_str(links.get()))?;
        let kept: Vec<Fields> = links.into_iter().filter(|link: &Fields| text(link, "id") != linked).collect();
        set(email, "linked_to", kept)?;
    }
    patch.set("email_addresses", emails)?;
    state.update_user(call.id(), patch)?;
    Ok(deleted)
}

/// The change that removes an object from an array, and the answer that tells of it. In the place of a primary one, the
/// first that is left becomes primary.
pub(super) fn removal(user: &User, part: &Part, id: &str) -> Result<(Patch, String), ClerkError> {
    let mut objects = user.objects(part.array)?;
    let place = place(&objects, part, id)?;
    let removed = objects.remove(place);
    let mut patch = Patch::default();
    if !part.primary.is_empty() && text(&serde_json::from_str(&user.json)?, part.primary) == id {
        patch.set(part.primary, objects.first().map(|object| text(object, "id")))?;
    }
    patch.set(part.array, objects)?;
    Ok((patch, json!({ "object": text(&removed, "object"), "id": id, "deleted": true }).to_string()))
}

/// Where an object is in its array, or the answer is 404.
pub(super) fn place(objects: &[Fields], part: &Part, id: &str) -> Result<usize, ClerkError> {
    let place = objects.iter().position(|object| text(object, "id") == id);
    place.ok_or_else(|| ClerkError::not_found(part.noun, id))
}
