//! What the planner needs to know: which requests can answer how much of the query, for how many rows, at which cost.
//!
//! What a plan holds for the executor is one string of JSON and the expressions of its values, so that Postgres can
//! copy it, keep it in a cache and run it any number of times.

use std::ffi::{CStr, CString};
use std::ptr::null_mut;

use pgrx::{PgList, pg_guard, pg_sys};
use serde::{Deserialize, Serialize};

use crate::condition::{Condition, Found, Subject, Value};
use crate::cost::Estimate;
use crate::error::OrRaise;
use crate::option::{self, Table};
use crate::path;
use crate::shippable;

/// What the executor finds in the plan.
#[derive(Debug, Serialize, Deserialize)]
pub struct ScanPlan {
    /// The table's oid: a scan that only counts has no relation of its own.
    pub relation: u32,
    /// The numbers of the columns whose values the query uses.
    pub columns: Vec<i16>,
    /// What the query says of the table, as far as it was understood.
    pub conditions: Vec<Condition>,
    /// How many conditions there are, understood or not.
    pub clauses: usize,
    /// The column whose order the rows must come in.
    pub order: Option<PlannedOrder>,
    /// How many rows the query can want at most.
    pub enough: Option<u32>,
    /// Only how many rows there are.
    pub count: bool,
    /// How many requests the planner expects.
    pub requests: f64,
}

/// A column's order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedOrder {
    pub column: String,
    pub descending: bool,
}

impl ScanPlan {
    /// Reads the plan of a scan.
    ///
    /// # Safety
    /// `plan` is a ForeignScan that [`get_foreign_plan`] made, or a copy of one.
    pub unsafe fn of(plan: *mut pg_sys::ForeignScan) -> Self {
        // SAFETY: the list holds one String node.
        match unsafe { from_list((*plan).fdw_private) } {
            Some(plan) => plan,
            None => pgrx::error!("clerk_fdw: the plan was made by another version"),
        }
    }
}

/// A list of one String node that holds JSON.
pub unsafe fn to_list(value: &impl Serialize) -> *mut pg_sys::List {
    let text = CString::new(serde_json::to_string(value).unwrap_or_default()).unwrap_or_default();
    // SAFETY: makeString keeps the pointer it is given, so it gets a copy in the planner's memory.
    unsafe {
        let mut list = PgList::<pg_sys::Node>::new();
        list.push(pg_sys::makeString(pg_sys::pstrdup(text.as_ptr())).cast());
        list.into_pg()
    }
}

/// What [`to_list`] made.
pub unsafe fn from_list<T: for<'de> Deserialize<'de>>(list: *mut pg_sys::List) -> Option<T> {
    // SAFETY: the caller's: the list holds one String.
    unsafe {
        let node = PgList::<pg_sys::Node>::from_pg(list).get_ptr(0)?;
        let text = (*node.cast::<pg_sys::String>()).sval;
        serde_json::from_slice(CStr::from_ptr(text).to_bytes()).ok()
    }
}

/// A list of clauses, understood: the conditions, and whether Clerk evaluates exactly all of them.
pub struct Understood {
    pub found: Vec<Found>,
    pub is_exact: bool,
}

impl Understood {
    /// # Safety
    /// The list holds expressions or RestrictInfos of the query that is being planned.
    pub unsafe fn of(subject: Subject, clauses: *mut pg_sys::List) -> Self {
        // SAFETY: the caller's.
        let all: Vec<_> = unsafe {
            PgList::<pg_sys::Expr>::from_pg(clauses).iter_ptr().map(|clause| subject.understand(clause)).collect()
        };
        let is_understood = all.iter().all(Option::is_some);
        let understood = Understood { found: all.into_iter().flatten().collect(), is_exact: false };
        let services = shippable::services(subject.object, &understood.conditions());
        let is_exact = |service: &Option<shippable::Service>| service.is_some_and(|service| service.is_exact());
        Understood { is_exact: is_understood && services.iter().all(is_exact), ..understood }
    }

    /// The conditions as the plan keeps them; their expressions are [`Self::expressions`].
    pub fn conditions(&self) -> Vec<Condition> {
        let mut number = 0;
        let conditions = self.found.iter().map(|found| Condition {
            column: found.column.name.to_owned(),
            operator: found.operator,
            values: found
                .values
                .iter()
                .map(|(_, kind)| {
                    number += 1;
                    Value { expression: number - 1, kind: *kind }
                })
                .collect(),
        });
        conditions.collect()
    }

    unsafe fn expressions(&self) -> *mut pg_sys::List {
        let mut list = PgList::<pg_sys::Expr>::new();
        for (expression, _) in self.found.iter().flat_map(|found| &found.values) {
            list.push(*expression);
        }
        list.into_pg()
    }
}

/// The table that a relation of the query is.
pub fn subject(root: *mut pg_sys::PlannerInfo, relid: pg_sys::Index, relation: pg_sys::Oid, table: &Table) -> Subject {
    Subject { root, relid, relation, object: table.object }
}

/// Postgres asks how many rows the table has for this query before it looks for ways to read them.
#[pg_guard]
pub unsafe extern "C-unwind" fn get_foreign_rel_size(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    relation: pg_sys::Oid,
) {
    let table = option::table(relation).or_raise();
    // SAFETY: root and rel are the planner's, for this relation.
    unsafe {
        (*rel).tuples = crate::cost::rows(relation, (*rel).tuples);
        pg_sys::set_baserel_size_estimates(root, rel);
        let understood = Understood::of(subject(root, (*rel).relid, relation, &table), (*rel).baserestrictinfo);
        (*rel).rows = Estimate::new(root, rel, &table, &understood).rows;
        // Tells a scan of this table alone from one of its inheritance children as well.
        (*rel).fdw_private = to_list(&()).cast();
    }
}

/// Postgres asks for the plan of the path it chose. Every condition stays in it, to be checked again on each row.
///
/// `fdw_private` becomes the [`ScanPlan`], `fdw_exprs` the values of its conditions, so that Postgres prepares them.
#[pg_guard]
pub unsafe extern "C-unwind" fn get_foreign_plan(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    relation: pg_sys::Oid,
    chosen: *mut pg_sys::ForeignPath,
    targets: *mut pg_sys::List,
    conditions: *mut pg_sys::List,
    outer: *mut pg_sys::Plan,
) -> *mut pg_sys::ForeignScan {
    // SAFETY: the path is one of path.rs.
    unsafe {
        let Some(path::Private { order, count, requests }) = from_list((*chosen).fdw_private) else {
            pgrx::error!("clerk_fdw: the path was made by another version")
        };
        if let Some(counted) = count {
            return count_plan(root, counted, requests, targets);
        }
        let table = option::table(relation).or_raise();
        let understood = Understood::of(subject(root, (*rel).relid, relation, &table), conditions);
        let is_alone = (*chosen).path.param_info.is_null();
        let in_order = (*root).query_pathkeys.is_null()
            || (order.is_some() && pg_sys::equal((*root).query_pathkeys.cast(), (*chosen).path.pathkeys.cast()));
        let enough = path::limit(root, rel).filter(|_| is_alone && in_order && understood.is_exact);
        let for_enough = |rows: u32| (f64::from(rows) / f64::from(table.page_size)).ceil();
        let plan = ScanPlan {
            relation: relation.to_u32(),
            columns: path::used_columns(rel, conditions),
            conditions: understood.conditions(),
            clauses: PgList::<pg_sys::Expr>::from_pg(conditions).len(),
            enough,
            order,
            count: false,
            requests: enough.map_or(requests, |rows| requests.min(for_enough(rows))),
        };
        pg_sys::make_foreignscan(
            targets,
            pg_sys::extract_actual_clauses(conditions, false),
            (*rel).relid,
            understood.expressions(),
            to_list(&plan),
            null_mut(),
            null_mut(),
            outer,
        )
    }
}

/// A scan of no relation, whose one row is the number of rows that a table has for the query.
unsafe fn count_plan(
    root: *mut pg_sys::PlannerInfo,
    counted: pg_sys::Index,
    requests: f64,
    targets: *mut pg_sys::List,
) -> *mut pg_sys::ForeignScan {
    // SAFETY: the planner keeps an array of its relations and their entries in the range table.
    unsafe {
        let rel = *(*root).simple_rel_array.add(counted as usize);
        let relation = (**(*root).simple_rte_array.add(counted as usize)).relid;
        let table = option::table(relation).or_raise();
        let understood = Understood::of(subject(root, counted, relation, &table), (*rel).baserestrictinfo);
        let plan = ScanPlan {
            relation: relation.to_u32(),
            columns: Vec::new(),
            conditions: understood.conditions(),
            clauses: understood.found.len(),
            order: None,
            enough: None,
            count: true,
            requests,
        };
        pg_sys::make_foreignscan(
            targets,
            null_mut(),
            0,
            understood.expressions(),
            to_list(&plan),
            pg_sys::add_to_flat_tlist(null_mut(), path::inputs_of(targets)),
            null_mut(),
            null_mut(),
        )
    }
}
