//! Adds the paths that the planner may choose from to scan a foreign table: a plain scan, a scan sorted by Clerk, and
//! scans that are parameterized with the values of another table's rows.

use std::ptr::null_mut;

use clerk_api::catalog::Kind;
use clerk_api::pushdown::{Classified, Operator};
use pgrx::{PgList, is_a, pg_guard, pg_sys};

use super::clause::{self, ColumnRef, ForeignRel};
use super::cost::Estimate;
use super::private::{PathPrivate, PlannedOrder, to_list};
use super::rel_info::RelInfo;
use crate::options::Table;

/// The callback GetForeignPaths: adds paths, whose `fdw_private` is a [`PathPrivate`].
///
/// # Safety
/// Only Postgres may call this, with the arguments of that callback.
#[pg_guard]
pub unsafe extern "C-unwind" fn get_foreign_paths(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    _relation: pg_sys::Oid,
) {
    // SAFETY: Postgres passes the root of a query and one of its relations, a foreign table of this extension for which
    // it called get_foreign_rel_size before. No other reference to its RelInfo exists.
    unsafe {
        let Some(info) = RelInfo::of(rel) else { return };
        let estimate = Estimate::new(rel, info, &info.clauses);
        add_scan_path(root, rel, &info.table, estimate, None, null_mut(), (*rel).lateral_relids);
        if let Some(ClerkSort { order, pathkeys }) = clerk_sort(root, rel, info) {
            let sorted = estimate.sorted(&info.table);
            add_scan_path(root, rel, &info.table, sorted, Some(order), pathkeys, (*rel).lateral_relids);
        }
        for param_info in parameterizations(root, rel, info.rel) {
            info.parameterize(param_info, (*rel).baserestrictinfo);
            let estimate = Estimate::new(rel, info, info.clauses_of(param_info));
            add_scan_path(root, rel, &info.table, estimate, None, null_mut(), (*param_info).ppi_req_outer);
        }
    }
}

/// Adds a path that scans a foreign table.
///
/// # Safety
/// `rel` must be a foreign table of the query that the root plans; the path keys and the set of outer relations must be
/// in the planner's memory, to which the path will refer.
unsafe fn add_scan_path(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    table: &Table,
    estimate: Estimate,
    order: Option<PlannedOrder>,
    pathkeys: *mut pg_sys::List,
    required_outer: *mut pg_sys::Bitmapset,
) {
    // SAFETY: the caller guarantees a relation of the root's query, and path keys and outer relations that live as long
    // as the path. add_path takes ownership of the path.
    unsafe {
        let path = pg_sys::create_foreignscan_path(
            root,
            rel,
            null_mut(),
            estimate.rows,
            #[cfg(feature = "pg18")]
            0,
            estimate.startup_cost(table),
            estimate.total_cost(table),
            pathkeys,
            required_outer,
            null_mut(),
            #[cfg(any(feature = "pg17", feature = "pg18"))]
            null_mut(),
            to_list(&PathPrivate { order, requests: estimate.requests, ..PathPrivate::default() }),
        );
        pg_sys::add_path(rel, path.cast());
    }
}

/// A sort order that Clerk can return.
struct ClerkSort {
    order: PlannedOrder,
    /// The same order as path keys of the planner.
    pathkeys: *mut pg_sys::List,
}

/// The first sort key of the query, if Clerk sorts by it. Clerk sorts only by columns that are never null.
///
/// # Safety
/// `rel` must be the relation of `info` in the query that the root plans.
unsafe fn clerk_sort(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    info: &RelInfo,
) -> Option<ClerkSort> {
    // SAFETY: the caller guarantees the root that plans the query. Its query_pathkeys are PathKeys with an equivalence
    // class, whose members have expressions of the query.
    unsafe {
        let query_pathkeys = PgList::<pg_sys::PathKey>::from_pg((*root).query_pathkeys);
        let first = query_pathkeys.get_ptr(0)?;
        let members = PgList::<pg_sys::EquivalenceMember>::from_pg((*(*first).pk_eclass).ec_members);
        let ColumnRef { column, declared } =
            members.iter_ptr().find_map(|member| info.rel.column((*member).em_expr))?;
        let is_ordered = matches!(column.kind, Kind::Time | Kind::Integer)
            && declared.is_exact
            && matches!(
                declared.base,
                pg_sys::INT8OID | pg_sys::TIMESTAMPOID | pg_sys::TIMESTAMPTZOID | pg_sys::DATEOID | pg_sys::INT4OID
            );
        // Another operator class than the default one may sort the same values differently.
        let is_default_family = Some((*first).pk_opfamily) == clause::default_family(declared.base);
        let sort = info.rel.object.sort_column(column.name).filter(|_| is_ordered && is_default_family)?;
        #[cfg(feature = "pg18")]
        let is_descending = (*first).pk_cmptype == pg_sys::CompareType::COMPARE_GT;
        #[cfg(not(feature = "pg18"))]
        let is_descending = (*first).pk_strategy as u32 == pg_sys::BTGreaterStrategyNumber;
        // If a list is sorted by a column that can change, a change between two requests can move an object to a page
        // that was already read, so that it is missed. Within one page that cannot happen.
        let is_one_page = limit(root, rel).is_some_and(|limit| limit <= info.table.page_size)
            && info.clauses.is_exact()
            && query_pathkeys.len() == 1;
        if !(sort.is_stable || is_one_page) || !info.clauses.classified.is_one_sorted_list() {
            return None;
        }
        let mut pathkeys = PgList::<pg_sys::PathKey>::new();
        pathkeys.push(first);
        let order = PlannedOrder { column: column.name.to_owned(), is_descending };
        Some(ClerkSort { order, pathkeys: pathkeys.into_pg() })
    }
}

/// The parameterizations that join clauses allow: the sets of other relations whose values can be sent to Clerk.
///
/// # Safety
/// `rel` must be the relation that `foreign_rel` describes, in the query that the root plans.
unsafe fn parameterizations(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    foreign_rel: ForeignRel,
) -> Vec<*mut pg_sys::ParamPathInfo> {
    let mut found: Vec<*mut pg_sys::ParamPathInfo> = Vec::new();
    // SAFETY: the caller guarantees a relation of the root's query; its joininfo and the implied equalities are
    // RestrictInfos. ec_member_matches gets a pointer to `foreign_rel`, which lives until the call has returned.
    unsafe {
        let mut clauses: Vec<*mut pg_sys::RestrictInfo> =
            PgList::<pg_sys::RestrictInfo>::from_pg((*rel).joininfo).iter_ptr().collect();
        if (*rel).has_eclass_joins {
            let implied = pg_sys::generate_implied_equalities_for_column(
                root,
                rel,
                Some(ec_member_matches),
                (&raw const foreign_rel).cast_mut().cast(),
                (*rel).lateral_referencers,
            );
            clauses.extend(PgList::<pg_sys::RestrictInfo>::from_pg(implied).iter_ptr());
        }
        for clause in clauses {
            if !pg_sys::join_clause_is_movable_to(clause, rel) || !is_pushable_join_clause(foreign_rel, clause) {
                continue;
            }
            let required_outer = pg_sys::bms_union((*clause).clause_relids, (*rel).lateral_relids);
            let required_outer = pg_sys::bms_del_member(required_outer, (*rel).relid as i32);
            if pg_sys::bms_membership(required_outer) == pg_sys::BMS_Membership::BMS_EMPTY_SET {
                continue;
            }
            let param_info = pg_sys::get_baserel_parampathinfo(root, rel, required_outer);
            if !found.contains(&param_info) {
                found.push(param_info);
            }
        }
    }
    found
}

/// Whether Clerk can look objects up by the column that a join clause compares.
///
/// # Safety
/// The clause must be one of the query that `rel.root` plans.
unsafe fn is_pushable_join_clause(rel: ForeignRel, clause: *mut pg_sys::RestrictInfo) -> bool {
    // SAFETY: the caller guarantees a RestrictInfo of the query that the root plans.
    let Some(clause) = (unsafe { rel.pushable_clause(clause.cast()) }) else { return false };
    let classified = Classified::new(rel.object, vec![clause.condition()]);
    clause.operator == Operator::Equal && classified.pushdowns().next().is_some()
}

/// The callback of generate_implied_equalities_for_column: says whether a member of an equivalence class is a column
/// for which join clauses are wanted.
///
/// # Safety
/// Only Postgres may call this, with the arguments of that callback.
#[pg_guard]
unsafe extern "C-unwind" fn ec_member_matches(
    _root: *mut pg_sys::PlannerInfo,
    _rel: *mut pg_sys::RelOptInfo,
    _class: *mut pg_sys::EquivalenceClass,
    member: *mut pg_sys::EquivalenceMember,
    foreign_rel: *mut std::ffi::c_void,
) -> bool {
    // SAFETY: `parameterizations` passes a pointer to its ForeignRel, and a member of an equivalence class has an
    // expression of the query.
    unsafe { (*foreign_rel.cast::<ForeignRel>()).column((*member).em_expr).is_some() }
}

/// The number of rows that LIMIT and OFFSET allow, if they apply directly to the rows of this table. If grouping,
/// DISTINCT, window functions or set-returning functions come between, Postgres itself has set limit_tuples to -1.
///
/// # Safety
/// `rel` must be a relation of the query that the root plans.
pub unsafe fn limit(root: *mut pg_sys::PlannerInfo, rel: *mut pg_sys::RelOptInfo) -> Option<u32> {
    // SAFETY: the caller guarantees a root with its parsed query, and a relation of it.
    unsafe {
        let is_only_rel = (*rel).reloptkind == pg_sys::RelOptKind::RELOPT_BASEREL
            && pg_sys::bms_membership((*root).all_baserels) == pg_sys::BMS_Membership::BMS_SINGLETON;
        let with_ties = (*(*root).parse).limitOption == pg_sys::LimitOption::LIMIT_OPTION_WITH_TIES;
        // For an expression that is no constant, such as a call of a stable function, limit_tuples is an estimate. Its
        // value may be higher when a cached plan is executed.
        let is_constant = |node: *mut pg_sys::Node| node.is_null() || is_a(node, pg_sys::NodeTag::T_Const);
        let parse = &*(*root).parse;
        let is_constant = is_constant(parse.limitCount) && is_constant(parse.limitOffset);
        let limit = (*root).limit_tuples;
        (is_only_rel && !with_ties && is_constant && limit >= 1.0).then(|| limit.min(f64::from(u32::MAX)) as u32)
    }
}
