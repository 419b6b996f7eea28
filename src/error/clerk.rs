//! The SQLSTATEs and hints of errors that the crate `clerk-api` has found.

use clerk_api::Error;
use clerk_api::write::WriteError;
use pgrx::PgSqlErrorCode::{self, *};

/// The SQLSTATE of a request's error.
pub fn code(error: &Error) -> PgSqlErrorCode {
    match error {
        Error::Config(_) => ERRCODE_FDW_UNABLE_TO_ESTABLISH_CONNECTION,
        Error::Unauthorized { .. } => ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION,
        Error::Unavailable { .. } | Error::RateLimited { .. } => ERRCODE_CONNECTION_FAILURE,
        Error::Unknown { .. } => ERRCODE_TRANSACTION_RESOLUTION_UNKNOWN,
        Error::BrokenOff => ERRCODE_INTERNAL_ERROR,
        Error::Malformed { .. } | Error::Unreadable { .. } => ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION,
        Error::Refused { .. } | Error::Inconsistent { .. } => ERRCODE_FDW_ERROR,
    }
}

pub fn hint(error: &Error, server: &str) -> Option<String> {
    let hint = match error {
        Error::Unauthorized { .. } => format!("Check the key of server \"{server}\"."),
        Error::Malformed { .. } | Error::Unreadable { .. } => format!("Check the api_url of server \"{server}\"."),
        Error::RateLimited { .. } => format!(
            "Set rate_limit_timeout_ms of server \"{server}\" higher to wait for longer, or its rate_limit lower to be \
             refused less often."
        ),
        Error::Inconsistent { .. } => "Run the query again; no row was left out silently.".to_owned(),
        Error::Unknown { .. } => {
            "Look whether Clerk has done it, for example with SELECT, before you run the statement again.".to_owned()
        }
        _ => return None,
    };
    Some(hint)
}

/// The SQLSTATE for a row that is refused before anything is sent for it.
pub fn row_code(error: &WriteError) -> PgSqlErrorCode {
    use WriteError::*;
    match error {
        NotAllowed { .. } | NotReachable { .. } | NullMember { .. } => ERRCODE_FEATURE_NOT_SUPPORTED,
        NotInsertable { .. } | NotUpdatable { .. } => ERRCODE_GENERATED_ALWAYS,
        UnknownField { .. } => ERRCODE_UNDEFINED_COLUMN,
        Missing { .. } | Null { .. } | NoKey { .. } => ERRCODE_NOT_NULL_VIOLATION,
        Kind { .. } | NoBody { .. } => ERRCODE_FDW_INVALID_DATA_TYPE,
        Range { .. } => ERRCODE_INVALID_PARAMETER_VALUE,
    }
}

pub fn row_hint(error: &WriteError) -> Option<String> {
    use WriteError::*;
    let hint = match error {
        NotInsertable { is_updatable: true, .. } => "UPDATE can change it afterwards.".to_owned(),
        NotInsertable { object, .. } | UnknownField { object, .. } => {
            format!("docs/objects/{object}.md says what can be written.")
        }
        NotUpdatable { object, .. } => format!("docs/objects/{object}.md says what can be changed."),
        NullMember { .. } => "Leave it out to remove it. PUT with clerk_fdw.request can set it to null.".to_owned(),
        NoKey { column, .. } => format!("Give the table a column {column}, or attrs."),
        _ => return None,
    };
    Some(hint)
}
