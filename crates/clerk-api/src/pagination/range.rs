//! Ranges of creation time with the number of their objects.

/// A range of creation time, both ends inclusive, and how many objects it contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CountedRange {
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) count: u64,
}

impl CountedRange {
    /// Splits the range into pieces of about the same length, or into fewer if it has fewer milliseconds.
    pub(super) fn pieces(self, pieces: u64) -> impl Iterator<Item = CountedRange> {
        // 128 bits, so that no times that Clerk may send can overflow.
        let length = i128::from(self.last) - i128::from(self.first) + 1;
        let pieces = i128::from(pieces).min(length);
        let start = move |n: i128| (i128::from(self.first) + length * n / pieces) as i64;
        (0..pieces).map(move |n| CountedRange {
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
    fn pieces_cover_a_range_without_gap_or_overlap() {
        for (first, last, pieces) in
            [(0, 99, 16), (5, 7, 16), (-3, 1_800_000_000_000, 7), (4, 4, 2), (i64::MIN, i64::MAX, 3)]
        {
            let cut: Vec<_> = CountedRange { first, last, count: 9 }.pieces(pieces).collect();
            assert_eq!((cut[0].first, cut[cut.len() - 1].last), (first, last));
            assert!(cut.windows(2).all(|pair| pair[0].last + 1 == pair[1].first), "{cut:?}");
            assert!(cut.iter().all(|piece| piece.first <= piece.last), "{cut:?}");
        }
    }
}
