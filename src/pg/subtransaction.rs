//! Attempts: what fails in one is undone, and the transaction goes on.

use std::ffi::CStr;
use std::panic::AssertUnwindSafe;
use std::ptr::null;

use pgrx::pg_sys::panic::{CaughtError, ErrorReportWithLevel};
use pgrx::{PgSqlErrorCode, PgTryBuilder, pg_sys};

use crate::error::{FdwError, OrRaise};

/// Why an attempt failed.
pub struct Failure(Box<CaughtError>);

impl From<CaughtError> for Failure {
    fn from(caught: CaughtError) -> Self {
        Failure(Box::new(caught))
    }
}

impl Failure {
    fn report(&self) -> &ErrorReportWithLevel {
        match &*self.0 {
            CaughtError::PostgresError(report) | CaughtError::ErrorReport(report) => report,
            CaughtError::RustPanic { ereport, .. } => ereport,
        }
    }

    pub fn code(&self) -> PgSqlErrorCode {
        self.report().sql_error_code()
    }

    pub fn message(&self) -> String {
        let report = self.report();
        match report.detail() {
            Some(detail) => format!("{} ({detail})", report.message()),
            None => report.message().to_owned(),
        }
    }

    /// Whether it comes from one row: a value, a constraint, a trigger that refused it; not from a cancel, a lack of
    /// something, or a statement that would fail for any row.
    pub fn is_row_error(&self) -> bool {
        use PgSqlErrorCode::*;
        self.is_of_class(&[
            ERRCODE_DATA_EXCEPTION,
            ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION,
            ERRCODE_CARDINALITY_VIOLATION,
            ERRCODE_PLPGSQL_ERROR,
            ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            ERRCODE_TRIGGERED_ACTION_EXCEPTION,
            ERRCODE_WITH_CHECK_OPTION_VIOLATION,
        ]) || matches!(self.code(), ERRCODE_FDW_INVALID_DATA_TYPE)
    }

    /// Whether the server could not go on, or not beside others, whatever was to be done: the same may succeed soon.
    pub fn is_transient(&self) -> bool {
        use PgSqlErrorCode::*;
        self.is_of_class(&[ERRCODE_QUERY_CANCELED, ERRCODE_INSUFFICIENT_RESOURCES, ERRCODE_TRANSACTION_ROLLBACK])
    }

    fn is_of_class(&self, examples: &[PgSqlErrorCode]) -> bool {
        let class = |code: PgSqlErrorCode| code as i64 & 0xFFF;
        examples.iter().any(|example| class(*example) == class(self.code()))
    }

    pub fn is_cancel(&self) -> bool {
        self.code() == PgSqlErrorCode::ERRCODE_QUERY_CANCELED
    }

    pub fn is_deadlock(&self) -> bool {
        self.code() == PgSqlErrorCode::ERRCODE_T_R_DEADLOCK_DETECTED
    }

    /// Whether a tenant's code has queued a deferred trigger, which [the sandbox](crate::pg::sandbox) does not let it.
    pub fn is_deferral(&self) -> bool {
        self.code() == PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE
            && self.report().function_name() == Some("afterTriggerMarkEvents")
    }

    pub fn is_unreachable(&self) -> bool {
        self.code() == PgSqlErrorCode::ERRCODE_CONNECTION_FAILURE
    }

    /// The five characters of its code.
    pub fn sqlstate(&self) -> String {
        // SAFETY: it gives a C string of five characters.
        unsafe { CStr::from_ptr(pg_sys::unpack_sql_state(self.code() as i32)) }.to_string_lossy().into_owned()
    }

    /// Raises the error after all.
    pub fn raise(self) -> ! {
        match *self.0 {
            // Postgres has forgotten its own error when the attempt ended: it is to be raised anew, not passed on.
            CaughtError::PostgresError(report) => CaughtError::ErrorReport(report).rethrow(),
            other => other.rethrow(),
        }
    }
}

/// Does something in a subtransaction.
pub fn in_subtransaction<T>(action: impl FnOnce() -> Result<T, FdwError>) -> Result<T, Failure> {
    // SAFETY: the subtransaction is ended one way or the other, and what it has changed of the backend's state is set
    // back to what it was.
    unsafe {
        let (memory, owner) = (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner);
        pg_sys::BeginInternalSubTransaction(null());
        let done = PgTryBuilder::new(AssertUnwindSafe(|| Ok(action().or_raise())))
            .catch_others(|caught| Err(Failure::from(caught)))
            .catch_rust_panic(|caught| Err(Failure::from(caught)))
            .execute();
        match done {
            Ok(_) => pg_sys::ReleaseCurrentSubTransaction(),
            Err(_) => pg_sys::RollbackAndReleaseCurrentSubTransaction(),
        }
        pg_sys::MemoryContextSwitchTo(memory);
        pg_sys::CurrentResourceOwner = owner;
        done
    }
}

/// How often something is tried that meets a deadlock.
pub const MAX_ATTEMPTS: u32 = 5;

/// Attempts something that others may be doing in another order. An attempt that ends a deadlock has given up its own
/// locks, so that the others are done soon.
pub fn retrying_deadlocks<T>(mut action: impl FnMut() -> Result<T, FdwError>) -> Result<T, Failure> {
    let mut tries = 1;
    loop {
        match in_subtransaction(&mut action) {
            Err(failure) if failure.is_deadlock() && tries < MAX_ATTEMPTS => tries += 1,
            done => return done,
        }
    }
}
