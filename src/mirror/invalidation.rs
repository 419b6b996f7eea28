//! How backends learn that something about mirrors has changed that they remember.

use pgrx::pg_sys;
use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;

use crate::pg::sandbox::bookkeeping_table;

// Of utils/inval.h, which pgrx has no bindings for.
unsafe extern "C-unwind" {
    fn CacheRegisterRelcacheCallback(
        callback: unsafe extern "C-unwind" fn(pg_sys::Datum, pg_sys::Oid),
        argument: pg_sys::Datum,
    );
    fn CacheInvalidateRelcacheByRelid(relation: pg_sys::Oid);
}

/// Has a function called in this backend whenever some table has changed, a mirror's or any other. Which one it is does
/// not matter: that is rare in a session that reads.
pub fn register(forget: unsafe extern "C-unwind" fn(pg_sys::Datum, pg_sys::Oid)) {
    // SAFETY: called once in each backend, when the library is loaded; an error of Postgres' becomes a panic here.
    unsafe { pg_guard_ffi_boundary(|| CacheRegisterRelcacheCallback(forget, pg_sys::Datum::from(0))) };
}

/// Something about a mirror has changed, such as its tables or its owner: every backend is told when the transaction
/// commits.
pub fn mirrors_changed() {
    let table = bookkeeping_table(c"mirror_table");
    // SAFETY: the table exists; the message is sent when the transaction commits, and an error of Postgres' becomes a
    // panic here.
    unsafe { pg_guard_ffi_boundary(|| CacheInvalidateRelcacheByRelid(table)) };
}
