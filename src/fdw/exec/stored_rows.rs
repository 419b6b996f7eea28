//! Keeps the rows of a scan that is read to its end before its first row is used: the statement writes to Clerk, and what
//! it writes must not change what it reads.

use pgrx::pg_sys;

use crate::pg::memory::child_context;
use crate::pg::tuples::clear;

/// The rows of a scan, on disk if they are many.
pub struct StoredRows {
    store: *mut pg_sys::Tuplestorestate,
    /// Holds the row that was read last.
    slot: *mut pg_sys::TupleTableSlot,
    /// The memory of all of this.
    memory: pg_sys::MemoryContext,
}

impl StoredRows {
    /// Stores the rows that `next` stores in a virtual slot, until it returns false.
    ///
    /// # Safety
    /// `next` must store a row in the slot, whose descriptor is fixed, or return false. `memory` must outlive the rows.
    pub unsafe fn of(
        slot: *mut pg_sys::TupleTableSlot,
        memory: pg_sys::MemoryContext,
        mut next: impl FnMut() -> bool,
    ) -> Self {
        // SAFETY: everything is allocated in memory that outlives the rows. After an error, the resource owner of the query
        // closes the store's file. tuplestore_puttupleslot copies the row before its memory is reset.
        unsafe {
            let memory = child_context(memory, c"clerk_fdw stored rows");
            let previous = pg_sys::MemoryContextSwitchTo(memory);
            let store = pg_sys::tuplestore_begin_heap(false, false, pg_sys::work_mem);
            let descriptor = pg_sys::CreateTupleDescCopy((*slot).tts_tupleDescriptor);
            let own_slot = pg_sys::MakeSingleTupleTableSlot(descriptor, &raw const pg_sys::TTSOpsMinimalTuple);
            let row_memory = child_context(memory, c"clerk_fdw stored row");
            loop {
                pg_sys::MemoryContextSwitchTo(row_memory);
                let is_filled = next();
                pg_sys::MemoryContextSwitchTo(memory);
                if !is_filled {
                    break;
                }
                pg_sys::tuplestore_puttupleslot(store, slot);
                clear(slot);
                pg_sys::MemoryContextReset(row_memory);
            }
            pg_sys::MemoryContextSwitchTo(previous);
            pg_sys::MemoryContextDelete(row_memory);
            StoredRows { store, slot: own_slot, memory }
        }
    }

    /// Puts the next row into a slot; returns false if there are no more.
    ///
    /// # Safety
    /// The slot must be that of [`StoredRows::of`].
    pub unsafe fn next(&mut self, slot: *mut pg_sys::TupleTableSlot) -> bool {
        // SAFETY: the caller guarantees a slot with the same columns. Its values refer to the row in the other slot, which
        // stays until the next one is read.
        unsafe {
            // A row from the disk is allocated in the current memory, and the slot frees it when it gets another.
            let previous = pg_sys::MemoryContextSwitchTo(self.memory);
            let is_read = pg_sys::tuplestore_gettupleslot(self.store, true, false, self.slot);
            pg_sys::MemoryContextSwitchTo(previous);
            if !is_read {
                return false;
            }
            let columns = (*(*slot).tts_tupleDescriptor).natts;
            pg_sys::slot_getsomeattrs_int(self.slot, columns);
            (*slot).tts_values.copy_from_nonoverlapping((*self.slot).tts_values, columns as usize);
            (*slot).tts_isnull.copy_from_nonoverlapping((*self.slot).tts_isnull, columns as usize);
            true
        }
    }

    /// Begins with the first row again.
    pub fn rewind(&mut self) {
        // SAFETY: `of` made the store, which can be rescanned as it keeps what was read.
        unsafe { pg_sys::tuplestore_rescan(self.store) };
    }

    /// Frees the rows.
    pub fn end(self) {
        // SAFETY: `of` made them, and `self` is consumed, so that they are freed once and not used afterwards.
        unsafe {
            pg_sys::ExecDropSingleTupleTableSlot(self.slot);
            pg_sys::tuplestore_end(self.store);
            pg_sys::MemoryContextDelete(self.memory);
        }
    }
}
