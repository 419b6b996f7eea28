//! Estimates how many rows a foreign table returns in a query.

use pgrx::{pg_guard, pg_sys};

use super::cost::{self, Estimate};
use super::rel_info::RelInfo;
use crate::remote::row_counts;

/// The callback GetForeignRelSize, which Postgres calls first for every foreign table of a query: estimates how many
/// rows the table returns. Stores a [`RelInfo`] in `fdw_private`, which lives as long as the memory that the query is
/// planned in.
///
/// # Safety
/// Only Postgres may call this, with the arguments of that callback.
#[pg_guard]
pub unsafe extern "C-unwind" fn get_foreign_rel_size(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    relation: pg_sys::Oid,
) {
    // SAFETY: Postgres passes the root of a query and one of its relations, which is a foreign table of this extension.
    // The size that Estimate::new needs is set before it is called.
    unsafe {
        let known = row_counts::known_rows(relation, (*rel).tuples);
        (*rel).tuples = known.unwrap_or(cost::DEFAULT_ROWS);
        pg_sys::set_baserel_size_estimates(root, rel);
        let info = RelInfo::attach(root, rel, relation, known.is_some());
        (*rel).rows = Estimate::new(rel, info, &info.clauses).rows;
    }
}
