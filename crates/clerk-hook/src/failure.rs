//! What can go wrong with a delivery, and what its sender is told.

use std::error::Error;

use axum::http::StatusCode;
use deadpool_postgres::PoolError;
use tokio_postgres::error::SqlState;

/// Why a delivery was not taken. The texts are for the log; see [`Failure::told`] for the sender's.
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

    /// There are as many deliveries in memory as there may be.
    #[error("too many deliveries at once")]
    Busy,

    /// The database took a look and will never want it.
    #[error("refused: {message}")]
    Refused { status: StatusCode, message: String },

    /// The database tried and could not.
    #[error("failed: {0}")]
    Failed(String),

    /// The database could not be asked, or broke off.
    #[error("the database is not available: {0}")]
    Unavailable(String),

    #[error("the database did not answer in time")]
    Timeout,
}

impl Failure {
    /// What a statement's error means.
    pub(crate) fn of_statement(error: &tokio_postgres::Error) -> Self {
        let Some(raised) = error.as_db_error() else { return Failure::Unavailable(words(error)) };
        let code = raised.code();
        let refused = |status| Failure::Refused { status, message: raised.message().to_owned() };
        if *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION {
            refused(StatusCode::UNAUTHORIZED)
        } else if *code == SqlState::INVALID_PARAMETER_VALUE {
            refused(StatusCode::BAD_REQUEST)
        } else if *code == SqlState::PROGRAM_LIMIT_EXCEEDED {
            refused(StatusCode::PAYLOAD_TOO_LARGE)
        } else if ["08", "53", "57"].iter().any(|class| code.code().starts_with(class)) {
            Failure::Unavailable(words(error))
        } else {
            Failure::Failed(words(error))
        }
    }

    /// What it means that there is no connection. Postgres says 28000 to a role that may not connect as well: that
    /// is not the delivery's fault.
    pub(crate) fn of_connection(error: &PoolError) -> Self {
        Failure::Unavailable(match error {
            PoolError::Backend(error) => words(error),
            other => chain(other),
        })
    }

    /// The status that it is answered with: 4xx if the delivery is wrong, 5xx if the fault is on this side. It is for
    /// whoever reads it: Svix sends again after each of them.
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

    /// After how many seconds another try is worth it, if that can be told.
    pub(crate) fn retry_after(&self) -> Option<&'static str> {
        matches!(self, Failure::Busy).then_some("5")
    }

    /// What the sender is told, who may be anybody: nothing about the database.
    pub(crate) fn told(&self) -> String {
        match self {
            Failure::Failed(_) => "failed".to_owned(),
            Failure::Unavailable(_) => "the database is not available".to_owned(),
            other => other.to_string(),
        }
    }
}

/// An error for the log. What Postgres puts into DETAIL can be a whole row, so the message has to do.
fn words(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(raised) => format!("{} (SQLSTATE {})", raised.message(), raised.code().code()),
        None => chain(error),
    }
}

/// An error and what it came from.
fn chain(error: &dyn Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", chain(cause)),
        None => error.to_string(),
    }
}
