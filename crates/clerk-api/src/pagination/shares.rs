//! Who reads which stretch of time.
//!
//! A reader that is done takes over the later half of what the busiest one still has to read. So all of them end at
//! about the same time, however badly the first division guessed.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::by_cursor::Cursor;
use crate::time_range::TimeRange;

pub(super) struct Shares {
    inner: Mutex<Inner>,
    /// Less than this is not worth a request more.
    least: u64,
}

#[derive(Default)]
struct Inner {
    shares: Vec<Share>,
    /// Pages that held something, and shares that were divided: a count that is far too high must not make for more
    /// divisions than there is to read.
    pages: usize,
    divisions: usize,
}

struct Share {
    range: TimeRange,
    /// How far its reader has come, and where it ends.
    at: i64,
    end: i64,
    /// About how many objects lie between.
    left: u64,
    /// Where to begin, until a reader has begun.
    start: Option<Cursor>,
}

/// One reader's share.
pub(super) struct Claim {
    index: usize,
    pub(super) cursor: Cursor,
}

impl Shares {
    /// Shares of about `page_size` objects are read to their end by whoever has begun.
    pub(super) fn new(page_size: u64) -> Self {
        Shares { inner: Mutex::default(), least: 2 * page_size }
    }

    /// Adds a share that waits for a reader: a cursor, the end of its range and about how many objects that holds.
    pub(super) fn add(&self, start: Cursor, begin: i64, end: i64, left: u64) {
        self.lock().shares.push(Share { range: start.range, at: begin, end, left, start: Some(start) });
    }

    /// The largest share that nobody reads yet, else half of the largest one that somebody reads.
    pub(super) fn take(&self) -> Option<Claim> {
        let inner = &mut *self.lock();
        let largest = |shares: &[Share], waiting: bool| {
            let among = shares.iter().enumerate().filter(|(_, share)| share.start.is_some() == waiting);
            among.max_by_key(|(_, share)| share.left).map(|(index, _)| index)
        };
        if let Some(index) = largest(&inner.shares, true) {
            return inner.shares[index].start.take().map(|cursor| Claim { index, cursor });
        }
        let index = largest(&inner.shares, false)?;
        let busiest = &mut inner.shares[index];
        if busiest.left < self.least || busiest.end <= busiest.at || inner.divisions > inner.pages {
            return None;
        }
        let middle = busiest.at.midpoint(busiest.end);
        let range = TimeRange { first: Some(middle + 1), last: busiest.range.last };
        let (end, left) = (busiest.end, busiest.left / 2);
        (busiest.range.last, busiest.end, busiest.left) = (Some(middle), middle, left);
        inner.divisions += 1;
        inner.shares.push(Share { range, at: middle, end, left, start: None });
        Some(Claim { index: inner.shares.len() - 1, cursor: Cursor::new(range) })
    }

    /// The range as it is now: another reader may have claim its later half.
    pub(super) fn range(&self, claim: &Claim) -> TimeRange {
        self.lock().shares[claim.index].range
    }

    /// Notes how far a reader has come. Where more is left than was thought, as the last page's density in time tells,
    /// the share can be divided once more; not oftener, because objects that came in a rush say little of the rest.
    pub(super) fn note(&self, claim: &Claim, objects: usize, ended: bool) {
        let inner = &mut *self.lock();
        inner.pages += usize::from(objects > 0);
        let share = &mut inner.shares[claim.index];
        let before = share.at;
        share.at = claim.cursor.frontier.at.unwrap_or(before).min(share.end);
        share.left = match ended {
            true => 0,
            false => {
                let (come, to_go) = (share.at.abs_diff(before).max(1), share.end.abs_diff(share.at));
                let by_density = objects as u128 * u128::from(to_go) / u128::from(come);
                let at_most = by_density.min(self.least.into()) as u64;
                share.left.saturating_sub(objects as u64).max(at_most)
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
    fn what_was_divided_is_still_all_of_it() {
        let shares = Shares::new(10);
        shares.add(Cursor::new(TimeRange { first: None, last: Some(99) }), 0, 99, 400);
        shares.add(Cursor::new(TimeRange { first: Some(100), last: None }), 100, 199, 100);
        let mut claim: Vec<_> = std::iter::from_fn(|| shares.take()).take(3).collect();
        shares.note(&claim[0], 10, false);
        shares.note(&claim[1], 10, false);
        claim.extend(std::iter::from_fn(|| shares.take()));
        assert_eq!(claim.len(), 5, "no more divisions than pages, and one");
        let mut ranges: Vec<_> = claim.iter().map(|claim| shares.range(claim)).collect();
        ranges.sort_by_key(|range| range.first);
        assert_eq!((ranges[0].first, ranges[4].last), (None, None));
        assert!(ranges.windows(2).all(|pair| pair[0].last.map(|last| last + 1) == pair[1].first), "{ranges:?}");
    }

    #[test]
    fn a_share_that_is_nearly_read_is_left_alone() {
        let shares = Shares::new(10);
        shares.add(Cursor::new(TimeRange::ALL), 0, 99, 25);
        let mut claim = shares.take().unwrap();
        claim.cursor.frontier.at = Some(40);
        shares.note(&claim, 10, false);
        assert!(shares.take().is_none(), "about 15 are left");
        shares.note(&claim, 10, true);
        assert!(shares.take().is_none(), "none is left");
    }
}
