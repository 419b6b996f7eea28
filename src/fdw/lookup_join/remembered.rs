//! Remembers the values that were looked up, and the rows that have them.
//!
//! Memory is bounded by `work_mem`: when there is more, the values that no row of the outer side waits for are forgotten,
//! the one that was used longest ago first. A long list of rows with one value goes to disk.

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use pgrx::{PgMemoryContexts, pg_sys};

use crate::pg::memory::work_mem;
use crate::pg::tuples;
use crate::remote::io_thread::FetchId;

/// Stands for a value, for as long as it is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValueId(usize);

/// The values that were looked up or will be.
pub struct Remembered {
    ids: HashMap<Rc<str>, ValueId>,
    /// By [`ValueId`]; `None` where one is free.
    entries: Vec<Option<Entry>>,
    free: Vec<ValueId>,
    asked: HashMap<FetchId, Vec<ValueId>>,
    /// The values that may be forgotten, each once, with the stamp that its entry had then: an entry that was used since
    /// has a later one.
    forgettable: VecDeque<(ValueId, u64)>,
    stamp: u64,
    bytes: usize,
    /// Owns the rows.
    memory: pg_sys::MemoryContext,
    /// Holds the row that was read or stored last.
    slot: *mut pg_sys::TupleTableSlot,
}

struct Entry {
    value: Rc<str>,
    state: State,
    rows: Rows,
    bytes: usize,
    /// How many rows of the outer side wait for the value.
    waiting: usize,
    stamp: u64,
    /// Whether it is among the forgettable ones.
    is_queued: bool,
}

/// What is known about a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It will be looked up.
    Gathered,
    Asked(FetchId),
    /// All rows that have it are there.
    Known,
}

/// The rows that have one value.
enum Rows {
    Few(Vec<pg_sys::MinimalTuple>),
    /// In a store that keeps the first few in memory and the others on disk.
    Many(*mut pg_sys::Tuplestorestate),
}

/// How many rows with one value are kept in memory even if there is more than there should be.
const FEW: usize = 64;

/// The memory, in KiB, that a list takes that is on disk.
const MANY_KIB: i32 = 64;

/// What an entry takes besides its value and rows.
const ENTRY_BYTES: usize = 200;

/// What a row takes besides its columns.
const ROW_BYTES: usize = 32;

impl Remembered {
    /// Nothing.
    ///
    /// # Safety
    /// The slot must be one for minimal tuples of the inner side, and live as long as `memory`, which must outlive this.
    pub unsafe fn new(slot: *mut pg_sys::TupleTableSlot, memory: pg_sys::MemoryContext) -> Self {
        Remembered {
            ids: HashMap::new(),
            entries: Vec::new(),
            free: Vec::new(),
            asked: HashMap::new(),
            forgettable: VecDeque::new(),
            stamp: 0,
            bytes: 0,
            memory,
            slot,
        }
    }

    /// The id of a value for which another row waits, and whether it is a new one, which has to be looked up.
    pub fn wait_for(&mut self, value: &str) -> (ValueId, bool) {
        if let Some(id) = self.ids.get(value).copied() {
            if let Some(entry) = self.entry(id) {
                entry.waiting += 1;
            }
            return (id, false);
        }
        let value: Rc<str> = value.into();
        let bytes = ENTRY_BYTES + value.len();
        let rows = Rows::Few(Vec::new());
        let (state, stamp, is_queued) = (State::Gathered, 0, false);
        let entry = Entry { value: Rc::clone(&value), state, rows, bytes, waiting: 1, stamp, is_queued };
        let id = match self.free.pop() {
            Some(id) => {
                self.entries[id.0] = Some(entry);
                id
            }
            None => {
                self.entries.push(Some(entry));
                ValueId(self.entries.len() - 1)
            }
        };
        self.bytes += bytes;
        self.ids.insert(value, id);
        (id, true)
    }

    /// A row that waited for a value does so no more.
    pub fn release(&mut self, id: ValueId) {
        self.stamp += 1;
        let stamp = self.stamp;
        let Some(entry) = self.entry(id) else { return };
        entry.waiting -= 1;
        if entry.waiting == 0 && entry.state == State::Known {
            entry.stamp = stamp;
            if !std::mem::replace(&mut entry.is_queued, true) {
                self.forgettable.push_back((id, stamp));
            }
            self.forget_needless();
        }
    }

    /// What is known about a value.
    pub fn state(&self, id: ValueId) -> State {
        self.entries[id.0].as_ref().map_or(State::Known, |entry| entry.state)
    }

    /// The text of a value.
    pub fn value(&self, id: ValueId) -> &str {
        self.entries[id.0].as_ref().map_or("", |entry| &entry.value)
    }

    /// Notes that values are being looked up.
    pub fn ask(&mut self, ids: Vec<ValueId>, lookup: FetchId) {
        for id in &ids {
            if let Some(entry) = self.entry(*id) {
                entry.state = State::Asked(lookup);
            }
        }
        self.asked.entry(lookup).or_default().extend(ids);
    }

    /// Notes that all rows with these values are there.
    pub fn know(&mut self, ids: Vec<ValueId>) {
        for id in ids {
            if let Some(entry) = self.entry(id) {
                entry.state = State::Known;
            }
        }
    }

    /// Notes that a lookup has ended.
    pub fn end_lookup(&mut self, lookup: FetchId) {
        let ids = self.asked.remove(&lookup).unwrap_or_default();
        self.know(ids);
    }

    /// Keeps a row that has a value, if the lookup has asked for it. Clerk may send others: a user whom a secondary address
    /// was asked for has a primary one, which another lookup may ask for.
    ///
    /// # Safety
    /// The slot must hold a row of the inner side.
    pub unsafe fn store(&mut self, value: &str, lookup: FetchId, slot: *mut pg_sys::TupleTableSlot) {
        let Some(id) = self.ids.get(value).copied() else { return };
        let is_over = self.bytes > work_mem();
        let Some(entry) = self.entries[id.0].as_mut().filter(|entry| entry.state == State::Asked(lookup)) else {
            return;
        };
        // SAFETY: the caller guarantees the slot. The rows live in the query's memory, and so does a store, whose file
        // Postgres closes after an error.
        unsafe {
            if let Rows::Few(few) = &mut entry.rows
                && is_over
                && few.len() >= FEW
            {
                let store = PgMemoryContexts::For(self.memory)
                    .switch_to(|_| pg_sys::tuplestore_begin_heap(false, false, MANY_KIB));
                for row in few.drain(..) {
                    pg_sys::ExecStoreMinimalTuple(row, self.slot, true);
                    pg_sys::tuplestore_puttupleslot(store, self.slot);
                }
                tuples::clear(self.slot);
                entry.rows = Rows::Many(store);
                let bytes = ENTRY_BYTES + entry.value.len() + MANY_KIB as usize * 1024;
                self.bytes = self.bytes - entry.bytes + bytes;
                entry.bytes = bytes;
            }
            match &mut entry.rows {
                Rows::Few(few) => {
                    let row = PgMemoryContexts::For(self.memory).switch_to(|_| tuples::copy_minimal(slot));
                    let bytes = (*row).t_len as usize + ROW_BYTES;
                    few.push(row);
                    entry.bytes += bytes;
                    self.bytes += bytes;
                }
                Rows::Many(store) => pg_sys::tuplestore_puttupleslot(*store, slot),
            }
        }
        if is_over {
            self.forget_needless();
        }
    }

    /// The next row with a value, of which so many were read; `None` if there are no more. It stays until the next one is
    /// read.
    pub fn next_row(&mut self, id: ValueId, read: usize) -> Option<*mut pg_sys::TupleTableSlot> {
        let (slot, memory) = (self.slot, self.memory);
        let entry = self.entry(id)?;
        // SAFETY: the slot is one for minimal tuples, as `new` was promised. A row that is released by `forget` is not one
        // that a row of the outer side waits for, as it does for those that are read.
        unsafe {
            match &entry.rows {
                Rows::Few(few) => {
                    pg_sys::ExecStoreMinimalTuple(*few.get(read)?, slot, false);
                }
                Rows::Many(store) => {
                    if read == 0 {
                        pg_sys::tuplestore_rescan(*store);
                    }
                    // A row from the disk is allocated in the current memory, and the slot frees it when it gets another.
                    let is_read = PgMemoryContexts::For(memory)
                        .switch_to(|_| pg_sys::tuplestore_gettupleslot(*store, true, false, slot));
                    if !is_read {
                        return None;
                    }
                }
            }
        }
        Some(slot)
    }

    /// Forgets the values that are being looked up and those that were gathered, when no row waits any more.
    pub fn forget_unknown(&mut self, gathered: Vec<ValueId>) {
        let asked = std::mem::take(&mut self.asked).into_values().flatten();
        asked.chain(gathered).for_each(|id| self.forget(id));
    }

    /// Forgets all values, when no row waits any more.
    pub fn forget_all(&mut self) {
        // SAFETY: the slot is the one that `new` was given. What it holds may be a row that is about to be freed.
        unsafe { tuples::clear(self.slot) };
        (0..self.entries.len()).for_each(|index| self.forget(ValueId(index)));
        self.asked.clear();
        self.forgettable.clear();
    }

    /// Forgets values until the memory is enough.
    fn forget_needless(&mut self) {
        while self.bytes > work_mem()
            && let Some((id, stamp)) = self.forgettable.pop_front()
        {
            let Some(entry) = self.entry(id) else { continue };
            if entry.waiting > 0 {
                // It is queued again when it is released.
                entry.is_queued = false;
            } else if entry.stamp != stamp {
                let stamp = entry.stamp;
                self.forgettable.push_back((id, stamp));
            } else {
                self.forget(id);
            }
        }
    }

    fn forget(&mut self, id: ValueId) {
        let Some(entry) = self.entries[id.0].take() else { return };
        self.ids.remove(&entry.value);
        self.bytes -= entry.bytes;
        self.free.push(id);
        // SAFETY: `store` made the rows and the store, which nothing else refers to.
        unsafe {
            match entry.rows {
                Rows::Few(few) => few.into_iter().for_each(|row| pg_sys::pfree(row.cast())),
                Rows::Many(store) => pg_sys::tuplestore_end(store),
            }
        }
    }

    fn entry(&mut self, id: ValueId) -> Option<&mut Entry> {
        self.entries[id.0].as_mut()
    }
}
