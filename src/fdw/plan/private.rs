//! What paths and plans keep in `fdw_private`: one string of JSON, so that Postgres can copy a plan, keep it in its
//! cache and execute it any number of times.

use std::ffi::{CStr, CString};

use clerk_api::OrderBy;
use clerk_api::catalog::Object;
use clerk_api::pushdown::{Classified, Condition, Operator};
use pgrx::{PgList, pg_sys};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::clause::ValueKind;

/// What the executor finds in the plan of a scan.
#[derive(Debug, Serialize, Deserialize)]
pub struct ScanPlan {
    /// The table's oid: a scan that only counts has no relation of its own.
    pub relation: u32,
    /// The numbers of the columns whose values the query uses.
    pub columns: Vec<i16>,
    /// The clauses that compare a column with values.
    pub conditions: Vec<PlannedCondition>,
    /// How many clauses there are, pushable or not.
    pub clauses: usize,
    /// The column by which the rows must be sorted.
    pub order: Option<PlannedOrder>,
    /// How many rows the query can want at most.
    pub limit: Option<u32>,
    /// Only the number of rows is wanted.
    pub is_count: bool,
    /// How many requests the planner expects.
    pub requests: f64,
}

/// What a path tells the plan that is made of it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct PathPrivate {
    pub order: Option<PlannedOrder>,
    /// The table whose rows are only counted.
    pub counted: Option<pg_sys::Index>,
    pub requests: f64,
}

/// A comparison of one column, with its values as expressions of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedCondition {
    /// The catalogue's name of the column.
    pub column: String,
    pub operator: Operator,
    /// What it is compared with: for `Equal` any of these, else the one.
    pub values: Vec<PlannedValue>,
    pub has_one_value: bool,
}

/// A value of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedValue {
    /// Its number among the plan's expressions, `fdw_exprs`.
    pub expression: usize,
    pub kind: ValueKind,
}

/// A column's order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedOrder {
    pub column: String,
    pub is_descending: bool,
}

impl ScanPlan {
    /// Reads the plan of a scan.
    ///
    /// # Safety
    /// `plan` is a ForeignScan of this extension, or a copy of one.
    pub unsafe fn of(plan: *mut pg_sys::ForeignScan) -> Self {
        // SAFETY: GetForeignPlan has put a list of one String node there, and Postgres copies nodes as they are.
        match unsafe { from_list((*plan).fdw_private) } {
            Some(plan) => plan,
            None => pgrx::error!("clerk_fdw: the plan was made by another version"),
        }
    }

    /// The conditions, and how each is pushed down.
    pub fn classified(&self, object: &'static Object) -> Classified {
        let conditions = self.conditions.iter().filter_map(|planned| {
            let column = object.column(&planned.column, true)?;
            Some(Condition { column, operator: planned.operator, has_one_value: planned.has_one_value })
        });
        Classified::new(object, conditions.collect())
    }

    /// The order that the rows must come in, as Clerk calls it.
    pub fn order_by(&self, object: &'static Object) -> Option<OrderBy> {
        let order = self.order.as_ref()?;
        let parameter = object.sort_column(&order.column)?.parameter;
        Some(OrderBy { parameter, is_descending: order.is_descending })
    }
}

/// A list of one String node that holds JSON.
pub fn to_list(value: &impl Serialize) -> *mut pg_sys::List {
    let text = CString::new(serde_json::to_string(value).unwrap_or_default()).unwrap_or_default();
    // SAFETY: pstrdup copies a C string into the planner's memory; makeString keeps the pointer to that copy.
    unsafe {
        let mut list = PgList::<pg_sys::Node>::new();
        list.push(pg_sys::makeString(pg_sys::pstrdup(text.as_ptr())).cast());
        list.into_pg()
    }
}

/// What [`to_list`] made.
///
/// # Safety
/// The list is null, or its first node is a String.
pub unsafe fn from_list<T: DeserializeOwned>(list: *mut pg_sys::List) -> Option<T> {
    // SAFETY: the caller promises a String node, whose text is a C string.
    unsafe {
        let node = PgList::<pg_sys::Node>::from_pg(list).get_ptr(0)?;
        let text = (*node.cast::<pg_sys::String>()).sval;
        serde_json::from_slice(CStr::from_ptr(text).to_bytes()).ok()
    }
}
