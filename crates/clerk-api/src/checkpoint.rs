//! How far a list was read: what lets another session resume where one was interrupted.

use serde::{Deserialize, Serialize};

/// What is read of a list once a page and those handed over before it are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Checkpoint {
    /// All that was created within these bounds, both included, in Unix milliseconds; `None` is no bound. Pages of
    /// lists that are read side by side each have a range of their own.
    Covered { first: Option<i64>, last: Option<i64> },
    /// All up to a moment of a list that is read by offset, and these objects of that moment; the offset is where the
    /// list goes on.
    Behind { offset: u64, created_at: Option<i64>, same_moment: Vec<String> },
}
