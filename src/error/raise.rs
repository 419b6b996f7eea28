//! Raises errors, by themselves or instead of a value.

use pgrx::PgLogLevel;
use pgrx::pg_sys::panic::ErrorReport;

use super::FdwError;
use crate::pg::encoding::for_message;
use crate::pg::hidden_statement::HiddenStatement;

impl FdwError {
    /// Raises the error and keeps the statement out of the server's log, because it may have a password in it.
    pub fn raise_hidden(self) -> ! {
        HiddenStatement::new();
        self.raise()
    }

    /// Raises the error, which ends the statement. Rust's destructors run, because pgrx raises errors as panics.
    pub fn raise(self) -> ! {
        ErrorReport::from(self).report(PgLogLevel::ERROR);
        unreachable!("an ERROR does not return")
    }
}

impl From<FdwError> for ErrorReport {
    fn from(error: FdwError) -> Self {
        let mut report = ErrorReport::new(error.code(), for_message(error.to_string()), "clerk_fdw");
        if let Some(detail) = error.detail() {
            report = report.set_detail(for_message(detail));
        }
        if let Some(hint) = error.hint() {
            report = report.set_hint(for_message(hint));
        }
        report
    }
}

/// Turns errors that are returned into errors that are raised.
pub trait OrRaise<T> {
    /// Returns the value, or raises the error.
    fn or_raise(self) -> T;

    /// As [`Self::or_raise`], and keeps the statement out of the server's log: see [`FdwError::raise_hidden`].
    fn or_raise_hidden(self) -> T;
}

impl<T> OrRaise<T> for Result<T, FdwError> {
    fn or_raise(self) -> T {
        self.unwrap_or_else(|error| error.raise())
    }

    fn or_raise_hidden(self) -> T {
        self.unwrap_or_else(|error| error.raise_hidden())
    }
}
