//! Reads a moment in which more objects were created than fit into one page of a list by cursor.
//!
//! If the cursor were one of these objects, the objects behind it would depend on their order, which Clerk does not
//! guarantee. So the moment is read separately, by offset, until as many different objects were seen as the list has
//! positions.

use std::collections::HashSet;

use super::cursor::{Cursor, Moment};
use super::cursor_reader::CursorReader;
use crate::decode::Page;
use crate::http::Error;
use crate::time_range::TimeRange;

/// How many times a moment is read whose objects come in a changing order, before this is an error. If each page
/// is in a random order of its own, one reading misses an object with a probability of at most 37 % (1/e), and twenty
/// readings practically miss none.
const MAX_READINGS: u32 = 20;

/// After so many pages in a row that only repeat objects which this reading has seen, the list is taken for one without
/// an end. Pages in a changing order repeat objects as well, but even the smallest of them, with three objects each, do
/// not bring nothing new so many times in a row.
const MAX_IDLE_PAGES: u32 = 32;

/// After so many readings in a row that find the same number of objects, that number is trusted even if Clerk's count
/// differs.
const MIN_AGREEING_READINGS: u32 = 4;

impl CursorReader<'_> {
    /// Begins to read the moment in which a cursor's last page ended.
    pub(super) async fn begin_moment(&self, cursor: &Cursor) -> Result<Moment, Error> {
        let at = cursor.frontier.at.map(|at| if self.is_descending() { at.saturating_neg() } else { at });
        let range = TimeRange { first: at, last: at };
        let count = self.count(range).await?;
        Ok(Moment {
            range,
            offset: 0,
            seen: HashSet::new(),
            count,
            positions: count,
            readings: 0,
            shown: HashSet::new(),
            idle_pages: 0,
            agreed: 0,
        })
    }

    /// Fetches the next page of a cursor's moment and returns its new objects.
    pub(super) async fn page_of_moment(&self, cursor: &mut Cursor) -> Result<Page, Error> {
        let Some(moment) = &mut cursor.moment else { return Err(Error::BrokenOff) };
        let request = self.listing.page(moment.range, self.is_descending(), self.page_size(), None);
        let request = request.maybe("offset", (moment.offset > 0).then_some(moment.offset));
        let mut page = self.fetcher.page(&request).await?;
        let received = page.len();
        if (0..received).any(|object| !moment.range.wider().holds(page.created_at(object))) {
            return Err(self.inconsistent("a page has objects that were created at another time than asked for"));
        }
        let shown = moment.shown.len();
        moment.shown.extend((0..received).map(|object| page.id(object).into_owned()));
        moment.idle_pages = if moment.shown.len() > shown { 0 } else { moment.idle_pages + 1 };
        if received > 0 && moment.idle_pages > MAX_IDLE_PAGES {
            return Err(self.inconsistent("the pages of one moment have no end"));
        }
        moment.seen.extend((0..received).map(|object| page.id(object).into_owned()));
        moment.offset += received as u64;
        page.retain(|page, object| moment.range.holds(page.created_at(object)));
        let times = self.times(&page)?;
        cursor.frontier.retain_new(&mut page, &times);
        if received == 0 {
            let positions = std::mem::take(&mut moment.offset);
            (moment.shown, moment.idle_pages) = (HashSet::new(), 0);
            moment.readings += 1;
            moment.agreed += 1;
            if moment.positions.replace(positions) != Some(positions) {
                // Objects were created or deleted meanwhile. Some of the objects seen may be gone, and must not be
                // counted in place of others.
                moment.seen.clear();
                moment.agreed = 0;
                moment.count = self.count(moment.range).await?;
            }
            let is_counted = moment.count.is_none_or(|count| count == positions);
            let is_sure = moment.agreed > 0 && is_counted || moment.agreed >= MIN_AGREEING_READINGS;
            if is_sure && moment.seen.len() as u64 == positions {
                cursor.moment = None;
                cursor.frontier.is_complete = true;
                cursor.continue_by_time();
            } else if moment.readings == MAX_READINGS {
                return Err(self.inconsistent("too many objects of one moment come in an order that changes"));
            }
        }
        Ok(page)
    }
}
