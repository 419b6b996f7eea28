//! Webhooks: whether a delivery is Clerk's own, and what it says.
//!
//! Clerk delivers through Svix in the Standard Webhooks scheme: the headers `svix-id`, `svix-timestamp` and
//! `svix-signature` sign the body as it was sent, byte by byte. [`verify`] comes first, then [`Event::parse`].

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use standardwebhooks::Webhook;
use subtle::ConstantTimeEq;

mod event;

pub use event::{Event, MalformedEvent};

/// How many seconds a delivery's timestamp may lie before or after now, so that a delivery that somebody recorded
/// cannot be played again later.
pub const TOLERANCE: i64 = 300;

/// The most bytes that a delivery's body may have. Clerk's have a few thousand; whatever is larger is refused before
/// anything is computed from it, because anybody can send it.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// The most bytes that a delivery's id may have. Svix's have 31.
pub const MAX_ID_BYTES: usize = 256;

/// The fewest bytes of a signing secret's key: with less it could be guessed. Standard Webhooks recommends 24 to 64.
pub const MIN_KEY_BYTES: usize = 16;

/// How many signatures of a header are looked at. Svix sends one for each secret that is valid, which are two while
/// one replaces another.
const MAX_SIGNATURES: usize = 16;

/// Why a delivery is not taken for one of Clerk's. No variant holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The receiver has no signing secret. Not the delivery's fault: once it has one, the same delivery can pass.
    #[error("there is no signing secret to check the delivery with")]
    NoSecret,

    /// None of the receiver's own secrets is one. Not the delivery's fault either.
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

    /// A header is absent or empty.
    #[error("the header {0} is missing")]
    MissingHeader(&'static str),

    #[error("the header svix-timestamp is not a number of seconds")]
    BadTimestamp,

    /// Sent more than [`TOLERANCE`] ago.
    #[error("the delivery was sent {age} s ago, and at most {TOLERANCE} s are accepted")]
    TooOld { age: i64 },

    /// Sent more than [`TOLERANCE`] from now: one of the two clocks is wrong.
    #[error("the delivery says that it was sent {ahead} s in the future, and at most {TOLERANCE} s are accepted")]
    InFuture { ahead: i64 },

    /// The scheme signs text.
    #[error("the body is not UTF-8")]
    NotText,

    /// None of the signatures belongs to this id, timestamp and body under any of the secrets.
    #[error("no signature matches: the body was changed on its way, or it was signed with another secret")]
    BadSignature,
}

/// Checks that a delivery was signed with one of the secrets, less than [`TOLERANCE`] before or after `now`.
///
/// `id`, `timestamp` and `signature` are the headers; an empty one is a missing one. Any secret and any of the
/// first sixteen signatures in the header may be the one that matches, so that a secret can be replaced without a gap.
/// What is no secret is passed over as long as there is one beside it.
///
/// # Errors
/// Why the delivery is not taken: what costs least to find out is looked at first, and what is too large or too long
/// is not looked into at all.
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
    let sent = timestamp.parse().map_err(|_| Refusal::BadTimestamp)?;
    if secrets.is_empty() {
        return Err(Refusal::NoSecret);
    }
    // One secret that was mistyped must not keep out what the others let in.
    let keys: Vec<Webhook> = secrets.iter().filter_map(|secret| key(secret.expose_secret()).ok()).collect();
    if keys.is_empty() {
        return Err(Refusal::BadSecret);
    }
    check_age(sent, now)?;
    let given = || signature.split(' ').take(MAX_SIGNATURES);
    for key in keys {
        let expected = key.sign(id, sent, body).map_err(|_| Refusal::NotText)?;
        // Compared together with their version: one of another version never matches.
        if given().any(|given| given.as_bytes().ct_eq(expected.as_bytes()).into()) {
            return Ok(());
        }
    }
    Err(Refusal::BadSignature)
}

/// Checks that a text has the form of a signing secret: `whsec_` and base64 of [`MIN_KEY_BYTES`] bytes or more.
///
/// # Errors
/// [`Refusal::BadSecret`], which says so.
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
