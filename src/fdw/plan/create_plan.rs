//! Makes the plan that the executor runs from the path that the planner chose.

use std::ptr::null_mut;

use pgrx::{PgList, pg_guard, pg_sys};

use super::paths::limit;
use super::private::{PathPrivate, PlannedCondition, ScanPlan, from_list, to_list};
use super::rel_info::RelInfo;
use super::upper_paths::inputs_of;
use crate::options;

/// The callback GetForeignPlan: makes the plan of the path that Postgres chose. All clauses stay in the plan, so that
/// Postgres checks them again on each row.
///
/// `fdw_private` is set to a [`ScanPlan`], and `fdw_exprs` to the values of its conditions, so that Postgres replaces
/// their parameters as in any other expression of the plan.
///
/// # Safety
/// Only Postgres may call this, with the arguments of that callback.
#[pg_guard]
pub unsafe extern "C-unwind" fn get_foreign_plan(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    _relation: pg_sys::Oid,
    best_path: *mut pg_sys::ForeignPath,
    target_list: *mut pg_sys::List,
    scan_clauses: *mut pg_sys::List,
    outer_plan: *mut pg_sys::Plan,
) -> *mut pg_sys::ForeignScan {
    // SAFETY: Postgres passes the root of the query, the relation, its clauses and target list, and a path that
    // get_foreign_paths or get_foreign_upper_paths has added with a PathPrivate in its fdw_private. The `counted` of a
    // PathPrivate is the index of a base relation, which simple_rel_array contains.
    unsafe {
        let Some(PathPrivate { order, counted, requests, lookup }) = from_list((*best_path).fdw_private) else {
            pgrx::error!("clerk_fdw: the path was made by another version")
        };
        if let Some(counted) = counted {
            let rel = *(*root).simple_rel_array.add(counted as usize);
            return count_plan(info_of(rel), requests, target_list, writes_to_clerk(root));
        }
        let info = info_of(rel);
        let param_info = (*best_path).path.param_info;
        let clauses = info.clauses_of(param_info);
        let is_sorted = (*root).query_pathkeys.is_null()
            || (order.is_some() && pg_sys::equal((*root).query_pathkeys.cast(), (*best_path).path.pathkeys.cast()));
        let limit = limit(root, rel).filter(|_| param_info.is_null() && is_sorted && clauses.is_exact());
        let pages = |rows: u32| (f64::from(rows) / f64::from(info.table.page_size)).ceil();
        let mut conditions = clauses.planned();
        conditions.extend(lookup.map(PlannedCondition::lookup));
        let plan = ScanPlan {
            relation: info.rel.relation.to_u32(),
            columns: used_columns(rel, scan_clauses),
            clauses: clauses.count + conditions.iter().filter(|condition| condition.is_lookup).count(),
            conditions,
            limit,
            order,
            is_count: false,
            requests: limit.map_or(requests, |rows| requests.min(pages(rows))),
            reads_first: writes_to_clerk(root),
        };
        pg_sys::make_foreignscan(
            target_list,
            pg_sys::extract_actual_clauses(scan_clauses, false),
            (*rel).relid,
            clauses.expressions(),
            to_list(&plan),
            null_mut(),
            null_mut(),
            outer_plan,
        )
    }
}

unsafe extern "C-unwind" {
    /// A table with all tables that inherit from it or are its partitions. The server exports it; pgrx lacks it.
    fn find_all_inheritors(
        relation: pg_sys::Oid,
        lock: pg_sys::LOCKMODE,
        parents: *mut *mut pg_sys::List,
    ) -> *mut pg_sys::List;
}

/// Whether the rows of the query, or of one that it is part of, are written to a foreign table of this extension. Then they
/// are all read before the first is written: the lists at Clerk would change while they are read, and an INSERT could go
/// on forever with the rows that it has made.
///
/// # Safety
/// The root must be that of the query that is being planned.
pub unsafe fn writes_to_clerk(mut root: *mut pg_sys::PlannerInfo) -> bool {
    // SAFETY: the caller guarantees a root, which parent_root leads to the outermost of. The result relation of a query is
    // an index of its range table, and find_all_inheritors returns a list of oids.
    unsafe {
        while !root.is_null() {
            let query = (*root).parse;
            let with = PgList::<pg_sys::CommonTableExpr>::from_pg((*query).cteList);
            let in_with = with.iter_ptr().map(|with| (*with).ctequery.cast::<pg_sys::Query>());
            let in_with = in_with.filter(|query| (**query).type_ == pg_sys::NodeTag::T_Query);
            for query in in_with.chain([query]) {
                if (*query).commandType == pg_sys::CmdType::CMD_SELECT || (*query).resultRelation <= 0 {
                    continue;
                }
                // The arrays of an outer query are not there yet while its subqueries are planned.
                let entries = PgList::<pg_sys::RangeTblEntry>::from_pg((*query).rtable);
                let target = entries.get_ptr((*query).resultRelation as usize - 1);
                let relation = target.map_or(pg_sys::InvalidOid, |target| (*target).relid);
                let below = pg_sys::ffi::pg_guard_ffi_boundary(|| {
                    find_all_inheritors(relation, pg_sys::NoLock as _, null_mut())
                });
                if PgList::<pg_sys::Oid>::from_pg(below).iter_oid().any(options::is_own_table) {
                    return true;
                }
            }
            root = (*root).parent_root;
        }
        false
    }
}

/// The [`RelInfo`] of a foreign table.
///
/// # Safety
/// `rel` must be a foreign table of this extension in the query that is being planned, and no mutable reference to its
/// RelInfo may exist.
unsafe fn info_of<'p>(rel: *mut pg_sys::RelOptInfo) -> &'p RelInfo {
    // SAFETY: the caller guarantees a foreign table of this extension without another reference to its RelInfo.
    match unsafe { RelInfo::of(rel) } {
        Some(info) => info,
        None => pgrx::error!("clerk_fdw: a foreign table was planned without its size"),
    }
}

/// The plan of a scan that has no relation and returns one row, the number of rows of a table that satisfy the query's
/// clauses.
///
/// # Safety
/// The target list must be that of the plan that is being made.
unsafe fn count_plan(
    info: &RelInfo,
    requests: f64,
    target_list: *mut pg_sys::List,
    reads_first: bool,
) -> *mut pg_sys::ForeignScan {
    let plan = ScanPlan {
        relation: info.rel.relation.to_u32(),
        columns: Vec::new(),
        conditions: info.clauses.planned(),
        clauses: info.clauses.count,
        order: None,
        limit: None,
        is_count: true,
        requests,
        reads_first,
    };
    // SAFETY: the caller guarantees the target list of the plan, whose entries are expressions of the query. scanrelid
    // 0 means that the plan scans no relation, and its fdw_scan_tlist says which columns it returns.
    unsafe {
        pg_sys::make_foreignscan(
            target_list,
            null_mut(),
            0,
            info.clauses.expressions(),
            to_list(&plan),
            pg_sys::add_to_flat_tlist(null_mut(), inputs_of(target_list)),
            null_mut(),
            null_mut(),
        )
    }
}

/// The numbers of the columns whose values the query uses, in its output or in the clauses that the scan checks.
///
/// # Safety
/// `rel` must be a relation of the query that is being planned, and the list must hold its RestrictInfos.
pub unsafe fn used_columns(rel: *mut pg_sys::RelOptInfo, scan_clauses: *mut pg_sys::List) -> Vec<i16> {
    // SAFETY: the caller guarantees a relation of the query and its RestrictInfos, whose targets and clauses are
    // expressions. pull_varattnos makes a valid bitmap set, or leaves it null, which is an empty one.
    unsafe {
        let mut used = null_mut();
        pg_sys::pull_varattnos((*(*rel).reltarget).exprs.cast(), (*rel).relid, &mut used);
        for clause in PgList::<pg_sys::RestrictInfo>::from_pg(scan_clauses).iter_ptr() {
            pg_sys::pull_varattnos((*clause).clause.cast(), (*rel).relid, &mut used);
        }
        let has = |number: i16| {
            let member = i32::from(number) - pg_sys::FirstLowInvalidHeapAttributeNumber;
            pg_sys::bms_is_member(member, used)
        };
        // Attribute number 0 is a reference to the whole row.
        let has_whole_row = has(0);
        (1..=(*rel).max_attr).filter(|number| has_whole_row || has(*number)).collect()
    }
}
