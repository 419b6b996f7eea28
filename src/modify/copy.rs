//! Refuses COPY FROM into a table that cannot be written with the same error and hint as INSERT: Postgres' own check comes
//! first there, and has no hint.

use std::ffi::c_char;

use clerk_api::write::Operation;
use pgrx::{PgRelation, pg_guard, pg_sys};

use super::plan::writable_table;
use crate::error::OrRaise;
use crate::options;

static mut PREVIOUS_HOOK: pg_sys::ProcessUtility_hook_type = None;

/// Installs the hook that runs utility commands.
pub fn install() {
    // SAFETY: _PG_init calls this once in a process, on the main thread, which alone uses both variables.
    unsafe {
        PREVIOUS_HOOK = pg_sys::ProcessUtility_hook;
        pg_sys::ProcessUtility_hook = Some(process_utility);
    }
}

/// # Safety
/// Only Postgres may call this, or a hook that was installed later, with the arguments of that hook.
#[pg_guard]
#[allow(clippy::too_many_arguments, reason = "Postgres defines the parameters of the hook")]
unsafe extern "C-unwind" fn process_utility(
    statement: *mut pg_sys::PlannedStmt,
    query: *const c_char,
    is_read_only: bool,
    context: pg_sys::ProcessUtilityContext::Type,
    parameters: pg_sys::ParamListInfo,
    environment: *mut pg_sys::QueryEnvironment,
    destination: *mut pg_sys::DestReceiver,
    completion: *mut pg_sys::QueryCompletion,
) {
    // SAFETY: Postgres passes a utility statement, whose node begins with its tag, and the arguments go unchanged to the
    // previous hook or to Postgres' own function. The guard turns an ERROR of the previous hook into a panic, so that no
    // longjmp crosses Rust's frames.
    unsafe {
        if (*(*statement).utilityStmt).type_ == pg_sys::NodeTag::T_CopyStmt {
            check((*statement).utilityStmt.cast());
        }
        match PREVIOUS_HOOK {
            Some(previous) => pg_sys::ffi::pg_guard_ffi_boundary(|| {
                previous(statement, query, is_read_only, context, parameters, environment, destination, completion)
            }),
            None => pg_sys::standard_ProcessUtility(
                statement,
                query,
                is_read_only,
                context,
                parameters,
                environment,
                destination,
                completion,
            ),
        }
    }
}

/// Fails for a COPY FROM into a foreign table of this extension that does not allow inserts.
///
/// # Safety
/// The statement must be a parsed COPY.
unsafe fn check(copy: *mut pg_sys::CopyStmt) {
    // SAFETY: the caller guarantees a parsed COPY, whose relation is null or a RangeVar. RangeVarGetRelidExtended returns
    // InvalidOid for one that does not exist, since missing ones are allowed here, and otherwise locks it.
    unsafe {
        if !(*copy).is_from || (*copy).relation.is_null() {
            return;
        }
        let missing_ok = pg_sys::RVROption::RVR_MISSING_OK;
        let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
        let relation = pg_sys::RangeVarGetRelidExtended((*copy).relation, lock, missing_ok, None, std::ptr::null_mut());
        if relation != pg_sys::InvalidOid && options::is_own_table(relation) {
            let relation = PgRelation::with_lock(relation, pg_sys::NoLock as _);
            writable_table(relation.as_ptr(), Operation::Insert).or_raise_hidden();
        }
    }
}
