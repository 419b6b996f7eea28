//! Statements that may hold a secret.

use pgrx::pg_sys;

/// Keeps the text of a statement that fails out of the server's log, and the context that may quote it: it may hold a
/// key.
pub struct HiddenStatement(*mut pg_sys::ErrorContextCallback);

impl HiddenStatement {
    /// From here on. An error that is raised meanwhile ends it by itself.
    pub fn new() -> Self {
        #[pgrx::pg_guard]
        unsafe extern "C-unwind" fn hide(_argument: *mut std::ffi::c_void) {
            // SAFETY: Postgres calls context callbacks while an error is being reported, which is when these two may
            // be called.
            unsafe {
                pg_sys::errhidestmt(true);
                pg_sys::errhidecontext(true);
            }
        }
        // SAFETY: the callback lives in the current memory context, which outlasts the error that is raised next;
        // whoever catches that error resets error_context_stack to what it was before.
        unsafe {
            let callback: *mut pg_sys::ErrorContextCallback =
                pg_sys::palloc0(size_of::<pg_sys::ErrorContextCallback>()).cast();
            (*callback).previous = pg_sys::error_context_stack;
            (*callback).callback = Some(hide);
            pg_sys::error_context_stack = callback;
            HiddenStatement(callback)
        }
    }

    /// Nothing has failed.
    pub fn end(self) {
        // SAFETY: the callback is the one that `new` has put on the stack, and nothing that it covered has left one
        // on top of it.
        unsafe { pg_sys::error_context_stack = (*self.0).previous };
    }
}
