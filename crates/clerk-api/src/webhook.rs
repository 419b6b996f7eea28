//! Webhooks: whether a delivery is Clerk's own, and what it says.
//!
//! Clerk delivers through Svix in the Standard Webhooks scheme: the headers `svix-id`, `svix-timestamp` and
//! `svix-signature` sign the body as it was sent, byte by byte. [`verify`] comes first, then [`Event::parse`].

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::value::RawValue;
use standardwebhooks::Webhook;
use subtle::ConstantTimeEq;

use crate::error::beginning;
use crate::json;
use crate::object::{Object, object};

/// How many seconds a delivery's timestamp may lie before or after now, so that a delivery that somebody recorded
/// cannot be played again later.
pub const TOLERANCE: i64 = 300;

/// The most bytes that a delivery's body may have. Clerk's have a few thousand; whatever is larger is refused before
/// anything is computed from it, because anybody can send it.
pub const LARGEST_BODY: usize = 1024 * 1024;

/// The most bytes that a delivery's id may have. Svix's have 31.
pub const LONGEST_ID: usize = 256;

/// The fewest bytes of a signing secret's key: with less it could be guessed. Standard Webhooks recommends 24 to 64.
pub const SHORTEST_KEY: usize = 16;

/// How many signatures of a header are looked at. Svix sends one for each secret that is valid, which are two while
/// one replaces another.
const MOST_SIGNATURES: usize = 16;

/// Why a delivery is not taken for one of Clerk's. No variant holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The receiver has no signing secret. Not the delivery's fault: once it has one, the same delivery can pass.
    #[error("there is no signing secret to check the delivery with")]
    NoSecret,

    /// None of the receiver's own secrets is one. Not the delivery's fault either.
    #[error(
        "a signing secret is whsec_ followed by base64 of {SHORTEST_KEY} bytes or more, as Clerk's dashboard shows it; \
         this one is not"
    )]
    BadSecret,

    /// The body has more than [`LARGEST_BODY`] bytes.
    #[error("the body has {bytes} bytes, and at most {LARGEST_BODY} are accepted")]
    TooLarge { bytes: usize },

    /// The id has more than [`LONGEST_ID`] bytes.
    #[error("the header svix-id has {bytes} bytes, and at most {LONGEST_ID} are accepted")]
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
    if body.len() > LARGEST_BODY {
        return Err(Refusal::TooLarge { bytes: body.len() });
    }
    if id.len() > LONGEST_ID {
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
    let given = || signature.split(' ').take(MOST_SIGNATURES);
    for key in keys {
        let expected = key.sign(id, sent, body).map_err(|_| Refusal::NotText)?;
        // Compared together with their version: one of another version never matches.
        if given().any(|given| given.as_bytes().ct_eq(expected.as_bytes()).into()) {
            return Ok(());
        }
    }
    Err(Refusal::BadSignature)
}

/// Checks that a text has the form of a signing secret: `whsec_` and base64 of [`SHORTEST_KEY`] bytes or more.
///
/// # Errors
/// [`Refusal::BadSecret`], which says so.
pub fn check_secret(secret: &str) -> Result<(), Refusal> {
    key(secret).map(drop)
}

fn key(secret: &str) -> Result<Webhook, Refusal> {
    let base64 = secret.strip_prefix("whsec_").ok_or(Refusal::BadSecret)?;
    let key = STANDARD.decode(base64).map_err(|_| Refusal::BadSecret)?;
    if key.len() < SHORTEST_KEY {
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

/// What a delivery says: something happened to an object.
#[derive(Debug, Clone)]
pub struct Event<'b> {
    /// Clerk's name for it, such as `user.updated`.
    pub type_: String,
    /// The kind of object that was created, updated or deleted; `None` for every other event, which includes those
    /// that Clerk may invent.
    pub object: Option<&'static Object>,
    /// What `data` means for the object, if the event has one.
    pub change: Change,
    /// The id in `data`; always there if the event has an object.
    pub id: Option<String>,
    /// When it happened, in Unix milliseconds.
    pub timestamp_ms: Option<i64>,
    /// The Clerk instance that it happened in.
    pub instance_id: Option<String>,
    /// `data` as it stands in the body. For an object that is not deleted, all of the object.
    pub data: &'b str,
}

/// What is to be done with the object of an [`Event`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is now as `data` has it.
    Upsert,
    /// It is gone, and `data` holds little more than its id.
    Delete,
}

/// A body that is not one of Clerk's events.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the body is not {expected}: {problem}; it begins with {beginning:?}")]
pub struct Malformed {
    pub expected: &'static str,
    pub problem: String,
    pub beginning: String,
}

impl<'b> Event<'b> {
    /// Reads a body that [`verify`] let pass.
    ///
    /// ```
    /// use clerk_api::webhook::{Change, Event};
    ///
    /// let body = br#"{"type": "user.deleted", "timestamp": 1716883200000, "data": {"id": "user_1", "deleted": true}}"#;
    /// let event = Event::parse(body)?;
    /// assert_eq!(event.object.map(|object| object.name), Some("users"));
    /// assert_eq!((event.change, event.id.as_deref()), (Change::Delete, Some("user_1")));
    /// # Ok::<(), clerk_api::webhook::Malformed>(())
    /// ```
    pub fn parse(body: &'b [u8]) -> Result<Self, Malformed> {
        #[derive(Deserialize)]
        struct Envelope<'b> {
            r#type: String,
            #[serde(borrow)]
            data: &'b RawValue,
            timestamp: Option<i64>,
            instance_id: Option<String>,
        }
        let malformed = |expected, problem: String| Malformed { expected, problem, beginning: beginning(body) };
        // Serde would read the members off an array as well.
        if body.trim_ascii_start().first() == Some(&b'[') {
            return Err(malformed("an event", "it is an array".to_owned()));
        }
        let envelope: Envelope<'b> =
            serde_json::from_slice(body).map_err(|error| malformed("an event", error.to_string()))?;

        let (object, change) = subject(&envelope.r#type).unzip();
        let data = envelope.data.get();
        let id = json::member(data, "id").and_then(json::string).filter(|id| !id.is_empty()).map(Cow::into_owned);
        if object.is_some() && id.is_none() {
            let problem = format!("data.id of {} is not a text", envelope.r#type);
            return Err(malformed("an event with the id of its object", problem));
        }
        Ok(Event {
            object,
            change: change.unwrap_or(Change::Upsert),
            id,
            timestamp_ms: envelope.timestamp.map(milliseconds),
            instance_id: envelope.instance_id,
            type_: envelope.r#type,
            data,
        })
    }
}

/// The object whose lifecycle an event's type belongs to, and what becomes of it.
fn subject(event_type: &str) -> Option<(&'static Object, Change)> {
    let (kind, what) = event_type.split_once('.')?;
    let object = object(&catalogue_name(kind))?;
    let change = match what {
        "created" | "updated" => Change::Upsert,
        "deleted" => Change::Delete,
        // Whether `data` is all of the object is known of the three above alone.
        _ => return None,
    };
    Some((object, change))
}

/// What the catalogue calls the objects whose events begin with `kind`: of `organizationMembership` they are the
/// `organization_memberships`.
fn catalogue_name(kind: &str) -> String {
    let mut name = String::with_capacity(kind.len() + 2);
    for letter in kind.chars() {
        if letter.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name + "s"
}

/// Clerk sends milliseconds, but its own description shows seconds. What is smaller than this is seconds up to the
/// year 5138; as milliseconds it would be before March 1973.
const LEAST_MILLISECONDS: i64 = 100_000_000_000;

fn milliseconds(timestamp: i64) -> i64 {
    if timestamp < LEAST_MILLISECONDS { timestamp.saturating_mul(1000) } else { timestamp }
}
