//! Why one attempt of a request failed, and whether another may succeed.

use std::error::Error as _;
use std::time::Duration;

use crate::catalog::Method;
use crate::http::{Error, Problem, Request};

/// Why one attempt failed.
pub(super) enum Failure {
    /// Another attempt may succeed.
    Transient {
        cause: String,
        /// How long Clerk asks to wait with the next one.
        retry_after: Option<Duration>,
        /// Whether Clerk may have done what the request asks for.
        may_be_done: bool,
    },
    /// Status 429: Clerk has done nothing, and asks everybody to wait.
    RateLimited {
        cause: String,
        asked: Option<Duration>,
    },
    Unauthorized {
        status: u16,
        problem: Problem,
    },
    Refused {
        status: u16,
        problem: Problem,
    },
}

impl Failure {
    pub(super) fn network(error: reqwest::Error) -> Self {
        // Without a connection nothing was sent.
        let is_connect = error.is_connect();
        let lacks_root_certificates = is_connect
            && error.url().is_some_and(|url| url.scheme() == "https")
            && rustls_native_certs::load_native_certs().certs.is_empty();
        let mut cause = match error.is_timeout() {
            true if is_connect => "no connection in time".to_owned(),
            true => "no answer in time".to_owned(),
            false => error_chain(error.without_url()),
        };
        if lacks_root_certificates {
            cause.push_str("; this machine has no root certificates: install ca-certificates or set SSL_CERT_FILE");
        }
        Failure::Transient { cause, retry_after: None, may_be_done: !is_connect }
    }

    pub(super) fn into_error(self, request: &Request) -> Error {
        let request: Box<Request> = request.clone().into();
        match self {
            Failure::Unauthorized { status, problem } => Error::Unauthorized { status, problem, request },
            // A body that is too large.
            Failure::Refused { status: 200..300, problem } if request.method() != Method::Get => {
                Error::Unreadable { problem: problem.message, request }
            }
            Failure::Refused { status, problem } => Error::Refused { status, problem, request },
            Failure::Transient { cause, .. } | Failure::RateLimited { cause, .. } => {
                Error::Unavailable { cause, tries: 1, elapsed: Duration::ZERO, request }
            }
        }
    }
}

/// An error and its chain of causes, in one line.
pub(super) fn error_chain(error: reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
