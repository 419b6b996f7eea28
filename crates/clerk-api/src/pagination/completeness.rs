//! Verifies that a list by cursor was read to its end.
//!
//! The pages of such a list contain no total, and a page that is not full does not prove that the list ends there. So
//! the list is counted once, while its first page is fetched. If as many objects arrive as were counted, the list is
//! complete. If not, objects were created or deleted meanwhile, or the count is wrong, or a page was incomplete. Then
//! the newest object of each range must be one that was handed over. Counts are not trusted beyond that, because they
//! may lag behind.

use std::sync::Arc;

use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::cursor::Cursor;
use super::cursor_reader::CursorReader;
use super::fetcher::Stop;
use super::frontier::times;
use super::sender::PageSender;
use crate::decode::Page;
use crate::http::Error;

/// How many pages in a row may be empty although a range has more objects, before this is an error. Two, so that a
/// single incomplete answer is not an error.
const MAX_EMPTY_PAGES: u32 = 2;

impl CursorReader<'_> {
    /// Verifies the ends of all ranges, and reads on where objects are missing.
    pub(super) async fn verify_ends(
        &self,
        ends: Vec<Cursor>,
        total: Option<u64>,
        sender: &PageSender,
    ) -> Result<(), Stop> {
        if total == Some(self.received()) {
            return Ok(());
        }
        stream::iter(ends)
            .map(|cursor| self.read_to_end(cursor, sender))
            .buffer_unordered(self.fetcher.concurrency())
            .try_collect::<()>()
            .await?;
        // If nothing was read although objects are counted, the list may be empty by mistake: it is counted once more.
        let is_empty = self.received() == 0 && total.is_some_and(|total| total > 0);
        match is_empty && self.count(self.range).await?.is_some_and(|total| total > 0) {
            true => Err(self.inconsistent("none comes though some are counted").into()),
            false => Ok(()),
        }
    }

    /// Reads from the apparent end of a range to its verified end.
    async fn read_to_end(&self, mut cursor: Cursor, sender: &PageSender) -> Result<(), Stop> {
        let mut looks = 0;
        while !self.is_at_end(&cursor).await? {
            loop {
                let before = cursor.frontier.at;
                let page = self.page_after(&mut cursor, self.page_size()).await?;
                looks = if page.is_empty() { looks + 1 } else { 0 };
                if looks > MAX_EMPTY_PAGES {
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

    /// Whether the newest objects of a cursor's range were handed over.
    async fn is_at_end(&self, cursor: &Cursor) -> Result<bool, Error> {
        // One more object than those handed over of the last moment: if there are others, the page contains one of
        // them.
        let limit = (cursor.frontier.ids.len() + 1).min(self.page_size() as usize).max(2) as u32;
        let request = self.listing.page(cursor.range, !self.is_descending(), limit, None);
        let mut page = self.fetcher.fetch(&request, &Arc::new(self.fetcher.id_projection()), Page::list).await?;
        if page.is_empty() && cursor.frontier.at.is_some() {
            // All objects of the range may have been deleted.
            return Ok(self.count(cursor.range).await? == Some(0));
        }
        page.retain(|page, object| cursor.range.holds(page.created_at(object)));
        let Some(times) = times(&page, !self.is_descending()) else {
            return Err(self.inconsistent("they are not in order of creation"));
        };
        // The page is in the opposite order, so its times have the opposite sign of the frontier's.
        let is_known = |object: usize| match Some(times[object].saturating_neg()) {
            at if at == cursor.frontier.at => cursor.frontier.ids.contains(&*page.id(object)),
            at => at < cursor.frontier.at,
        };
        Ok((0..page.len()).all(is_known))
    }
}
