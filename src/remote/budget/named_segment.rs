//! The named segment of dynamic shared memory for a server that does not preload the extension.

use std::ffi::{CString, c_char, c_int, c_void};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};

use clerk_api::BudgetTable;
use pgrx::{pg_guard, pg_sys};

use super::{BYTES, WORDS, log, monotonic_clock, random_salt};
use crate::pg::subtransaction::in_subtransaction;

unsafe extern "C-unwind" {
    /// The segment of a name, which is made and initialized at the first call. The server exports it from PostgreSQL 17 on;
    /// pgrx lacks it. 17 and 18 have the same signature.
    fn GetNamedDSMSegment(
        name: *const c_char,
        size: usize,
        init_callback: Option<unsafe extern "C-unwind" fn(segment: *mut c_void)>,
        found: *mut bool,
    ) -> *mut c_void;
}

static TABLE: OnceLock<Arc<BudgetTable>> = OnceLock::new();

/// The table in the segment; `None` if the server gives no memory, which it says in the log.
pub(super) fn table() -> Option<Arc<BudgetTable>> {
    // Another version of the library may have laid the memory out in another way.
    let name = CString::new(format!("clerk_fdw {} {WORDS}", env!("CARGO_PKG_VERSION"))).unwrap_or_default();
    let attached = in_subtransaction(|| {
        let mut found = false;
        // SAFETY: this runs on the main thread, in a transaction. The name is a C string that is shorter than 64 bytes. An ERROR
        // becomes a panic, which the subtransaction catches.
        let segment = unsafe {
            pg_sys::ffi::pg_guard_ffi_boundary(|| {
                GetNamedDSMSegment(name.as_ptr(), BYTES, Some(initialize), &mut found)
            })
        };
        // SAFETY: before_shmem_exit is given a function with the signature that it wants.
        unsafe { pg_sys::before_shmem_exit(Some(close), pg_sys::Datum::null()) };
        Ok(segment.cast::<AtomicU64>())
    });
    match attached {
        Ok(memory) => {
            // SAFETY: the segment has so many words, aligned for any type, and is mapped until the backend detaches from it, which
            // it does after it has called `close`. All processes use them only as AtomicU64s.
            let words = unsafe { std::slice::from_raw_parts(memory, WORDS) };
            Some(Arc::clone(TABLE.get_or_init(|| Arc::new(BudgetTable::shared(words, monotonic_clock)))))
        }
        Err(failure) => {
            log(&format!("no shared memory for rate_limit: {}", failure.message()));
            None
        }
    }
}

/// Postgres calls this for a new segment, before any other backend gets to see it.
#[pg_guard]
unsafe extern "C-unwind" fn initialize(segment: *mut c_void) {
    // SAFETY: Postgres passes a segment of the size that was asked for, and any bytes are a valid AtomicU64.
    let words = unsafe { std::slice::from_raw_parts(segment.cast::<AtomicU64>(), WORDS) };
    BudgetTable::prepare(words, random_salt());
}

/// Postgres calls this when the backend ends, before it detaches from its segments. The I/O thread still runs then.
#[pg_guard]
unsafe extern "C-unwind" fn close(_code: c_int, _argument: pg_sys::Datum) {
    if let Some(table) = TABLE.get() {
        table.close();
    }
}
