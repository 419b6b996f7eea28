//! Evaluates expressions that Postgres has prepared.

use pgrx::pg_sys;

/// Evaluates a condition; NULL is not true.
///
/// # Safety
/// The condition must have been prepared for the context.
pub unsafe fn is_true(condition: *mut pg_sys::ExprState, context: *mut pg_sys::ExprContext) -> bool {
    let mut is_null = false;
    // SAFETY: the caller guarantees the context.
    let value = unsafe { evaluate(condition, context, &mut is_null) };
    !is_null && value.value() != 0
}

/// Evaluates an expression.
///
/// # Safety
/// The expression must have been prepared for the context.
pub unsafe fn evaluate(
    expression: *mut pg_sys::ExprState,
    context: *mut pg_sys::ExprContext,
    is_null: &mut bool,
) -> pg_sys::Datum {
    // SAFETY: the caller guarantees that the expression was prepared for the context, whose memory for the current row is
    // freed with it. The guard turns an ERROR into a panic.
    unsafe {
        let Some(function) = (*expression).evalfunc else { return pg_sys::Datum::null() };
        let previous = pg_sys::MemoryContextSwitchTo((*context).ecxt_per_tuple_memory);
        let value = pg_sys::ffi::pg_guard_ffi_boundary(|| function(expression, context, is_null));
        pg_sys::MemoryContextSwitchTo(previous);
        value
    }
}
