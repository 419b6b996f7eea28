//! Does what Postgres does with the slots of rows in functions that only its own C code can call.

use pgrx::pg_sys;

/// Empties a slot.
///
/// # Safety
/// The slot must have been made by Postgres.
pub unsafe fn clear(slot: *mut pg_sys::TupleTableSlot) {
    // SAFETY: the caller guarantees that Postgres made the slot, so that tts_ops is set and its functions take the
    // slot. The guard turns an ERROR in the function into a panic.
    unsafe {
        if let Some(clear) = (*(*slot).tts_ops).clear {
            pg_sys::ffi::pg_guard_ffi_boundary(|| clear(slot));
        }
    }
}

/// A copy of the row in a slot, in the current memory context.
///
/// # Safety
/// The slot must hold a row.
pub unsafe fn copy_minimal(slot: *mut pg_sys::TupleTableSlot) -> pg_sys::MinimalTuple {
    // SAFETY: the caller guarantees a slot with a row, whose tts_ops is set. The guard turns an ERROR into a panic.
    unsafe {
        let Some(copy) = (*(*slot).tts_ops).copy_minimal_tuple else {
            pgrx::error!("clerk_fdw: a slot cannot be copied")
        };
        pg_sys::ffi::pg_guard_ffi_boundary(|| {
            copy(
                slot,
                #[cfg(feature = "pg18")]
                0,
            )
        })
    }
}

/// The values of a slot's row, and which of them are null.
///
/// # Safety
/// The slot must hold a row, which must not change while the slices are used.
pub unsafe fn values<'s>(slot: *mut pg_sys::TupleTableSlot) -> (&'s [pg_sys::Datum], &'s [bool]) {
    // SAFETY: the caller guarantees a slot with a row. slot_getsomeattrs_int sets as many values and flags as it is asked
    // for, unless they are set already, which is the only case that it does not take.
    unsafe {
        let columns = (*(*slot).tts_tupleDescriptor).natts;
        if i32::from((*slot).tts_nvalid) < columns {
            pg_sys::slot_getsomeattrs_int(slot, columns);
        }
        let length = columns as usize;
        (std::slice::from_raw_parts((*slot).tts_values, length), std::slice::from_raw_parts((*slot).tts_isnull, length))
    }
}

/// The room for the values of a virtual slot's row, and for which of them are null.
///
/// # Safety
/// The slot must be a virtual one with a fixed descriptor, and nothing else may refer to its values while the slices are
/// used.
pub unsafe fn room<'s>(slot: *mut pg_sys::TupleTableSlot) -> (&'s mut [pg_sys::Datum], &'s mut [bool]) {
    // SAFETY: Postgres allocates as many values and flags as a fixed descriptor has attributes, and the caller guarantees
    // that nothing else refers to them.
    unsafe {
        let length = (*(*slot).tts_tupleDescriptor).natts as usize;
        (
            std::slice::from_raw_parts_mut((*slot).tts_values, length),
            std::slice::from_raw_parts_mut((*slot).tts_isnull, length),
        )
    }
}

/// The next row of a node of the executor, which stays until the node is run again; `None` if there are no more. The node
/// allocates what it keeps in `memory`.
///
/// # Safety
/// The node must be one of a query that is being executed, and `memory` that query's.
pub unsafe fn next_row(
    node: *mut pg_sys::PlanState,
    memory: pg_sys::MemoryContext,
) -> Option<*mut pg_sys::TupleTableSlot> {
    // SAFETY: the caller guarantees a node, whose ExecProcNode the executor has set. The guard turns an ERROR into a panic.
    // Nodes end with null or an empty slot.
    unsafe {
        if !(*node).chgParam.is_null() {
            pg_sys::ExecReScan(node);
        }
        let run = (*node).ExecProcNode?;
        let previous = pg_sys::MemoryContextSwitchTo(memory);
        let slot = pg_sys::ffi::pg_guard_ffi_boundary(|| run(node));
        pg_sys::MemoryContextSwitchTo(previous);
        (!slot.is_null() && u32::from((*slot).tts_flags) & pg_sys::TTS_FLAG_EMPTY == 0).then_some(slot)
    }
}

/// Computes the columns that a node returns from the row that its expressions are evaluated on.
///
/// # Safety
/// The projection must be one that the executor has prepared, and its context must have the row.
pub unsafe fn project(projection: *mut pg_sys::ProjectionInfo) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: the caller guarantees the projection, whose expression writes to the slot of its result.
    unsafe {
        let state = &raw mut (*projection).pi_state;
        let slot = (*state).resultslot;
        clear(slot);
        let mut is_null = false;
        super::expression::evaluate(state, (*projection).pi_exprContext, &mut is_null);
        pg_sys::ExecStoreVirtualTuple(slot);
        slot
    }
}
