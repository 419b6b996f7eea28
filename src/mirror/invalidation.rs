//! How backends learn that what they have cached about mirrors is out of date.

use pgrx::pg_sys;
use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;

use crate::pg::sandbox::bookkeeping_table;

// From utils/inval.h, for which pgrx has no bindings.
unsafe extern "C-unwind" {
    fn CacheRegisterRelcacheCallback(
        callback: unsafe extern "C-unwind" fn(pg_sys::Datum, pg_sys::Oid),
        argument: pg_sys::Datum,
    );
    fn CacheInvalidateRelcacheByRelid(relation: pg_sys::Oid);
}

/// Registers a function that Postgres calls in this backend whenever a table has changed, be it a mirror's table or any
/// other. Which table it was does not matter, because tables rarely change while a session reads.
pub fn register(callback: extern "C-unwind" fn(pg_sys::Datum, pg_sys::Oid)) {
    // SAFETY: the signatures of both functions are those of utils/inval.h. The callback is a safe function of the
    // library, which Postgres never unloads. If there is no room for another callback, Postgres raises an error, which
    // pg_guard_ffi_boundary turns into a panic.
    unsafe { pg_guard_ffi_boundary(|| CacheRegisterRelcacheCallback(callback, pg_sys::Datum::from(0))) };
}

/// Tells every backend, once the transaction commits, that something about a mirror has changed, such as its tables or
/// its owner.
pub fn invalidate_mirrors() {
    let table = bookkeeping_table(c"mirror_table");
    // SAFETY: CacheInvalidateRelcacheByRelid takes any oid, and raises an error for one that is no table, which
    // pg_guard_ffi_boundary turns into a panic. The SQL functions that call this run in a transaction, which the
    // catalog look-up needs.
    unsafe { pg_guard_ffi_boundary(|| CacheInvalidateRelcacheByRelid(table)) };
}
