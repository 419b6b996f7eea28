//! The ways to read a table that the planner may choose from: all of it at once, sorted by Clerk, or for the values of
//! another table's row.

use std::ptr::null_mut;

use clerk_api::catalog::Kind;
use clerk_api::pushdown::{Classified, Operator};
use pgrx::{PgList, is_a, pg_guard, pg_sys};

use super::clause::{self, ForeignRel};
use super::cost::Estimate;
use super::private::{PathPrivate, PlannedOrder, to_list};
use super::rel_info::RelInfo;
use crate::options::Table;

/// Postgres asks for the ways to read a foreign table. Adds paths whose `fdw_private` is a [`PathPrivate`].
#[pg_guard]
pub unsafe extern "C-unwind" fn get_foreign_paths(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    _relation: pg_sys::Oid,
) {
    // SAFETY: Postgres passes the planner's own structures for a foreign table whose size it has asked for before.
    unsafe {
        let Some(info) = RelInfo::of(rel) else { return };
        let estimate = Estimate::new(rel, info, &info.clauses);
        add(root, rel, &info.table, estimate, None, null_mut(), (*rel).lateral_relids);
        if let Some((order, pathkeys)) = sorted_by_clerk(root, rel, info) {
            let sorted = estimate.sorted(&info.table);
            add(root, rel, &info.table, sorted, Some(order), pathkeys, (*rel).lateral_relids);
        }
        for parameters in parameterizations(root, rel, info.rel) {
            info.parameterize(parameters, (*rel).baserestrictinfo);
            let estimate = Estimate::new(rel, info, info.clauses_of(parameters));
            add(root, rel, &info.table, estimate, None, null_mut(), (*parameters).ppi_req_outer);
        }
    }
}

/// Adds a path.
///
/// # Safety
/// As for [`get_foreign_paths`]; the lists and sets are in the planner's memory.
unsafe fn add(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    table: &Table,
    estimate: Estimate,
    order: Option<PlannedOrder>,
    pathkeys: *mut pg_sys::List,
    outer: *mut pg_sys::Bitmapset,
) {
    // SAFETY: the arguments are the planner's own structures; add_path takes the path over.
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
            outer,
            null_mut(),
            #[cfg(any(feature = "pg17", feature = "pg18"))]
            null_mut(),
            to_list(&PathPrivate { order, counted: None, requests: estimate.requests }),
        );
        pg_sys::add_path(rel, path.cast());
    }
}

/// The first order that the query wants, if Clerk sorts by it and its column is never null.
///
/// # Safety
/// As for [`get_foreign_paths`].
unsafe fn sorted_by_clerk(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    info: &RelInfo,
) -> Option<(PlannedOrder, *mut pg_sys::List)> {
    // SAFETY: the path keys are the planner's; an equivalence class has members, which have expressions.
    unsafe {
        let wanted = PgList::<pg_sys::PathKey>::from_pg((*root).query_pathkeys);
        let first = wanted.get_ptr(0)?;
        let members = PgList::<pg_sys::EquivalenceMember>::from_pg((*(*first).pk_eclass).ec_members);
        let (column, declared) = members.iter_ptr().find_map(|member| info.rel.column((*member).em_expr))?;
        let is_ordered = matches!(column.kind, Kind::Time | Kind::Integer)
            && declared.is_exact
            && matches!(
                declared.base,
                pg_sys::INT8OID | pg_sys::TIMESTAMPOID | pg_sys::TIMESTAMPTZOID | pg_sys::DATEOID | pg_sys::INT4OID
            );
        // Another operator class may sort the same values otherwise.
        let is_usual = Some((*first).pk_opfamily) == clause::family(declared.base);
        let sort = info.rel.object.sort_column(column.name).filter(|_| is_ordered && is_usual)?;
        #[cfg(feature = "pg18")]
        let is_descending = (*first).pk_cmptype == pg_sys::CompareType::COMPARE_GT;
        #[cfg(not(feature = "pg18"))]
        let is_descending = (*first).pk_strategy as u32 == pg_sys::BTGreaterStrategyNumber;
        // Sorting by a column that changes can skip rows between one page and the next: it is safe within one page.
        let is_one_page = limit(root, rel).is_some_and(|limit| limit <= info.table.page_size)
            && info.clauses.is_exact()
            && wanted.len() == 1;
        if !(sort.is_stable || is_one_page) || !info.clauses.classified.is_one_sorted_list() {
            return None;
        }
        let mut pathkeys = PgList::<pg_sys::PathKey>::new();
        pathkeys.push(first);
        Some((PlannedOrder { column: column.name.to_owned(), is_descending }, pathkeys.into_pg()))
    }
}

/// The sets of other tables whose rows' values can choose what to read.
///
/// # Safety
/// As for [`get_foreign_paths`].
unsafe fn parameterizations(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    foreign_rel: ForeignRel,
) -> Vec<*mut pg_sys::ParamPathInfo> {
    let mut found: Vec<*mut pg_sys::ParamPathInfo> = Vec::new();
    // SAFETY: the lists and sets belong to the planner's relation, and the callback gets what it expects.
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
            let outer = pg_sys::bms_union((*clause).clause_relids, (*rel).lateral_relids);
            let outer = pg_sys::bms_del_member(outer, (*rel).relid as i32);
            if pg_sys::bms_membership(outer) == pg_sys::BMS_Membership::BMS_EMPTY_SET {
                continue;
            }
            let parameters = pg_sys::get_baserel_parampathinfo(root, rel, outer);
            if !found.contains(&parameters) {
                found.push(parameters);
            }
        }
    }
    found
}

/// Whether Clerk looks objects up by what a join clause compares.
///
/// # Safety
/// The clause is one of the query that is being planned.
unsafe fn is_pushable_join_clause(rel: ForeignRel, clause: *mut pg_sys::RestrictInfo) -> bool {
    // SAFETY: a RestrictInfo is what pushable_clause takes.
    let Some(clause) = (unsafe { rel.pushable_clause(clause.cast()) }) else { return false };
    let classified = Classified::new(rel.object, vec![clause.condition()]);
    clause.operator == Operator::Equal && classified.pushdowns().next().is_some()
}

/// Postgres asks whether a member of an equivalence class is a column that join conditions shall be made for.
#[pg_guard]
unsafe extern "C-unwind" fn ec_member_matches(
    _root: *mut pg_sys::PlannerInfo,
    _rel: *mut pg_sys::RelOptInfo,
    _class: *mut pg_sys::EquivalenceClass,
    member: *mut pg_sys::EquivalenceMember,
    foreign_rel: *mut std::ffi::c_void,
) -> bool {
    // SAFETY: parameterizations passes a pointer to its ForeignRel, and a member has an expression.
    unsafe { (*foreign_rel.cast::<ForeignRel>()).column((*member).em_expr).is_some() }
}

/// A LIMIT with its OFFSET, where only this table stands behind it. Postgres itself has set it to -1 where grouping,
/// DISTINCT, window functions or set-returning functions stand between.
///
/// # Safety
/// Called while planning, with the planner's own structures.
pub unsafe fn limit(root: *mut pg_sys::PlannerInfo, rel: *mut pg_sys::RelOptInfo) -> Option<u32> {
    // SAFETY: reads the planner's structures, which the caller passes.
    unsafe {
        let is_alone = (*rel).reloptkind == pg_sys::RelOptKind::RELOPT_BASEREL
            && pg_sys::bms_membership((*root).all_baserels) == pg_sys::BMS_Membership::BMS_SINGLETON;
        let with_ties = (*(*root).parse).limitOption == pg_sys::LimitOption::LIMIT_OPTION_WITH_TIES;
        // What an expression is estimated at now, such as a call of a stable function, may be more when a plan that was
        // kept is executed.
        let is_fixed = |node: *mut pg_sys::Node| node.is_null() || is_a(node, pg_sys::NodeTag::T_Const);
        let parse = &*(*root).parse;
        let is_fixed = is_fixed(parse.limitCount) && is_fixed(parse.limitOffset);
        let limit = (*root).limit_tuples;
        (is_alone && !with_ties && is_fixed && limit >= 1.0).then(|| limit.min(f64::from(u32::MAX)) as u32)
    }
}
