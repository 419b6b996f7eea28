//! Looks objects up for a lookup join, which gives the values and takes the rows: see [`crate::fdw::lookup_join`].

use std::mem::take;

use clerk_api::pushdown::BoundCondition;
use clerk_api::{Page, Stats};
use pgrx::pg_sys;

use super::{Scan, evaluate};
use crate::error::{FdwError, OrRaise};
use crate::fdw::exec::rows::fill;
use crate::remote::io_thread::{FetchId, Fetches};

/// The lookups since the scan has begun, and the page of one of them whose rows are being returned.
pub(super) struct Lookups {
    fetches: Fetches,
    page: Option<Page>,
    /// The lookup that the page belongs to.
    current: FetchId,
    /// The index of the next row in the page.
    row: usize,
    /// The lookup that has just ended, until the join takes note of it.
    ended: Option<FetchId>,
}

impl Lookups {
    fn new() -> Result<Self, FdwError> {
        let fetches = Fetches::new()?;
        Ok(Lookups { fetches, page: None, current: FetchId::default(), row: 0, ended: None })
    }

    /// What the lookups have cost so far.
    pub(super) fn stats(&self) -> &Stats {
        self.fetches.stats()
    }
}

impl Scan {
    /// Starts to look up the objects whose column has one of these values; `None` if there can be none. The rows come when
    /// the node is asked for the next one, and an empty slot when a lookup has ended.
    ///
    /// # Safety
    /// The node must be the one that the scan was made for.
    pub unsafe fn look_up(&mut self, node: *mut pg_sys::ForeignScanState, values: Vec<String>) -> Option<FetchId> {
        // SAFETY: `new` prepared the plan's expressions for the node, and the caller guarantees that it is this one.
        let mut bound = unsafe { self.bind(|state| evaluate(state, (*node).ss.ps.ps_ExprContext)) };
        for (bound, condition) in bound.iter_mut().zip(&self.plan.conditions) {
            if condition.is_lookup {
                *bound = BoundCondition::Texts(values.clone());
            }
        }
        let query = self.classified.bind(&bound, None, false)?;
        let (fetch, client) = self.fetch(query);
        let lookups = match &mut self.lookups {
            Some(lookups) => lookups,
            none => none.insert(Lookups::new().or_raise()),
        };
        Some(lookups.fetches.start(fetch, client).or_raise())
    }

    /// The lookup that the row belongs to which was returned last.
    pub fn current_lookup(&self) -> FetchId {
        self.lookups.as_ref().map_or_else(FetchId::default, |lookups| lookups.current)
    }

    /// The lookup whose end an empty slot has told; `None` if it was told before.
    pub fn take_ended_lookup(&mut self) -> Option<FetchId> {
        self.lookups.as_mut()?.ended.take()
    }

    /// Cancels the lookups in flight.
    pub fn forget_lookups(&mut self) {
        self.finished_stats = self.stats();
        self.lookups = None;
    }

    /// Puts the next row into the slot; returns false if a lookup has ended.
    ///
    /// # Safety
    /// The slot must be the scan slot of the node that the scan was made for.
    pub(super) unsafe fn next_looked_up(&mut self, slot: *mut pg_sys::TupleTableSlot) -> bool {
        let Some(lookups) = &mut self.lookups else { return false };
        loop {
            if let Some(page) = lookups.page.as_ref().filter(|page| lookups.row < page.len()) {
                // SAFETY: the caller guarantees the node's scan slot, whose descriptor is that of the table that the
                // converters were made from.
                unsafe { fill(slot, page, lookups.row, &self.converters, self.object) };
                lookups.row += 1;
                self.finished_stats.rows += 1.0;
                return true;
            }
            // The old page is dropped before the wait for the next one, so that only one page is in memory.
            drop(take(&mut lookups.page));
            match lookups.fetches.next() {
                Ok((lookup, Some(page))) => (lookups.page, lookups.current, lookups.row) = (Some(page), lookup, 0),
                Ok((lookup, None)) => {
                    lookups.ended = Some(lookup);
                    return false;
                }
                Err(error) => {
                    self.forget_lookups();
                    FdwError::Clerk { error, server: self.server.name.clone() }.raise();
                }
            }
        }
    }
}
