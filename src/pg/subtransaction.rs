//! Runs actions in subtransactions: one that fails is rolled back, and the transaction goes on.

use std::ffi::CStr;
use std::panic::AssertUnwindSafe;
use std::ptr::null;

use pgrx::pg_sys::panic::{CaughtError, ErrorReportWithLevel};
use pgrx::{PgSqlErrorCode, PgTryBuilder, pg_sys};

use crate::error::{FdwError, OrRaise};

/// The error that ended a subtransaction.
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

    /// Whether the error is about one row: its values, a constraint, or a trigger that refused it. Cancels, a lack of
    /// resources and statements that would fail for any row are not.
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

    /// Whether the error comes from the state of the server, such as a cancel, a lack of resources or a conflict with
    /// another transaction, so that the same action may succeed soon.
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

    /// Whether the session itself was cancelled. The code of a cancel alone may be that of an error that a tenant's code has
    /// raised, so the function that raised it decides.
    pub fn is_interrupt(&self) -> bool {
        self.is_cancel() && self.report().function_name() == Some("ProcessInterrupts")
    }

    pub fn is_deadlock(&self) -> bool {
        self.code() == PgSqlErrorCode::ERRCODE_T_R_DEADLOCK_DETECTED
    }

    /// Whether a tenant's code tried to queue a deferred trigger, which Postgres refuses in [the
    /// sandbox](crate::pg::sandbox). The code of the error is shared with others, so the function that raised it
    /// decides.
    pub fn is_deferral(&self) -> bool {
        self.code() == PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE
            && self.report().function_name() == Some("afterTriggerMarkEvents")
    }

    pub fn is_unreachable(&self) -> bool {
        self.code() == PgSqlErrorCode::ERRCODE_CONNECTION_FAILURE
    }

    /// Whether Clerk refused a request, or its answers to some contradict each other; others may succeed. A refusal for
    /// want of rights counts as well: a key may have them for other objects.
    pub fn is_refused_by_clerk(&self) -> bool {
        use PgSqlErrorCode::*;
        matches!(self.code(), ERRCODE_FDW_ERROR | ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION)
    }

    /// The SQLSTATE as five characters.
    pub fn sqlstate(&self) -> String {
        // SAFETY: unpack_sql_state returns a C string in a static buffer, which is copied before the next call.
        unsafe { CStr::from_ptr(pg_sys::unpack_sql_state(self.code() as i32)) }.to_string_lossy().into_owned()
    }

    /// Raises the error again.
    pub fn raise(self) -> ! {
        match *self.0 {
            // Postgres dropped its own copy of the error when the subtransaction was rolled back, so the error has to
            // be raised as a new one and cannot be rethrown.
            CaughtError::PostgresError(report) => CaughtError::ErrorReport(report).rethrow(),
            other => other.rethrow(),
        }
    }
}

/// Runs an action in a subtransaction, which is released if the action succeeds and rolled back if it fails.
pub fn in_subtransaction<T>(action: impl FnOnce() -> Result<T, FdwError>) -> Result<T, Failure> {
    // SAFETY: every way out of the action, by result, ERROR or panic, ends the subtransaction that was begun. The
    // memory context and the resource owner that are set afterwards were current before and belong to the outer
    // transaction.
    unsafe {
        let (memory, owner) = (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner);
        // What an action that failed has put on the stack may lie in memory that its rollback has freed.
        let context_stack = pg_sys::error_context_stack;
        pg_sys::BeginInternalSubTransaction(null());
        let result = PgTryBuilder::new(AssertUnwindSafe(|| Ok(action().or_raise())))
            .catch_others(|caught| Err(Failure::from(caught)))
            .catch_rust_panic(|caught| Err(Failure::from(caught)))
            .execute();
        match result {
            Ok(_) => pg_sys::ReleaseCurrentSubTransaction(),
            Err(_) => pg_sys::RollbackAndReleaseCurrentSubTransaction(),
        }
        pg_sys::MemoryContextSwitchTo(memory);
        pg_sys::CurrentResourceOwner = owner;
        pg_sys::error_context_stack = context_stack;
        result
    }
}

/// How many times an action is tried that runs into deadlocks. Each deadlock takes deadlock_timeout, 1 s by default, to
/// be found; an action that has met five in a row is unlikely to succeed soon.
pub const MAX_ATTEMPTS: u32 = 5;

/// Runs an action in a subtransaction, and again after a deadlock: others may be locking the same rows in another
/// order. The rollback releases the locks of the failed attempt, so the others can finish before the next one.
pub fn retrying_deadlocks<T>(mut action: impl FnMut() -> Result<T, FdwError>) -> Result<T, Failure> {
    let mut attempts = 1;
    loop {
        match in_subtransaction(&mut action) {
            Err(failure) if failure.is_deadlock() && attempts < MAX_ATTEMPTS => attempts += 1,
            result => return result,
        }
    }
}
