//! How many rows a foreign table has for a query.

use pgrx::{pg_guard, pg_sys};

use super::cost::{self, Estimate};
use super::rel_info::RelInfo;

/// Postgres calls this first for every foreign table of a query, to learn how many rows it gives. Leaves a [`RelInfo`]
/// in `fdw_private`, which lives as long as the memory that the query is planned in.
#[pg_guard]
pub unsafe extern "C-unwind" fn get_foreign_rel_size(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    relation: pg_sys::Oid,
) {
    // SAFETY: Postgres passes the planner's own structures for a foreign table of this extension.
    unsafe {
        (*rel).tuples = cost::rows(relation, (*rel).tuples);
        pg_sys::set_baserel_size_estimates(root, rel);
        let info = RelInfo::attach(root, rel, relation);
        (*rel).rows = Estimate::new(rel, info, &info.clauses).rows;
    }
}
