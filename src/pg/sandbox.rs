//! Whose rights a statement has: the extension owner's for bookkeeping, a tenant's for whatever a tenant wrote.
//!
//! A mirror's tables belong to roles that need not be trusted. Their triggers, defaults, CHECK constraints, index
//! expressions, policies and column expressions run whenever a row is written, and would run with the rights of
//! whoever syncs. So [`run_as`] is the one way to a tenant's table. It does what Postgres' own maintenance commands
//! do (`SwitchToUntrustedUser` and `RestrictSearchPath`), and two things more:
//!
//! | what a tenant's code tries | what stops it |
//! | --- | --- |
//! | to act with the rights of the session: `RESET ROLE`, `SET SESSION AUTHORIZATION` | the security-restricted operation |
//! | to leave something that runs later: a cursor WITH HOLD, a prepared statement, a deferred trigger | the same |
//! | to change a setting for the statements that follow, such as `search_path` | a GUC level of its own, undone at its end |
//! | to put its own objects before those that statements here mean | `search_path = pg_catalog, pg_temp` |
//! | to fire or reconfigure the caller's deferred triggers with `SET CONSTRAINTS` | [`process_utility`] refuses it |
//! | to leave types or functions in the session's temporary schema, which names are looked up in first | an error afterwards |
//!
//! Nothing here opens a subtransaction: after an error, Postgres restores role and settings when the transaction or
//! [the attempt](crate::pg::subtransaction) that failed is undone.

use std::ffi::CStr;
use std::sync::atomic::{AtomicU32, Ordering};

use pgrx::{pg_guard, pg_sys};

use crate::error::FdwError;
use crate::pg::encoding::from_server;

/// What unqualified names mean in every statement that comes from here, and in all that such a statement sets off.
const SEARCH_PATH: &CStr = c"pg_catalog, pg_temp";

/// How deep in tenants' code this backend is.
static DEPTH: AtomicU32 = AtomicU32::new(0);

/// Does something with a tenant's rights that may run code that the tenant wrote.
pub fn run_as<T>(role: pg_sys::Oid, action: impl FnOnce() -> T) -> T {
    let inside = Inside::enter();
    let flags = pg_sys::SECURITY_LOCAL_USERID_CHANGE | pg_sys::SECURITY_RESTRICTED_OPERATION;
    let result = with_rights(role, flags, || {
        // What a column of type timestamp or date shows must not depend on the time zone of whoever syncs.
        // SAFETY: the setting is Postgres' own, and the GUC level of these rights ends it.
        unsafe { set(c"TimeZone", c"UTC") };
        action()
    });
    if inside.has_touched_temporary_objects() {
        FdwError::TemporaryObjects.raise();
    }
    result
}

/// Does some bookkeeping with the rights of the extension's owner, who alone has any in `clerk_fdw_internal`. No
/// statement in there touches what a tenant wrote.
pub fn as_extension_owner<T>(action: impl FnOnce() -> T) -> T {
    with_rights(extension_owner(), pg_sys::SECURITY_LOCAL_USERID_CHANGE, action)
}

/// Does something with the rights that the caller has already, and with names that mean what they mean here.
pub fn as_caller<T>(action: impl FnOnce() -> T) -> T {
    // SAFETY: reads a variable of this backend.
    with_rights(unsafe { pg_sys::GetUserId() }, 0, action)
}

fn with_rights<T>(role: pg_sys::Oid, flags: u32, action: impl FnOnce() -> T) -> T {
    let (mut before, mut context) = (pg_sys::InvalidOid, 0);
    // After an error neither is undone here: the end of the (sub)transaction does both.
    // SAFETY: the role and context that are set last are those that were read first, and the GUC level that is closed
    // is the one that was opened.
    unsafe {
        pg_sys::GetUserIdAndSecContext(&mut before, &mut context);
        let level = pg_sys::NewGUCNestLevel();
        pg_sys::SetUserIdAndSecContext(role, context | flags as i32);
        set(c"search_path", SEARCH_PATH);
        // Times and other floating-point numbers are read as text; a session may have set this to lose digits.
        set(c"extra_float_digits", c"1");
        let result = action();
        pg_sys::AtEOXact_GUC(false, level);
        pg_sys::SetUserIdAndSecContext(before, context);
        result
    }
}

/// Does something with a setting that is undone afterwards.
///
/// # Safety
/// The setting exists and the value is one of its own.
pub unsafe fn with_setting<T>(name: &CStr, value: &CStr, action: impl FnOnce() -> T) -> T {
    // SAFETY: the caller's; the GUC level that is closed is the one that was opened. After an error, the end of the
    // (sub)transaction closes it.
    unsafe {
        let level = pg_sys::NewGUCNestLevel();
        set(name, value);
        let result = action();
        pg_sys::AtEOXact_GUC(false, level);
        result
    }
}

/// Sets a setting until the current GUC level ends.
///
/// # Safety
/// The setting exists and the value is one of its own.
unsafe fn set(name: &CStr, value: &CStr) {
    use pg_sys::{GucAction, GucContext, GucSource};
    // SAFETY: both are C strings that outlive the call; GUC_ACTION_SAVE is allowed in parallel workers as well.
    unsafe {
        pg_sys::set_config_option(
            name.as_ptr(),
            value.as_ptr(),
            GucContext::PGC_USERSET,
            GucSource::PGC_S_SESSION,
            GucAction::GUC_ACTION_SAVE,
            true,
            0,
            false,
        );
    }
}

/// The owner of the extension's own tables.
pub fn extension_owner() -> pg_sys::Oid {
    // SAFETY: catalog look-ups of C strings. The tuple is valid from the look-up to its release, and a row of pg_class
    // has a form of that type.
    unsafe {
        let table = bookkeeping_table(c"mirror");
        let cache = pg_sys::SysCacheIdentifier::RELOID as i32;
        let tuple = pg_sys::SearchSysCache1(cache, table.into());
        if tuple.is_null() {
            FdwError::NotInstalled.raise();
        }
        let owner = (*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_class>()).relowner;
        pg_sys::ReleaseSysCache(tuple);
        owner
    }
}

/// A role's name; empty if there is none.
pub fn role_name(role: pg_sys::Oid) -> String {
    // SAFETY: a catalog look-up; its answer is a C string or null.
    unsafe {
        let name = pg_sys::GetUserNameFromId(role, true);
        if name.is_null() { String::new() } else { from_server(name) }
    }
}

/// The oid of a table in `clerk_fdw_internal`; invalid if there is none.
pub fn bookkeeping_table(name: &CStr) -> pg_sys::Oid {
    // SAFETY: catalog look-ups of C strings. The schema is the extension's: CREATE EXTENSION refuses one that was
    // there before.
    unsafe {
        let schema = pg_sys::get_namespace_oid(c"clerk_fdw_internal".as_ptr(), true);
        pg_sys::get_relname_relid(name.as_ptr(), schema)
    }
}

/// Whether a role could `SET ROLE` to another, and so has no more to gain from acting as it.
pub fn can_act_as(role: pg_sys::Oid, other: pg_sys::Oid) -> bool {
    // SAFETY: catalog look-ups; a role that does not exist is a member of none.
    unsafe {
        #[cfg(feature = "pg15")]
        return pg_sys::is_member_of_role(role, other);
        #[cfg(not(feature = "pg15"))]
        return pg_sys::member_can_set_role(role, other);
    }
}

/// A tenant's code is running, from here until this is dropped.
struct Inside {
    /// Whether the transaction had touched temporary objects before.
    touched_before: i32,
}

const TEMPORARY: i32 = pg_sys::XACT_FLAGS_ACCESSEDTEMPNAMESPACE as i32;

impl Inside {
    fn enter() -> Inside {
        DEPTH.fetch_add(1, Ordering::Relaxed);
        // SAFETY: a variable of this backend, whose only thread that runs Postgres code is this one.
        unsafe {
            let touched_before = pg_sys::MyXactFlags & TEMPORARY;
            pg_sys::MyXactFlags &= !TEMPORARY;
            Inside { touched_before }
        }
    }

    fn has_touched_temporary_objects(&self) -> bool {
        // SAFETY: as in `enter`: a variable of this backend, read on its main thread.
        unsafe { pg_sys::MyXactFlags & TEMPORARY != 0 }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        DEPTH.fetch_sub(1, Ordering::Relaxed);
        // SAFETY: as in `enter`: a variable of this backend, written on its main thread.
        unsafe { pg_sys::MyXactFlags |= self.touched_before };
    }
}

static mut NEXT_PROCESS_UTILITY: pg_sys::ProcessUtility_hook_type = None;

/// Puts [`process_utility`] in front of what runs utility commands.
pub fn install() {
    // SAFETY: called once, when the library is loaded, by the backend's only thread that runs Postgres code.
    unsafe {
        NEXT_PROCESS_UTILITY = pg_sys::ProcessUtility_hook;
        pg_sys::ProcessUtility_hook = Some(process_utility);
    }
}

/// Refuses `SET CONSTRAINTS` to tenants' code. The command concerns the whole transaction: it would fire triggers that
/// the caller has deferred, with the tenant's rights, or change when the caller's constraints are checked.
#[pg_guard]
#[allow(clippy::too_many_arguments, reason = "Postgres says what the hook is called with")]
unsafe extern "C-unwind" fn process_utility(
    statement: *mut pg_sys::PlannedStmt,
    query: *const std::ffi::c_char,
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
        if DEPTH.load(Ordering::Relaxed) > 0
            && (*(*statement).utilityStmt).type_ == pg_sys::NodeTag::T_ConstraintsSetStmt
        {
            FdwError::SetConstraints.raise();
        }
        match NEXT_PROCESS_UTILITY {
            Some(next) => pg_sys::ffi::pg_guard_ffi_boundary(|| {
                next(statement, query, is_read_only, context, parameters, environment, destination, completion)
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
