//! A moment in which more objects were created than a page of a list with cursors shows.
//!
//! Where the cursor is one of them, what is behind it depends on an order that nobody promises. So the moment is read
//! by itself, by offset, until as many objects were seen as there are places.

use std::collections::HashSet;

use super::by_cursor::{Cursor, List};
use crate::decode::Page;
use crate::http::Error;
use crate::time_range::TimeRange;

/// How many times a moment is read whose objects come in an order that changes.
const MAX_READINGS: u32 = 20;

/// So many pages in a row of one reading that show nothing which the pages before did not show: the list does not end,
/// or is sent again and again.
const MAX_IDLE_PAGES: u32 = 8;

/// So many readings in a row that agree are believed, even if Clerk counts more or fewer.
const MIN_AGREEING_READINGS: u32 = 4;

pub(super) struct Moment {
    range: TimeRange,
    offset: u64,
    /// What was seen since the number of objects last changed.
    seen: HashSet<String>,
    /// How many objects there are, by Clerk's count, if there is one, and by the last reading.
    count: Option<u64>,
    places: Option<u64>,
    readings: u32,
    /// What the pages of this reading have shown, and how many in a row have shown nothing new.
    shown: HashSet<String>,
    idle: u32,
    /// How many of them in a row found as many places as the one before, or as the count.
    agreed: u32,
}

impl List<'_> {
    /// The moment in which a cursor's last page ended.
    pub(super) async fn moment(&self, cursor: &Cursor) -> Result<Moment, Error> {
        let at = cursor.frontier.at.map(|at| if self.is_descending() { at.saturating_neg() } else { at });
        let range = TimeRange { first: at, last: at };
        let count = self.count(range).await?;
        Ok(Moment {
            range,
            offset: 0,
            seen: HashSet::new(),
            count,
            places: count,
            readings: 0,
            shown: HashSet::new(),
            idle: 0,
            agreed: 0,
        })
    }

    /// What is new of a cursor's moment in its next page.
    pub(super) async fn page_of_moment(&self, cursor: &mut Cursor) -> Result<Page, Error> {
        let Some(moment) = &mut cursor.moment else { return Err(Error::BrokenOff) };
        let request = self.listing.page(moment.range, self.is_descending(), self.size(), None);
        let request = request.maybe("offset", (moment.offset > 0).then_some(moment.offset));
        let mut page = self.fetcher.page(&request).await?;
        let received = page.len();
        if (0..received).any(|object| !moment.range.wider().holds(page.created_at(object))) {
            return Err(self.inconsistent("a page has objects that were created at another time than asked for"));
        }
        let shown = moment.shown.len();
        moment.shown.extend((0..received).map(|object| page.id(object).into_owned()));
        moment.idle = if moment.shown.len() > shown { 0 } else { moment.idle + 1 };
        if received > 0 && moment.idle > MAX_IDLE_PAGES {
            return Err(self.inconsistent("the pages of one moment have no end"));
        }
        moment.seen.extend((0..received).map(|object| page.id(object).into_owned()));
        moment.offset += received as u64;
        page.retain(|page, object| moment.range.holds(page.created_at(object)));
        let times = self.times(&page)?;
        cursor.frontier.take(&mut page, &times);
        if received == 0 {
            let places = std::mem::take(&mut moment.offset);
            (moment.shown, moment.idle) = (HashSet::new(), 0);
            moment.readings += 1;
            moment.agreed += 1;
            if moment.places.replace(places) != Some(places) {
                // Something came or went meanwhile. What was seen may be gone, and must not stand for something else.
                moment.seen.clear();
                moment.agreed = 0;
                moment.count = self.count(moment.range).await?;
            }
            let is_counted = moment.count.is_none_or(|count| count == places);
            let is_sure = moment.agreed > 0 && is_counted || moment.agreed >= MIN_AGREEING_READINGS;
            if is_sure && moment.seen.len() as u64 == places {
                cursor.moment = None;
                cursor.frontier.is_whole = true;
                cursor.goes_by_time();
            } else if moment.readings == MAX_READINGS {
                return Err(self.inconsistent("too many objects of one moment come in an order that changes"));
            }
        }
        Ok(page)
    }
}
