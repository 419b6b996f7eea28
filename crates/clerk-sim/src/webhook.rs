//! Webhook messages as Clerk sends them, through Svix in the Standard Webhooks scheme.
//!
//! ```
//! use clerk_sim::{Config, Sim, webhook};
//! use serde_json::json;
//!
//! let sim = Sim::start(Config::default())?;
//! let user = sim.create_user(json!({"first_name": "Ada"})).map_err(std::io::Error::other)?;
//!
//! let delivery = &sim.webhooks()[0];
//! assert_eq!(delivery.kind, "user.created");
//! let headers = delivery.headers("whsec_dGhlIHNpbXVsYXRvcidzIHNpZ25pbmcga2V5").map_err(std::io::Error::other)?;
//! // … POST delivery.body with these headers to what is to be tested …
//!
//! // What Clerk may send as well: the deletion of the same user from before its creation.
//! let data = json!({"object": "user", "id": user, "deleted": true});
//! let early = webhook::event("user.deleted", data, 1_700_000_000_000)?;
//! # Ok::<(), std::io::Error>(())
//! ```

use std::error::Error;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use serde::Serialize;
use serde_json::json;
use standardwebhooks::{Webhook, WebhookError};

use crate::generate::id;
use crate::instance::{DEFAULT_SEED, generated_id};

/// How long Svix waits for an answer.
const TIMEOUT: Duration = Duration::from_secs(15);

/// A message to a receiver of webhooks. Its fields can be changed, to test how the receiver reacts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// An id such as `msg_…`, which is the same for every attempt to deliver this message.
    pub id: String,
    /// The time of the attempt in Unix seconds. It is this machine's time, because receivers refuse messages that were
    /// sent too long ago; the times in the body are the simulator's.
    pub timestamp: i64,
    /// Such as `user.created`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The exact JSON to send.
    pub body: String,
}

impl Delivery {
    /// A message with the JSON text `data`. `timestamp` is when the event happened, in Unix milliseconds.
    pub(crate) fn new(instance: &str, kind: &str, data: &str, timestamp: i64) -> Delivery {
        let rest = json!({
            "event_attributes": { "http_request": { "client_ip": "192.0.2.1", "user_agent": "clerk-sim" } },
            "instance_id": instance,
            "object": "event",
            "timestamp": timestamp,
            "type": kind,
        });
        let rest = rest.to_string();
        // The data is inserted as text, because a `Value` cannot represent all of it, such as lone surrogates.
        let body = format!(r#"{{"data":{data},{}"#, rest.trim_start_matches('{'));
        let now = now();
        let id = id::new("msg_", &mut fake::rand::rng(), now * 1000);
        Delivery { id, timestamp: now, kind: kind.to_owned(), body }
    }

    /// The names and values of the three headers by which a receiver verifies that the message is authentic and
    /// complete.
    ///
    /// # Errors
    /// If the secret is not base64, with or without `whsec_` before it.
    pub fn headers(&self, secret: &str) -> Result<[(&'static str, String); 3], WebhookError> {
        let signature = Webhook::new(secret)?.sign(&self.id, self.timestamp, self.body.as_bytes())?;
        Ok([
            ("svix-id", self.id.clone()),
            ("svix-timestamp", self.timestamp.to_string()),
            ("svix-signature", signature),
        ])
    }
}

/// A message about an event that need not have happened: for tests with late, repeated or unknown events.
///
/// `timestamp` is when the event happened, in Unix milliseconds. The message is from the instance of
/// [`Config::default`](crate::Config::default); [`Sim::event`](crate::Sim::event) makes one from another instance.
///
/// # Errors
/// If the data cannot be written as JSON.
pub fn event(kind: &str, data: impl Serialize, timestamp: i64) -> serde_json::Result<Delivery> {
    event_of(&generated_id(DEFAULT_SEED), kind, data, timestamp)
}

pub(crate) fn event_of(
    instance: &str,
    kind: &str,
    data: impl Serialize,
    timestamp: i64,
) -> serde_json::Result<Delivery> {
    Ok(Delivery::new(instance, kind, &serde_json::to_string(&data)?, timestamp))
}

/// Where webhooks are POSTed to, and the secret they are signed with.
#[derive(Clone, Debug)]
pub struct Receiver {
    url: Url,
    secret: String,
    client: Client,
}

impl Receiver {
    /// A receiver at a URL, with a secret such as `whsec_…`.
    ///
    /// # Errors
    /// If the one is no URL, or the other not base64.
    pub fn new(url: &str, secret: &str) -> io::Result<Receiver> {
        let url = Url::parse(url).map_err(io::Error::other)?;
        Webhook::new(secret).map_err(io::Error::other)?;
        // Svix treats a redirect as a failure. No proxy is used, because receivers are on this machine.
        let client = Client::builder().timeout(TIMEOUT).redirect(Policy::none()).no_proxy().build();
        Ok(Receiver { url, secret: secret.to_owned(), client: client.map_err(io::Error::other)? })
    }

    /// One attempt to deliver a message.
    pub(crate) async fn post(&self, delivery: &Delivery) -> Result<(), Box<dyn Error + Send + Sync>> {
        let post = self.client.post(self.url.clone()).header(CONTENT_TYPE, "application/json");
        let headers = delivery.headers(&self.secret)?.into_iter();
        let post = headers.fold(post, |post, (name, value)| post.header(name, value));
        let status = post.body(delivery.body.clone()).send().await?.status();
        if status.is_success() { Ok(()) } else { Err(status.to_string().into()) }
    }
}

/// This machine's time in Unix seconds.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs().cast_signed())
}
