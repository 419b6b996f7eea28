//! Stretches of creation time.

use crate::read::Filters;
use crate::request::Request;

/// The times of creation from `first` to `last`, both included, in Unix milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) first: Option<i64>,
    pub(super) last: Option<i64>,
}

impl Range {
    pub(super) const ALL: Range = Range { first: None, last: None };

    /// Takes the bounds on creation time out of a list's parameters, which the walk gives itself.
    pub(super) fn take(filters: &mut Filters) -> Range {
        let mut range = Range::ALL;
        filters.retain(|(name, value)| match (*name, value.parse::<i64>()) {
            ("created_at_after", Ok(after)) => {
                range.first = range.first.max(Some(after.saturating_add(1)));
                false
            }
            ("created_at_before", Ok(before)) => {
                let last = before.saturating_sub(1);
                range.last = Some(range.last.map_or(last, |other| other.min(last)));
                false
            }
            _ => true,
        });
        range
    }

    pub(super) fn holds(&self, created_at: Option<i64>) -> bool {
        let Some(at) = created_at else { return *self == Range::ALL };
        self.first.is_none_or(|first| first <= at) && self.last.is_none_or(|last| at <= last)
    }

    /// One millisecond more on either side, to be asked for whether Clerk takes the bounds in or not.
    pub(super) fn wider(&self) -> Range {
        Range {
            first: self.first.map(|first| first.saturating_sub(1)),
            last: self.last.map(|last| last.saturating_add(1)),
        }
    }

    /// The request for the objects of this range.
    pub(super) fn narrow(&self, request: Request) -> Request {
        let Range { first, last } = self.wider();
        request.maybe("created_at_after", first).maybe("created_at_before", last)
    }
}

/// A stretch of creation time, both ends included, and how many objects it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slice {
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) count: u64,
}

impl Slice {
    /// Pieces of about the same length; fewer where the slice has not that many milliseconds.
    pub(super) fn pieces(self, pieces: u64) -> impl Iterator<Item = Slice> {
        // In 128 bits, for any times whatever that an instance may claim.
        let length = i128::from(self.last) - i128::from(self.first) + 1;
        let pieces = i128::from(pieces).min(length);
        let start = move |n: i128| (i128::from(self.first) + length * n / pieces) as i64;
        (0..pieces).map(move |n| Slice {
            first: start(n),
            last: if n + 1 == pieces { self.last } else { start(n + 1) - 1 },
            count: 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_taken_from_parameters() {
        let param = |name, value: i64| (name, value.to_string());
        let mut filters = vec![
            param("created_at_after", 9),
            ("banned", "true".to_owned()),
            param("created_at_before", 30),
            param("created_at_before", 21),
        ];
        assert_eq!(Range::take(&mut filters), Range { first: Some(10), last: Some(20) });
        assert_eq!(filters, [("banned", "true".to_owned())]);
    }

    #[test]
    fn pieces_cover_a_slice_without_gap_or_overlap() {
        for (first, last, pieces) in
            [(0, 99, 16), (5, 7, 16), (-3, 1_800_000_000_000, 7), (4, 4, 2), (i64::MIN, i64::MAX, 3)]
        {
            let cut: Vec<_> = Slice { first, last, count: 9 }.pieces(pieces).collect();
            assert_eq!((cut[0].first, cut[cut.len() - 1].last), (first, last));
            assert!(cut.windows(2).all(|pair| pair[0].last + 1 == pair[1].first), "{cut:?}");
            assert!(cut.iter().all(|piece| piece.first <= piece.last), "{cut:?}");
        }
    }
}
