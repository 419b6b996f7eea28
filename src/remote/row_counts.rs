//! How many rows foreign tables have: what ANALYZE found, else what a complete scan in this backend last gave.

use std::cell::RefCell;
use std::collections::HashMap;

use pgrx::pg_sys;

thread_local! {
    /// By foreign table; only the backend's own thread uses it.
    static ROWS_SEEN: RefCell<HashMap<pg_sys::Oid, f64>> = RefCell::default();
}

/// Remembers how many rows a complete scan gave.
pub fn saw_rows(relation: pg_sys::Oid, rows: f64) {
    ROWS_SEEN.with_borrow_mut(|seen| seen.insert(relation, rows));
}

/// How many rows a table has, if anything is known. `analyzed` is the `reltuples` of pg_class.
pub fn known_rows(relation: pg_sys::Oid, analyzed: f64) -> Option<f64> {
    // -1 and, in doubt, 0 mean that the table was never analyzed.
    if analyzed > 0.0 { Some(analyzed) } else { ROWS_SEEN.with_borrow(|seen| seen.get(&relation).copied()) }
}
