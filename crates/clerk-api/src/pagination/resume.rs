//! Computes what is left to read of a list that was interrupted.

use super::frontier::Frontier;
use crate::checkpoint::Checkpoint;
use crate::query::{Fetch, Query};
use crate::time_range::TimeRange;

/// What is left to fetch of a whole list after these checkpoints, which are in the order in which they were reached.
pub fn remaining(fetch: &Fetch, checkpoints: Vec<Checkpoint>) -> Vec<Fetch> {
    let mut covered: Vec<(i64, i64)> = Vec::new();
    let mut resume_from = None;
    for checkpoint in checkpoints {
        match checkpoint {
            Checkpoint::Covered { first, last } => covered.push((first.unwrap_or(i64::MIN), last.unwrap_or(i64::MAX))),
            behind => resume_from = Some(behind),
        }
    }
    if covered.is_empty() {
        return vec![Fetch { resume_from, ..fetch.clone() }];
    }
    covered.sort();
    let mut gaps = Vec::new();
    let mut begin = Some(i64::MIN);
    for (first, last) in covered {
        let Some(from) = begin else { break };
        if first > from {
            gaps.push((from, first - 1));
        }
        begin = if last == i64::MAX { None } else { Some(from.max(last + 1)) };
    }
    gaps.extend(begin.map(|from| (from, i64::MAX)));
    let fetch_gap = |(first, last)| {
        let range = TimeRange { first: (first > i64::MIN).then_some(first), last: (last < i64::MAX).then_some(last) };
        Fetch { query: Query::created_within(fetch.object, range), ..fetch.clone() }
    };
    gaps.into_iter().map(fetch_gap).collect()
}

/// The checkpoint of a list by offset, whose reading goes on at `offset`.
pub(super) fn checkpoint(offset: u64, frontier: &Frontier) -> Checkpoint {
    Checkpoint::Behind { offset, created_at: frontier.at, same_moment: frontier.ids.iter().cloned().collect() }
}

/// Where reading a list by offset goes on, and how far the list was handed over.
pub(super) struct ResumePoint {
    pub(super) offset: u64,
    pub(super) frontier: Frontier,
}

impl ResumePoint {
    /// The point that a checkpoint names; `None` for a checkpoint of a list by cursor.
    pub(super) fn of(checkpoint: Checkpoint) -> Option<Self> {
        match checkpoint {
            Checkpoint::Covered { .. } => None,
            Checkpoint::Behind { offset, created_at, same_moment } => {
                let ids = same_moment.into_iter().collect();
                Some(ResumePoint { offset, frontier: Frontier { at: created_at, ids, is_complete: false } })
            }
        }
    }
}
