//! How far a list was read: what lets another session go on where one was cut off.

use serde::{Deserialize, Serialize};

use super::front::Front;
use crate::read::{From, Read};

/// What is read of a list once a page and those handed over before it are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// All that was created within these bounds, both included, in Unix milliseconds; `None` is no bound. Pages of
    /// lists that are read side by side each have their own stretch.
    Covered { first: Option<i64>, last: Option<i64> },
    /// All up to a moment of a list that is read by offset, and these objects of that moment; the offset is where the
    /// list goes on.
    Behind { offset: u64, created_at: Option<i64>, same_moment: Vec<String> },
}

/// What is left to read of a whole list when these marks were reached, in the order in which they were.
pub fn rest(read: &Read, marks: Vec<Mark>) -> Vec<Read> {
    let mut covered: Vec<(i64, i64)> = Vec::new();
    let mut after = None;
    for mark in marks {
        match mark {
            Mark::Covered { first, last } => covered.push((first.unwrap_or(i64::MIN), last.unwrap_or(i64::MAX))),
            behind => after = Some(behind),
        }
    }
    if covered.is_empty() {
        return vec![Read { after, ..read.clone() }];
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
    gaps.into_iter().map(|(first, last)| Read { from: created_within(first, last), ..read.clone() }).collect()
}

/// What was created within these bounds, both included.
fn created_within(first: i64, last: i64) -> From {
    let after = (first > i64::MIN).then(|| ("created_at_after", (first - 1).to_string()));
    let before = (last < i64::MAX).then(|| ("created_at_before", (last + 1).to_string()));
    From::List { filters: after.into_iter().chain(before).collect(), order: None }
}

impl Mark {
    pub(super) fn behind(offset: u64, front: &Front) -> Mark {
        Mark::Behind { offset, created_at: front.at, same_moment: front.ids.iter().cloned().collect() }
    }

    /// Where a list goes on that is read by offset, and how far it was handed over.
    pub(super) fn place(self) -> Option<(u64, Front)> {
        match self {
            Mark::Covered { .. } => None,
            Mark::Behind { offset, created_at, same_moment } => {
                let ids = same_moment.into_iter().collect();
                Some((offset, Front { at: created_at, ids, is_whole: false }))
            }
        }
    }
}
