//! Makes the plan of a lookup join from the path that the planner chose.
//!
//! The joined row has the columns of the outer side, then those of the inner side. All expressions of the plan are
//! evaluated on it: the key, before the columns of the inner side are known.

use std::ptr::null_mut;

use pgrx::{PgList, is_a, pg_guard, pg_sys};

use super::key::Key;
use super::private::{LookupPath, LookupPlan};
use super::{Callbacks, NAME, exec, nulling};
use crate::fdw::plan::create_plan::writes_to_clerk;
use crate::fdw::plan::private::{PlannedCondition, PlannedValue, from_list, to_list};
use crate::fdw::plan::rel_info::RelInfo;

static PATH_METHODS: Callbacks<pg_sys::CustomPathMethods> = Callbacks(pg_sys::CustomPathMethods {
    CustomName: NAME.as_ptr(),
    PlanCustomPath: Some(plan_custom_path),
    ReparameterizeCustomPathByChild: None,
});

static SCAN_METHODS: Callbacks<pg_sys::CustomScanMethods> = Callbacks(pg_sys::CustomScanMethods {
    CustomName: NAME.as_ptr(),
    CreateCustomScanState: Some(exec::create_custom_scan_state),
});

/// The callbacks of paths.
pub fn path_methods() -> *const pg_sys::CustomPathMethods {
    &raw const PATH_METHODS.0
}

/// Makes the plan's callbacks known by name, so that a copy of a plan finds them.
pub fn register() {
    // SAFETY: the callbacks live as long as the program.
    unsafe { pg_sys::RegisterCustomScanMethods(&raw const SCAN_METHODS.0) };
}

/// What a path keeps in `custom_private`: the clauses of the join, the one of them that is the key, and a [`LookupPath`].
///
/// # Safety
/// The clauses must be RestrictInfos of the query that is being planned.
pub unsafe fn path_private(
    clauses: *mut pg_sys::List,
    key: *mut pg_sys::RestrictInfo,
    path: &LookupPath,
) -> *mut pg_sys::List {
    let mut private = PgList::<pg_sys::List>::new();
    let mut keys = PgList::<pg_sys::RestrictInfo>::new();
    keys.push(key);
    private.push(clauses);
    private.push(keys.into_pg());
    private.push(to_list(path));
    private.into_pg()
}

/// The callback PlanCustomPath: makes the plan of the path that Postgres chose.
///
/// The plan's `custom_exprs` holds the join's clauses, the values of the key, and the clauses on the outer side alone; its
/// `custom_private` holds a [`LookupPlan`].
///
/// # Safety
/// Only Postgres may call this, with the arguments of that callback.
#[pg_guard]
unsafe extern "C-unwind" fn plan_custom_path(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    path: *mut pg_sys::CustomPath,
    target_list: *mut pg_sys::List,
    _clauses: *mut pg_sys::List,
    plans: *mut pg_sys::List,
) -> *mut pg_sys::Plan {
    // SAFETY: Postgres passes the root of the query, the join, a path that `paths` has added with the list of
    // `path_private`, and the plans of its two paths: the outer side, and a foreign table of this extension with its
    // RelInfo, to which nothing else refers. The lists hold expressions of the query.
    unsafe {
        let private = PgList::<pg_sys::List>::from_pg((*path).custom_private);
        let paths = PgList::<pg_sys::Path>::from_pg((*path).custom_paths);
        let sides = PgList::<pg_sys::Plan>::from_pg(plans);
        let lookup: Option<LookupPath> = private.get_ptr(2).and_then(|list| from_list(list));
        let (Some(clauses), Some(key), Some(lookup)) = (private.get_ptr(0), private.get_ptr(1), lookup) else {
            no_part()
        };
        let Some(key) = PgList::<pg_sys::RestrictInfo>::from_pg(key).get_ptr(0) else { no_part() };
        let scan = sides.get_ptr(1).filter(|plan| is_a((*plan).cast(), pg_sys::NodeTag::T_ForeignScan));
        let (Some(outer), Some(inner)) = (sides.get_ptr(0), scan) else { no_part() };
        let Some(inner_rel) = paths.get_ptr(1).map(|path| (*path).parent) else { no_part() };
        let Some(info) = RelInfo::of(inner_rel) else { no_part() };

        let Clauses { join, above } = Clauses::of(clauses, lookup.kind.is_outer(), (*rel).relids);
        let Some(key_clause) = join.iter().position(|clause| *clause == key) else { no_part() };
        let Some(outer_rel) = paths.get_ptr(0).map(|path| (*path).parent) else { no_part() };
        let admits = copy(expressions(&of_outer(&join, (*outer_rel).relids)));
        let Some(key) = Key::of_plan(info, key) else { no_part() };
        let (condition, values) = planned_key(&key);
        let join = copy(expressions(&join));
        outer_first(root, join, key_clause, (*outer_rel).relids);
        let above = copy(expressions(&above));
        let values = copy(values);
        let row = joined_row((*outer).targetlist, (*inner).targetlist);
        // The target list may be replaced later, by one with expressions over the columns of the join's target.
        nulling::align(row, (*(*rel).reltarget).exprs, &[above, join, values, admits]);

        let plan = LookupPlan {
            key: condition,
            key_column: column_of((*inner).targetlist, info.rel.relid, key.attribute(info)),
            key_clause,
            outer_columns: PgList::<pg_sys::TargetEntry>::from_pg((*outer).targetlist).len(),
            max_concurrency: info.table.max_concurrency as usize,
            wants_all: wants_all(root, (*path).path.pathkeys),
            reads_first: writes_to_clerk(root),
            path: lookup,
        };
        let mut custom_exprs = PgList::<pg_sys::List>::new();
        custom_exprs.push(join);
        custom_exprs.push(values);
        custom_exprs.push(admits);
        let scan: *mut pg_sys::CustomScan = pg_sys::palloc0(size_of::<pg_sys::CustomScan>()).cast();
        (*scan).scan.plan.type_ = pg_sys::NodeTag::T_CustomScan;
        (*scan).scan.plan.targetlist = target_list;
        (*scan).scan.plan.qual = above;
        (*scan).flags = (*path).flags;
        (*scan).custom_plans = plans;
        (*scan).custom_exprs = custom_exprs.into_pg();
        (*scan).custom_private = to_list(&plan);
        (*scan).custom_scan_tlist = row;
        (*scan).methods = &raw const SCAN_METHODS.0;
        scan.cast()
    }
}

fn no_part() -> ! {
    pgrx::error!("clerk_fdw: a lookup join was planned without its parts")
}

/// The clauses of a join.
struct Clauses {
    /// Those that say which rows match.
    join: Vec<*mut pg_sys::RestrictInfo>,
    /// Those that are checked after an outer join has added its rows with nulls.
    above: Vec<*mut pg_sys::RestrictInfo>,
}

impl Clauses {
    /// Divides the clauses of a join of these relations, in the order of their security levels: a condition of the query
    /// must not be evaluated on rows that a security barrier or a policy has not passed yet.
    ///
    /// # Safety
    /// The list must hold RestrictInfos of the query that is being planned.
    unsafe fn of(clauses: *mut pg_sys::List, is_outer_join: bool, relations: pg_sys::Relids) -> Self {
        // SAFETY: the caller guarantees a list of RestrictInfos.
        unsafe {
            let mut all: Vec<_> = PgList::<pg_sys::RestrictInfo>::from_pg(clauses).iter_ptr().collect();
            // A pseudoconstant clause depends on no row. Since PostgreSQL 17 the planner puts a Result node above a
            // custom scan that checks such clauses once; before, it offers joins that have one to no extension.
            #[cfg(any(feature = "pg17", feature = "pg18"))]
            all.retain(|clause| !(**clause).pseudoconstant);
            all.sort_by_key(|clause| (**clause).security_level);
            let is_above = |clause: &_| is_outer_join && super::key::is_pushed_down(*clause, relations);
            let (above, join) = all.into_iter().partition(is_above);
            Clauses { join, above }
        }
    }
}

/// The clauses that are about the outer side alone. Where one is not true, a row has no match, so that its key need not be
/// looked up. Only clauses of the lowest security level are taken, because they are evaluated before all others.
///
/// # Safety
/// The clauses must be RestrictInfos of the query that is being planned.
unsafe fn of_outer(clauses: &[*mut pg_sys::RestrictInfo], outer: pg_sys::Relids) -> Vec<*mut pg_sys::RestrictInfo> {
    // SAFETY: the caller guarantees RestrictInfos, whose clauses are expressions of the query.
    unsafe {
        let level = clauses.iter().map(|clause| (**clause).security_level).min();
        let is_of_outer = |clause: &&*mut pg_sys::RestrictInfo| {
            pg_sys::bms_is_subset((***clause).clause_relids, outer)
                && Some((***clause).security_level) == level
                && !pg_sys::contain_volatile_functions((***clause).clause.cast())
        };
        clauses.iter().filter(is_of_outer).copied().collect()
    }
}

/// The expressions of clauses.
///
/// # Safety
/// The clauses must be RestrictInfos.
unsafe fn expressions(clauses: &[*mut pg_sys::RestrictInfo]) -> *mut pg_sys::List {
    let mut list = PgList::<pg_sys::Expr>::new();
    for clause in clauses {
        // SAFETY: the caller guarantees RestrictInfos.
        list.push(unsafe { (**clause).clause });
    }
    list.into_pg()
}

/// A copy of a list with all that it holds.
///
/// # Safety
/// The list must hold nodes.
unsafe fn copy(list: *mut pg_sys::List) -> *mut pg_sys::List {
    // SAFETY: the caller guarantees a list of nodes, which copyObject copies.
    unsafe { pg_sys::copyObjectImpl(list.cast()).cast() }
}

/// Turns the key's clause round, if need be, so that the outer side is on its left: EXPLAIN shows all joins so, and which
/// way round the planner keeps a clause differs between the versions of PostgreSQL.
///
/// # Safety
/// The list must hold expressions of the query that is being planned, to which nothing else refers.
unsafe fn outer_first(root: *mut pg_sys::PlannerInfo, clauses: *mut pg_sys::List, key: usize, outer: pg_sys::Relids) {
    // SAFETY: the caller guarantees expressions, and that this one may be changed. It is a comparison of two operands, for
    // whose operator there is a commutator, as CommuteOpExpr needs it. The planner looks up the commutator's function
    // later, when it fixes the references of the plan.
    unsafe {
        let clause = PgList::<pg_sys::Node>::from_pg(clauses).get_ptr(key);
        let Some(clause) = clause.filter(|clause| is_a(*clause, pg_sys::NodeTag::T_OpExpr)) else { return };
        let comparison: *mut pg_sys::OpExpr = clause.cast();
        let operands = PgList::<pg_sys::Node>::from_pg((*comparison).args);
        let (Some(left), Some(_)) = (operands.get_ptr(0), operands.get_ptr(1)) else { return };
        let is_outer_first = pg_sys::bms_is_subset(pg_sys::pull_varnos(root, left), outer);
        if !is_outer_first && pg_sys::get_commutator((*comparison).opno) != pg_sys::InvalidOid {
            pg_sys::CommuteOpExpr(comparison);
        }
    }
}

/// The key for the executor, and its values, which are expressions of the outer side.
fn planned_key(key: &Key) -> (PlannedCondition, *mut pg_sys::List) {
    let mut expressions = PgList::<pg_sys::Expr>::new();
    let mut condition = PlannedCondition::lookup(key.comparison.column.name.to_owned());
    for (number, value) in key.comparison.values.iter().enumerate() {
        expressions.push(value.expression);
        condition.values.push(PlannedValue { expression: number, kind: value.kind });
    }
    (condition, expressions.into_pg())
}

/// The columns of the joined row: those of the outer side, then those of the inner side.
///
/// # Safety
/// The lists must be the target lists of plans.
unsafe fn joined_row(outer: *mut pg_sys::List, inner: *mut pg_sys::List) -> *mut pg_sys::List {
    let mut row = PgList::<pg_sys::TargetEntry>::new();
    // SAFETY: the caller guarantees lists of TargetEntries, whose expressions are copied for the new ones.
    unsafe {
        for list in [outer, inner] {
            for entry in PgList::<pg_sys::TargetEntry>::from_pg(list).iter_ptr() {
                let expression = pg_sys::copyObjectImpl((*entry).expr.cast()).cast();
                let number = row.len() as pg_sys::AttrNumber + 1;
                row.push(pg_sys::makeTargetEntry(expression, number, null_mut(), false));
            }
        }
    }
    row.into_pg()
}

/// The position of a table's column in a target list, from 1 on.
///
/// # Safety
/// The list must be the target list of the plan of that table.
unsafe fn column_of(target_list: *mut pg_sys::List, relid: pg_sys::Index, attribute: i16) -> i32 {
    // SAFETY: the caller guarantees TargetEntries, whose expressions have a tag that says whether they are Vars.
    let is_column = |entry: *mut pg_sys::TargetEntry| unsafe {
        let var: *mut pg_sys::Var = (*entry).expr.cast();
        is_a(var.cast(), pg_sys::NodeTag::T_Var)
            && (*var).varno as pg_sys::Index == relid
            && (*var).varattno == attribute
    };
    // SAFETY: the caller guarantees a list of TargetEntries.
    let position = unsafe { PgList::<pg_sys::TargetEntry>::from_pg(target_list).iter_ptr().position(is_column) };
    match position {
        Some(position) => position as i32 + 1,
        None => no_part(),
    }
}

/// Whether a query, and those that it is part of, want all rows of a path. A LIMIT wants fewer, unless the rows are grouped or
/// sorted first.
///
/// # Safety
/// The root must be that of the query that is being planned, and the list path keys of it.
unsafe fn wants_all(root: *mut pg_sys::PlannerInfo, pathkeys: *mut pg_sys::List) -> bool {
    // SAFETY: the caller guarantees a root, which parent_root leads to the outermost of. Each has its parsed query.
    unsafe {
        let mut query = root;
        while !query.is_null() {
            let parse = &*(*query).parse;
            let is_grouped = parse.hasAggs || parse.hasWindowFuncs || !parse.groupClause.is_null();
            let is_sorted = match query == root {
                true => !pg_sys::pathkeys_contained_in((*root).sort_pathkeys, pathkeys),
                false => !parse.sortClause.is_null(),
            };
            if is_grouped || is_sorted {
                return true;
            }
            if (*query).tuple_fraction > 0.0 || (*query).limit_tuples >= 0.0 {
                return false;
            }
            query = (*query).parent_root;
        }
    }
    true
}
