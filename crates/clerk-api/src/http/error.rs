//! The errors of requests to Clerk, with messages that say what to do about them.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use super::request::Request;
use crate::decode::beginning;

/// Why a request, a page or the reading of a whole list failed.
///
/// No variant ever holds the secret key: it is removed from texts that were received before an error is made of them.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The client cannot be built from its settings.
    #[error("{0}")]
    Config(String),

    /// Status 401 or 403: the key is missing, wrong, or has no permission for this.
    #[error("Clerk refused the key with status {status}: {problem} ({request})")]
    Unauthorized { status: u16, problem: Problem, request: Box<Request> },

    /// Any other status that is not a success and that another attempt would not change.
    #[error("Clerk answered with status {status}: {problem} ({request})")]
    Refused { status: u16, problem: Problem, request: Box<Request> },

    /// Status 429 for longer than the settings allow, or a wait that Clerk asks for and that would be longer.
    #[error(
        "Clerk takes no more requests for now: {cause} ({request}; {tries} {noun} in {seconds:.1} s)",
        noun = if *tries == 1 { "try" } else { "tries" },
        seconds = elapsed.as_secs_f64()
    )]
    RateLimited { cause: String, tries: u32, elapsed: Duration, request: Box<Request> },

    /// Status 5xx, a broken connection or a timeout, after all retries.
    #[error(
        "Clerk could not be reached: {cause} ({request}; {tries} {noun} in {seconds:.1} s)",
        noun = if *tries == 1 { "try" } else { "tries" },
        seconds = elapsed.as_secs_f64()
    )]
    Unavailable { cause: String, tries: u32, elapsed: Duration, request: Box<Request> },

    /// A request that changes something was sent, but its answer was lost, so that Clerk may have done it or not. It was not
    /// repeated where that could have done it twice.
    #[error(
        "it is not known whether Clerk did this: {cause} ({request}; {tries} {noun} in {seconds:.1} s)",
        noun = if *tries == 1 { "try" } else { "tries" },
        seconds = elapsed.as_secs_f64()
    )]
    Unknown { cause: String, tries: u32, elapsed: Duration, request: Box<Request> },

    /// Clerk has done what a request asked for, but its answer is not what Clerk's OpenAPI description says. The answer is
    /// not quoted, because it may hold a secret that Clerk shows once.
    #[error("Clerk did this, but its answer cannot be read: {problem} ({request})")]
    Unreadable { problem: String, request: Box<Request> },

    /// A successful answer whose body is not what Clerk's OpenAPI description says.
    #[error("Clerk's answer is not {expected}: {problem} ({request}); it begins with {beginning:?}")]
    Malformed { expected: &'static str, problem: String, beginning: String, request: Box<Request> },

    /// A bug in this program: the task that reads the pages ended without reporting the end of the list or an error.
    #[error("the reading of Clerk's pages broke off")]
    BrokenOff,

    /// Pages that contradict each other, so that reading on would repeat or miss objects.
    #[error("Clerk's pages do not fit together: {problem} ({request})")]
    Inconsistent { problem: String, request: Box<Request> },
}

impl Error {
    /// Whether Clerk answered with status 404.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Error::Refused { status: 404, .. })
    }
}

/// Clerk's own description of an error, from `{"errors":[…],"clerk_trace_id"}`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Problem {
    /// `long_message`, else `message`, else the beginning of the body that is not Clerk's error.
    pub message: String,
    /// Clerk's machine-readable code, such as `resource_not_found`.
    pub code: Option<String>,
    /// The id by which Clerk's support finds the request.
    pub trace_id: Option<String>,
}

impl Problem {
    /// Reads the body of an error. A body that does not have the form of Clerk's errors is quoted.
    pub(crate) fn parse(body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Body {
            errors: Vec<Entry>,
            clerk_trace_id: Option<String>,
        }
        #[derive(Deserialize)]
        struct Entry {
            message: Option<String>,
            long_message: Option<String>,
            code: Option<String>,
        }
        let parsed = serde_json::from_slice::<Body>(body).ok();
        let trace_id = parsed.as_ref().and_then(|body| body.clerk_trace_id.clone());
        match parsed.and_then(|body| body.errors.into_iter().next()) {
            Some(entry) => Problem {
                message: [entry.long_message, entry.message]
                    .into_iter()
                    .flatten()
                    .find(|text| !text.is_empty())
                    .unwrap_or_else(|| "no message".to_owned()),
                code: entry.code,
                trace_id,
            },
            None => Problem {
                message: match beginning(body) {
                    text if text.is_empty() => "an empty body".to_owned(),
                    text => format!("a body that begins with {text:?}"),
                },
                code: None,
                trace_id,
            },
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(code) = &self.code {
            write!(f, ", code {code}")?;
        }
        if let Some(trace_id) = &self.trace_id {
            write!(f, ", clerk_trace_id {trace_id}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clerks_own_words_are_kept() {
        let body = br#"{"errors":[{"message":"not found","long_message":"No user was found","code":"resource_not_found","meta":{}}],"clerk_trace_id":"abc"}"#;
        assert_eq!(Problem::parse(body).to_string(), "No user was found, code resource_not_found, clerk_trace_id abc");
    }

    #[test]
    fn an_empty_message_is_none() {
        for errors in [r#"[{"message":""}]"#, r#"[{"message":"","long_message":""}]"#, "[{}]"] {
            let body = format!(r#"{{"errors":{errors}}}"#);
            assert_eq!(Problem::parse(body.as_bytes()).to_string(), "no message");
        }
    }

    #[test]
    fn anything_else_is_quoted() {
        assert_eq!(Problem::parse(b"<html>busy</html>").to_string(), r#"a body that begins with "<html>busy</html>""#);
        assert_eq!(Problem::parse(b"").to_string(), "an empty body");
        assert_eq!(Problem::parse(br#"{"errors":[]}"#).to_string(), r#"a body that begins with "{\"errors\":[]}""#);
    }
}
