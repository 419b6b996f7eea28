//! How many objects lie where in time: what the first division among readers goes by.

use std::sync::Arc;

use futures_util::future::try_join_all;

use super::MIN_PAGES_TO_SPLIT;
use super::by_cursor::{Cursor, List};
use super::range::CountedRange;
use super::shares::Shares;
use crate::decode::Page;
use crate::http::Error;
use crate::time_range::TimeRange;

/// Into how many pieces a slice of time is cut at once.
const MAX_PIECES: u64 = 16;

/// How many requests may be spent on cutting.
const MAX_COUNTS: u64 = 64;

impl List<'_> {
    /// Divides what lies behind a cursor into ranges of about the same number of objects; `total` is how many the list
    /// has. Nothing is lost where there is no count: one reader reads it all.
    pub(super) async fn shares(&self, cursor: Cursor, total: Option<u64>) -> Result<Shares, Error> {
        let page_size = u64::from(self.size());
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
        let mut held = CountedRange { count: 0, last: oldest, ..all };
        for slice in self.slices(all, share, (pages / 4).min(MAX_COUNTS)).await? {
            (held.last, held.count) = (slice.last, held.count + slice.count);
            if held.count >= share / 2 && slice.last < newest {
                begin.range.last = Some(slice.last);
                shares.add(begin, held.first, held.last, held.count);
                begin = Cursor::new(TimeRange { first: Some(slice.last + 1), last: range.last });
                held = CountedRange { first: slice.last + 1, last: newest, count: 0 };
            }
        }
        shares.add(begin, held.first, newest, held.count);
        Ok(shares)
    }

    /// Cuts a slice of time until no piece holds more than two shares. Each piece costs a request, so the cutting
    /// ends when `budget` requests were spent: the readers then divide the rest among themselves.
    async fn slices(&self, all: CountedRange, share: u64, mut budget: u64) -> Result<Vec<CountedRange>, Error> {
        let mut slices = vec![all];
        loop {
            let mut cut = Vec::new();
            for slice in slices {
                let pieces = slice.count.div_ceil(share).min(MAX_PIECES).min(budget);
                if slice.count > 2 * share && slice.first < slice.last && pieces > 1 {
                    budget -= pieces;
                    cut.extend(slice.pieces(pieces).map(|piece| (piece, true)));
                } else {
                    cut.push((slice, false));
                }
            }
            let any = cut.iter().any(|(_, fresh)| *fresh);
            slices = try_join_all(cut.into_iter().map(|(slice, fresh)| async move {
                if !fresh {
                    return Ok(slice);
                }
                let range = TimeRange { first: Some(slice.first), last: Some(slice.last) };
                let count = self.count(range).await?;
                Ok::<_, Error>(CountedRange { count: count.unwrap_or(0), ..slice })
            }))
            .await?;
            if !any {
                return Ok(slices);
            }
        }
    }

    /// When the newest object was created.
    async fn newest(&self, range: TimeRange) -> Result<Option<i64>, Error> {
        // Two of them: an answer that stood in for another one by mistake would be out of order there.
        let request = self.listing.page(range, true, 2, None);
        let page = self.fetcher.fetch(&request, &Arc::new(self.fetcher.ids()), Page::list).await?;
        Ok((!page.is_empty()).then(|| page.created_at(0)).flatten())
    }
}
