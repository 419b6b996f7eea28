//! The errors of deliveries, with their messages for the log and for the sender.

use std::error::Error;

use axum::http::StatusCode;
use deadpool_postgres::PoolError;
use tokio_postgres::error::SqlState;

/// Why a delivery was not accepted. The error texts are for the log; [`Failure::public_message`] is for the sender.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("the header {0} is missing")]
    MissingHeader(&'static str),

    #[error("the body is not text in UTF-8")]
    NotText,

    #[error("the body is too large")]
    TooLarge,

    #[error("the body broke off: {0}")]
    BrokenOff(String),

    #[error("the body did not come in time")]
    SlowBody,

    /// The limit of deliveries in memory is reached.
    #[error("too many deliveries at once")]
    Busy,

    /// The function refused the delivery, and would refuse it again.
    #[error("refused: {message}")]
    Refused { status: StatusCode, message: String },

    /// The function raised another error, or answered that it could not apply the delivery.
    #[error("failed: {0}")]
    Failed(String),

    /// The database could not be reached, or closed the connection.
    #[error("the database is not available: {0}")]
    Unavailable(String),

    #[error("the database did not answer in time")]
    Timeout,
}

impl Failure {
    /// Classifies the error of a statement by its SQLSTATE.
    pub(crate) fn of_statement(error: &tokio_postgres::Error) -> Self {
        let Some(raised) = error.as_db_error() else { return Failure::Unavailable(log_message(error)) };
        let code = raised.code();
        let refused = |status| Failure::Refused { status, message: raised.message().to_owned() };
        if *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION {
            refused(StatusCode::UNAUTHORIZED)
        } else if *code == SqlState::INVALID_PARAMETER_VALUE {
            refused(StatusCode::BAD_REQUEST)
        } else if *code == SqlState::PROGRAM_LIMIT_EXCEEDED {
            refused(StatusCode::PAYLOAD_TOO_LARGE)
        } else if ["08", "53", "57"].iter().any(|class| code.code().starts_with(class)) {
            Failure::Unavailable(log_message(error))
        } else {
            Failure::Failed(log_message(error))
        }
    }

    /// The failure when there is no connection. Its SQLSTATE is not classified: Postgres also raises 28000 for a role
    /// that may not connect, which is not the delivery's fault.
    pub(crate) fn of_connection(error: &PoolError) -> Self {
        Failure::Unavailable(match error {
            PoolError::Backend(error) => log_message(error),
            other => error_chain(other),
        })
    }

    /// The status of the answer: 4xx if the delivery is wrong, 5xx if the fault is on this side. The difference is only
    /// for people who read logs, because Svix retries after both.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Failure::MissingHeader(_) | Failure::NotText | Failure::BrokenOff(_) => StatusCode::BAD_REQUEST,
            Failure::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Failure::SlowBody => StatusCode::REQUEST_TIMEOUT,
            Failure::Refused { status, .. } => *status,
            Failure::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Failure::Unavailable(_) | Failure::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Failure::Timeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// Every status that a delivery can be answered with if it was not taken.
    pub(crate) const STATUSES: [StatusCode; 7] = [
        StatusCode::BAD_REQUEST,
        StatusCode::UNAUTHORIZED,
        StatusCode::REQUEST_TIMEOUT,
        StatusCode::PAYLOAD_TOO_LARGE,
        StatusCode::INTERNAL_SERVER_ERROR,
        StatusCode::SERVICE_UNAVAILABLE,
        StatusCode::GATEWAY_TIMEOUT,
    ];

    /// After how many seconds the sender should retry, if that is known. A delivery in memory takes a few seconds at
    /// most unless the database is slow.
    pub(crate) fn retry_after(&self) -> Option<&'static str> {
        matches!(self, Failure::Busy).then_some("5")
    }

    /// The message for the sender. It says nothing about the database, because anybody can be the sender.
    pub(crate) fn public_message(&self) -> String {
        match self {
            Failure::Failed(_) => "failed".to_owned(),
            Failure::Unavailable(_) => "the database is not available".to_owned(),
            other => other.to_string(),
        }
    }
}

/// An error's message for the log. It leaves out DETAIL, into which Postgres may put a whole row.
fn log_message(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(raised) => format!("{} (SQLSTATE {})", raised.message(), raised.code().code()),
        None => error_chain(error),
    }
}

/// An error and its chain of causes.
fn error_chain(error: &dyn Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", error_chain(cause)),
        None => error.to_string(),
    }
}
