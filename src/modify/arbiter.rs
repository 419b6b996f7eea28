//! Plans ON CONFLICT: which columns it may name.
//!
//! Postgres looks for a unique index that ON CONFLICT names, which a foreign table cannot have. So a planner hook takes
//! the columns out of such a statement, if they are among those that Clerk holds unique, and keeps them for the plan.

use std::cell::RefCell;

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
    /// The columns that statements name, by the query that is being planned, until its plan is made.
    static NAMED: RefCell<Vec<(*mut pg_sys::PlannerInfo, Vec<String>)>> = const { RefCell::new(Vec::new()) };
}

static mut PREVIOUS_HOOK: pg_sys::create_upper_paths_hook_type = None;

/// Installs the planner hook.
pub fn install() {
    // SAFETY: this runs once, on the main thread, when Postgres has loaded the library. The hook is null or that of another
    // library, which is kept and called.
    unsafe {
        PREVIOUS_HOOK = pg_sys::create_upper_paths_hook;
        pg_sys::create_upper_paths_hook = Some(create_upper_paths);
    }
}

/// The hook that Postgres calls for every query when its paths are complete, before it looks for the index that ON
/// CONFLICT names.
///
/// # Safety
/// Only Postgres may call this, or a hook that was installed later, with the arguments of that hook.
#[pg_guard]
unsafe extern "C-unwind" fn create_upper_paths(
    root: *mut pg_sys::PlannerInfo,
    stage: pg_sys::UpperRelationKind::Type,
    input: *mut pg_sys::RelOptInfo,
    output: *mut pg_sys::RelOptInfo,
    extra: *mut std::ffi::c_void,
) {
    // SAFETY: Postgres passes the root of a query that is being planned, and the arguments go unchanged to the previous
    // hook. The guard turns an ERROR of that hook into a panic, so that no longjmp crosses Rust's frames.
    unsafe {
        if stage == pg_sys::UpperRelationKind::UPPERREL_FINAL {
            take_columns(root);
        }
        if let Some(previous) = PREVIOUS_HOOK {
            pg_sys::ffi::pg_guard_ffi_boundary(|| previous(root, stage, input, output, extra));
        }
    }
}

/// Takes the columns out of an ON CONFLICT on a foreign table of this extension.
///
/// # Safety
/// The root must be that of a query that is being planned.
unsafe fn take_columns(root: *mut pg_sys::PlannerInfo) {
    // SAFETY: the caller guarantees the root of a query, whose resultRelation is the index of an entry of its range table
    // if it has an ON CONFLICT. The elements of that are InferenceElems.
    unsafe {
        // A query whose planning failed may have left an entry, at an address that is used again.
        NAMED.with_borrow_mut(|all| all.retain(|(other, _)| *other != root));
        let query = (*root).parse;
        let on_conflict = (*query).onConflict;
        if on_conflict.is_null() || (*on_conflict).arbiterElems.is_null() {
            return;
        }
        let relation = (**(*root).simple_rte_array.add((*query).resultRelation as usize)).relid;
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
        NAMED.with_borrow_mut(|all| all.push((root, columns)));
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
/// The root must be that of an INSERT with ON CONFLICT, whose plan is being made.
pub unsafe fn planned(root: *mut pg_sys::PlannerInfo, object: &'static Object) -> Result<OnConflict, FdwError> {
    let columns = NAMED.with_borrow_mut(|named| {
        let position = named.iter().position(|(other, _)| *other == root)?;
        Some(named.swap_remove(position).1)
    });
    // SAFETY: the caller guarantees the root of an INSERT with ON CONFLICT.
    let action = unsafe { (*(*(*root).parse).onConflict).action };
    let is_update = action == pg_sys::OnConflictAction::ONCONFLICT_UPDATE;
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
