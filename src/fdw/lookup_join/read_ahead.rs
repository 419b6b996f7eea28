//! Reads rows of the outer side ahead, gathers the values of their key, and looks them up.
//!
//! A row is handed on when all of its values are known. Until the first one is, more rows are read, so that requests can be
//! full and run beside each other. If the query may end after a few rows, as with a LIMIT, one request is made first, and
//! later twice as many each time.

use std::collections::VecDeque;

use clerk_api::{Room, fits};
use pgrx::{PgMemoryContexts, pg_sys};

use super::private::LookupPlan;
use super::remembered::{Remembered, State, ValueId};
use crate::pg::memory::work_mem;
use crate::pg::tuples;
use crate::remote::io_thread::FetchId;

/// A row of the outer side.
pub struct OuterRow {
    pub row: pg_sys::MinimalTuple,
    /// The different values of its key. It has none if the key is null.
    pub values: Vec<ValueId>,
}

/// What a read-ahead needs of the join's two sides.
pub trait Sides {
    /// The next row of the outer side, in its own memory, and the different values of its key; `None` at the end.
    fn next_outer(&mut self) -> Option<(pg_sys::MinimalTuple, Vec<String>)>;

    /// Starts to look values up; `None` if no object can have them.
    fn look_up(&mut self, values: Vec<String>) -> Option<FetchId>;

    /// Waits for the next row of the inner side and keeps it, or returns the lookup that has ended.
    fn receive(&mut self, remembered: &mut Remembered) -> Option<FetchId>;
}

/// The rows that were read ahead, and the lookups that they wait for.
pub struct ReadAhead {
    rows: VecDeque<OuterRow>,
    /// What the rows take.
    bytes: usize,
    is_ended: bool,
    /// The values of the next request, and the room that is left for others.
    gathered: Vec<ValueId>,
    room: Room,
    /// Values that are too long for a request. They are looked up together, because for them the whole list may have to be
    /// read.
    too_long: Vec<ValueId>,
    /// The values of requests that can be made now.
    batches: VecDeque<Vec<ValueId>>,
    in_flight: usize,
    /// How many lookups may be in flight now.
    allowed: usize,
    pub counts: Counts,
}

/// What was looked up, for EXPLAIN ANALYZE.
#[derive(Debug, Default, Clone, Copy)]
pub struct Counts {
    /// The values of all rows of the outer side.
    pub values: u64,
    /// Those that were looked up.
    pub looked_up: u64,
}

/// How many rows are read ahead for one key of a full request, if the query may end after a few rows.
const ROWS_PER_KEY: usize = 10;

/// What a row that was read ahead takes besides its columns.
const ROW_BYTES: usize = 64;

impl ReadAhead {
    pub fn new(plan: &LookupPlan) -> Self {
        ReadAhead {
            rows: VecDeque::new(),
            bytes: 0,
            is_ended: false,
            gathered: Vec::new(),
            room: Room::default(),
            too_long: Vec::new(),
            batches: VecDeque::new(),
            in_flight: 0,
            allowed: first_allowed(plan),
            counts: Counts::default(),
        }
    }

    /// The next row of the outer side whose values are all known; `None` at the end. Its memory belongs to the caller, and
    /// its values have to be released.
    pub fn next(&mut self, plan: &LookupPlan, remembered: &mut Remembered, sides: &mut impl Sides) -> Option<OuterRow> {
        loop {
            pgrx::check_for_interrupts!();
            self.read(plan, remembered, sides);
            if self.is_first_ready(remembered)? {
                let row = self.rows.pop_front()?;
                self.bytes -= bytes_of(&row);
                return Some(row);
            }
            if let Some(lookup) = sides.receive(remembered) {
                remembered.end_lookup(lookup);
                self.in_flight -= 1;
                if self.in_flight == 0 {
                    self.allowed = (self.allowed * 2).min(plan.max_concurrency);
                }
            }
        }
    }

    /// Begins again, with the outer side from its beginning. What was not looked up to the end is forgotten.
    pub fn restart(&mut self, plan: &LookupPlan, remembered: &mut Remembered) {
        for OuterRow { row, values } in self.rows.drain(..) {
            values.into_iter().for_each(|id| remembered.release(id));
            // SAFETY: `next_outer` allocated the row, which nothing else refers to.
            unsafe { pg_sys::pfree(row.cast()) };
        }
        let before = std::mem::replace(self, ReadAhead::new(plan));
        self.counts = before.counts;
        let batches = before.batches.into_iter().flatten();
        remembered.forget_unknown(before.gathered.into_iter().chain(before.too_long).chain(batches).collect());
    }

    /// Whether the values of the first row are known; `None` if there is no row.
    fn is_first_ready(&self, remembered: &Remembered) -> Option<bool> {
        let row = self.rows.front()?;
        Some(row.values.iter().all(|id| remembered.state(*id) == State::Known))
    }

    /// Reads rows and starts lookups.
    fn read(&mut self, plan: &LookupPlan, remembered: &mut Remembered, sides: &mut impl Sides) {
        if self.is_first_ready(remembered) == Some(true) {
            // While rows are handed on, two are read for each, so that lookups stay in flight.
            let enough = 2 * plan.max_concurrency * plan.path.values_per_request;
            for _ in 0..2 {
                if plan.wants_all && self.rows.len() < enough && self.may_read() {
                    self.read_one(plan, remembered, sides);
                }
            }
            self.start_batches(remembered, sides);
            return;
        }
        let enough =
            if plan.wants_all { usize::MAX } else { ROWS_PER_KEY * self.allowed * plan.path.values_per_request };
        while self.is_first_ready(remembered) != Some(true) && self.rows.len() < enough && self.may_read() {
            self.read_one(plan, remembered, sides);
        }
        let first_waits =
            self.rows.front().is_some_and(|row| row.values.iter().any(|id| remembered.state(*id) == State::Gathered));
        if (first_waits || self.is_ended) && self.batches.is_empty() && self.in_flight < self.allowed {
            self.finish_batch();
            let too_long = std::mem::take(&mut self.too_long);
            self.batches.extend((!too_long.is_empty()).then_some(too_long));
        }
        self.start_batches(remembered, sides);
    }

    /// Whether another row may be read: there may be one, there is memory for it, and a lookup may be started.
    fn may_read(&self) -> bool {
        !self.is_ended && self.bytes <= work_mem() && self.in_flight < self.allowed && self.batches.is_empty()
    }

    /// Reads a row, and looks up the values that were gathered if they fill requests.
    fn read_one(&mut self, plan: &LookupPlan, remembered: &mut Remembered, sides: &mut impl Sides) {
        let Some((row, texts)) = sides.next_outer() else {
            self.is_ended = true;
            return;
        };
        let mut values = Vec::with_capacity(texts.len());
        for text in texts {
            self.counts.values += 1;
            let (id, is_new) = remembered.wait_for(&text);
            values.push(id);
            if !is_new {
                continue;
            }
            if !fits(&text) {
                self.too_long.push(id);
                continue;
            }
            if !self.room.take(&text) {
                self.finish_batch();
                self.room.take(&text);
            }
            self.gathered.push(id);
            if self.gathered.len() >= plan.path.values_per_request {
                self.finish_batch();
            }
        }
        self.start_batches(remembered, sides);
        let row = OuterRow { row, values };
        self.bytes += bytes_of(&row);
        self.rows.push_back(row);
    }

    /// Makes a request of the values that were gathered.
    fn finish_batch(&mut self) {
        self.room = Room::default();
        let batch = std::mem::take(&mut self.gathered);
        self.batches.extend((!batch.is_empty()).then_some(batch));
    }

    /// Starts as many lookups as may be in flight.
    fn start_batches(&mut self, remembered: &mut Remembered, sides: &mut impl Sides) {
        while self.in_flight < self.allowed
            && let Some(ids) = self.batches.pop_front()
        {
            self.counts.looked_up += ids.len() as u64;
            let values = ids.iter().map(|id| remembered.value(*id).to_owned()).collect();
            match sides.look_up(values) {
                Some(lookup) => {
                    remembered.ask(ids, lookup);
                    self.in_flight += 1;
                }
                None => remembered.know(ids),
            }
        }
    }
}

/// How many lookups may be in flight at first.
fn first_allowed(plan: &LookupPlan) -> usize {
    if plan.wants_all { plan.max_concurrency } else { 1 }
}

fn bytes_of(row: &OuterRow) -> usize {
    // SAFETY: the row is one that `next_outer` has returned, which begins with its length.
    let length = unsafe { (*row.row).t_len as usize };
    ROW_BYTES + length + row.values.len() * size_of::<ValueId>()
}

/// Copies the row in a slot to a memory context.
///
/// # Safety
/// The slot must hold a row.
pub unsafe fn copy_row(slot: *mut pg_sys::TupleTableSlot, memory: pg_sys::MemoryContext) -> pg_sys::MinimalTuple {
    // SAFETY: the caller guarantees the slot, and `memory` is one that the query owns.
    unsafe { PgMemoryContexts::For(memory).switch_to(|_| tuples::copy_minimal(slot)) }
}
