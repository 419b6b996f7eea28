//! Keeps the row counts of foreign tables: what ANALYZE found, or else what the last complete scan in this backend
//! returned.

use std::cell::RefCell;
use std::collections::HashMap;

use pgrx::pg_sys;

thread_local! {
    /// The number of rows that the last complete scan of each foreign table returned.
    static SCANNED_ROWS: RefCell<HashMap<pg_sys::Oid, f64>> = RefCell::default();
}

/// Remembers how many rows a complete scan returned.
pub fn remember_rows(relation: pg_sys::Oid, rows: f64) {
    SCANNED_ROWS.with_borrow_mut(|scanned| scanned.insert(relation, rows));
}

/// How many rows a table has; `None` if nothing is known about it. `analyzed` is its `reltuples` in pg_class.
pub fn known_rows(relation: pg_sys::Oid, analyzed: f64) -> Option<f64> {
    // -1 means that the table was never analyzed. 0 may mean the same, so it counts as unknown too.
    if analyzed > 0.0 { Some(analyzed) } else { SCANNED_ROWS.with_borrow(|scanned| scanned.get(&relation).copied()) }
}
