//! Adds paths for the steps above scans and joins: Clerk can count rows.

use std::ptr::null_mut;

use pgrx::{PgList, is_a, pg_guard, pg_sys};

use super::cost::COUNT_COST;
use super::private::{PathPrivate, to_list};
use super::rel_info::RelInfo;

/// The callback GetForeignUpperPaths, which Postgres calls for each step above the scans and joins. For a count of all
/// rows of one table it adds a path whose `fdw_private` is a [`PathPrivate`].
///
/// # Safety
/// Only Postgres may call this, with the arguments of that callback.
#[pg_guard]
pub unsafe extern "C-unwind" fn get_foreign_upper_paths(
    root: *mut pg_sys::PlannerInfo,
    stage: pg_sys::UpperRelationKind::Type,
    input: *mut pg_sys::RelOptInfo,
    output: *mut pg_sys::RelOptInfo,
    _extra: *mut std::ffi::c_void,
) {
    // SAFETY: Postgres passes the root of a query and the relations before and after the step. If the input is a base
    // relation, it is a foreign table of this extension, because Postgres took the callback from it. Nothing else
    // refers to its RelInfo. upper_targets has an entry for each step.
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
            to_list(&PathPrivate { counted: Some((*input).relid), requests: 1.0, ..PathPrivate::default() }),
        );
        pg_sys::add_path(output, path.cast());
    }
}

/// The columns, aggregates, window functions and placeholders that expressions are computed from.
///
/// # Safety
/// The list must hold expressions of the query that is being planned.
pub unsafe fn inputs_of(expressions: *mut pg_sys::List) -> *mut pg_sys::List {
    let flags = pg_sys::PVC_INCLUDE_AGGREGATES | pg_sys::PVC_INCLUDE_WINDOWFUNCS | pg_sys::PVC_INCLUDE_PLACEHOLDERS;
    // SAFETY: the caller guarantees a list of expressions of the query, which is a node that pull_var_clause takes.
    unsafe { pg_sys::pull_var_clause(expressions.cast(), flags as i32) }
}

/// Whether an expression is `count(*)` or `count` of a constant that is not null, without FILTER and DISTINCT.
///
/// # Safety
/// The expression must be one of the query that is being planned.
unsafe fn is_count_of_rows(expression: *mut pg_sys::Expr) -> bool {
    /// The oids of the aggregates count(*) and count("any").
    const COUNT: u32 = 2803;
    const COUNT_ANY: u32 = 2147;
    // SAFETY: the caller guarantees an expression. Its tag says whether it is an Aggref, whose arguments are
    // TargetEntries, and the tag of an argument's expression whether it is a Const.
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
