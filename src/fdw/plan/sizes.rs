//! Estimates how many rows a foreign table returns in a query.

use pgrx::{pg_guard, pg_sys};

use super::cost::{self, Estimate};
use super::rel_info::RelInfo;

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
        (*rel).tuples = cost::rows(relation, (*rel).tuples);
        pg_sys::set_baserel_size_estimates(root, rel);
        let info = RelInfo::attach(root, rel, relation);
        (*rel).rows = Estimate::new(rel, info, &info.clauses).rows;
    }
}
