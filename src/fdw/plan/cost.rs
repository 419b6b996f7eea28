//! Estimates how many rows a path returns, how many requests it takes and what it costs.

use clerk_api::MIN_PAGES_TO_SPLIT;
use clerk_api::catalog::{FilterOp, List, MAX_VALUES, Paging};
use clerk_api::pushdown::{Classified, Operator, Pushdown};
use pgrx::pg_sys;

use super::clause::{PushableClause, ValueKind};
use super::rel_info::{Clauses, RelInfo};
use crate::options::Table;
use crate::options::catalogue::REQUEST_COST;

/// The rows that a table is assumed to have until ANALYZE has counted them, or a scan of this backend has returned all.
/// The number is low, so that the planner prefers lookups to reading the table.
pub const DEFAULT_ROWS: f64 = 3000.0;

/// The requests that a list of unknown size is assumed to cost at least. It may have hundreds of thousands of objects, so
/// that to read all of it without need costs far more than some lookups that a short list would have made needless.
const UNKNOWN_REQUESTS: f64 = 200.0;

/// The rows that a list below one parent is assumed to have, such as the members of an organization.
const LIST_ROWS: f64 = 50.0;

/// The rows that a table is assumed to have at least, however selective its conditions are. If the planner expected a
/// single row, it would choose a nested loop that reads the whole table again for each row of a join.
const MIN_ROWS: f64 = 10.0;

/// The cost of a request for a count, whose answer is only a number.
pub const COUNT_COST: f64 = REQUEST_COST / 2.0;

/// The cost of a row: five times the default of `cpu_tuple_cost`, because JSON has to be decoded and converted.
const ROW_COST: f64 = 0.05;

/// The cost of a path that cannot be executed, because Clerk needs a key, such as a parent's id, that the query does
/// not give. It is higher than the cost of any other path, so that a path that gets the key from a join is preferred.
const IMPOSSIBLE_COST: f64 = 1.0e10;

/// The estimate for one path.
#[derive(Debug, Clone, Copy)]
pub struct Estimate {
    /// How many rows the path returns.
    pub rows: f64,
    /// How many rows Clerk sends.
    fetched: f64,
    pub requests: f64,
    /// How many requests run at the same time.
    concurrency: f64,
    is_possible: bool,
    /// How many requests are assumed at least, for the cost, because the size of the list is not known.
    assumed_requests: f64,
}

impl Estimate {
    /// Estimates a path that uses the given clauses.
    ///
    /// # Safety
    /// `rel` must be the relation of `info`, with its size set, in the query that is being planned.
    pub unsafe fn new(rel: *mut pg_sys::RelOptInfo, info: &RelInfo, clauses: &Clauses) -> Self {
        // SAFETY: the caller guarantees a relation of the query that is being planned.
        let (rows, tuples) = unsafe { ((*rel).rows.max(1.0), (*rel).tuples.max(1.0)) };
        let table = &info.table;
        let page = f64::from(table.page_size);
        let concurrency = f64::from(table.max_concurrency);
        let find = |is_wanted: fn(&Pushdown) -> bool| {
            clauses.iter().find_map(|(clause, pushdown)| Some((clause, pushdown.filter(is_wanted)?)))
        };
        // SAFETY: the clauses are those of `info`, which were made from clauses of the query that its root plans.
        let values = |clause: &PushableClause| unsafe { value_count(info.rel.root, clause) };
        let looked_up = |values: f64| Estimate {
            rows: values,
            fetched: values,
            requests: (values / MAX_VALUES as f64).ceil(),
            concurrency,
            is_possible: true,
            assumed_requests: 0.0,
        };
        if let Some((clause, Pushdown::Key(key))) = find(|pushdown| matches!(pushdown, Pushdown::Key(_))) {
            let values = values(clause);
            return match key.is_single() {
                true => looked_up(values),
                false => {
                    let is_filter = |pushdown: &Pushdown| matches!(pushdown, Pushdown::KeyFilter { .. });
                    let rows = values * if find(is_filter).is_some() { MIN_ROWS } else { LIST_ROWS };
                    let requests = values * (LIST_ROWS / page).ceil();
                    Estimate { rows, fetched: rows, requests, concurrency, is_possible: true, assumed_requests: 0.0 }
                }
            };
        }
        let is_by_value = |pushdown: &Pushdown| match pushdown {
            Pushdown::Filter(filter) => matches!(filter.op, FilterOp::Equal { .. }),
            _ => false,
        };
        if let Some((clause, _)) = find(is_by_value) {
            return looked_up(values(clause));
        }
        let rows = rows.max(MIN_ROWS.min(tuples));
        let fetched = if find(|_| true).is_some() { rows } else { tuples.max(rows) };
        let lists = if clauses.classified.is_in_parts() { 2.0 } else { 1.0 };
        let requests = (fetched / page).ceil().max(lists);
        let is_sequential = is_by_cursor(table) && requests < MIN_PAGES_TO_SPLIT as f64;
        let concurrency = if is_sequential { 1.0 } else { concurrency };
        let is_possible = clauses.classified.missing_keys().is_empty();
        let requests = if is_possible { requests } else { 0.0 };
        let is_unknown = is_possible && !info.is_size_known && info.table.object.is_paged();
        let assumed_requests = if is_unknown { UNKNOWN_REQUESTS * fetched / tuples } else { 0.0 };
        Estimate { rows, fetched, requests, concurrency, is_possible, assumed_requests }
    }

    /// Estimates the lookups of a join: of so many different values, so many of which one request takes, in lists below
    /// parents or in the object's own.
    pub fn lookups(table: &Table, classified: &Classified, values: f64, per_request: usize) -> Self {
        let values = values.max(1.0);
        let is_list = |pushdown| matches!(pushdown, Pushdown::Key(key) if !key.is_single());
        let lists = if classified.is_in_parts() { 2.0 } else { 1.0 };
        let (rows, requests) = match per_request {
            1 if classified.pushdowns().any(is_list) => {
                (values * LIST_ROWS, values * (LIST_ROWS / f64::from(table.page_size)).ceil())
            }
            _ => (values, lists * (values / per_request as f64).ceil()),
        };
        let concurrency = f64::from(table.max_concurrency);
        Estimate { rows, fetched: rows, requests, concurrency, is_possible: true, assumed_requests: 0.0 }
    }

    /// The estimate for the same path sorted by Clerk. A list that is read by cursor is then read one page after the
    /// other.
    pub fn sorted(self, table: &Table) -> Self {
        if is_by_cursor(table) { Estimate { concurrency: 1.0, ..self } } else { self }
    }

    pub fn startup_cost(&self, table: &Table) -> f64 {
        let impossible = if self.is_possible { 0.0 } else { IMPOSSIBLE_COST };
        table.startup_cost.unwrap_or(REQUEST_COST) + impossible
    }

    pub fn total_cost(&self, table: &Table) -> f64 {
        // Concurrent requests take less time, but use as much of the rate limit. The square root is a compromise
        // between dividing the cost by the number of concurrent requests and not dividing it.
        let requests = self.requests.max(self.assumed_requests);
        let further = (requests - 1.0).max(0.0) / self.concurrency.sqrt();
        self.startup_cost(table) + further * REQUEST_COST + self.fetched * ROW_COST
    }
}

/// Whether the object's list is read by cursor.
fn is_by_cursor(table: &Table) -> bool {
    matches!(table.object.list, Some(List { paging: Paging::Cursor { .. }, .. }))
}

/// An estimate of how many values a clause compares its column with.
///
/// # Safety
/// The clause must be one of the query that the root plans.
pub unsafe fn value_count(root: *mut pg_sys::PlannerInfo, clause: &PushableClause) -> f64 {
    if clause.operator != Operator::Equal {
        return 1.0;
    }
    let counts = clause.values.iter().map(|value| match value.kind {
        // SAFETY: the caller guarantees that the clause is one of the query, so that its values are expressions of it.
        ValueKind::TextArray => unsafe { array_length(root, value.expression) },
        _ => 1.0,
    });
    counts.sum()
}

/// An estimate of how many elements an array has. Versions before 17 estimate it from the expression alone.
///
/// # Safety
/// The array must be an expression of the query that the root plans.
unsafe fn array_length(root: *mut pg_sys::PlannerInfo, array: *mut pg_sys::Expr) -> f64 {
    // SAFETY: estimate_array_length takes an expression of the query that the root plans, as the caller guarantees.
    unsafe {
        #[cfg(any(feature = "pg17", feature = "pg18"))]
        let length = pg_sys::estimate_array_length(root, array.cast());
        #[cfg(not(any(feature = "pg17", feature = "pg18")))]
        let (_, length) = (root, f64::from(pg_sys::estimate_array_length(array.cast())));
        length.max(1.0)
    }
}
