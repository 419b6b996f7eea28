//! Ranges of time in Unix milliseconds, which is the unit of Clerk's times.

/// The times from `first` to `last`, both inclusive, in Unix milliseconds; `None` is no bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRange {
    pub first: Option<i64>,
    pub last: Option<i64>,
}

impl TimeRange {
    /// All times.
    pub const ALL: TimeRange = TimeRange { first: None, last: None };

    /// Whether the range contains a time. An object without a time is in no range but [`TimeRange::ALL`].
    pub fn holds(&self, time: Option<i64>) -> bool {
        let Some(time) = time else { return *self == TimeRange::ALL };
        self.first.is_none_or(|first| first <= time) && self.last.is_none_or(|last| time <= last)
    }

    /// The times that are in both ranges.
    pub fn intersect(&self, other: TimeRange) -> TimeRange {
        let last = match (self.last, other.last) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        TimeRange { first: self.first.max(other.first), last }
    }

    /// Whether the range contains no time.
    pub fn is_empty(&self) -> bool {
        matches!((self.first, self.last), (Some(first), Some(last)) if first > last)
    }

    /// The range with one more millisecond on either side: its bounds for Clerk's parameters, which are exclusive.
    pub(crate) fn wider(&self) -> TimeRange {
        TimeRange {
            first: self.first.map(|first| first.saturating_sub(1)),
            last: self.last.map(|last| last.saturating_add(1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intersect_takes_the_narrower_bounds() {
        let range = |first, last| TimeRange { first, last };
        assert_eq!(range(Some(1), None).intersect(range(Some(5), Some(9))), range(Some(5), Some(9)));
        assert_eq!(range(None, Some(3)).intersect(TimeRange::ALL), range(None, Some(3)));
        assert!(range(Some(4), None).intersect(range(None, Some(3))).is_empty());
        assert!(!range(Some(3), Some(3)).is_empty());
        assert!(range(None, Some(3)).holds(Some(3)) && !range(None, Some(3)).holds(None));
    }
}
