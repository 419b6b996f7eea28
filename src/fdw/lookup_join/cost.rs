//! Estimates how many different values a lookup join looks up.

use std::ptr::null_mut;

use pgrx::{PgList, pg_sys};

use super::key::Key;
use crate::fdw::plan::cost::value_count;

/// How many different values the key has in so many rows of the outer side.
///
/// # Safety
/// The key must be of a join of the query that the root plans.
pub unsafe fn different_values(root: *mut pg_sys::PlannerInfo, key: &Key, outer_rows: f64) -> f64 {
    // SAFETY: the caller guarantees a key of the query, whose values are expressions of it. estimate_num_groups only reads
    // the list.
    unsafe {
        let values = outer_rows * value_count(root, &key.comparison);
        let mut expressions = PgList::<pg_sys::Expr>::new();
        for value in &key.comparison.values {
            if !has_statistics(root, value.expression) {
                return values;
            }
            expressions.push(value.expression);
        }
        let groups = pg_sys::estimate_num_groups(root, expressions.into_pg(), outer_rows, null_mut(), null_mut());
        groups.min(values)
    }
}

/// Whether Postgres knows how many different values an expression has. Otherwise it assumes 200, however many rows there
/// are.
///
/// # Safety
/// The expression must be one of the query that the root plans.
unsafe fn has_statistics(root: *mut pg_sys::PlannerInfo, expression: *mut pg_sys::Expr) -> bool {
    let mut data = pg_sys::VariableStatData::default();
    let mut is_default = false;
    // SAFETY: the caller guarantees an expression of the query. examine_variable initializes the struct, whose statistics
    // are released by the function that it names.
    unsafe {
        pg_sys::examine_variable(root, expression.cast(), 0, &mut data);
        pg_sys::get_variable_numdistinct(&mut data, &mut is_default);
        if let (false, Some(free)) = (data.statsTuple.is_null(), data.freefunc) {
            pg_sys::ffi::pg_guard_ffi_boundary(|| free(data.statsTuple));
        }
    }
    !is_default
}
