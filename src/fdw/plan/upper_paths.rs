//! What Clerk can do beyond a scan: it can count.

use std::ptr::null_mut;

use pgrx::{PgList, is_a, pg_guard, pg_sys};

use super::cost::COUNT_COST;
use super::private::{PathPrivate, to_list};
use super::rel_info::RelInfo;

/// Postgres asks, once for each step above the scans and joins, whether Clerk can do it. For a count of all rows of one
/// table, adds a path whose `fdw_private` is a [`PathPrivate`].
#[pg_guard]
pub unsafe extern "C-unwind" fn get_foreign_upper_paths(
    root: *mut pg_sys::PlannerInfo,
    stage: pg_sys::UpperRelationKind::Type,
    input: *mut pg_sys::RelOptInfo,
    output: *mut pg_sys::RelOptInfo,
    _extra: *mut std::ffi::c_void,
) {
    // SAFETY: Postgres passes the planner's own structures; of a base relation that is no foreign table of ours,
    // Postgres would not call this.
    unsafe {
        let query = &*(*root).parse;
        if stage != pg_sys::UpperRelationKind::UPPERREL_GROUP_AGG
            || (*input).reloptkind != pg_sys::RelOptKind::RELOPT_BASEREL
            || !query.groupClause.is_null()
            || !query.groupingSets.is_null()
            || !query.havingQual.is_null()
            || query.hasTargetSRFs
            || !(*input).lateral_relids.is_null()
        {
            return;
        }
        let target = (*root).upper_targets[stage as usize];
        let counts = PgList::<pg_sys::Expr>::from_pg(inputs_of((*target).exprs));
        if counts.is_empty() || !counts.iter_ptr().all(|count| is_count_of_rows(count)) {
            return;
        }
        let Some(info) = RelInfo::of(input) else { return };
        if !info.clauses.is_exact() || !info.clauses.classified.is_countable() {
            return;
        }
        let path = pg_sys::create_foreign_upper_path(
            root,
            output,
            target,
            1.0,
            #[cfg(feature = "pg18")]
            0,
            COUNT_COST,
            COUNT_COST,
            null_mut(),
            null_mut(),
            #[cfg(any(feature = "pg17", feature = "pg18"))]
            null_mut(),
            to_list(&PathPrivate { order: None, counted: Some((*input).relid), requests: 1.0 }),
        );
        pg_sys::add_path(output, path.cast());
    }
}

/// What expressions are computed from: columns, aggregates, and whatever else Postgres knows to come from below.
///
/// # Safety
/// The list holds expressions of the query that is being planned.
pub unsafe fn inputs_of(expressions: *mut pg_sys::List) -> *mut pg_sys::List {
    let all = pg_sys::PVC_INCLUDE_AGGREGATES | pg_sys::PVC_INCLUDE_WINDOWFUNCS | pg_sys::PVC_INCLUDE_PLACEHOLDERS;
    // SAFETY: the caller promises a list of expressions, which pull_var_clause walks.
    unsafe { pg_sys::pull_var_clause(expressions.cast(), all as i32) }
}

/// `count(*)`, or `count` of a constant, without FILTER and DISTINCT.
///
/// # Safety
/// The expression is one of the query that is being planned.
unsafe fn is_count_of_rows(expression: *mut pg_sys::Expr) -> bool {
    /// The aggregates count() and count("any") in pg_proc.
    const COUNT: u32 = 2803;
    const COUNT_ANY: u32 = 2147;
    // SAFETY: a node's tag tells what it is; an aggregate's arguments are target entries.
    unsafe {
        if !is_a(expression.cast(), pg_sys::NodeTag::T_Aggref) {
            return false;
        }
        let aggregate = &*expression.cast::<pg_sys::Aggref>();
        let counts_all = match aggregate.aggfnoid.to_u32() {
            COUNT => true,
            COUNT_ANY => PgList::<pg_sys::TargetEntry>::from_pg(aggregate.args).iter_ptr().all(|argument| {
                let constant: *mut pg_sys::Const = (*argument).expr.cast();
                is_a(constant.cast(), pg_sys::NodeTag::T_Const) && !(*constant).constisnull
            }),
            _ => false,
        };
        counts_all && aggregate.aggfilter.is_null() && aggregate.aggdistinct.is_null()
    }
}
