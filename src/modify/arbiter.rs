//! Plans ON CONFLICT: which columns it may name.
//!
//! Postgres looks for a unique index that ON CONFLICT names, which a foreign table cannot have. So a planner hook takes
//! the columns out of such a statement, if they are among those that Clerk holds unique, and keeps them for the plan.

use std::cell::RefCell;
use std::ffi::{c_char, c_int};

use clerk_api::catalog::Object;
use pgrx::{PgList, pg_guard, pg_sys};
use serde::{Deserialize, Serialize};

use crate::error::{FdwError, OrRaise};
use crate::fdw::convert;
use crate::options;
use crate::pg::encoding::{from_server, to_c_string};

/// What an INSERT does about rows that conflict with one that Clerk has.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OnConflict {
    pub is_update: bool,
    /// The columns that it names; `None` for all that Clerk holds unique.
    pub columns: Option<Vec<String>>,
}

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
        let Some(columns) = columns else {
            FdwError::NotUnique { object: object.name, sets: sets(object) }.raise_hidden()
        };
        NAMED.with_borrow_mut(|all| all.push((relation, columns)));
        (*on_conflict).arbiterElems = std::ptr::null_mut();
    }
}

/// The columns of the object that Clerk holds unique and that columns of a table show; `None` if Clerk does not.
fn unique_set(relation: pg_sys::Oid, object: &'static Object, named: &[String]) -> Option<Vec<String>> {
    let name = |name: &String| {
        let c_name = to_c_string(name);
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

/// The names of the columns in a list of index elements, as ON CONFLICT has them; `None` if one is no plain column.
///
/// # Safety
/// The list must hold InferenceElems, and the relation must exist.
unsafe fn column_names(relation: pg_sys::Oid, elements: *mut pg_sys::List) -> Option<Vec<String>> {
    // SAFETY: the caller guarantees a list of InferenceElems. A node with the tag T_Var is a Var, and get_attname returns
    // a C string or raises an error.
    unsafe {
        PgList::<pg_sys::InferenceElem>::from_pg(elements)
            .iter_ptr()
            .map(|element| {
                let expression = (*element).expr;
                if (*expression).type_ != pg_sys::NodeTag::T_Var || (*element).infercollid != pg_sys::InvalidOid {
                    return None;
                }
                let number = (*expression.cast::<pg_sys::Var>()).varattno;
                Some(from_server(pg_sys::get_attname(relation, number, false)))
            })
            .collect()
    }
}
