//! The log of the requests that the simulator received, and how they ended.

use std::time::{Duration, Instant};

use hyper::{Method, Uri};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::object::{Fields, raw};
use crate::request_file::RequestFile;

/// A request to Clerk's API as it arrived. Secret keys are not kept.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Request {
    /// Such as `GET`.
    pub method: String,
    /// The decoded path, such as `/v1/users`.
    pub path: String,
    /// The decoded query parameters in their order, repetitions included.
    pub query: Vec<(String, String)>,
    /// Path and query as received, percent-encoded.
    pub target: String,
    /// The index in [`Config::keys`](crate::Config::keys) of the request's key, if it is one of them.
    pub key: Option<usize>,
    /// Its `Clerk-API-Version` header.
    pub api_version: Option<String>,
    /// Its `User-Agent` header.
    pub user_agent: Option<String>,
    /// Its `Content-Type` header.
    pub content_type: Option<String>,
    /// Its body, unless it is empty or the request is a GET. In the place of passwords and other secrets there is
    /// something else of the same type, `***` for a text; a body that is not JSON could have one anywhere, and is `***`
    /// as a whole.
    pub body: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// When it arrived, since the start of the simulator.
    #[serde(rename = "at_ms", serialize_with = "milliseconds")]
    pub at: Duration,
    /// How many requests, including this one, were being answered when it arrived.
    pub in_flight: usize,
}

impl Request {
    /// The first value of a query parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let mut query = self.query.iter();
        let (_, value) = query.find(|(other, _)| other == name)?;
        Some(value)
    }

    /// Every value of a repeated query parameter.
    pub fn parameters(&self, name: &str) -> Vec<&str> {
        let query = self.query.iter().filter(|(other, _)| other == name);
        query.map(|(_, value)| value.as_str()).collect()
    }

    /// The HTTP status of the answer, where there was one.
    pub fn status(&self) -> Option<u16> {
        match self.outcome {
            Outcome::Status(status) => Some(status),
            _ => None,
        }
    }

    pub(crate) fn read(method: &Method, uri: &Uri) -> Request {
        let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        Request {
            method: method.to_string(),
            path: decode(uri.path()),
            query: query.into_owned().collect(),
            target: uri.path_and_query().map_or_else(String::new, ToString::to_string),
            key: None,
            api_version: None,
            user_agent: None,
            content_type: None,
            body: None,
            outcome: Outcome::Pending,
            at: Duration::ZERO,
            in_flight: 0,
        }
    }
}

pub(crate) fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// The fields whose values are not kept.
const SECRETS: &[&str] = &[
    "password",
    "password_digest",
    "totp_secret",
    "backup_codes",
    "signing_key",
    "client_secret",
    "secret",
    "token",
    "code",
];

/// The fields that are objects with such fields. What is in metadata is kept.
const WITH_SECRETS: &[&str] = &["oidc"];

/// The body of a request as it is kept.
pub(crate) fn body_text(body: &[u8]) -> Option<String> {
    if body.is_empty() {
        return None;
    }
    Some(without_secrets(body).unwrap_or_else(|| "***".to_owned()))
}

/// The text of a JSON object, or of an array of them, without the values of secret fields; `None` if it is neither.
fn without_secrets(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    if text.trim_start().starts_with('[') {
        let mut objects: Vec<Fields> = serde_json::from_str(text).ok()?;
        let masked = objects.iter_mut().map(mask).collect::<Option<Vec<bool>>>()?;
        return if masked.contains(&true) { serde_json::to_string(&objects).ok() } else { Some(text.to_owned()) };
    }
    let mut fields: Fields = serde_json::from_str(text).ok()?;
    if mask(&mut fields)? { serde_json::to_string(&fields).ok() } else { Some(text.to_owned()) }
}

/// Puts something else in the place of secrets, and returns whether there are any.
fn mask(fields: &mut Fields) -> Option<bool> {
    let mut is_masked = false;
    for (name, value) in fields {
        if SECRETS.contains(&name.as_str()) {
            *value = masked(value)?;
            is_masked = true;
        } else if WITH_SECRETS.contains(&name.as_str()) && value.get().starts_with('{') {
            let mut inner: Fields = serde_json::from_str(value.get()).ok()?;
            if mask(&mut inner)? {
                *value = raw(inner).ok()?;
                is_masked = true;
            }
        }
    }
    Some(is_masked)
}

/// Something of the same type, so that a secret of the wrong type can still be told from a right one.
fn masked(value: &RawValue) -> Option<Box<RawValue>> {
    match value.get().as_bytes().first()? {
        b'"' => raw("***").ok(),
        b'[' => {
            let items: Vec<Box<RawValue>> = serde_json::from_str(value.get()).ok()?;
            raw(items.iter().map(|item| masked(item)).collect::<Option<Vec<Box<RawValue>>>>()?).ok()
        }
        b'{' => raw(Fields::new()).ok(),
        b't' | b'f' | b'n' => Some(value.to_owned()),
        _ => raw(0).ok(),
    }
}

fn milliseconds<S: serde::Serializer>(at: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(at.as_secs_f64() * 1000.0)
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// It has not been answered yet.
    Pending,
    /// An answer with this HTTP status was sent, whole or, after [`Fault::cut`](crate::Fault::cut), in part.
    Status(u16),
    /// The connection was reset.
    Reset,
    /// The client disconnected, or the simulator was stopped, before there was an answer.
    Abandoned,
}

/// The requests since the start, or since the log was last cleared.
pub(crate) struct Log {
    started: Instant,
    requests: Vec<Request>,
    /// How many requests were cleared. A request's number includes them, so that it stays valid or finds no request.
    cleared: usize,
    in_flight: usize,
    max_in_flight: usize,
    /// Where they are kept beyond the end of the simulator.
    file: RequestFile,
}

impl Log {
    pub(crate) fn new(file: RequestFile) -> Log {
        Log { started: Instant::now(), requests: Vec::new(), cleared: 0, in_flight: 0, max_in_flight: 0, file }
    }

    /// Adds a request to the log and returns its number.
    pub(crate) fn begin(&mut self, mut request: Request) -> usize {
        let Request { method, target, content_type, body, .. } = &request;
        self.file.append(method, target, content_type.as_deref(), body.as_deref());
        self.in_flight += 1;
        self.max_in_flight = self.max_in_flight.max(self.in_flight);
        request.at = self.started.elapsed();
        request.in_flight = self.in_flight;
        self.requests.push(request);
        self.cleared + self.requests.len() - 1
    }

    pub(crate) fn end(&mut self, number: usize, outcome: Outcome) {
        self.in_flight -= 1;
        let place = number.checked_sub(self.cleared);
        if let Some(request) = place.and_then(|place| self.requests.get_mut(place)) {
            request.outcome = outcome;
        }
    }

    pub(crate) fn requests(&self) -> &[Request] {
        &self.requests
    }

    pub(crate) fn max_in_flight(&self) -> usize {
        self.max_in_flight
    }

    pub(crate) fn clear(&mut self) {
        self.cleared += self.requests.len();
        self.requests.clear();
        self.max_in_flight = self.in_flight;
    }
}
