//! ON CONFLICT: what happens to a new row that Clerk refuses because it has one like it.
//!
//! Postgres looks for a unique index that ON CONFLICT names, which a foreign table cannot have. So a planner hook takes
//! the columns out of such a statement, if they are among those that Clerk holds unique, and keeps them for the plan.

use std::cell::RefCell;
use std::ffi::{c_char, c_int};

use clerk_api::Page;
use clerk_api::catalog::{Object, Source};
use clerk_api::write::{NewObject, Operation, find_unique};
use clerk_api::{Locator, json};
use pgrx::{PgList, pg_guard, pg_sys};

use super::plan::{OnConflict, column_names};
use super::statement::Statement;
use crate::error::{FdwError, OrRaise};
use crate::fdw::convert;
use crate::fdw::exec::rows::{clear, fill};
use crate::options;
use crate::remote::io_thread::Pages;

thread_local! {
    /// The columns that the statements that are being planned name, by the oids of their tables.
    static NAMED: RefCell<Vec<(pg_sys::Oid, Vec<String>)>> = const { RefCell::new(Vec::new()) };
}

static mut PREVIOUS_HOOK: pg_sys::planner_hook_type = None;

/// Installs the planner hook.
pub fn install() {
    // SAFETY: this runs once, on the main thread, when Postgres has loaded the library. planner_hook is null or a hook of
    // another library, which is kept and called.
    unsafe {
        PREVIOUS_HOOK = pg_sys::planner_hook;
        pg_sys::planner_hook = Some(plan);
    }
}

/// # Safety
/// Only Postgres may call this, as its planner hook.
#[pg_guard]
unsafe extern "C-unwind" fn plan(
    query: *mut pg_sys::Query,
    text: *const c_char,
    options: c_int,
    parameters: pg_sys::ParamListInfo,
) -> *mut pg_sys::PlannedStmt {
    /// Forgets the columns that a statement names when it has been planned, or when planning it has failed.
    struct Planning {
        depth: usize,
    }
    impl Drop for Planning {
        fn drop(&mut self) {
            NAMED.with_borrow_mut(|named| named.truncate(self.depth));
        }
    }
    let planning = Planning { depth: NAMED.with_borrow(Vec::len) };
    // SAFETY: Postgres passes a query that the planner may change, whose WITH list has CommonTableExprs. The previous hook
    // and standard_planner take the same arguments; an ERROR in them becomes a panic, which drops `planning`.
    let planned = unsafe {
        take_columns(query);
        for with in PgList::<pg_sys::CommonTableExpr>::from_pg((*query).cteList).iter_ptr() {
            let inner = (*with).ctequery;
            if !inner.is_null() && (*inner).type_ == pg_sys::NodeTag::T_Query {
                take_columns(inner.cast());
            }
        }
        match PREVIOUS_HOOK {
            Some(hook) => pg_sys::ffi::pg_guard_ffi_boundary(|| hook(query, text, options, parameters)),
            None => pg_sys::standard_planner(query, text, options, parameters),
        }
    };
    drop(planning);
    planned
}

/// Takes the columns out of an ON CONFLICT on a foreign table of this extension.
///
/// # Safety
/// The query must be one that Postgres has analyzed and rewritten.
unsafe fn take_columns(query: *mut pg_sys::Query) {
    // SAFETY: the caller guarantees an analyzed query, so that resultRelation is 0 or the index of an entry of its range
    // table, and the elements of an ON CONFLICT are InferenceElems.
    unsafe {
        let on_conflict = (*query).onConflict;
        if on_conflict.is_null() || (*on_conflict).arbiterElems.is_null() {
            return;
        }
        let table = PgList::<pg_sys::RangeTblEntry>::from_pg((*query).rtable);
        let Some(entry) = table.get_ptr((*query).resultRelation as usize - 1) else { return };
        let relation = (*entry).relid;
        if !options::is_own_table(relation) {
            return;
        }
        let object = options::table(relation).or_raise().object;
        let named =
            column_names(relation, (*on_conflict).arbiterElems).filter(|_| (*on_conflict).arbiterWhere.is_null());
        let columns = named.and_then(|named| unique_set(relation, object, &named));
        let Some(columns) = columns else { FdwError::NotUnique { object: object.name, sets: sets(object) }.raise() };
        NAMED.with_borrow_mut(|all| all.push((relation, columns)));
        (*on_conflict).arbiterElems = std::ptr::null_mut();
    }
}

/// The columns of the object that Clerk holds unique and that columns of a table show; `None` if Clerk does not.
fn unique_set(relation: pg_sys::Oid, object: &'static Object, named: &[String]) -> Option<Vec<String>> {
    let name = |name: &String| {
        let c_name = crate::pg::encoding::to_c_string(name);
        // SAFETY: get_attnum takes a C string and returns 0 for a column that does not exist.
        let number = unsafe { pg_sys::get_attnum(relation, c_name) };
        Some(convert::catalog_column(relation, number, object)?.name)
    };
    let named = named.iter().map(name).collect::<Option<Vec<_>>>()?;
    let is_same = |set: &&&[&str]| set.len() == named.len() && set.iter().all(|column| named.contains(column));
    let set = object.writes.unique.iter().find(is_same)?;
    Some(set.iter().map(|column| (*column).to_owned()).collect())
}

/// What ON CONFLICT can name, as it is written in SQL.
fn sets(object: &Object) -> Vec<String> {
    object.writes.unique.iter().map(|set| format!("({})", set.join(", "))).collect()
}

/// What the plan of an INSERT with ON CONFLICT keeps.
///
/// # Safety
/// The node must be the ON CONFLICT of an INSERT into the relation, which is being planned.
pub unsafe fn planned(
    relation: pg_sys::Oid,
    object: &'static Object,
    on_conflict: *mut pg_sys::OnConflictExpr,
) -> Result<OnConflict, FdwError> {
    let columns = NAMED.with_borrow(|named| {
        named.iter().rev().find(|(table, _)| *table == relation).map(|(_, columns)| columns.clone())
    });
    // SAFETY: the caller guarantees the node.
    let is_update = unsafe { (*on_conflict).action } == pg_sys::OnConflictAction::ONCONFLICT_UPDATE;
    if columns.is_none() && object.writes.unique.is_empty() {
        return Err(FdwError::NotUnique { object: object.name, sets: Vec::new() });
    }
    Ok(OnConflict { is_update, columns })
}

/// What an INSERT does about rows that conflict with one that Clerk has.
#[derive(Clone)]
pub struct Conflict(OnConflict);

impl Conflict {
    pub fn new(plan: OnConflict) -> Self {
        Conflict(plan)
    }

    pub fn is_update(&self) -> bool {
        self.0.is_update
    }

    /// The row that Clerk has in place of a new one, with a page that holds it; `None` if there is none.
    pub fn find(&self, statement: &mut Statement, new: &NewObject) -> Option<(Page, usize)> {
        let object = statement.object;
        let sets = object.writes.unique.iter().filter(|set| match &self.0.columns {
            Some(columns) => set.iter().all(|column| columns.iter().any(|other| other == column)),
            None => true,
        });
        sets.into_iter().find_map(|set| find_row(statement, new, object, set))
    }
}

/// The row that has the same values as a new one in a set of columns.
fn find_row(
    statement: &mut Statement,
    new: &NewObject,
    object: &'static Object,
    set: &[&str],
) -> Option<(Page, usize)> {
    let mut locators: Vec<Locator> =
        statement.reader().converters.iter().map(|column| column.locator.clone()).collect();
    let first = locators.len();
    let columns: Vec<_> = set.iter().filter_map(|name| object.column(name, true)).collect();
    locators.extend(columns.iter().map(|column| Locator::from(column.source)));
    let mut fetch = find_unique(new, object, set, locators)?;
    fetch.extra_params =
        clerk_api::extra_params(statement.reader().converters.iter().filter_map(|column| column.extra_param));
    let client = statement.connection.client().or_raise();
    let mut pages = Pages::start(fetch, client).or_raise();
    while let Some(page) = statement.connection.next(&mut pages) {
        let found = (0..page.len()).find(|row| {
            columns.iter().enumerate().all(|(index, column)| {
                // Clerk may have found it by another of its addresses than the one that it shows.
                let is_one_of_many = matches!(column.source, Source::Primary { .. });
                let value = page.value(*row, first + index).and_then(json::string);
                is_one_of_many || value.is_some_and(|value| new.has_text(column.name, &value))
            })
        });
        if let Some(found) = found {
            return Some((page, found));
        }
    }
    None
}

/// Does what DO UPDATE says with the row that Clerk has. Returns null if its WHERE leaves the row out.
///
/// # Safety
/// The relation must be that of an INSERT with DO UPDATE, and the slot must hold the row that was to be inserted.
pub unsafe fn update_existing(
    statement: &mut Statement,
    state: *mut pg_sys::EState,
    relation: *mut pg_sys::ResultRelInfo,
    slot: *mut pg_sys::TupleTableSlot,
    (page, row): &(Page, usize),
) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: the caller guarantees an INSERT with DO UPDATE, for which Postgres has made the slots for the existing and
    // the projected row, both with the relation's row type, and the expressions of its SET and WHERE. They read the
    // existing row as the scan tuple and the new one as the inner tuple of the projection's context.
    unsafe {
        let update = (*relation).ri_onConflict;
        let (existing, projection) = ((*update).oc_Existing, (*update).oc_ProjInfo);
        store(statement, existing, page, *row);
        let context = (*projection).pi_exprContext;
        (*context).ecxt_scantuple = existing;
        (*context).ecxt_innertuple = slot;
        (*context).ecxt_outertuple = std::ptr::null_mut();
        if !(*update).oc_WhereClause.is_null() && !is_true((*update).oc_WhereClause, context) {
            return std::ptr::null_mut();
        }
        let projected = project(projection);
        statement.set_old_row(existing);
        statement.update(state, relation, projected)
    }
}

/// Stores an object of a page in a slot for heap tuples.
///
/// # Safety
/// The slot must have the row type of the statement's relation.
unsafe fn store(statement: &Statement, slot: *mut pg_sys::TupleTableSlot, page: &Page, row: usize) {
    // SAFETY: the caller guarantees the row type. The scratch slot has it as well, and heap_form_tuple copies its values.
    unsafe {
        let descriptor = (*slot).tts_tupleDescriptor;
        let scratch = pg_sys::MakeSingleTupleTableSlot(descriptor, &raw const pg_sys::TTSOpsVirtual);
        fill(scratch, page, row, &statement.reader().converters, statement.object);
        let tuple = pg_sys::heap_form_tuple(descriptor, (*scratch).tts_values, (*scratch).tts_isnull);
        pg_sys::ExecDropSingleTupleTableSlot(scratch);
        pg_sys::ExecForceStoreHeapTuple(tuple, slot, false);
    }
}

/// Evaluates a condition; NULL is not true.
///
/// # Safety
/// The condition must have been prepared for the context.
unsafe fn is_true(condition: *mut pg_sys::ExprState, context: *mut pg_sys::ExprContext) -> bool {
    let mut is_null = false;
    // SAFETY: the caller guarantees the context.
    let value = unsafe { evaluate(condition, context, &mut is_null) };
    !is_null && value.value() != 0
}

/// Evaluates a projection into its slot.
///
/// # Safety
/// The projection's context must have the tuples that its expressions read.
unsafe fn project(projection: *mut pg_sys::ProjectionInfo) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: the caller guarantees the context. Evaluating the projection writes all values of its slot, which is marked as
    // filled afterwards, as ExecProject does.
    unsafe {
        let expression = &raw mut (*projection).pi_state;
        let slot = (*expression).resultslot;
        clear(slot);
        let mut is_null = false;
        evaluate(expression, (*projection).pi_exprContext, &mut is_null);
        pg_sys::ExecStoreVirtualTuple(slot)
    }
}

/// # Safety
/// The expression must have been prepared for the context.
unsafe fn evaluate(
    expression: *mut pg_sys::ExprState,
    context: *mut pg_sys::ExprContext,
    is_null: &mut bool,
) -> pg_sys::Datum {
    // SAFETY: the caller guarantees that the expression was prepared for the context, whose memory for the current row is
    // freed with it. The guard turns an ERROR into a panic.
    unsafe {
        let Some(function) = (*expression).evalfunc else { return pg_sys::Datum::null() };
        let previous = pg_sys::MemoryContextSwitchTo((*context).ecxt_per_tuple_memory);
        let value = pg_sys::ffi::pg_guard_ffi_boundary(|| function(expression, context, is_null));
        pg_sys::MemoryContextSwitchTo(previous);
        value
    }
}

/// Checks a view's WITH CHECK OPTION before the row is sent, because afterwards it would be at Clerk. Of a new row the
/// columns that Clerk fills are not known yet; a check that uses one of them is left to Postgres, which checks every row
/// once more as Clerk has made it.
///
/// # Safety
/// The slot must hold a row of the relation, which must be the statement's.
pub unsafe fn check_view(
    statement: &Statement,
    state: *mut pg_sys::EState,
    relation: *mut pg_sys::ResultRelInfo,
    slot: *mut pg_sys::TupleTableSlot,
    row: &[Option<String>],
    operation: Operation,
) {
    // SAFETY: the caller guarantees the relation, whose checks are WithCheckOptions with expressions over its columns.
    // pull_varattnos makes a valid bitmap set, or leaves it null, which is an empty one.
    unsafe {
        if (*relation).ri_WithCheckOptions.is_null() {
            return;
        }
        let mut used = std::ptr::null_mut();
        for check in PgList::<pg_sys::WithCheckOption>::from_pg((*relation).ri_WithCheckOptions).iter_ptr() {
            pg_sys::pull_varattnos((*check).qual, (*relation).ri_RangeTableIndex, &mut used);
        }
        let columns = statement.reader().converters.iter().zip(row);
        let is_unknown = columns.filter(|(_, value)| value.is_none()).any(|(column, _)| {
            let member = i32::from(column.number) - pg_sys::FirstLowInvalidHeapAttributeNumber;
            pg_sys::bms_is_member(member, used)
        });
        if operation == Operation::Update || !is_unknown {
            pg_sys::ExecWithCheckOptions(pg_sys::WCOKind::WCO_VIEW_CHECK, relation, slot, state);
        }
    }
}
