//! How many rows a scan gives, how many requests it takes, and what that costs.

use clerk_api::MIN_PAGES_TO_SPLIT;
use clerk_api::catalog::{FilterOp, List, Lookup, MAX_VALUES, Paging};
use clerk_api::pushdown::{Operator, Pushdown};
use pgrx::pg_sys;

use super::clause::{PushableClause, ValueKind};
use super::rel_info::{Clauses, RelInfo};
use crate::options::Table;
use crate::remote::row_counts;

/// Rows of a table that nobody has read or analyzed yet, of which nothing better is known.
const DEFAULT_ROWS: f64 = 3000.0;

/// Rows of a list below one parent, such as the members of an organization.
const LIST_ROWS: f64 = 50.0;

/// However selective its conditions are, the planner must not take a table for a single row: it would then read all
/// of it again for each row of a join.
const MIN_ROWS: f64 = 10.0;

/// A request in units of the planner's cost, in which reading one page of a local table costs 1.
const REQUEST_COST: f64 = 100.0;

/// A request that is answered with a number alone.
pub const COUNT_COST: f64 = REQUEST_COST / 2.0;

/// A row in the same units: its conversion costs much more than `cpu_tuple_cost`.
const ROW_COST: f64 = 0.05;

/// What a scan costs that cannot be executed, since the object has to be looked up by a key that the query does not
/// give: more than any other path, so that one which is given the key by a join is preferred.
const IMPOSSIBLE_COST: f64 = 1.0e10;

/// How many rows a table has for the planner: what ANALYZE found, else what this backend saw last, else a guess.
pub fn rows(relation: pg_sys::Oid, analyzed: f64) -> f64 {
    row_counts::known_rows(relation, analyzed).unwrap_or(DEFAULT_ROWS)
}

/// What one way to read the table costs.
#[derive(Debug, Clone, Copy)]
pub struct Estimate {
    /// Rows for the query.
    pub rows: f64,
    /// Rows that come from Clerk.
    fetched: f64,
    pub requests: f64,
    /// How many requests run side by side.
    side_by_side: f64,
    is_possible: bool,
}

impl Estimate {
    /// # Safety
    /// Called while planning, with the planner's own structures, once `rel` has its size.
    pub unsafe fn new(rel: *mut pg_sys::RelOptInfo, info: &RelInfo, clauses: &Clauses) -> Self {
        // SAFETY: the caller promises a relation of the planner's, which has both numbers.
        let (rows, tuples) = unsafe { ((*rel).rows.max(1.0), (*rel).tuples.max(1.0)) };
        let table = &info.table;
        let page = f64::from(table.page_size);
        let side_by_side = f64::from(table.max_concurrency);
        let find = |is_wanted: fn(&Pushdown) -> bool| {
            clauses.iter().find_map(|(clause, pushdown)| Some((clause, pushdown.filter(is_wanted)?)))
        };
        // SAFETY: the clause is one of the query that is being planned by this root.
        let values = |clause: &PushableClause| unsafe { value_count(info.rel.root, clause) };
        let looked_up = |values: f64| Estimate {
            rows: values,
            fetched: values,
            requests: (values / MAX_VALUES as f64).ceil(),
            side_by_side,
            is_possible: true,
        };
        if let Some((clause, Pushdown::Key(key))) = find(|pushdown| matches!(pushdown, Pushdown::Key(_))) {
            let values = values(clause);
            return match key.lookup {
                Lookup::Get => looked_up(values),
                Lookup::List { .. } => {
                    let is_filter = |pushdown: &Pushdown| matches!(pushdown, Pushdown::KeyFilter { .. });
                    let rows = values * if find(is_filter).is_some() { MIN_ROWS } else { LIST_ROWS };
                    let requests = values * (LIST_ROWS / page).ceil();
                    Estimate { rows, fetched: rows, requests, side_by_side, is_possible: true }
                }
            };
        }
        let is_by_value = |pushdown: &Pushdown| matches!(pushdown, Pushdown::Filter(filter) if matches!(filter.op, FilterOp::Equal { .. }));
        if let Some((clause, _)) = find(is_by_value) {
            return looked_up(values(clause));
        }
        let rows = rows.max(MIN_ROWS.min(tuples));
        let fetched = if find(|_| true).is_some() { rows } else { tuples.max(rows) };
        let requests = (fetched / page).ceil().max(1.0);
        let is_sequential = is_by_cursor(table) && requests < MIN_PAGES_TO_SPLIT as f64;
        let side_by_side = if is_sequential { 1.0 } else { side_by_side };
        let is_possible = clauses.classified.missing_keys().is_empty();
        let requests = if is_possible { requests } else { 0.0 };
        Estimate { rows, fetched, requests, side_by_side, is_possible }
    }

    /// The same sorted by Clerk: a list that is read by cursor is then read one page after the other.
    pub fn sorted(self, table: &Table) -> Self {
        if is_by_cursor(table) { Estimate { side_by_side: 1.0, ..self } } else { self }
    }

    pub fn startup_cost(&self, table: &Table) -> f64 {
        let impossible = if self.is_possible { 0.0 } else { IMPOSSIBLE_COST };
        table.startup_cost.unwrap_or(REQUEST_COST) + impossible
    }

    pub fn total_cost(&self, table: &Table) -> f64 {
        // Requests side by side take less time, but as much of the rate limit: they are weighed between the two.
        let further = (self.requests - 1.0).max(0.0) / self.side_by_side.sqrt();
        self.startup_cost(table) + further * REQUEST_COST + self.fetched * ROW_COST
    }
}

fn is_by_cursor(table: &Table) -> bool {
    matches!(table.object.list, Some(List { paging: Paging::Cursor { .. }, .. }))
}

/// About how many values a clause compares with.
///
/// # Safety
/// The clause is one of the query that is being planned by this root.
unsafe fn value_count(root: *mut pg_sys::PlannerInfo, clause: &PushableClause) -> f64 {
    if clause.operator != Operator::Equal {
        return 1.0;
    }
    let counts = clause.values.iter().map(|(value, kind)| match kind {
        // SAFETY: the value is an expression of the clause.
        ValueKind::TextArray => unsafe { array_length(root, *value) },
        _ => 1.0,
    });
    counts.sum()
}

/// About how many elements an array has, of which older versions of Postgres judge by the expression alone.
///
/// # Safety
/// The array is an expression of the query that is being planned by this root.
unsafe fn array_length(root: *mut pg_sys::PlannerInfo, array: *mut pg_sys::Expr) -> f64 {
    // SAFETY: estimate_array_length looks at nothing but the expression and the root's statistics.
    unsafe {
        #[cfg(any(feature = "pg17", feature = "pg18"))]
        let length = pg_sys::estimate_array_length(root, array.cast());
        #[cfg(not(any(feature = "pg17", feature = "pg18")))]
        let (_, length) = (root, f64::from(pg_sys::estimate_array_length(array.cast())));
        length.max(1.0)
    }
}
