//! Joins rows of the outer side with those that were looked up.

use clerk_api::pushdown::BoundCondition;
use pgrx::{PgMemoryContexts, pg_sys};

use super::private::{JoinKind, LookupPlan};
use super::read_ahead::{Counts, OuterRow, ReadAhead, Sides, copy_row};
use super::remembered::Remembered;
use crate::fdw::exec::scan::Scan;
use crate::fdw::exec::stored_rows::StoredRows;
use crate::fdw::exec::values;
use crate::pg::encoding::from_server;
use crate::pg::expression::{evaluate, is_true};
use crate::pg::tuples;
use crate::remote::io_thread::FetchId;

/// The two sides of a join as the executor runs them, and what is evaluated on their rows.
///
/// Whoever makes it guarantees that all pointers are valid for as long as it exists: they are to nodes, slots and
/// expressions of the query that is being executed.
pub struct Nodes {
    /// The join itself.
    pub node: *mut pg_sys::PlanState,
    pub outer: *mut pg_sys::PlanState,
    pub inner: *mut pg_sys::ForeignScanState,
    /// The joined row.
    pub row: *mut pg_sys::TupleTableSlot,
    /// A row of the outer side that was read ahead.
    pub outer_row: *mut pg_sys::TupleTableSlot,
    pub context: *mut pg_sys::ExprContext,
    /// The values of the key.
    pub values: Vec<*mut pg_sys::ExprState>,
    /// The clauses that say which rows match.
    pub matches: *mut pg_sys::ExprState,
    /// Those of them that are about the outer side alone; null if there are none.
    pub admits: *mut pg_sys::ExprState,
    /// The clauses that are checked after an outer join has added its nulls; null if there are none.
    pub filter: *mut pg_sys::ExprState,
    /// The memory that lives as long as the query.
    pub memory: pg_sys::MemoryContext,
    /// Whether the query checks a row again that another transaction has changed (EvalPlanQual). Then the inner side
    /// returns the row that was joined before, without being asked for any.
    pub is_recheck: bool,
}

/// A join that is being executed.
pub struct LookupJoin {
    pub plan: LookupPlan,
    nodes: Nodes,
    read_ahead: ReadAhead,
    remembered: Remembered,
    current: Option<Current>,
    /// All joined rows, if the statement writes to Clerk and they were read.
    stored: Option<StoredRows>,
}

/// The row of the outer side whose matches are being returned.
struct Current {
    outer: OuterRow,
    /// The index of the value whose rows are being read, and how many of them were.
    value: usize,
    read: usize,
    has_match: bool,
    /// Whether there are no more rows to return for it.
    is_done: bool,
}

impl LookupJoin {
    pub fn new(plan: LookupPlan, nodes: Nodes, remembered: Remembered) -> Self {
        LookupJoin { read_ahead: ReadAhead::new(&plan), plan, nodes, remembered, current: None, stored: None }
    }

    /// The foreign scan of the inner side.
    pub fn inner(&self) -> *mut pg_sys::ForeignScanState {
        self.nodes.inner
    }

    /// What was looked up.
    pub fn counts(&self) -> Counts {
        self.read_ahead.counts
    }

    /// Puts the next joined row into its slot; returns false if there are no more.
    pub fn next(&mut self) -> bool {
        loop {
            let Some(mut current) = self.current.take().or_else(|| self.next_outer_row()) else { return false };
            if !self.next_match(&mut current) {
                self.release(current);
                continue;
            }
            self.current = Some(current);
            if self.passes(self.nodes.filter) {
                return true;
            }
            self.nodes.count_filtered();
        }
    }

    /// Puts the next joined row into its slot, after all have been read; returns false if there are no more.
    pub fn next_stored(&mut self) -> bool {
        let (row, memory) = (self.nodes.row, self.nodes.memory);
        let mut stored = match self.stored.take() {
            Some(stored) => stored,
            None => {
                // What the two sides keep for themselves must live as long as the query.
                // SAFETY: `Nodes` has the memory and the slot, in which `next` stores a row or returns false.
                unsafe { StoredRows::of(row, memory, || PgMemoryContexts::For(memory).switch_to(|_| self.next())) }
            }
        };
        // SAFETY: the rows were stored from this slot, which gets the next of them.
        let is_filled = unsafe {
            tuples::clear(row);
            let is_filled = stored.next(row);
            if is_filled {
                pg_sys::ExecStoreVirtualTuple(row);
            }
            is_filled
        };
        self.stored = Some(stored);
        is_filled
    }

    /// Returns the same rows again, if they were stored; returns false if they have to be joined again.
    pub fn rewind(&mut self) -> bool {
        let Some(stored) = &mut self.stored else { return false };
        stored.rewind();
        true
    }

    /// Begins again. The rows of the inner side are not remembered if it may have others now.
    pub fn restart(&mut self, forgets: bool) {
        if let Some(stored) = self.stored.take() {
            stored.end();
        }
        // SAFETY: `Nodes` has the slot and the node. The slot refers to rows that may be freed now.
        unsafe {
            tuples::clear(self.nodes.row);
            if let Some(scan) = Scan::of(self.nodes.inner) {
                scan.forget_lookups();
            }
        }
        if let Some(current) = self.current.take() {
            self.release(current);
        }
        self.read_ahead.restart(&self.plan, &mut self.remembered);
        if forgets || self.nodes.is_recheck {
            self.remembered.forget_all();
        }
    }

    /// Frees the rows that are remembered.
    pub fn end(&mut self) {
        self.restart(true);
    }

    /// The next row of the outer side, whose matches are returned next; `None` if there are no more.
    fn next_outer_row(&mut self) -> Option<Current> {
        let mut sides = JoinSides { plan: &self.plan, nodes: &self.nodes };
        let outer = self.read_ahead.next(&self.plan, &mut self.remembered, &mut sides)?;
        // SAFETY: `Nodes` has the slot, which is one for minimal tuples of the outer side. The row stays until it is released.
        unsafe { pg_sys::ExecStoreMinimalTuple(outer.row, self.nodes.outer_row, false) };
        Some(Current { outer, value: 0, read: 0, has_match: false, is_done: false })
    }

    /// Frees a row of the outer side.
    fn release(&mut self, Current { outer, .. }: Current) {
        outer.values.iter().for_each(|id| self.remembered.release(*id));
        // SAFETY: `Nodes` has the slots, which refer to the row until they are cleared; `next_outer` has allocated it, and
        // nothing else refers to it.
        unsafe {
            tuples::clear(self.nodes.row);
            tuples::clear(self.nodes.outer_row);
            pg_sys::pfree(outer.row.cast());
        }
    }

    /// Makes the joined row of the next match of a row of the outer side, or that with nulls; returns false if there are no
    /// more.
    fn next_match(&mut self, current: &mut Current) -> bool {
        let kind = self.plan.path.kind;
        while !current.is_done
            && let Some(id) = current.outer.values.get(current.value)
        {
            pgrx::check_for_interrupts!();
            let Some(inner) = self.remembered.next_row(*id, current.read) else {
                (current.value, current.read) = (current.value + 1, 0);
                continue;
            };
            current.read += 1;
            // SAFETY: the slots hold the row of the outer side and one with its value, which stay until the next match.
            unsafe { self.nodes.show(self.nodes.outer_row, Some(inner)) };
            if self.passes(self.nodes.matches) {
                current.has_match = true;
                current.is_done = self.plan.path.is_inner_unique || matches!(kind, JoinKind::Semi | JoinKind::Anti);
                return kind != JoinKind::Anti;
            }
        }
        let returns_nulls = !current.is_done && !current.has_match && kind.is_outer();
        current.is_done = true;
        if returns_nulls {
            // SAFETY: the slot holds the row of the outer side, which stays until it is released.
            unsafe { self.nodes.show(self.nodes.outer_row, None) };
        }
        returns_nulls
    }

    /// Whether the joined row meets conditions.
    fn passes(&self, conditions: *mut pg_sys::ExprState) -> bool {
        // SAFETY: `Nodes` has the conditions and their context, in which the joined row is the one that they are evaluated on.
        unsafe {
            pg_sys::MemoryContextReset((*self.nodes.context).ecxt_per_tuple_memory);
            (*self.nodes.context).ecxt_scantuple = self.nodes.row;
            conditions.is_null() || is_true(conditions, self.nodes.context)
        }
    }
}

impl Nodes {
    /// Runs something that allocates memory which is not needed for longer than one row.
    fn in_row_memory<T>(&self, run: impl FnOnce() -> T) -> T {
        // SAFETY: the context, which lives as long as the query, has a memory for each row, and nothing that an earlier row
        // has allocated in it is used any more.
        unsafe {
            let memory = (*self.context).ecxt_per_tuple_memory;
            pg_sys::MemoryContextReset(memory);
            PgMemoryContexts::For(memory).switch_to(|_| run())
        }
    }

    /// Counts, for EXPLAIN ANALYZE, a row that the filter has removed.
    fn count_filtered(&self) {
        // SAFETY: the node is the join's own; its instrumentation is null unless the query is analyzed.
        unsafe {
            if let Some(instrument) = (*self.node).instrument.as_mut() {
                instrument.nfiltered1 += 1.0;
            }
        }
    }

    /// Makes the joined row of a row of the outer side and one of the inner side, or nulls.
    ///
    /// All of it is made anew for each match: whoever got the row before may have changed it, as a trigger does.
    ///
    /// # Safety
    /// The slots must hold rows of the two sides, which must stay for as long as the joined row is used.
    unsafe fn show(&self, outer: *mut pg_sys::TupleTableSlot, inner: Option<*mut pg_sys::TupleTableSlot>) {
        // SAFETY: the caller guarantees the slots. The joined row has the columns of the outer side, then those of the
        // inner side, and nothing else refers to its values.
        unsafe {
            let (values, nulls) = tuples::values(outer);
            tuples::clear(self.row);
            let (row_values, row_nulls) = tuples::room(self.row);
            let columns = values.len();
            row_values[..columns].copy_from_slice(values);
            row_nulls[..columns].copy_from_slice(nulls);
            match inner {
                Some(inner) => {
                    let (values, nulls) = tuples::values(inner);
                    row_values[columns..].copy_from_slice(values);
                    row_nulls[columns..].copy_from_slice(nulls);
                }
                None => row_nulls[columns..].fill(true),
            }
            pg_sys::ExecStoreVirtualTuple(self.row);
        }
    }
}

/// The sides of a join as a read-ahead uses them.
struct JoinSides<'j> {
    plan: &'j LookupPlan,
    nodes: &'j Nodes,
}

impl Sides for JoinSides<'_> {
    fn next_outer(&mut self) -> Option<(pg_sys::MinimalTuple, Vec<String>)> {
        let nodes = self.nodes;
        // SAFETY: `Nodes` has the node of the outer side and the slots. The key's values are expressions that were prepared
        // for the joined row, whose kinds the planner chose by their types.
        unsafe {
            let slot = tuples::next_row(nodes.outer, nodes.memory)?;
            nodes.show(slot, None);
            (*nodes.context).ecxt_scantuple = nodes.row;
            let value = |number: usize| {
                let mut is_null = false;
                let value = evaluate(*nodes.values.get(number)?, nodes.context, &mut is_null);
                (!is_null).then_some(value)
            };
            let is_admitted = nodes.admits.is_null() || nodes.in_row_memory(|| is_true(nodes.admits, nodes.context));
            let mut texts = match nodes.in_row_memory(|| values::bind(&self.plan.key, value)) {
                BoundCondition::Texts(texts) if is_admitted => texts,
                _ => Vec::new(),
            };
            if texts.len() > 1 {
                let mut seen = std::collections::HashSet::new();
                texts.retain(|text| seen.insert(text.clone()));
            }
            Some((copy_row(slot, nodes.memory), texts))
        }
    }

    fn look_up(&mut self, values: Vec<String>) -> Option<FetchId> {
        if self.nodes.is_recheck {
            return Some(FetchId::default());
        }
        // SAFETY: `Nodes` has the node, whose scan nothing else refers to.
        unsafe {
            let scan = Scan::of(self.nodes.inner)?;
            self.nodes.in_row_memory(|| scan.look_up(self.nodes.inner, values))
        }
    }

    fn receive(&mut self, remembered: &mut Remembered) -> Option<FetchId> {
        let nodes = self.nodes;
        // SAFETY: `Nodes` has the node, whose scan nothing else refers to while the node does not run. The key's column is a
        // text, as the planner has made sure.
        unsafe {
            let Some(slot) = tuples::next_row(nodes.inner.cast(), nodes.memory) else {
                return match nodes.is_recheck {
                    true => Some(FetchId::default()),
                    false => match Scan::of(nodes.inner).and_then(Scan::take_ended_lookup) {
                        Some(lookup) => Some(lookup),
                        None => pgrx::error!("clerk_fdw: a lookup has ended without a result"),
                    },
                };
            };
            let (values, nulls) = tuples::values(slot);
            let column = self.plan.key_column as usize - 1;
            if !nulls[column] {
                let text = || from_server(pg_sys::text_to_cstring(values[column].cast_mut_ptr()));
                let value = nodes.in_row_memory(text);
                let lookup = match nodes.is_recheck {
                    true => FetchId::default(),
                    false => Scan::of(nodes.inner).map_or_else(FetchId::default, |scan| scan.current_lookup()),
                };
                remembered.store(&value, lookup, slot);
            }
            None
        }
    }
}
