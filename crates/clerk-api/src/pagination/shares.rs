//! Distributes ranges of creation time among parallel readers by work stealing.
//!
//! A reader that has finished its share claims the later half of the largest share that is still being read. So all
//! readers finish at about the same time, however inaccurate the first division was.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::cursor::Cursor;
use crate::time_range::TimeRange;

/// The shares into which a list is divided.
pub(super) struct Shares {
    inner: Mutex<Inner>,
    /// A share with fewer objects left than this is not divided, because that would not be worth one more request.
    min_to_divide: u64,
}

#[derive(Default)]
struct Inner {
    shares: Vec<Share>,
    /// How many pages had objects, and how many times shares were divided. There may be only one division more than
    /// pages, so that a count that is far too high does not lead to more divisions than there are pages to read.
    pages: usize,
    divisions: usize,
}

/// A range of creation time that one reader reads.
struct Share {
    range: TimeRange,
    /// The time up to which the share was read, and the time at which it ends.
    position: i64,
    end: i64,
    /// About how many objects are left between the two.
    remaining: u64,
    /// The cursor to begin with; `None` once a reader has claimed the share.
    unclaimed: Option<Cursor>,
}

/// A reader's claim on one share.
pub(super) struct Claim {
    index: usize,
    pub(super) cursor: Cursor,
}

impl Shares {
    /// No shares yet. A share with less than two pages left will not be divided.
    pub(super) fn new(page_size: u64) -> Self {
        Shares { inner: Mutex::default(), min_to_divide: 2 * page_size }
    }

    /// Adds a share that waits for a reader: its cursor, the times at which it begins and ends, and about how many
    /// objects it contains.
    pub(super) fn add(&self, cursor: Cursor, begin: i64, end: i64, remaining: u64) {
        self.lock().shares.push(Share {
            range: cursor.range,
            position: begin,
            end,
            remaining,
            unclaimed: Some(cursor),
        });
    }

    /// Claims the largest share that has no reader yet, or else half of the largest one that has.
    pub(super) fn claim(&self) -> Option<Claim> {
        let inner = &mut *self.lock();
        let largest = |shares: &[Share], waiting: bool| {
            let candidates = shares.iter().enumerate().filter(|(_, share)| share.unclaimed.is_some() == waiting);
            candidates.max_by_key(|(_, share)| share.remaining).map(|(index, _)| index)
        };
        if let Some(index) = largest(&inner.shares, true) {
            return inner.shares[index].unclaimed.take().map(|cursor| Claim { index, cursor });
        }
        let index = largest(&inner.shares, false)?;
        let busiest = &mut inner.shares[index];
        if busiest.remaining < self.min_to_divide || busiest.end <= busiest.position || inner.divisions > inner.pages {
            return None;
        }
        let middle = busiest.position.midpoint(busiest.end);
        let range = TimeRange { first: Some(middle + 1), last: busiest.range.last };
        let (end, remaining) = (busiest.end, busiest.remaining / 2);
        (busiest.range.last, busiest.end, busiest.remaining) = (Some(middle), middle, remaining);
        inner.divisions += 1;
        inner.shares.push(Share { range, position: middle, end, remaining, unclaimed: None });
        Some(Claim { index: inner.shares.len() - 1, cursor: Cursor::new(range) })
    }

    /// The current range of a share, whose later half another reader may have claimed meanwhile.
    pub(super) fn range(&self, claim: &Claim) -> TimeRange {
        self.lock().shares[claim.index].range
    }

    /// Records how far a reader has come. If the last page's density in time suggests that more objects are left than
    /// expected, the estimate grows, but only so far that the share can be divided once more: objects that were created
    /// in a burst say little about the rest.
    pub(super) fn record_progress(&self, claim: &Claim, objects: usize, ended: bool) {
        let inner = &mut *self.lock();
        inner.pages += usize::from(objects > 0);
        let share = &mut inner.shares[claim.index];
        let previous = share.position;
        share.position = claim.cursor.frontier.at.unwrap_or(previous).min(share.end);
        share.remaining = match ended {
            true => 0,
            false => {
                let (covered, ahead) = (share.position.abs_diff(previous).max(1), share.end.abs_diff(share.position));
                let by_density = objects as u128 * u128::from(ahead) / u128::from(covered);
                let capped = by_density.min(self.min_to_divide.into()) as u64;
                share.remaining.saturating_sub(objects as u64).max(capped)
            }
        };
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divided_shares_cover_the_whole_range() {
        let shares = Shares::new(10);
        shares.add(Cursor::new(TimeRange { first: None, last: Some(99) }), 0, 99, 400);
        shares.add(Cursor::new(TimeRange { first: Some(100), last: None }), 100, 199, 100);
        let mut claims: Vec<_> = std::iter::from_fn(|| shares.claim()).take(3).collect();
        shares.record_progress(&claims[0], 10, false);
        shares.record_progress(&claims[1], 10, false);
        claims.extend(std::iter::from_fn(|| shares.claim()));
        assert_eq!(claims.len(), 5, "no more divisions than pages, and one");
        let mut ranges: Vec<_> = claims.iter().map(|claim| shares.range(claim)).collect();
        ranges.sort_by_key(|range| range.first);
        assert_eq!((ranges[0].first, ranges[4].last), (None, None));
        assert!(ranges.windows(2).all(|pair| pair[0].last.map(|last| last + 1) == pair[1].first), "{ranges:?}");
    }

    #[test]
    fn a_share_that_is_nearly_read_is_left_alone() {
        let shares = Shares::new(10);
        shares.add(Cursor::new(TimeRange::ALL), 0, 99, 25);
        let mut claim = shares.claim().unwrap();
        claim.cursor.frontier.at = Some(40);
        shares.record_progress(&claim, 10, false);
        assert!(shares.claim().is_none(), "about 15 are left");
        shares.record_progress(&claim, 10, true);
        assert!(shares.claim().is_none(), "none is left");
    }
}
