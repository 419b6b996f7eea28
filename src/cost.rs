//! How many rows a scan gives, how many requests it takes, and what that costs.

use clerk_api::FEWEST_PAGES;
use clerk_api::object::{Answer, Paging, Test};
use pgrx::pg_sys;

use crate::condition::{Found, Operator, ValueKind};
use crate::connection;
use crate::option::Table;
use crate::plan::Understood;
use crate::shippable::{self, Service};

/// Rows of a table that nobody has read or analyzed yet.
const DEFAULT_ROWS: f64 = 3000.0;

/// Rows of a list below one owner, such as the members of an organization.
const LIST_ROWS: f64 = 50.0;

/// However much its conditions leave out, the planner must not take a table for a single row: it would then read all
/// of it again for each row of a join.
const FEWEST_ROWS: f64 = 10.0;

/// A request in units of the planner's cost, in which reading one page of a local table costs 1.
const REQUEST_COST: f64 = 100.0;

/// A request that is answered with a number alone.
pub const COUNT_COST: f64 = REQUEST_COST / 2.0;

/// A row in the same units: its conversion costs much more than `cpu_tuple_cost`.
const ROW_COST: f64 = 0.05;

/// Values that one parameter takes.
const BATCH: f64 = clerk_api::object::MOST_VALUES as f64;

/// How many rows a table has: what ANALYZE found, else what this backend saw last.
pub fn rows(relation: pg_sys::Oid, analyzed: f64) -> f64 {
    known_rows(relation, analyzed).unwrap_or(DEFAULT_ROWS)
}

/// The same, if anything is known.
pub fn known_rows(relation: pg_sys::Oid, analyzed: f64) -> Option<f64> {
    // -1 and, in doubt, 0 mean that the table was never analyzed.
    if analyzed > 0.0 { Some(analyzed) } else { connection::rows_seen(relation) }
}

/// What one way to read the table costs.
#[derive(Debug, Clone, Copy)]
pub struct Estimate {
    /// Rows for the query.
    pub rows: f64,
    /// Rows that come from Clerk.
    read: f64,
    pub requests: f64,
    /// Requests of which one does not wait for another.
    side_by_side: f64,
}

impl Estimate {
    /// # Safety
    /// Called while planning, with the planner's own structures, once `rel` has its size.
    pub unsafe fn new(
        root: *mut pg_sys::PlannerInfo,
        rel: *mut pg_sys::RelOptInfo,
        table: &Table,
        understood: &Understood,
    ) -> Self {
        // SAFETY: plain reads.
        let (rows, tuples) = unsafe { ((*rel).rows.max(1.0), (*rel).tuples.max(1.0)) };
        let page = f64::from(table.page_size);
        let side_by_side = f64::from(table.max_concurrency);
        let services = shippable::services(table.object, &understood.conditions());
        let served = |serves: fn(&Service) -> bool| {
            let both = understood.found.iter().zip(&services);
            both.filter_map(|(found, service)| Some((found, service.filter(serves)?))).next()
        };
        // SAFETY: the caller's.
        let values = |found: &Found| unsafe { value_count(root, found) };
        if let Some((found, Service::Key(key))) = served(|service| matches!(service, Service::Key(_))) {
            let values = values(found);
            return match key.answer {
                Answer::One => Estimate { rows: values, read: values, requests: (values / BATCH).ceil(), side_by_side },
                Answer::List { .. } => {
                    let narrowed = services.iter().any(|service| matches!(service, Some(Service::KeyFilter { .. })));
                    let rows = values * if narrowed { FEWEST_ROWS } else { LIST_ROWS };
                    Estimate { rows, read: rows, requests: values * (LIST_ROWS / page).ceil(), side_by_side }
                }
            };
        }
        let by_value =
            |service: &Service| matches!(service, Service::Filter(filter) if matches!(filter.test, Test::Equal { .. }));
        if let Some((found, _)) = served(by_value) {
            let values = values(found);
            return Estimate { rows: values, read: values, requests: (values / BATCH).ceil(), side_by_side };
        }
        let rows = rows.max(FEWEST_ROWS.min(tuples));
        let read = if services.iter().any(Option::is_some) { rows } else { tuples.max(rows) };
        let requests = (read / page).ceil().max(1.0);
        let one_by_one = matches!(table.object.paging, Paging::Cursor { .. }) && requests < FEWEST_PAGES as f64;
        let side_by_side = if one_by_one { 1.0 } else { side_by_side };
        Estimate { rows, read, requests, side_by_side }
    }

    /// The same in an order of Clerk's: a list with cursors is then read one page after the other.
    pub fn in_order(self, table: &Table) -> Self {
        match table.object.paging {
            Paging::Cursor { .. } => Estimate { side_by_side: 1.0, ..self },
            Paging::Offset => self,
        }
    }

    pub fn startup_cost(&self, table: &Table) -> f64 {
        table.startup_cost.unwrap_or(REQUEST_COST)
    }

    pub fn total_cost(&self, table: &Table) -> f64 {
        // What runs side by side takes less time, but no less of what Clerk allows.
        let further = (self.requests - 1.0).max(0.0);
        let further = further / self.side_by_side.sqrt();
        self.startup_cost(table) + further * REQUEST_COST + self.read * ROW_COST
    }
}

/// About how many values a condition compares with.
unsafe fn value_count(root: *mut pg_sys::PlannerInfo, found: &Found) -> f64 {
    if found.operator != Operator::Equal {
        return 1.0;
    }
    let counts = found.values.iter().map(|(value, kind)| match kind {
        // SAFETY: the caller's.
        ValueKind::TextArray => unsafe { array_length(root, *value) },
        _ => 1.0,
    });
    counts.sum()
}

/// About how many elements an array has, of which older versions of Postgres judge by the expression alone.
unsafe fn array_length(root: *mut pg_sys::PlannerInfo, array: *mut pg_sys::Expr) -> f64 {
    // SAFETY: the caller's; an expression of the query that is being planned.
    unsafe {
        #[cfg(any(feature = "pg17", feature = "pg18"))]
        let length = pg_sys::estimate_array_length(root, array.cast());
        #[cfg(not(any(feature = "pg17", feature = "pg18")))]
        let (_, length) = (root, f64::from(pg_sys::estimate_array_length(array.cast())));
        length.max(1.0)
    }
}
