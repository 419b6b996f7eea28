//! Looks at utility statements, such as COPY and SET CONSTRAINTS, before Postgres runs them.

use std::ffi::c_char;
use std::sync::OnceLock;

use pgrx::{pg_guard, pg_sys};

/// Raises an error for a utility statement that must not run.
pub type Check = unsafe fn(*mut pg_sys::Node);

static CHECKS: OnceLock<&'static [Check]> = OnceLock::new();

/// The hook that was installed before [`process_utility`].
static mut PREVIOUS_HOOK: pg_sys::ProcessUtility_hook_type = None;

/// Installs checks of all utility statements.
pub fn install(checks: &'static [Check]) {
    CHECKS.get_or_init(|| checks);
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
    // SAFETY: Postgres passes a utility statement, and the arguments go unchanged to the previous hook or to Postgres' own
    // function. The guard turns an ERROR of the previous hook into a panic, so that no longjmp crosses Rust's frames.
    unsafe {
        for check in CHECKS.get().copied().unwrap_or_default() {
            check((*statement).utilityStmt);
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
