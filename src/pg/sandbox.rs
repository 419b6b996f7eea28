//! Switches the role that statements run as: to the extension's owner for bookkeeping, to a tenant for a tenant's code.
//!
//! A mirror's tables belong to roles that need not be trusted, here called tenants. The triggers, defaults, CHECK
//! constraints, index expressions, policies and column expressions of these tables run whenever a row is written. They
//! must not run with the rights of the role that syncs. Therefore all access to a tenant's table goes through
//! [`run_as`]. It does what Postgres' own maintenance commands do (`SwitchToUntrustedUser` and `RestrictSearchPath`),
//! and two things more, which are the last two of this table:
//!
//! | what a tenant's code may attempt | what prevents it |
//! | --- | --- |
//! | to get the session's rights: `RESET ROLE`, `SET SESSION AUTHORIZATION` | the security-restricted operation |
//! | to leave a cursor WITH HOLD, a prepared statement or a deferred trigger | the security-restricted operation |
//! | to change a setting for later statements, such as `search_path` | a GUC nest level, which restores it |
//! | to hide the objects that statements of this extension name behind its own | `search_path = pg_catalog, pg_temp` |
//! | to fire or reconfigure the caller's deferred triggers with `SET CONSTRAINTS` | [`check_utility`] refuses it |
//! | to leave types or functions in the temporary schema, which is searched first | an error at the end of [`run_as`] |
//!
//! No function here opens a subtransaction. After an error, Postgres restores the role and the settings when it rolls
//! back the transaction or the [subtransaction](crate::pg::subtransaction) that failed.

use std::ffi::CStr;
use std::sync::atomic::{AtomicU32, Ordering};

use pgrx::pg_sys;

use crate::error::FdwError;
use crate::pg::encoding::from_server;

/// The `search_path` of every statement that this extension runs, and of the triggers and functions that it causes to
/// run.
const SEARCH_PATH: &CStr = c"pg_catalog, pg_temp";

/// How many calls of [`run_as`] are active in this backend.
static TENANT_CODE_DEPTH: AtomicU32 = AtomicU32::new(0);

/// Runs an action with a tenant's rights. The action may run code that the tenant wrote.
pub fn run_as<T>(role: pg_sys::Oid, action: impl FnOnce() -> T) -> T {
    let scope = TenantCodeScope::enter();
    let flags = pg_sys::SECURITY_LOCAL_USERID_CHANGE | pg_sys::SECURITY_RESTRICTED_OPERATION;
    let result = with_rights(role, flags, || {
        // The value that a column of type timestamp or date gets must not depend on the time zone of the session that
        // syncs.
        // SAFETY: TimeZone is a setting of Postgres, for which UTC is always valid.
        unsafe { set_option(c"TimeZone", c"UTC") };
        action()
    });
    if scope.has_accessed_temporary_objects() {
        FdwError::TemporaryObjects.raise();
    }
    result
}

/// Runs bookkeeping statements with the rights of the extension's owner, who is the only role with rights on
/// `clerk_fdw_internal`. These statements must not run any code that a tenant wrote.
pub fn as_extension_owner<T>(action: impl FnOnce() -> T) -> T {
    with_rights(extension_owner(), pg_sys::SECURITY_LOCAL_USERID_CHANGE, action)
}

/// Runs an action with the rights of the current role, but with the `search_path` of this extension's statements.
pub fn as_caller<T>(action: impl FnOnce() -> T) -> T {
    // SAFETY: GetUserId only reads the current role of this backend.
    with_rights(unsafe { pg_sys::GetUserId() }, 0, action)
}

/// Runs an action as a role, in a security context that has the given flags in addition to the current ones.
fn with_rights<T>(role: pg_sys::Oid, flags: u32, action: impl FnOnce() -> T) -> T {
    let (mut previous_role, mut previous_context) = (pg_sys::InvalidOid, 0);
    // If the action raises an error, the rollback of the (sub)transaction restores the role and closes the GUC nest
    // level.
    // SAFETY: the role and the context that are set at the end are those that GetUserIdAndSecContext returned, and
    // AtEOXact_GUC closes the nest level that NewGUCNestLevel opened. Both settings belong to Postgres, which accepts
    // these values.
    unsafe {
        pg_sys::GetUserIdAndSecContext(&mut previous_role, &mut previous_context);
        let level = pg_sys::NewGUCNestLevel();
        pg_sys::SetUserIdAndSecContext(role, previous_context | flags as i32);
        set_option(c"search_path", SEARCH_PATH);
        // Floating-point numbers, such as times as seconds, are read as texts, and a session may have set this so that
        // they lose digits.
        set_option(c"extra_float_digits", c"1");
        let result = action();
        pg_sys::AtEOXact_GUC(false, level);
        pg_sys::SetUserIdAndSecContext(previous_role, previous_context);
        result
    }
}

/// Runs an action with a changed setting, and restores the setting afterwards.
///
/// # Safety
/// The setting must exist, and the value must be valid for it.
pub unsafe fn with_setting<T>(name: &CStr, value: &CStr, action: impl FnOnce() -> T) -> T {
    // SAFETY: the caller guarantees that the setting exists and takes the value. AtEOXact_GUC closes the nest level
    // that NewGUCNestLevel opened; after an error, the rollback of the (sub)transaction closes it.
    unsafe {
        let level = pg_sys::NewGUCNestLevel();
        set_option(name, value);
        let result = action();
        pg_sys::AtEOXact_GUC(false, level);
        result
    }
}

/// Changes a setting until the current GUC nest level ends.
///
/// # Safety
/// The setting must exist, and the value must be valid for it.
unsafe fn set_option(name: &CStr, value: &CStr) {
    use pg_sys::{GucAction, GucContext, GucSource};
    // SAFETY: both pointers come from a CStr, which the caller holds during the call, and the caller guarantees that
    // the setting exists and takes the value. GUC_ACTION_SAVE is allowed in parallel workers as well.
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
    // SAFETY: SearchSysCache1 returns null or a row of pg_class, whose form is FormData_pg_class and which is pinned
    // until ReleaseSysCache.
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

/// The name of a role; empty if the role does not exist.
pub fn role_name(role: pg_sys::Oid) -> String {
    // SAFETY: GetUserNameFromId returns a C string, or null for an oid that is no role, as missing roles are allowed
    // here.
    unsafe {
        let name = pg_sys::GetUserNameFromId(role, true);
        if name.is_null() { String::new() } else { from_server(name) }
    }
}

/// The oid of a table in `clerk_fdw_internal`; InvalidOid if it does not exist. The schema is the extension's own,
/// because CREATE EXTENSION fails if it exists already.
pub fn bookkeeping_table(name: &CStr) -> pg_sys::Oid {
    // SAFETY: both names are C strings. get_relname_relid finds no relation in a schema that does not exist.
    unsafe {
        let schema = pg_sys::get_namespace_oid(c"clerk_fdw_internal".as_ptr(), true);
        pg_sys::get_relname_relid(name.as_ptr(), schema)
    }
}

/// Whether a role can `SET ROLE` to another role, so that it gains no rights by acting as that role.
pub fn can_act_as(role: pg_sys::Oid, other: pg_sys::Oid) -> bool {
    // SAFETY: both functions take any oids and look them up in the catalog; a role that does not exist is a member of
    // none.
    unsafe {
        #[cfg(feature = "pg15")]
        return pg_sys::is_member_of_role(role, other);
        #[cfg(not(feature = "pg15"))]
        return pg_sys::member_can_set_role(role, other);
    }
}

/// Marks that a tenant's code is running, until this is dropped.
struct TenantCodeScope {
    /// The flag [`ACCESSED_TEMP_NAMESPACE`] if the transaction had accessed temporary objects before, else 0.
    outer_flag: i32,
}

/// Postgres sets this flag of the transaction when a temporary object is accessed.
const ACCESSED_TEMP_NAMESPACE: i32 = pg_sys::XACT_FLAGS_ACCESSEDTEMPNAMESPACE as i32;

impl TenantCodeScope {
    fn enter() -> TenantCodeScope {
        TENANT_CODE_DEPTH.fetch_add(1, Ordering::Relaxed);
        // SAFETY: MyXactFlags is an int of this process, and only the backend's main thread, on which this runs, uses
        // it.
        unsafe {
            let outer_flag = pg_sys::MyXactFlags & ACCESSED_TEMP_NAMESPACE;
            pg_sys::MyXactFlags &= !ACCESSED_TEMP_NAMESPACE;
            TenantCodeScope { outer_flag }
        }
    }

    fn has_accessed_temporary_objects(&self) -> bool {
        // SAFETY: MyXactFlags is an int of this process, and only the backend's main thread, on which this runs, uses
        // it.
        unsafe { pg_sys::MyXactFlags & ACCESSED_TEMP_NAMESPACE != 0 }
    }
}

impl Drop for TenantCodeScope {
    fn drop(&mut self) {
        TENANT_CODE_DEPTH.fetch_sub(1, Ordering::Relaxed);
        // SAFETY: MyXactFlags is an int of this process, and only the backend's main thread, on which this runs, uses
        // it.
        unsafe { pg_sys::MyXactFlags |= self.outer_flag };
    }
}

/// Refuses `SET CONSTRAINTS` in tenants' code. The command applies to the whole transaction: it could fire triggers that the
/// caller has deferred, and with the tenant's rights, or change when the caller's constraints are checked.
///
/// # Safety
/// The node must be a utility statement.
pub unsafe fn check_utility(statement: *mut pg_sys::Node) {
    // SAFETY: the caller guarantees a node, which begins with its tag.
    let tag = unsafe { (*statement).type_ };
    if TENANT_CODE_DEPTH.load(Ordering::Relaxed) > 0 && tag == pg_sys::NodeTag::T_ConstraintsSetStmt {
        FdwError::SetConstraints.raise();
    }
}
