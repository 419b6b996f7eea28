//! Defines what paths and plans keep in `fdw_private`. It is one JSON string, so that Postgres can copy a plan, cache
//! it and execute it any number of times.

use std::ffi::{CStr, CString};

use clerk_api::OrderBy;
use clerk_api::catalog::Object;
use clerk_api::pushdown::{Classified, Condition, Operator};
use pgrx::{PgList, pg_sys};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::clause::ValueKind;

/// What the plan of a scan tells the executor.
#[derive(Debug, Serialize, Deserialize)]
pub struct ScanPlan {
    /// The table's oid: a scan that only counts has no relation of its own.
    pub relation: u32,
    /// The numbers of the columns whose values the query uses.
    pub columns: Vec<i16>,
    /// The pushable clauses.
    pub conditions: Vec<PlannedCondition>,
    /// How many clauses there are, pushable or not.
    pub clauses: usize,
    /// The order that the rows must have.
    pub order: Option<PlannedOrder>,
    /// How many rows the query reads at most.
    pub limit: Option<u32>,
    /// Whether the scan returns only the number of rows.
    pub is_count: bool,
    /// How many requests the planner expects.
    pub requests: f64,
    /// Whether all rows are read before the first is used, because the statement writes to Clerk.
    pub reads_first: bool,
}

/// What a path tells the plan that is made from it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct PathPrivate {
    pub order: Option<PlannedOrder>,
    /// The range table index of the table whose rows are counted, if the path counts.
    pub counted: Option<pg_sys::Index>,
    pub requests: f64,
    /// The column whose values a lookup join looks up, if the path is the inner side of one.
    pub lookup: Option<String>,
}

/// A comparison of one column with values, which are expressions of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedCondition {
    /// The name of the column in the catalogue.
    pub column: String,
    pub operator: Operator,
    /// The values that the column is compared with. `Equal` may have several, of which any may match; the other
    /// operators have one, and `Is` has none.
    pub values: Vec<PlannedValue>,
    pub has_one_value: bool,
    /// Whether the values are not in the plan but come from a lookup join while the query runs.
    pub is_lookup: bool,
}

/// A value of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedValue {
    /// The index of the value in the plan's expressions, `fdw_exprs`.
    pub expression: usize,
    pub kind: ValueKind,
}

/// A sort order by one column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedOrder {
    pub column: String,
    pub is_descending: bool,
}

impl PlannedCondition {
    /// The condition that a column has one of the values that a lookup join looks up.
    pub fn lookup(column: String) -> Self {
        PlannedCondition {
            column,
            operator: Operator::Equal,
            values: Vec::new(),
            has_one_value: false,
            is_lookup: true,
        }
    }
}

impl ScanPlan {
    /// Reads the plan of a foreign scan.
    ///
    /// # Safety
    /// `plan` must be a ForeignScan of this extension, or a copy of one.
    pub unsafe fn of(plan: *mut pg_sys::ForeignScan) -> Self {
        // SAFETY: the caller guarantees a ForeignScan that get_foreign_plan made, with a list of one String node in
        // fdw_private. Postgres copies such nodes unchanged.
        match unsafe { from_list((*plan).fdw_private) } {
            Some(plan) => plan,
            None => pgrx::error!("clerk_fdw: the plan was made by another version"),
        }
    }

    /// Whether the scan is the inner side of a lookup join, which gives it the values of one condition.
    pub fn is_lookup(&self) -> bool {
        self.conditions.iter().any(|condition| condition.is_lookup)
    }

    /// The conditions, each with how it is pushed down.
    pub fn classified(&self, object: &'static Object) -> Classified {
        let conditions = self.conditions.iter().filter_map(|planned| {
            let column = object.column(&planned.column, true)?;
            Some(Condition { column, operator: planned.operator, has_one_value: planned.has_one_value })
        });
        Classified::new(object, conditions.collect())
    }

    /// The order that the rows must have, as a parameter of Clerk's API.
    pub fn order_by(&self, object: &'static Object) -> Option<OrderBy> {
        let order = self.order.as_ref()?;
        let parameter = object.sort_column(&order.column)?.parameter;
        Some(OrderBy { parameter, is_descending: order.is_descending })
    }
}

/// Serializes a value as JSON, to a list of one String node.
pub fn to_list(value: &impl Serialize) -> *mut pg_sys::List {
    let text = CString::new(serde_json::to_string(value).unwrap_or_default()).unwrap_or_default();
    // SAFETY: pstrdup copies a C string to the current memory context, and makeString keeps the pointer to that copy.
    unsafe {
        let mut list = PgList::<pg_sys::Node>::new();
        list.push(pg_sys::makeString(pg_sys::pstrdup(text.as_ptr())).cast());
        list.into_pg()
    }
}

/// Deserializes a value from a list that [`to_list`] made; `None` if the list is empty or holds another type of value.
///
/// # Safety
/// The list must be null, or its first node a String.
pub unsafe fn from_list<T: DeserializeOwned>(list: *mut pg_sys::List) -> Option<T> {
    // SAFETY: the caller guarantees that the first node is a String, whose text is a C string.
    unsafe {
        let node = PgList::<pg_sys::Node>::from_pg(list).get_ptr(0)?;
        let text = (*node.cast::<pg_sys::String>()).sval;
        serde_json::from_slice(CStr::from_ptr(text).to_bytes()).ok()
    }
}
