//! Finds out how a list's objects are distributed over time, and divides the list among parallel readers accordingly.

use std::sync::Arc;

use futures_util::future::try_join_all;

use super::MIN_PAGES_TO_SPLIT;
use super::cursor::Cursor;
use super::cursor_reader::CursorReader;
use super::range::CountedRange;
use super::shares::Shares;
use crate::decode::Page;
use crate::http::Error;
use crate::time_range::TimeRange;

/// Into how many pieces a range is split at once, each of which costs one request.
const MAX_PIECES: u64 = 16;

/// How many requests may be spent on splitting. A list of a million objects has 2000 pages, so these are 3 % of its
/// requests.
const MAX_COUNTS: u64 = 64;

/// A piece of a range, before its objects are counted or after.
enum Piece {
    Counted(CountedRange),
    Uncounted(CountedRange),
}

impl CursorReader<'_> {
    /// Divides what is left to read for a cursor into ranges of about the same number of objects. `total` is how many
    /// objects the list has. Without it nothing is lost: one reader reads the whole list.
    pub(super) async fn partition(&self, cursor: Cursor, total: Option<u64>) -> Result<Shares, Error> {
        let page_size = u64::from(self.page_size());
        let readers = self.fetcher.concurrency() as u64;
        let shares = Shares::new(page_size);
        let range = cursor.range;
        let oldest = cursor.frontier.at.filter(|_| readers > 1);
        let Some(oldest) = oldest else {
            shares.add(cursor, 0, 0, 0);
            return Ok(shares);
        };
        let total = total.unwrap_or(0);
        let pages = total / page_size;
        let newest = if pages < MIN_PAGES_TO_SPLIT { None } else { self.newest(range).await? };
        let Some(newest) = newest.filter(|newest| *newest > oldest) else {
            shares.add(cursor, 0, 0, 0);
            return Ok(shares);
        };
        let share = (total / readers).max(page_size);
        let all = CountedRange { first: oldest, last: newest, count: total };
        let mut begin = cursor;
        let mut pending = CountedRange { count: 0, last: oldest, ..all };
        for piece in self.split(all, share, (pages / 4).min(MAX_COUNTS)).await? {
            (pending.last, pending.count) = (piece.last, pending.count + piece.count);
            if pending.count >= share / 2 && piece.last < newest {
                begin.range.last = Some(piece.last);
                shares.add(begin, pending.first, pending.last, pending.count);
                begin = Cursor::new(TimeRange { first: Some(piece.last + 1), last: range.last });
                pending = CountedRange { first: piece.last + 1, last: newest, count: 0 };
            }
        }
        shares.add(begin, pending.first, newest, pending.count);
        Ok(shares)
    }

    /// Splits a range until no piece contains more objects than two shares. Each piece costs a request, so the
    /// splitting ends after `budget` requests. Larger pieces are divided later, by the readers: see [`super::shares`].
    async fn split(&self, all: CountedRange, share: u64, mut budget: u64) -> Result<Vec<CountedRange>, Error> {
        let mut ranges = vec![all];
        loop {
            let mut cut = Vec::new();
            for range in ranges {
                let pieces = range.count.div_ceil(share).min(MAX_PIECES).min(budget);
                if range.count > 2 * share && range.first < range.last && pieces > 1 {
                    budget -= pieces;
                    cut.extend(range.pieces(pieces).map(Piece::Uncounted));
                } else {
                    cut.push(Piece::Counted(range));
                }
            }
            let is_final = cut.iter().all(|piece| matches!(piece, Piece::Counted(_)));
            ranges = try_join_all(cut.into_iter().map(|piece| async move {
                let range = match piece {
                    Piece::Counted(range) => return Ok(range),
                    Piece::Uncounted(range) => range,
                };
                let times = TimeRange { first: Some(range.first), last: Some(range.last) };
                let count = self.count(times).await?;
                Ok::<_, Error>(CountedRange { count: count.unwrap_or(0), ..range })
            }))
            .await?;
            if is_final {
                return Ok(ranges);
            }
        }
    }

    /// When the newest object was created.
    async fn newest(&self, range: TimeRange) -> Result<Option<i64>, Error> {
        // A wrong answer here costs parallelism, but no objects, because the last range has no bound of its own.
        let request = self.listing.page(range, true, 2, None);
        let page = self.fetcher.fetch(&request, &Arc::new(self.fetcher.id_projection()), Page::list).await?;
        Ok((!page.is_empty()).then(|| page.created_at(0)).flatten())
    }
}
