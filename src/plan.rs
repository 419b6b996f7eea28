//! What the planner needs to know: how many rows, at which cost, and what the executor will need to read them.
//!
//! What a plan holds for the executor is one string of JSON and the expressions of its parameters, so that Postgres
//! can copy it, keep it in a cache and run it any number of times.

use std::ffi::{CStr, CString};
use std::ptr::null_mut;

use clerk_api::object::Answer;
use pgrx::{PgList, pg_guard, pg_sys};
use serde::{Deserialize, Serialize};

use crate::connection;
use crate::error::OrRaise;
use crate::option;
use crate::shippable::{self, KeyCondition};

/// Rows of a table that this backend has not read yet.
const DEFAULT_ROWS: f64 = 5000.0;

/// Rows of a list below one owner, such as the members of an organization.
const LIST_ROWS: f64 = 50.0;

/// However much its conditions leave out, the planner must not take a table for a single row: it would then read all
/// of it again for each row of a join.
const FEWEST_ROWS: f64 = 10.0;

/// A request in units of the planner's cost, in which reading one page of a table costs 1.
const REQUEST_COST: f64 = 100.0;

/// A row in the same units: its conversion costs much more than `cpu_tuple_cost`.
const ROW_COST: f64 = 0.05;

/// What the executor finds in the plan.
#[derive(Debug, Serialize, Deserialize)]
pub struct ScanPlan {
    /// The numbers of the columns whose values the query uses.
    pub columns: Vec<i16>,
    /// The column whose value the plan's one expression gives, if only its objects are to be read.
    pub key: Option<String>,
    /// How many rows the query can want at most.
    pub enough: Option<u32>,
}

impl ScanPlan {
    /// Reads the plan of a scan.
    ///
    /// # Safety
    /// `plan` is a ForeignScan that [`get_foreign_plan`] made, or a copy of one.
    pub unsafe fn of(plan: *mut pg_sys::ForeignScan) -> Self {
        // SAFETY: the list holds one String node.
        let text = unsafe {
            let list = PgList::<pg_sys::Node>::from_pg((*plan).fdw_private);
            list.get_ptr(0).map(|node| CStr::from_ptr(string_value(node)).to_string_lossy().into_owned())
        };
        match text.and_then(|text| serde_json::from_str(&text).ok()) {
            Some(plan) => plan,
            None => pgrx::error!("clerk_fdw: the plan was made by another version"),
        }
    }
}

/// The text of a String node.
unsafe fn string_value(node: *mut pg_sys::Node) -> *mut std::ffi::c_char {
    // SAFETY: the caller's: the node is a String, which before Postgres 15 was a Value.
    unsafe {
        #[cfg(feature = "pg14")]
        return (*node.cast::<pg_sys::Value>()).val.str_;
        #[cfg(not(feature = "pg14"))]
        return (*node.cast::<pg_sys::String>()).sval;
    }
}

/// Postgres asks how many rows the table has for this query before it looks for ways to read them.
///
/// Leaves the plan's private list and expressions in `fdw_private`, in the planner's memory.
#[pg_guard]
pub unsafe extern "C-unwind" fn get_foreign_rel_size(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    relation: pg_sys::Oid,
) {
    let table = option::table(relation).or_raise();
    // SAFETY: root and rel are the planner's, for this relation.
    unsafe {
        let condition = shippable::key_condition(root, rel, relation, table.object);
        let conditions = condition.is_some().into();
        let plan = ScanPlan {
            columns: shippable::used_columns(rel, (*rel).max_attr),
            key: condition.as_ref().map(|condition| condition.key.column.to_owned()),
            enough: shippable::enough(root, rel, conditions),
        };
        (*rel).tuples = connection::rows_seen(relation).unwrap_or(DEFAULT_ROWS);
        pg_sys::set_baserel_size_estimates(root, rel);
        let rows = (*rel).rows.max(FEWEST_ROWS);
        (*rel).rows = match &condition {
            None => rows,
            Some(KeyCondition { key, .. }) => match key.answer {
                Answer::One => 1.0,
                Answer::List { .. } => rows.min(LIST_ROWS),
            },
        };
        (*rel).fdw_private = private(&plan, condition).cast();
    }
}

/// A list of two lists: what goes into the plan as it is, and the expressions.
unsafe fn private(plan: &ScanPlan, condition: Option<KeyCondition>) -> *mut pg_sys::List {
    let text = serde_json::to_string(plan).unwrap_or_default();
    let text = CString::new(text).unwrap_or_default();
    // SAFETY: makeString keeps the pointer it is given, so it gets a copy in the planner's memory.
    unsafe {
        let mut data = PgList::<pg_sys::Node>::new();
        data.push(pg_sys::makeString(pg_sys::pstrdup(text.as_ptr())).cast());
        let mut expressions = PgList::<pg_sys::Node>::new();
        if let Some(condition) = condition {
            expressions.push(condition.value.cast());
        }
        let mut both = PgList::<pg_sys::List>::new();
        both.push(data.into_pg());
        both.push(expressions.into_pg());
        both.into_pg()
    }
}

/// Postgres asks for the ways to read the table. There is one.
#[pg_guard]
pub unsafe extern "C-unwind" fn get_foreign_paths(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    relation: pg_sys::Oid,
) {
    let table = option::table(relation).or_raise();
    // SAFETY: as above; get_foreign_rel_size left fdw_private.
    unsafe {
        let startup = table.startup_cost.unwrap_or(REQUEST_COST);
        // A scan reads what the conditions leave out as well, unless one of them leads to an endpoint of its own.
        let has_key = !PgList::<pg_sys::List>::from_pg((*rel).fdw_private.cast())
            .get_ptr(1)
            .is_none_or(|expressions| expressions.is_null());
        let read = if has_key { (*rel).rows } else { (*rel).tuples.max((*rel).rows) };
        let requests = (read / f64::from(table.page_size)).ceil();
        let path = pg_sys::create_foreignscan_path(
            root,
            rel,
            null_mut(),
            (*rel).rows,
            #[cfg(feature = "pg18")]
            0,
            startup,
            startup + requests * REQUEST_COST + read * ROW_COST,
            null_mut(),
            (*rel).lateral_relids,
            null_mut(),
            #[cfg(any(feature = "pg17", feature = "pg18"))]
            null_mut(),
            (*rel).fdw_private.cast(),
        );
        pg_sys::add_path(rel, path.cast());
    }
}

/// Postgres asks for the plan of the path it chose. Every condition stays in it, to be checked again on each row.
///
/// `fdw_private` becomes the plan's private list, `fdw_exprs` its expressions, so that Postgres prepares them.
#[pg_guard]
pub unsafe extern "C-unwind" fn get_foreign_plan(
    _root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    _relation: pg_sys::Oid,
    path: *mut pg_sys::ForeignPath,
    targets: *mut pg_sys::List,
    conditions: *mut pg_sys::List,
    outer: *mut pg_sys::Plan,
) -> *mut pg_sys::ForeignScan {
    // SAFETY: the path is one of get_foreign_paths.
    unsafe {
        let both = PgList::<pg_sys::List>::from_pg((*path).fdw_private);
        pg_sys::make_foreignscan(
            targets,
            pg_sys::extract_actual_clauses(conditions, false),
            (*rel).relid,
            both.get_ptr(1).unwrap_or(null_mut()),
            both.get_ptr(0).unwrap_or(null_mut()),
            null_mut(),
            null_mut(),
            outer,
        )
    }
}
