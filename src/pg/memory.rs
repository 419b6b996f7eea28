//! Makes memory contexts, and tells how much memory a node of a plan may take.

use std::ffi::CStr;

use pgrx::pg_sys;

/// A new memory context of the usual sizes below another one, with which it is deleted. Postgres keeps the name as it is, not
/// a copy of it.
///
/// # Safety
/// The parent must be a memory context.
pub unsafe fn child_context(parent: pg_sys::MemoryContext, name: &'static CStr) -> pg_sys::MemoryContext {
    // SAFETY: the caller guarantees the parent, and the name lives as long as the process.
    unsafe {
        pg_sys::AllocSetContextCreateInternal(
            parent,
            name.as_ptr(),
            pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
        )
    }
}

/// The setting `work_mem`, in bytes.
pub fn work_mem() -> usize {
    // SAFETY: the setting is this backend's, and only the main thread reads and writes it.
    let kib = unsafe { pg_sys::work_mem };
    usize::try_from(kib).unwrap_or_default() * 1024
}
