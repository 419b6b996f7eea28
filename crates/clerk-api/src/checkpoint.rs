//! How far a list was read, so that another session can resume where one was interrupted.

use serde::{Deserialize, Serialize};

/// Which part of a list is read once a page, and all pages handed over before it, are processed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Checkpoint {
    /// All objects that were created within these bounds, both inclusive, in Unix milliseconds; `None` is no bound.
    /// Where ranges are read in parallel, each page covers a part of its own range.
    Covered { first: Option<i64>, last: Option<i64> },
    /// For a list that is read by offset: all objects created before `created_at`, and of those created at that very
    /// millisecond the ones whose ids are in `same_moment`. Reading resumes at `offset`.
    Behind { offset: u64, created_at: Option<i64>, same_moment: Vec<String> },
}
