//! Defines what paths and plans of lookup joins keep in `custom_private`. In plans it is one JSON string, so that Postgres
//! can copy a plan, cache it and execute it any number of times.

use pgrx::pg_sys;
use serde::{Deserialize, Serialize};

use crate::fdw::plan::private::{PlannedCondition, from_list};

/// Which rows a join returns for a row of the outer side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum JoinKind {
    /// One for each match.
    Inner,
    /// One for each match, or one with nulls if there is none.
    Left,
    /// One if there is a match.
    Semi,
    /// One if there is no match.
    Anti,
}

impl JoinKind {
    /// The kind of join that Postgres calls so; `None` if a lookup join cannot be of that kind.
    pub fn of(join: pg_sys::JoinType::Type) -> Option<Self> {
        match join {
            pg_sys::JoinType::JOIN_INNER => Some(JoinKind::Inner),
            pg_sys::JoinType::JOIN_LEFT => Some(JoinKind::Left),
            pg_sys::JoinType::JOIN_SEMI => Some(JoinKind::Semi),
            pg_sys::JoinType::JOIN_ANTI => Some(JoinKind::Anti),
            _ => None,
        }
    }

    /// Whether rows without a match are returned.
    pub fn is_outer(self) -> bool {
        matches!(self, JoinKind::Left | JoinKind::Anti)
    }
}

/// What a path tells the plan that is made from it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LookupPath {
    pub kind: JoinKind,
    /// Whether a row of the outer side has one match at most.
    pub is_inner_unique: bool,
    /// How many values one request takes.
    pub values_per_request: usize,
    /// How many requests the planner expects.
    pub requests: f64,
}

/// What the plan tells the executor.
#[derive(Debug, Serialize, Deserialize)]
pub struct LookupPlan {
    pub path: LookupPath,
    /// The values of the key, which are expressions of the plan.
    pub key: PlannedCondition,
    /// The position of the key's column in the rows of the inner side, from 1 on.
    pub key_column: i32,
    /// The position of the key's clause among the join's clauses.
    pub key_clause: usize,
    /// How many columns the rows of the outer side have. In the joined row they come first.
    pub outer_columns: usize,
    /// How many requests may be in flight.
    pub max_concurrency: usize,
    /// Whether the query wants all rows. Otherwise it may end after the first few, as with a LIMIT.
    pub wants_all: bool,
    /// Whether all rows are joined before the first is used, because the statement writes to Clerk.
    pub reads_first: bool,
}

impl LookupPlan {
    /// Reads the plan of a lookup join.
    ///
    /// # Safety
    /// `plan` must be a CustomScan of this extension, or a copy of one.
    pub unsafe fn of(plan: *mut pg_sys::CustomScan) -> Self {
        // SAFETY: the caller guarantees a plan that `create_plan` made, with a list of one String node in
        // custom_private. Postgres copies such nodes unchanged.
        match unsafe { from_list((*plan).custom_private) } {
            Some(plan) => plan,
            None => pgrx::error!("clerk_fdw: the plan was made by another version"),
        }
    }
}
