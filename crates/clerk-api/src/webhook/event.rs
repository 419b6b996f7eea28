//! The event in the body of a webhook.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::catalog::{Change, Object, object_of_event};
use crate::decode::{beginning, json};

/// An event: something that happened in a Clerk instance, mostly to an object.
#[derive(Debug, Clone)]
pub struct Event<'b> {
    /// Clerk's name for it, such as `user.updated`.
    pub type_: String,
    /// The kind of object that was created, updated or deleted; `None` for every other event, including event types
    /// that Clerk may add in future.
    pub object: Option<&'static Object>,
    /// What the event does to the object, if it has one.
    pub change: Change,
    /// The id in `data`; always present if the event has an object.
    pub id: Option<String>,
    /// When the event happened, in Unix milliseconds.
    pub timestamp_ms: Option<i64>,
    /// The id of the Clerk instance.
    pub instance_id: Option<String>,
    /// The text of `data`, as in the body. Unless the object was deleted, it is the whole object.
    pub data: &'b str,
}

/// A body that is not one of Clerk's events.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the body is not {expected}: {problem}; it begins with {beginning:?}")]
pub struct MalformedEvent {
    pub expected: &'static str,
    pub problem: String,
    pub beginning: String,
}

impl<'b> Event<'b> {
    /// Reads the body of a delivery, which [`super::verify`] has to accept first.
    ///
    /// # Errors
    /// If the body is not one of Clerk's events.
    ///
    /// ```
    /// use clerk_api::catalog::Change;
    /// use clerk_api::webhook::Event;
    ///
    /// let body = br#"{"type": "user.deleted", "timestamp": 1716883200000, "data": {"id": "user_1", "deleted": true}}"#;
    /// let event = Event::parse(body)?;
    /// assert_eq!(event.object.map(|object| object.name), Some("users"));
    /// assert_eq!((event.change, event.id.as_deref()), (Change::Delete, Some("user_1")));
    /// # Ok::<(), clerk_api::webhook::MalformedEvent>(())
    /// ```
    pub fn parse(body: &'b [u8]) -> Result<Self, MalformedEvent> {
        #[derive(Deserialize)]
        struct Envelope<'b> {
            r#type: String,
            #[serde(borrow)]
            data: &'b RawValue,
            timestamp: Option<i64>,
            instance_id: Option<String>,
        }
        let malformed = |expected, problem: String| MalformedEvent { expected, problem, beginning: beginning(body) };
        // Serde would also accept an array, with the members in the order of the struct.
        if body.trim_ascii_start().first() == Some(&b'[') {
            return Err(malformed("an event", "it is an array".to_owned()));
        }
        let envelope: Envelope<'b> =
            serde_json::from_slice(body).map_err(|error| malformed("an event", error.to_string()))?;

        let (object, change) = object_of_event(&envelope.r#type).unzip();
        let data = envelope.data.get();
        let id = json::member(data, "id").and_then(json::string).filter(|id| !id.is_empty()).map(Cow::into_owned);
        if object.is_some() && id.is_none() {
            let problem = format!("data.id of {} is not a text", envelope.r#type);
            return Err(malformed("an event with the id of its object", problem));
        }
        let timestamp_ms = envelope.timestamp.map(milliseconds);
        if let Some(timestamp) = timestamp_ms.filter(|timestamp| !TIMES.contains(timestamp)) {
            return Err(malformed("an event", format!("its timestamp {timestamp} is no time from the year 1 to 9999")));
        }
        Ok(Event {
            object,
            change: change.unwrap_or(Change::Upsert),
            id,
            timestamp_ms,
            instance_id: envelope.instance_id,
            type_: envelope.r#type,
            data,
        })
    }
}

/// Timestamps below this are seconds. Clerk sends milliseconds, but the examples in its description have seconds. As
/// seconds this number is in the year 5138, and as milliseconds in March 1973, so that no real timestamp is ambiguous.
const MIN_MILLISECONDS: i64 = 100_000_000_000;

/// The years from 1 to 9999, in Unix milliseconds. Postgres cannot store all times beyond them.
const TIMES: RangeInclusive<i64> = -62_135_596_800_000..=253_402_300_799_999;

fn milliseconds(timestamp: i64) -> i64 {
    if timestamp < MIN_MILLISECONDS { timestamp.saturating_mul(1000) } else { timestamp }
}
