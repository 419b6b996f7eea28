//! From the path that the planner chose to the plan that the executor runs.

use std::ptr::null_mut;

use pgrx::{PgList, pg_guard, pg_sys};

use super::paths::limit;
use super::private::{PathPrivate, ScanPlan, from_list, to_list};
use super::rel_info::RelInfo;
use super::upper_paths::inputs_of;

/// Postgres asks for the plan of the path it chose. Every condition stays in it, to be checked again on each row.
///
/// `fdw_private` becomes a [`ScanPlan`], and `fdw_exprs` the values of its conditions, so that Postgres prepares them.
#[pg_guard]
pub unsafe extern "C-unwind" fn get_foreign_plan(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    _relation: pg_sys::Oid,
    chosen: *mut pg_sys::ForeignPath,
    targets: *mut pg_sys::List,
    conditions: *mut pg_sys::List,
    outer: *mut pg_sys::Plan,
) -> *mut pg_sys::ForeignScan {
    // SAFETY: Postgres passes the planner's own structures; the path is one that paths.rs or upper_paths.rs has added,
    // with a String in its fdw_private.
    unsafe {
        let Some(PathPrivate { order, counted, requests }) = from_list((*chosen).fdw_private) else {
            pgrx::error!("clerk_fdw: the path was made by another version")
        };
        if let Some(counted) = counted {
            let rel = *(*root).simple_rel_array.add(counted as usize);
            return count_plan(info_of(rel), requests, targets);
        }
        let info = info_of(rel);
        let parameters = (*chosen).path.param_info;
        let clauses = info.clauses_of(parameters);
        let is_sorted = (*root).query_pathkeys.is_null()
            || (order.is_some() && pg_sys::equal((*root).query_pathkeys.cast(), (*chosen).path.pathkeys.cast()));
        let limit = limit(root, rel).filter(|_| parameters.is_null() && is_sorted && clauses.is_exact());
        let pages = |rows: u32| (f64::from(rows) / f64::from(info.table.page_size)).ceil();
        let plan = ScanPlan {
            relation: info.rel.relation.to_u32(),
            columns: used_columns(rel, conditions),
            conditions: clauses.planned(),
            clauses: clauses.count,
            limit,
            order,
            is_count: false,
            requests: limit.map_or(requests, |rows| requests.min(pages(rows))),
        };
        pg_sys::make_foreignscan(
            targets,
            pg_sys::extract_actual_clauses(conditions, false),
            (*rel).relid,
            clauses.expressions(),
            to_list(&plan),
            null_mut(),
            null_mut(),
            outer,
        )
    }
}

/// What GetForeignRelSize has found out.
///
/// # Safety
/// `rel` is a foreign table of this extension in the query that is being planned.
unsafe fn info_of<'p>(rel: *mut pg_sys::RelOptInfo) -> &'p RelInfo {
    // SAFETY: Postgres has asked for the size of every foreign table before it asks for a plan.
    match unsafe { RelInfo::of(rel) } {
        Some(info) => info,
        None => pgrx::error!("clerk_fdw: a foreign table was planned without its size"),
    }
}

/// A scan of no relation, whose one row is the number of rows that a table has for the query.
///
/// # Safety
/// The targets are those of the plan that is being made.
unsafe fn count_plan(info: &RelInfo, requests: f64, targets: *mut pg_sys::List) -> *mut pg_sys::ForeignScan {
    let plan = ScanPlan {
        relation: info.rel.relation.to_u32(),
        columns: Vec::new(),
        conditions: info.clauses.planned(),
        clauses: info.clauses.count,
        order: None,
        limit: None,
        is_count: true,
        requests,
    };
    // SAFETY: the targets are expressions of the query, and a relation of number 0 stands for none.
    unsafe {
        pg_sys::make_foreignscan(
            targets,
            null_mut(),
            0,
            info.clauses.expressions(),
            to_list(&plan),
            pg_sys::add_to_flat_tlist(null_mut(), inputs_of(targets)),
            null_mut(),
            null_mut(),
        )
    }
}

/// The numbers of the table's columns whose values the query uses, the conditions that the scan checks among them.
///
/// # Safety
/// `rel` is a relation of the query that is being planned, and the list holds its RestrictInfos.
pub unsafe fn used_columns(rel: *mut pg_sys::RelOptInfo, conditions: *mut pg_sys::List) -> Vec<i16> {
    // SAFETY: the target list and the conditions are expressions; a bitmap set tells its members.
    unsafe {
        let mut used = null_mut();
        pg_sys::pull_varattnos((*(*rel).reltarget).exprs.cast(), (*rel).relid, &mut used);
        for condition in PgList::<pg_sys::RestrictInfo>::from_pg(conditions).iter_ptr() {
            pg_sys::pull_varattnos((*condition).clause.cast(), (*rel).relid, &mut used);
        }
        let has = |number: i16| {
            let member = i32::from(number) - pg_sys::FirstLowInvalidHeapAttributeNumber;
            pg_sys::bms_is_member(member, used)
        };
        // Number 0 stands for the whole row.
        let all = has(0);
        (1..=(*rel).max_attr).filter(|number| all || has(*number)).collect()
    }
}
