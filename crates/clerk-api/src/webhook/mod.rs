//! Webhooks: verifies that a delivery was sent by Clerk, and reads its event.
//!
//! Clerk delivers through Svix in the Standard Webhooks scheme: the header `svix-signature` signs the headers `svix-id`
//! and `svix-timestamp` and the exact bytes of the body. Call [`verify`] first, then [`Event::parse`].

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use standardwebhooks::Webhook;
use subtle::ConstantTimeEq;

mod event;

pub use event::{Event, MalformedEvent};

/// By how many seconds a delivery's timestamp may differ from the current time, so that a recorded delivery cannot be
/// replayed later. Five minutes are what Svix's own libraries allow.
pub const TOLERANCE: i64 = 300;

/// How many bytes a delivery's body may have. Clerk's bodies have a few thousand. A larger one is refused before
/// anything is computed from it, because anybody can send it.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// How many bytes a delivery's id may have. Svix's ids have 31.
pub const MAX_ID_BYTES: usize = 256;

/// How many bytes the key of a signing secret must have at least, because a shorter key could be guessed. Standard
/// Webhooks recommends 24 to 64.
pub const MIN_KEY_BYTES: usize = 16;

/// How many signatures of a header are checked. Svix sends one for each valid secret, of which there are two while one
/// replaces the other.
const MAX_SIGNATURES: usize = 16;

/// Why a delivery is refused. No variant holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The receiver has no signing secret. Once it has one, the same delivery can be accepted.
    #[error("there is no signing secret to check the delivery with")]
    NoSecret,

    /// None of the receiver's secrets has the form of a signing secret. Once that is corrected, the same delivery can
    /// be accepted.
    #[error(
        "a signing secret is whsec_ followed by base64 of {MIN_KEY_BYTES} bytes or more, as Clerk's dashboard shows it; \
         this one is not"
    )]
    BadSecret,

    /// The body has more than [`MAX_BODY_BYTES`] bytes.
    #[error("the body has {bytes} bytes, and at most {MAX_BODY_BYTES} are accepted")]
    TooLarge { bytes: usize },

    /// The id has more than [`MAX_ID_BYTES`] bytes.
    #[error("the header svix-id has {bytes} bytes, and at most {MAX_ID_BYTES} are accepted")]
    LongId { bytes: usize },

    /// The id has a full stop.
    #[error("the header svix-id has a full stop, which no id has: it separates the id from the time in what is signed")]
    BadId,

    /// A header is missing or empty.
    #[error("the header {0} is missing")]
    MissingHeader(&'static str),

    #[error("the header svix-timestamp is not a number of seconds")]
    BadTimestamp,

    /// The delivery was sent more than [`TOLERANCE`] seconds ago.
    #[error("the delivery was sent {age} s ago, and at most {TOLERANCE} s are accepted")]
    TooOld { age: i64 },

    /// The timestamp is more than [`TOLERANCE`] seconds in the future, so the sender's clock or this one is wrong.
    #[error("the delivery says that it was sent {ahead} s in the future, and at most {TOLERANCE} s are accepted")]
    InFuture { ahead: i64 },

    /// The body is not text, which the scheme's signatures require.
    #[error("the body is not UTF-8")]
    NotText,

    /// No signature matches this id, timestamp and body with any of the secrets.
    #[error("no signature matches: the body was changed on its way, or it was signed with another secret")]
    BadSignature,
}

/// Checks that a delivery was signed with one of the secrets, at most [`TOLERANCE`] seconds before or after `now`.
///
/// `id`, `timestamp` and `signature` are the headers; an empty one counts as missing. One match between any secret and
/// any of the first sixteen signatures is enough, so that a secret can be replaced without downtime. Secrets of the
/// wrong form are skipped as long as there is a valid one.
///
/// # Errors
/// Why the delivery is refused. The cheapest checks come first, and a body or id that is too large is not processed at
/// all.
pub fn verify(
    secrets: &[SecretString],
    id: &str,
    timestamp: &str,
    signature: &str,
    body: &[u8],
    now: SystemTime,
) -> Result<(), Refusal> {
    for (name, value) in [("svix-id", id), ("svix-timestamp", timestamp), ("svix-signature", signature)] {
        if value.is_empty() {
            return Err(Refusal::MissingHeader(name));
        }
    }
    if body.len() > MAX_BODY_BYTES {
        return Err(Refusal::TooLarge { bytes: body.len() });
    }
    if id.len() > MAX_ID_BYTES {
        return Err(Refusal::LongId { bytes: id.len() });
    }
    // What is signed is `id.timestamp.body` in one text. With a full stop in the id, the border between the three parts
    // could be moved, so that other parts would have the same signature.
    if id.contains('.') {
        return Err(Refusal::BadId);
    }
    let sent = timestamp.parse().map_err(|_| Refusal::BadTimestamp)?;
    if secrets.is_empty() {
        return Err(Refusal::NoSecret);
    }
    // A mistyped secret must not prevent a delivery that matches another secret from being accepted.
    let keys: Vec<Webhook> = secrets.iter().filter_map(|secret| key(secret.expose_secret()).ok()).collect();
    if keys.is_empty() {
        return Err(Refusal::BadSecret);
    }
    check_age(sent, now)?;
    let given = || signature.split(' ').take(MAX_SIGNATURES);
    for key in keys {
        let expected = key.sign(id, sent, body).map_err(|_| Refusal::NotText)?;
        // The comparison includes the version, so that a signature of another version never matches.
        if given().any(|given| given.as_bytes().ct_eq(expected.as_bytes()).into()) {
            return Ok(());
        }
    }
    Err(Refusal::BadSignature)
}

/// Checks that a text has the form of a signing secret: `whsec_` and base64 of [`MIN_KEY_BYTES`] bytes or more.
///
/// # Errors
/// [`Refusal::BadSecret`] if it has not.
pub fn check_secret(secret: &str) -> Result<(), Refusal> {
    key(secret).map(drop)
}

fn key(secret: &str) -> Result<Webhook, Refusal> {
    let base64 = secret.strip_prefix("whsec_").ok_or(Refusal::BadSecret)?;
    let key = STANDARD.decode(base64).map_err(|_| Refusal::BadSecret)?;
    if key.len() < MIN_KEY_BYTES {
        return Err(Refusal::BadSecret);
    }
    Webhook::from_bytes(key).map_err(|_| Refusal::BadSecret)
}

fn check_age(sent: i64, now: SystemTime) -> Result<(), Refusal> {
    let now = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
    match now.saturating_sub(sent) {
        age if age > TOLERANCE => Err(Refusal::TooOld { age }),
        age if age < -TOLERANCE => Err(Refusal::InFuture { ahead: age.saturating_neg() }),
        _ => Ok(()),
    }
}
