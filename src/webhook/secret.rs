//! Manages the secrets that sign a mirror's webhooks.

use crate::error::{FdwError, OrRaise};
use crate::mirror::model::{Entry, MirrorRef};
use crate::mirror::store;
use crate::pg::hidden_statement::HiddenStatement;

/// The most secrets of a mirror. Replacing a secret needs two at a time, with some to spare for several endpoints.
/// Every delivery is verified with each of them, so there is a limit.
const MAX_SECRETS: i64 = 10;

/// Adds a secret, or its name in Vault, and returns its id.
pub fn add(mirror: Option<&str>, secret: Option<&str>, vault_name: Option<&str>) -> i64 {
    // If anything fails from here on, the statement that holds the secret is kept out of the server's log.
    let hidden = HiddenStatement::new();
    let mirror = Entry::load(MirrorRef::Name(mirror.ok_or(FdwError::Null("mirror")).or_raise())).or_raise();
    if secret.is_some() == vault_name.is_some() {
        FdwError::SecretOrName.raise();
    }
    if let Some(secret) = secret {
        clerk_api::webhook::check_secret(secret).map_err(FdwError::WebhookSecret).or_raise();
    }
    let id = store::value(
        "INSERT INTO clerk_fdw_internal.webhook_secret (mirror, secret, vault_name)
         SELECT $1::int4, $2, $3
          WHERE (SELECT count(*) FROM clerk_fdw_internal.webhook_secret s WHERE s.mirror = $1::int4) < $4::int8
         RETURNING id",
        &[Some(&mirror.key()), secret, vault_name, Some(&MAX_SECRETS.to_string())],
    );
    let id = id.or_raise().and_then(|id| id.parse().ok());
    let id = id.ok_or(FdwError::TooManySecrets { mirror: mirror.name, most: MAX_SECRETS }).or_raise();
    hidden.end();
    id
}

/// Removes a secret.
pub fn remove(mirror: Option<&str>, id: Option<i64>) {
    let mirror = Entry::load(MirrorRef::Name(mirror.ok_or(FdwError::Null("mirror")).or_raise())).or_raise();
    let id = id.ok_or(FdwError::Null("id")).or_raise();
    let removed = store::value(
        "DELETE FROM clerk_fdw_internal.webhook_secret WHERE mirror = $1::int4 AND id = $2::int8 RETURNING id",
        &[Some(&mirror.key()), Some(&id.to_string())],
    );
    if removed.or_raise().is_none() {
        FdwError::NoWebhookSecret { mirror: mirror.name, id }.raise();
    }
}
