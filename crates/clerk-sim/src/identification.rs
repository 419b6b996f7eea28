//! Expands email addresses, phone numbers and wallets that are given as texts into Clerk's objects.

use fake::rand::Rng;
use serde_json::value::RawValue;

use crate::generate::id;
use crate::object::{Fields, raw};
use crate::schema;

/// Replaces `email_address`, `phone_number` and `web3_wallet` by the arrays and primary ids of a user object. A status
/// `reserved` at the same place of `email_address_identification_status` and the like makes one reserved.
pub(crate) fn expand(fields: &mut Fields, random: &mut impl Rng, now: i64) -> serde_json::Result<()> {
    for (short, array, primary) in [
        ("email_address", "email_addresses", "primary_email_address_id"),
        ("phone_number", "phone_numbers", "primary_phone_number_id"),
        ("web3_wallet", "web3_wallets", "primary_web3_wallet_id"),
    ] {
        let statuses = fields.shift_remove(&format!("{short}_identification_status"));
        let Some(given) = fields.shift_remove(short) else {
            continue;
        };
        let statuses = statuses.map_or(Ok(Vec::new()), |statuses| texts(&statuses))?;
        let mut objects = Vec::new();
        let mut first = None;
        for (place, text) in texts(&given)?.into_iter().enumerate() {
            let id = id::new("idn_", random, now);
            let is_reserved = statuses.get(place).is_some_and(|status| status == "reserved");
            let status = if is_reserved { Status::Reserved } else { Status::Verified };
            objects.push(identification(short, &id, &text, status, now)?);
            first.get_or_insert(id);
        }
        fields.insert(array.to_owned(), raw(objects)?);
        fields.insert(primary.to_owned(), raw(first)?);
    }
    Ok(())
}

/// How far an address is known to be the user's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Verified,
    /// It was not verified, but nobody else may have it.
    Reserved,
    Unverified,
}

/// That an address counts as verified because the Backend API said so.
pub(crate) fn by_admin() -> schema::Verification<'static> {
    schema::Verification {
        object: "verification_admin",
        status: "verified",
        strategy: "admin",
        attempts: None,
        expire_at: None,
    }
}

/// An email address, a phone number or a wallet, by the name of its field.
pub(crate) fn identification(
    kind: &str,
    id: &str,
    text: &str,
    status: Status,
    now: i64,
) -> serde_json::Result<Box<RawValue>> {
    let is_reserved = status == Status::Reserved;
    let verification = (status == Status::Verified).then(by_admin);
    match kind {
        "email_address" => raw(schema::EmailAddress {
            id,
            object: "email_address",
            email_address: text,
            reserved: is_reserved,
            verification,
            linked_to: &[],
            matches_sso_connection: false,
            created_at: now,
            updated_at: now,
        }),
        "phone_number" => raw(schema::PhoneNumber {
            id,
            object: "phone_number",
            phone_number: text,
            reserved_for_second_factor: false,
            default_second_factor: false,
            reserved: is_reserved,
            verification,
            linked_to: [],
            backup_codes: None,
            created_at: now,
            updated_at: now,
        }),
        _ => raw(schema::Web3Wallet {
            id,
            object: "web3_wallet",
            web3_wallet: text,
            verification,
            created_at: now,
            updated_at: now,
        }),
    }
}

/// A text, or an array of texts.
fn texts(json: &RawValue) -> serde_json::Result<Vec<String>> {
    if json.get().starts_with('[') {
        serde_json::from_str(json.get())
    } else {
        serde_json::from_str(json.get()).map(|text| vec![text])
    }
}
