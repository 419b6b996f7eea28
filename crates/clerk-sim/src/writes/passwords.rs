//! What users sign in with: it is checked, and leaves a trace in the user, but is kept nowhere.

use super::given::{Given, Patch};
use crate::error::ClerkError;

const MIN_LENGTH: usize = 8;

/// What Clerk reads digests by.
pub(super) const HASHERS: &[&str] = &[
    "bcrypt",
    "bcrypt_sha256_django",
    "md5",
    "pbkdf2_sha1",
    "pbkdf2_sha256",
    "pbkdf2_sha256_django",
    "pbkdf2_sha512",
    "pbkdf2_sha512_hex",
    "phpass",
    "md5_phpass",
    "scrypt_firebase",
    "scrypt_werkzeug",
    "sha256",
    "sha512_symfony",
    "ldap_ssha",
    "argon2",
    "argon2i",
    "argon2id",
];

/// Refuses a password that is too short, and one that is given in two ways.
pub(super) fn check(given: &Given) -> Result<(), ClerkError> {
    let has = |name: &str| given.raw(name).is_some();
    if has("password") && has("password_digest") {
        return Err(ClerkError::not_together("password_digest", "password"));
    }
    if has("password_digest") && !has("password_hasher") {
        return Err(ClerkError::missing("password_hasher", "password_digest"));
    }
    let password = given.text("password");
    let is_short = password.is_some_and(|password| password.chars().count() < MIN_LENGTH);
    if is_short && !given.is_true("skip_password_checks") {
        return Err(ClerkError::password_too_short(MIN_LENGTH));
    }
    Ok(())
}

/// Says in the user what it can sign in with from now on.
pub(super) fn note(given: &Given, patch: &mut Patch, now: i64) -> Result<(), ClerkError> {
    if given.raw("password").or(given.raw("password_digest")).is_some() {
        patch.set("password_enabled", true)?;
        patch.set("password_last_updated_at", now)?;
    }
    if given.raw("totp_secret").is_some() {
        patch.set("totp_enabled", true)?;
        patch.set("two_factor_enabled", true)?;
    }
    if given.texts("backup_codes").is_some_and(|codes| !codes.is_empty()) {
        patch.set("backup_code_enabled", true)?;
    }
    Ok(())
}
