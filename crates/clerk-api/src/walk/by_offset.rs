//! Lists with `offset` and `total_count`, in order of creation.
//!
//! A deletion moves everything behind it, and a page asked for by offset then misses what slipped onto the page before;
//! an import with an old time moves things the other way. So each page begins before the moment in which the page
//! before ended: see [`Front`]. Where it does not, the walk goes back until one does.

use std::collections::HashSet;

use futures_util::stream::{self, StreamExt};

use super::ends::counted;
use super::front::{Front, last_moment, times};
use super::{Counted, Mark, Stop, by_place};
use crate::error::Error;
use crate::page::Page;
use crate::read::{OLDEST_FIRST, Out, Walk};
use crate::request::Request;

/// Pages share this many objects with the page before where no moment has more than one: that of the moment in which
/// it ended, and the one before.
const OVERLAP: u64 = 2;

/// A walk that looks for its place so many times in a row without finding a new object is not getting anywhere.
pub(super) const MOST_SEARCHES: u32 = 8;

/// How many times a moment is read that holds more objects than a page, in an order that changes.
const MOST_READINGS: u32 = 20;

pub(super) async fn walk(walk: &Walk, list: Counted, out: &Out) -> Result<(), Stop> {
    let Counted { request, order, count } = list;
    let list = List { walk, request: request.maybe("order_by", order), count, descending: false };
    let Some(order) = order.filter(|order| order.parameter == OLDEST_FIRST.parameter) else {
        return by_place::walk(&list, out).await;
    };
    let list = List { descending: order.descending, ..list };
    let mut place = match walk.after.clone().and_then(Mark::place) {
        Some((next, front)) => Place { next, front, ..Place::default() },
        None => {
            let limit = walk.first_page.into();
            let page = list.page(0, limit).await?;
            if times(&page, list.descending).is_none() {
                return by_place::walk(&list, out).await;
            }
            let mut place = Place::default();
            list.hand_over(&mut place, 0, limit, page, out).await?;
            place
        }
    };
    while !place.is_ended {
        out.wanted().await;
        let (first, size, total) = (place.next, list.size(), place.total);
        // Without a total, whether there is another page is not known before the one before it.
        let offsets = (0..).map(|n| first + n * (size - OVERLAP)).take_while(|offset| {
            *offset == first || total.is_some_and(|total| *offset < total.saturating_sub(OVERLAP))
        });
        let list = &list;
        let mut pages = stream::iter(offsets)
            .map(|offset| async move { (offset, list.page(offset, size).await) })
            // As many pages may wait for their turn to be handed over as are on their way.
            .buffered(2 * walk.concurrency());
        while let Some((offset, page)) = pages.next().await {
            let page = page?;
            if !list.joins(&place, offset, &page)? {
                list.go_back(&mut place, out).await?;
                if place.is_ended || !list.joins(&place, offset, &page)? {
                    break;
                }
            }
            list.hand_over(&mut place, offset, size, page, out).await?;
            if place.is_ended {
                break;
            }
        }
    }
    Ok(())
}

/// How far a walk has come.
#[derive(Default)]
struct Place {
    front: Front,
    /// Where the next page begins.
    next: u64,
    /// How many objects the list has, by Clerk's last word.
    total: Option<u64>,
    is_ended: bool,
    /// The last page had fewer objects than were asked for.
    was_short: bool,
    /// When the last object of the last page was created.
    reached: Option<i64>,
    /// Pages in a row that neither had something new nor came further than the one before.
    idle: u32,
    /// Searches in a row that found nothing new.
    searches: u32,
}

pub(super) struct List<'w> {
    pub(super) walk: &'w Walk,
    request: Request,
    count: Option<Request>,
    descending: bool,
}

impl List<'_> {
    /// No page brings anything new that is all overlap.
    pub(super) fn size(&self) -> u64 {
        u64::from(self.walk.page_size).max(1 + OVERLAP)
    }

    pub(super) async fn page(&self, offset: u64, limit: u64) -> Result<Page, Error> {
        let request = self.request.clone().param("limit", limit);
        self.walk.page(&request.maybe("offset", (offset > 0).then_some(offset))).await
    }

    fn times(&self, page: &Page) -> Result<Vec<i64>, Error> {
        times(page, self.descending).ok_or_else(|| self.stuck("they are not in order of creation"))
    }

    /// Whether a page leaves nothing out between what was handed over and its end.
    fn joins(&self, place: &Place, offset: u64, page: &Page) -> Result<bool, Error> {
        Ok(offset == 0 || place.front.joins(&self.times(page)?))
    }

    /// Hands over what is new of a page, which has to join what was handed over before.
    async fn hand_over(
        &self,
        place: &mut Place,
        offset: u64,
        limit: u64,
        mut page: Page,
        out: &Out,
    ) -> Result<(), Stop> {
        let times = self.times(&page)?;
        let new = place.front.take(&mut page, &times);
        let end = offset + times.len() as u64;
        let is_full = times.len() as u64 >= limit;
        let is_idle = new == 0 && times.last().copied() <= place.reached;
        (place.idle, place.reached) = (if is_idle { place.idle + 1 } else { 0 }, times.last().copied());
        place.searches = if new > 0 { 0 } else { place.searches };
        let is_end_again = !is_full && place.was_short && is_idle;
        (place.total, place.was_short) = (page.total_count().or(place.total), !is_full);
        place.is_ended = !is_full
            && match place.total {
                Some(total) if total > end && is_end_again => {
                    return Err(self.stuck("more objects are counted than listed").into());
                }
                Some(total) if total >= end => total == end,
                // A list that does not say that it ends here has to end here twice.
                _ => is_end_again,
            };
        if place.idle > MOST_SEARCHES {
            return Err(self.stuck("they repeat or skip objects however often they are read").into());
        }
        let moment = offset + last_moment(&times) as u64;
        place.next = moment.saturating_sub(1);
        page.set_mark(Some(Mark::behind(place.next, &place.front)));
        out.send(page).await?;
        match is_full && place.next <= offset && limit == self.size() {
            true => self.moment(place, place.next, out).await,
            false => Ok(()),
        }
    }

    /// Reads where the page before ended; further back for as long as all that stands there was created later.
    async fn go_back(&self, place: &mut Place, out: &Out) -> Result<(), Stop> {
        place.searches += 1;
        if place.searches > MOST_SEARCHES {
            return Err(self.stuck("they repeat or skip objects however often they are read").into());
        }
        let (mut offset, mut step) = (place.next, self.size() / 2);
        loop {
            let page = self.page(offset, self.size()).await?;
            if self.joins(place, offset, &page)? {
                return self.hand_over(place, offset, self.size(), page, out).await;
            }
            offset = offset.saturating_sub(step);
            step *= 2;
        }
    }

    /// Hands over the rest of a moment in which more objects were created than a page shows. Each has a place, but
    /// which one, may change from page to page: it is read until as many were seen as there are places.
    async fn moment(&self, place: &mut Place, before: u64, out: &Out) -> Result<(), Stop> {
        let mut seen: HashSet<String> = HashSet::new();
        let mut total = place.total;
        for _ in 0..MOST_READINGS {
            let mut offset = before;
            // Where the moment begins and ends.
            let mut start = None;
            let end = loop {
                out.wanted().await;
                let mut page = self.page(offset, self.size()).await?;
                let times = self.times(&page)?;
                if start.is_none() && offset > 0 && !place.front.joins(&times) {
                    // It has moved: whoever reads on finds out where to.
                    return Ok(());
                }
                if page.total_count() != total {
                    // Something came or went, and with it the places changed.
                    (total, seen) = (page.total_count(), HashSet::new());
                    break None;
                }
                let (received, is_past) = (times.len() as u64, times.last().copied() > place.front.at);
                let is_before = |time: &i64| Some(*time) < place.front.at;
                let first = times.partition_point(is_before) as u64;
                start = start.or((first < received).then_some(offset + first));
                let behind = times.partition_point(|time| Some(*time) <= place.front.at) as u64;
                page.retain(|_, object| Some(times[object]) == place.front.at);
                seen.extend((0..page.len()).map(|object| page.id(object).into_owned()));
                let times = self.times(&page)?;
                place.front.take(&mut page, &times);
                out.send(page).await?;
                if is_past || total == Some(offset + received) {
                    break Some(offset + behind);
                }
                if received == 0 {
                    // The end of the list, unless its total says otherwise.
                    break total.is_none_or(|total| total < offset).then_some(offset);
                }
                offset += received;
            };
            if let Some(end) = end.filter(|end| seen.len() as u64 >= end - start.unwrap_or(*end)) {
                place.front.is_whole = true;
                place.next = end.saturating_sub(1);
                return Ok(());
            }
        }
        Err(self.stuck("too many objects of one moment come in an order that changes").into())
    }

    /// How many objects a list has whose pages do not tell.
    pub(super) async fn count(&self) -> Result<Option<u64>, Error> {
        match &self.count {
            Some(request) => counted(self.walk.begin(request, &self.walk.projection, Page::count)).await,
            None => Ok(None),
        }
    }

    pub(super) fn stuck(&self, problem: &str) -> Error {
        Error::Inconsistent { problem: problem.to_owned(), request: self.request.clone() }
    }
}
