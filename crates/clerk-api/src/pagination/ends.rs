//! Where a list by cursor ends.
//!
//! A list by cursor has no total, and a page that is not full is no proof that it ends there. So it is counted: once, beside
//! its first page. If as many objects came as were counted, that is all. If not, something was created or deleted
//! meanwhile, or the count is wrong, or a page was short: then the newest object of each range has to be one that was
//! handed over. What else a count says is not believed; it may lag behind.

use std::sync::Arc;

use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::by_cursor::{Cursor, List};
use super::fetcher::{Stop, Task};
use super::frontier::times;
use super::sender::PageSender;
use crate::decode::Page;
use crate::http::Error;
use crate::time_range::TimeRange;

/// A range whose newest object does not come though it is asked for so many times in a row is not coming to its end.
const MAX_LOOKS: u32 = 2;

/// What came of counting. Nothing is lost where Clerk has no such endpoint.
pub(super) async fn counted(counting: Task) -> Result<Option<u64>, Error> {
    match counting.wait().await {
        Err(error) if error.is_not_found() => Ok(None),
        count => Ok(count?.total_count()),
    }
}

impl List<'_> {
    /// How many objects Clerk counts, if it does.
    pub(super) async fn count(&self, range: TimeRange) -> Result<Option<u64>, Error> {
        counted(self.begin_to_count(range)).await
    }

    /// Asks for that; the answer may wait.
    pub(super) fn begin_to_count(&self, range: TimeRange) -> Task {
        self.fetcher.begin(&self.listing.count(range), &Arc::new(self.fetcher.ids()), Page::count)
    }

    /// Goes on reading until the ends of all ranges are borne sender.
    pub(super) async fn bear_out(
        &self,
        ends: Vec<Cursor>,
        total: Option<u64>,
        sender: &PageSender,
    ) -> Result<(), Stop> {
        if total == Some(self.received()) {
            return Ok(());
        }
        stream::iter(ends)
            .map(|cursor| self.read_on(cursor, sender))
            .buffer_unordered(self.fetcher.concurrency())
            .try_collect::<()>()
            .await?;
        // Nothing at all, though something is counted, cannot be told from a list that does not come.
        let is_empty = self.received() == 0 && total.is_some_and(|total| total > 0);
        match is_empty && self.count(self.range).await?.is_some_and(|total| total > 0) {
            true => Err(self.inconsistent("none comes though some are counted").into()),
            false => Ok(()),
        }
    }

    /// Reads from a range's apparent end to its real one.
    async fn read_on(&self, mut cursor: Cursor, sender: &PageSender) -> Result<(), Stop> {
        let mut looks = 0;
        while !self.is_over(&cursor).await? {
            loop {
                let before = cursor.frontier.at;
                let page = self.page_after(&mut cursor, self.size()).await?;
                looks = if page.is_empty() { looks + 1 } else { 0 };
                if looks > MAX_LOOKS {
                    return Err(self.inconsistent("a page leaves out what another one shows").into());
                }
                self.hand_over(&cursor, before, page, sender).await?;
                if cursor.is_short {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Whether the last objects of a cursor's range were handed over.
    async fn is_over(&self, cursor: &Cursor) -> Result<bool, Error> {
        // One more than are known of the last moment: if there are others, one of them shows.
        let limit = (cursor.frontier.ids.len() + 1).min(self.size() as usize).max(2) as u32;
        let request = self.listing.page(cursor.range, !self.is_descending(), limit, None);
        let mut page = self.fetcher.fetch(&request, &Arc::new(self.fetcher.ids()), Page::list).await?;
        if page.is_empty() && cursor.frontier.at.is_some() {
            // All that was there may be gone.
            return Ok(self.count(cursor.range).await? == Some(0));
        }
        page.retain(|page, object| cursor.range.holds(page.created_at(object)));
        let Some(times) = times(&page, !self.is_descending()) else {
            return Err(self.inconsistent("they are not in order of creation"));
        };
        // These times run the other way.
        let is_known = |object: usize| match Some(times[object].saturating_neg()) {
            at if at == cursor.frontier.at => cursor.frontier.ids.contains(&*page.id(object)),
            at => at < cursor.frontier.at,
        };
        Ok((0..page.len()).all(is_known))
    }
}
