//! Reads all rows of a scan before the first is used, for statements that write to Clerk.

use clerk_api::pushdown::BoundCondition;
use pgrx::pg_sys;

use super::{Progress, Scan, evaluate};
use crate::fdw::exec::stored_rows::StoredRows;

/// All rows of a scan, and the values of its conditions when they were read.
pub(super) struct Stored {
    rows: StoredRows,
    bound: Vec<BoundCondition>,
    /// Whether the rows are wanted from the first one on, if the conditions still have the same values.
    pub(super) is_wanted_again: bool,
}

impl Scan {
    /// Puts the next row into the slot, after all have been read; returns false if there are no more.
    ///
    /// # Safety
    /// The node must be the one that the scan was made for, and the slot must be its scan slot.
    pub(super) unsafe fn next_stored(
        &mut self,
        node: *mut pg_sys::ForeignScanState,
        slot: *mut pg_sys::TupleTableSlot,
    ) -> bool {
        // SAFETY: the caller guarantees the node and its slot, and the query's memory context outlives the scan.
        unsafe {
            let memory = (*(*node).ss.ps.state).es_query_cxt;
            let mut stored = match self.stored.take() {
                Some(stored) if !stored.is_wanted_again => stored,
                before => {
                    let bound = self.bind(|state| evaluate(state, (*node).ss.ps.ps_ExprContext));
                    match before {
                        // The same rows again, whatever was written meanwhile.
                        Some(mut stored) if stored.bound == bound => {
                            stored.rows.rewind();
                            Stored { is_wanted_again: false, ..stored }
                        }
                        before => {
                            if let Some(before) = before {
                                before.rows.end();
                                self.set_progress(Progress::NotStarted);
                            }
                            let rows = self.store_rows(node, slot, memory);
                            Stored { rows, bound, is_wanted_again: false }
                        }
                    }
                }
            };
            let is_filled = stored.rows.next(slot);
            self.stored = Some(stored);
            is_filled
        }
    }

    /// Reads all rows, or as many as a LIMIT wants that the scan may obey.
    ///
    /// # Safety
    /// The node must be the one that the scan was made for, the slot its scan slot, and `memory` must outlive the scan.
    unsafe fn store_rows(
        &mut self,
        node: *mut pg_sys::ForeignScanState,
        slot: *mut pg_sys::TupleTableSlot,
        memory: pg_sys::MemoryContext,
    ) -> StoredRows {
        let mut left = self.plan.limit.unwrap_or(u32::MAX);
        let next = || {
            let is_wanted = left > 0;
            left = left.saturating_sub(u32::from(self.plan.limit.is_some()));
            // SAFETY: the caller guarantees the node and its slot, which is empty before each row.
            unsafe {
                let is_filled = is_wanted && self.next_row(node, slot);
                if is_filled {
                    pg_sys::ExecStoreVirtualTuple(slot);
                }
                is_filled
            }
        };
        // SAFETY: the caller guarantees the memory, and the closure fills the slot.
        let rows = unsafe { StoredRows::of(slot, memory, next) };
        self.set_progress(Progress::Ended);
        rows
    }

    /// Frees the rows.
    pub(super) fn end_stored(&mut self) {
        if let Some(stored) = self.stored.take() {
            stored.rows.end();
        }
    }
}
