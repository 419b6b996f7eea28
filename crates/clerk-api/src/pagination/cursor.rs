//! A position in a list that is read by cursor.

use std::collections::HashSet;

use super::frontier::Frontier;
use crate::time_range::TimeRange;

/// A position in one range.
pub(super) struct Cursor {
    pub(super) range: TimeRange,
    pub(super) frontier: Frontier,
    /// The last object before the frontier's moment. Without one, the next page is found by the time of creation.
    pub(super) anchor: Option<Anchor>,
    /// A moment that is read separately.
    pub(super) moment: Option<Moment>,
    /// The last page was not full.
    pub(super) is_short: bool,
}

/// The object behind which a cursor goes on.
pub(super) struct Anchor {
    pub(super) id: String,
    /// As the cursor's frontier counts.
    pub(super) created_at: i64,
}

impl Cursor {
    pub(super) fn new(range: TimeRange) -> Self {
        Cursor { range, frontier: Frontier::default(), anchor: None, moment: None, is_short: false }
    }

    /// Makes the next page begin by the time of creation instead of behind an object.
    pub(super) fn continue_by_time(&mut self) {
        self.anchor = None;
    }
}

/// The state of reading one moment.
pub(super) struct Moment {
    pub(super) range: TimeRange,
    pub(super) offset: u64,
    /// The ids that were seen since the number of objects last changed.
    pub(super) seen: HashSet<String>,
    /// How many objects there are by Clerk's count, if there is one.
    pub(super) count: Option<u64>,
    /// How many positions the last reading found; at first, the count.
    pub(super) positions: Option<u64>,
    pub(super) readings: u32,
    /// The ids that the pages of this reading have shown.
    pub(super) shown: HashSet<String>,
    /// How many pages in a row have shown none that is new to this reading.
    pub(super) idle_pages: u32,
    /// How many readings in a row found as many positions as the one before, or as the count.
    pub(super) agreed: u32,
}
