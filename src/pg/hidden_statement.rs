//! Keeps statements that may contain a secret out of the server's log.

use pgrx::pg_sys;

/// While this is in force, an error does not write the text of the statement to the server's log, nor the context,
/// which may quote the statement: either may contain a key.
pub struct HiddenStatement(*mut pg_sys::ErrorContextCallback);

impl HiddenStatement {
    /// Begins to hide the statement. It ends with [`HiddenStatement::end`] or with the next error. One of the two has
    /// to come before the current memory context is reset, which holds the callback.
    pub fn new() -> Self {
        /// # Safety
        /// Only Postgres may call this, as an error context callback.
        #[pgrx::pg_guard]
        unsafe extern "C-unwind" fn hide(_argument: *mut std::ffi::c_void) {
            // SAFETY: Postgres calls context callbacks while it reports an error, and errhidestmt and errhidecontext
            // may be called only then.
            unsafe {
                pg_sys::errhidestmt(true);
                pg_sys::errhidecontext(true);
            }
        }
        // SAFETY: palloc0 returns room for a callback, in the current memory context. That context lives until `end`
        // takes the callback off the stack, or until an error is raised: every handler of errors (PG_CATCH,
        // `in_subtransaction`, the main loop) sets error_context_stack back to what it was before.
        unsafe {
            let callback: *mut pg_sys::ErrorContextCallback =
                pg_sys::palloc0(size_of::<pg_sys::ErrorContextCallback>()).cast();
            (*callback).previous = pg_sys::error_context_stack;
            (*callback).callback = Some(hide);
            pg_sys::error_context_stack = callback;
            HiddenStatement(callback)
        }
    }

    /// Hides the statement while an action runs, and after that if it raises an error.
    pub fn during<T>(action: impl FnOnce() -> T) -> T {
        let hidden = HiddenStatement::new();
        let result = action();
        hidden.end();
        result
    }

    /// Ends the hiding when the statement has succeeded.
    pub fn end(self) {
        // SAFETY: `new` has put the callback on the stack, and functions of Postgres take their own callbacks off the
        // stack before they return, so that this callback is on top. Its memory has not been reset, as `new` demands.
        unsafe {
            pg_sys::error_context_stack = (*self.0).previous;
            pg_sys::pfree(self.0.cast());
        }
    }
}
