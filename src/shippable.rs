//! What of a query Clerk can answer. Postgres checks every condition again, so what is found here only decides how
//! much is read.

use clerk_api::object::{Key, Object};
use pgrx::{PgList, is_a, pg_sys};

use crate::convert;
use crate::option;

/// A condition `column = value` on a column whose value alone finds the objects that have it.
pub struct KeyCondition {
    pub key: &'static Key,
    /// An expression over parameters and constants, of type text.
    pub value: *mut pg_sys::Expr,
}

/// The first condition of the table that leads to an endpoint of its own.
///
/// # Safety
/// Called while planning, with the planner's own structures; `relation` is the table that `rel` stands for.
pub unsafe fn key_condition(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    relation: pg_sys::Oid,
    object: &'static Object,
) -> Option<KeyCondition> {
    // SAFETY: the list holds RestrictInfos, whose clauses are expressions.
    unsafe {
        let conditions = PgList::<pg_sys::RestrictInfo>::from_pg((*rel).baserestrictinfo);
        conditions.iter_ptr().find_map(|condition| {
            let (var, value) = equality((*condition).clause, (*rel).relid)?;
            if pg_sys::bms_membership(pg_sys::pull_varnos(root, value.cast())) != pg_sys::BMS_Membership::BMS_EMPTY_SET
                || pg_sys::contain_volatile_functions(value.cast())
            {
                return None;
            }
            let column = convert::column_of(relation, (*var).varattno, object)?;
            Some(KeyCondition { key: object.key(column.name)?, value })
        })
    }
}

/// The two sides of `column = value` as texts, whichever way round it was written.
unsafe fn equality(clause: *mut pg_sys::Expr, relid: pg_sys::Index) -> Option<(*mut pg_sys::Var, *mut pg_sys::Expr)> {
    // SAFETY: node tags tell what a pointer points to.
    unsafe {
        if !is_a(clause.cast(), pg_sys::NodeTag::T_OpExpr) {
            return None;
        }
        let operation: *mut pg_sys::OpExpr = clause.cast();
        if (*operation).opno != pg_sys::Oid::from(pg_sys::TextEqualOperator) {
            return None;
        }
        // Under a nondeterministic collation more is equal than Clerk would find.
        let collation = (*operation).inputcollid;
        if collation != pg_sys::InvalidOid && !pg_sys::get_collation_isdeterministic(collation) {
            return None;
        }
        let sides = PgList::<pg_sys::Expr>::from_pg((*operation).args);
        let (left, right) = (sides.get_ptr(0)?, sides.get_ptr(1)?);
        match (var_of(left, relid), var_of(right, relid)) {
            (Some(var), None) => Some((var, right)),
            (None, Some(var)) => Some((var, left)),
            _ => None,
        }
    }
}

/// The table's column that an expression is, below casts that change nothing.
unsafe fn var_of(mut expression: *mut pg_sys::Expr, relid: pg_sys::Index) -> Option<*mut pg_sys::Var> {
    // SAFETY: as above.
    unsafe {
        while is_a(expression.cast(), pg_sys::NodeTag::T_RelabelType) {
            expression = (*expression.cast::<pg_sys::RelabelType>()).arg;
        }
        if !is_a(expression.cast(), pg_sys::NodeTag::T_Var) {
            return None;
        }
        let var: *mut pg_sys::Var = expression.cast();
        ((*var).varno as pg_sys::Index == relid && (*var).varlevelsup == 0 && (*var).varattno > 0).then_some(var)
    }
}

/// How many rows the query can want of the table at most: a LIMIT (with its OFFSET) that nothing stands before.
/// It sizes the first page and cuts nothing off.
///
/// # Safety
/// Called while planning, with the planner's own structures.
pub unsafe fn enough(root: *mut pg_sys::PlannerInfo, rel: *mut pg_sys::RelOptInfo, conditions: usize) -> Option<u32> {
    // SAFETY: plain reads. Postgres itself has set limit_tuples to -1 where grouping, DISTINCT, window functions or
    // set-returning functions stand between.
    unsafe {
        let alone = (*rel).reloptkind == pg_sys::RelOptKind::RELOPT_BASEREL
            && pg_sys::bms_membership((*root).all_baserels) == pg_sys::BMS_Membership::BMS_SINGLETON;
        let unfiltered = PgList::<pg_sys::Node>::from_pg((*rel).baserestrictinfo).len() <= conditions;
        let unordered = (*root).query_pathkeys.is_null();
        let limit = (*root).limit_tuples;
        (alone && unfiltered && unordered && limit >= 1.0).then(|| limit.min(f64::from(u32::MAX)) as u32)
    }
}

/// The numbers of the table's columns whose values the query uses.
///
/// # Safety
/// As [`enough`]; `relation` is the table that `rel` stands for.
pub unsafe fn used_columns(rel: *mut pg_sys::RelOptInfo, columns: i16) -> Vec<i16> {
    // SAFETY: the target list and the conditions are expressions; a bitmap set tells its members in order.
    unsafe {
        let mut used = std::ptr::null_mut();
        pg_sys::pull_varattnos((*(*rel).reltarget).exprs.cast(), (*rel).relid, &mut used);
        for condition in PgList::<pg_sys::RestrictInfo>::from_pg((*rel).baserestrictinfo).iter_ptr() {
            pg_sys::pull_varattnos((*condition).clause.cast(), (*rel).relid, &mut used);
        }
        let has = |number: i16| {
            let member = i32::from(number) - pg_sys::FirstLowInvalidHeapAttributeNumber;
            pg_sys::bms_is_member(member, used)
        };
        // Number 0 stands for the whole row.
        let all = has(0);
        (1..=columns).filter(|number| all || has(*number)).collect()
    }
}

/// What a table's column is called and which path it was given.
pub fn column_path(relation: pg_sys::Oid, number: i16) -> Option<String> {
    // SAFETY: a catalog look-up that gives a list of DefElems.
    unsafe { option::read(pg_sys::GetForeignColumnOptions(relation, number)) }.remove("path")
}
