//! Checks of the email addresses, phone numbers, wallets, names and ids that nobody else may have.

use super::given::Given;
use super::show::check_email;
use crate::error::ClerkError;
use crate::object::User;
use crate::state::State;

/// Refuses what another user than the one with this id has, or what is not what it should be.
pub(super) fn check(state: &State, given: &Given, own_id: &str) -> Result<(), ClerkError> {
    let emails = given.texts("email_address").unwrap_or_default();
    for email in &emails {
        check_email("email_address", email)?;
    }
    let phones = given.texts("phone_number").unwrap_or_default();
    for phone in &phones {
        check_phone(phone)?;
    }
    check_statuses(given, "email_address_identification_status", emails.len())?;
    check_statuses(given, "phone_number_identification_status", phones.len())?;

    let is_taken = |value: &str, has: &dyn Fn(&User, &str) -> bool| {
        let value = value.to_lowercase();
        state.users_identified_by(&value).any(|user| user.id != own_id && has(user, &value))
    };
    let is_one = |mut values: Box<dyn Iterator<Item = &str> + '_>, value: &str| {
        values.any(|known| known.to_lowercase() == value)
    };
    if is_repeated(&emails)
        || emails.iter().any(|email| is_taken(email, &|user, email| is_one(Box::new(user.emails()), email)))
    {
        return Err(ClerkError::taken("email_address", "email address"));
    }
    if is_repeated(&phones)
        || phones.iter().any(|phone| is_taken(phone, &|user, phone| is_one(Box::new(user.phones()), phone)))
    {
        return Err(ClerkError::taken("phone_number", "phone number"));
    }
    let wallets = given.texts("web3_wallet").unwrap_or_default();
    if is_repeated(&wallets)
        || wallets.iter().any(|wallet| is_taken(wallet, &|user, wallet| is_one(Box::new(user.wallets()), wallet)))
    {
        return Err(ClerkError::taken("web3_wallet", "web3 wallet"));
    }
    let username = given.text("username").filter(|name| !name.is_empty());
    let has_name = |user: &User, name: &str| user.username.as_ref().is_some_and(|known| known.to_lowercase() == name);
    if username.is_some_and(|name| is_taken(&name, &has_name)) {
        return Err(ClerkError::taken("username", "username"));
    }
    let external_id = given.text("external_id");
    if let Some(external_id) = external_id
        && is_taken(&external_id, &|user, _| user.external_id.as_ref() == Some(&external_id))
    {
        return Err(ClerkError::taken("external_id", "external ID"));
    }
    Ok(())
}

fn is_repeated(values: &[String]) -> bool {
    let known = |place: usize, value: &String| {
        values.iter().take(place).any(|other| other.to_lowercase() == value.to_lowercase())
    };
    values.iter().enumerate().any(|(place, value)| known(place, value))
}

/// There is one status for each value, or none at all.
fn check_statuses(given: &Given, name: &str, count: usize) -> Result<(), ClerkError> {
    let statuses = given.texts(name).unwrap_or_default();
    if !statuses.is_empty() && statuses.len() != count {
        return Err(ClerkError::invalid_value(name, "it needs exactly one item for each value"));
    }
    if statuses.iter().any(|status| !matches!(status.as_str(), "verified" | "reserved")) {
        return Err(ClerkError::invalid_value(name, "it has to be one of verified, reserved"));
    }
    Ok(())
}

/// Refuses what is not a phone number as in E.164.
fn check_phone(text: &str) -> Result<(), ClerkError> {
    let digits = text.strip_prefix('+').unwrap_or_default();
    if (7..=15).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Ok(());
    }
    Err(ClerkError::wrong_format("phone_number", "a valid phone number according to E.164 international standard"))
}
