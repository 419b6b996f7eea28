//! From one page of a list by cursor to the next.

use std::sync::atomic::Ordering;

use super::cursor::{Anchor, Cursor};
use super::cursor_reader::CursorReader;
use super::fetcher::Stop;
use super::frontier::last_moment;
use super::sender::PageSender;
use crate::checkpoint::Checkpoint;
use crate::decode::Page;
use crate::http::Error;
use crate::time_range::TimeRange;

/// The checkpoint for the last page of a cursor. The page began at the moment `before`, or at the beginning of the
/// range. If the range has not ended, the checkpoint excludes the page's last moment, of which there may be more
/// objects.
pub(super) fn checkpoint(range: TimeRange, before: Option<i64>, cursor: &Cursor, ended: bool) -> Option<Checkpoint> {
    let last = if ended { range.last } else { Some(cursor.frontier.at?.saturating_sub(1)) };
    Some(Checkpoint::Covered { first: before.or(range.first), last })
}

impl CursorReader<'_> {
    /// Hands over the last page of a cursor that is not shared with other readers.
    pub(super) async fn hand_over(
        &self,
        cursor: &Cursor,
        before: Option<i64>,
        mut page: Page,
        sender: &PageSender,
    ) -> Result<(), Stop> {
        page.retain(|page, object| cursor.range.holds(page.created_at(object)));
        if !self.is_descending() {
            page.set_checkpoint(checkpoint(cursor.range, before, cursor, cursor.is_short));
        }
        self.received.fetch_add(page.len() as u64, Ordering::Relaxed);
        Ok(sender.send(page).await?)
    }

    /// Fetches the page that follows a cursor, moves the cursor on, and returns the page's new objects. They may
    /// include objects one millisecond outside of the range.
    pub(super) async fn page_after(&self, cursor: &mut Cursor, limit: u32) -> Result<Page, Error> {
        if cursor.moment.is_some() {
            return self.page_of_moment(cursor).await;
        }
        let mut page = match self.page_behind(cursor, limit).await? {
            Some(page) => page,
            None => self.page(self.remaining_range(cursor), None, limit).await?,
        };
        let times = self.times(&page)?;
        if times.first().copied() < cursor.anchor.as_ref().map(|anchor| anchor.created_at) && !times.is_empty() {
            return Err(self.inconsistent("a page repeats objects of the one before"));
        }
        if (0..page.len()).any(|object| !cursor.range.wider().holds(page.created_at(object))) {
            return Err(self.inconsistent("a page has objects that were created at another time than asked for"));
        }
        let start = last_moment(&times);
        if let (Some(last_before), true) = (start.checked_sub(1), times.last().copied() >= cursor.frontier.at) {
            cursor.anchor = Some(Anchor { id: page.id(last_before).into_owned(), created_at: times[last_before] });
        }
        let is_full = times.len() >= limit as usize;
        cursor.is_short = !is_full;
        let new = cursor.frontier.retain_new(&mut page, &times);
        if is_full && limit == self.page_size() && (start == 0 || new == 0) {
            if new == 0 && cursor.frontier.is_complete {
                return Err(self.inconsistent("a page has nothing new though more is to come"));
            }
            cursor.moment = Some(self.begin_moment(cursor).await?);
        }
        Ok(page)
    }

    /// The page behind a cursor's anchor. `None` if it cannot be used: the anchor was deleted, or the page has no
    /// object of the moment in which the page before ended, so that it does not show whether objects are missing in
    /// between.
    async fn page_behind(&self, cursor: &Cursor, limit: u32) -> Result<Option<Page>, Error> {
        let Some(Anchor { id, .. }) = &cursor.anchor else { return Ok(None) };
        let page = match self.page(cursor.range, Some(id), limit).await {
            Err(Error::Refused { .. }) => return Ok(None),
            page => page?,
        };
        let first = self.times(&page)?.first().copied();
        Ok(first.is_some_and(|first| Some(first) <= cursor.frontier.at).then_some(page))
    }

    /// The part of a cursor's range that is left to read, by the times of creation.
    fn remaining_range(&self, cursor: &Cursor) -> TimeRange {
        let Some(at) = cursor.frontier.at else { return cursor.range };
        let at = if cursor.frontier.is_complete { at.saturating_add(1) } else { at };
        match self.is_descending() {
            true => TimeRange { last: Some(at.saturating_neg()), ..cursor.range },
            false => TimeRange { first: Some(at), ..cursor.range },
        }
    }
}
