//! Lists with `offset` and `total_count`, in order of creation.
//!
//! A deletion moves everything behind it, and a page asked for by offset then misses what slipped onto the page before;
//! an import with an old time moves things the other way. So each page begins before the moment in which the page
//! before ended: see [`Frontier`]. Where it does not, reading goes back until one does.

use std::collections::HashSet;

use futures_util::stream::{self, StreamExt};

use super::ends::counted;
use super::fetcher::{PageFetcher, Stop};
use super::frontier::{Frontier, last_moment, times};
use super::sender::PageSender;
use super::{by_place, resume};
use crate::decode::Page;
use crate::http::Error;
use crate::listing::OffsetListing;

/// Pages share this many objects with the page before where no moment has more than one: that of the moment in which
/// it ended, and the one before.
const OVERLAP: u64 = 2;

/// Reading that looks for its place so many times in a row without finding a new object makes no progress.
pub(super) const MAX_SEARCHES: u32 = 8;

/// How many times a moment is read that holds more objects than a page, in an order that changes.
const MAX_READINGS: u32 = 20;

pub(super) async fn read(fetcher: &PageFetcher, listing: &OffsetListing, sender: &PageSender) -> Result<(), Stop> {
    let list = List { fetcher, listing };
    if !listing.is_by_creation() {
        return by_place::read(&list, sender).await;
    }
    let mut place = match fetcher.resume_from.clone().and_then(resume::place_of) {
        Some((next, frontier)) => Place { next, frontier, ..Place::default() },
        None => {
            let limit = fetcher.first_page.into();
            let page = list.page(0, limit).await?;
            if times(&page, listing.is_descending()).is_none() {
                return by_place::read(&list, sender).await;
            }
            let mut place = Place::default();
            list.hand_over(&mut place, 0, limit, page, sender).await?;
            place
        }
    };
    while !place.is_ended {
        sender.wanted().await;
        let (first, size, total) = (place.next, list.size(), place.total);
        // Without a total, whether there is another page is not known before the one before it.
        let offsets = (0..).map(|n| first + n * (size - OVERLAP)).take_while(|offset| {
            *offset == first || total.is_some_and(|total| *offset < total.saturating_sub(OVERLAP))
        });
        let list = &list;
        let mut pages = stream::iter(offsets)
            .map(|offset| async move { (offset, list.page(offset, size).await) })
            // As many pages may wait for their turn to be handed over as are on their way.
            .buffered(2 * fetcher.concurrency());
        while let Some((offset, page)) = pages.next().await {
            let page = page?;
            // Where a moment was read by itself meanwhile, it has brought all that this page shows.
            if offset + size <= place.next {
                continue;
            }
            if !list.joins(&place, offset, &page)? {
                list.go_back(&mut place, sender).await?;
                if place.is_ended || !list.joins(&place, offset, &page)? {
                    break;
                }
            }
            list.hand_over(&mut place, offset, size, page, sender).await?;
            if place.is_ended {
                break;
            }
        }
    }
    Ok(())
}

/// How far a list was read.
#[derive(Default)]
struct Place {
    frontier: Frontier,
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

pub(super) struct List<'l> {
    pub(super) fetcher: &'l PageFetcher,
    listing: &'l OffsetListing,
}

impl List<'_> {
    /// No page brings anything new that is all overlap.
    pub(super) fn size(&self) -> u64 {
        u64::from(self.fetcher.page_size).max(1 + OVERLAP)
    }

    pub(super) async fn page(&self, offset: u64, limit: u64) -> Result<Page, Error> {
        self.fetcher.page(&self.listing.page(offset, limit)).await
    }

    fn times(&self, page: &Page) -> Result<Vec<i64>, Error> {
        times(page, self.listing.is_descending()).ok_or_else(|| self.stuck("they are not in order of creation"))
    }

    /// Whether a page leaves nothing out between what was handed over and its end.
    ///
    /// The first page leaves nothing out by itself. But where it begins behind all that was handed over, all of that has
    /// been deleted meanwhile, or it is not the first page: a list that has no fewer objects than before has lost none.
    fn joins(&self, place: &Place, offset: u64, page: &Page) -> Result<bool, Error> {
        let times = self.times(page)?;
        if offset > 0 {
            return Ok(place.frontier.joins(&times));
        }
        let begins_later = times.first().is_none_or(|first| Some(*first) > place.frontier.at);
        if place.frontier.at.is_none() || !begins_later {
            return Ok(true);
        }
        match page.total_count().zip(place.total).is_some_and(|(now, before)| now < before) {
            true => Ok(true),
            false => Err(self.stuck("they begin later than before, though none is gone")),
        }
    }

    /// Hands over what is new of a page, which has to join what was handed over before.
    async fn hand_over(
        &self,
        place: &mut Place,
        offset: u64,
        limit: u64,
        mut page: Page,
        sender: &PageSender,
    ) -> Result<(), Stop> {
        let times = self.times(&page)?;
        let new = place.frontier.take(&mut page, &times);
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
        if place.idle > MAX_SEARCHES {
            return Err(self.stuck("they repeat or skip objects however often they are read").into());
        }
        let moment = offset + last_moment(&times) as u64;
        place.next = moment.saturating_sub(1);
        page.set_checkpoint(Some(resume::checkpoint(place.next, &place.frontier)));
        sender.send(page).await?;
        match is_full && place.next <= offset && limit == self.size() {
            true => self.moment(place, place.next, sender).await,
            false => Ok(()),
        }
    }

    /// Reads where the page before ended; further back for as long as all that stands there was created later.
    async fn go_back(&self, place: &mut Place, sender: &PageSender) -> Result<(), Stop> {
        place.searches += 1;
        if place.searches > MAX_SEARCHES {
            return Err(self.stuck("they repeat or skip objects however often they are read").into());
        }
        let (mut offset, mut step) = (place.next, self.size() / 2);
        loop {
            let page = self.page(offset, self.size()).await?;
            if self.joins(place, offset, &page)? {
                return self.hand_over(place, offset, self.size(), page, sender).await;
            }
            offset = offset.saturating_sub(step);
            step *= 2;
        }
    }

    /// Hands over the rest of a moment in which more objects were created than a page shows. Each has a place, but
    /// which one, may change from page to page: it is read until as many were seen as there are places.
    async fn moment(&self, place: &mut Place, before: u64, sender: &PageSender) -> Result<(), Stop> {
        let mut seen: HashSet<String> = HashSet::new();
        let mut total = place.total;
        for _ in 0..MAX_READINGS {
            let mut offset = before;
            // Where the moment begins and ends.
            let mut start = None;
            let end = loop {
                sender.wanted().await;
                let mut page = self.page(offset, self.size()).await?;
                let times = self.times(&page)?;
                if start.is_none() && offset > 0 && !place.frontier.joins(&times) {
                    // It has moved: whoever reads on finds out where to.
                    return Ok(());
                }
                if page.total_count() != total {
                    // Something came or went, and with it the places changed.
                    (total, seen) = (page.total_count(), HashSet::new());
                    break None;
                }
                let (received, is_past) = (times.len() as u64, times.last().copied() > place.frontier.at);
                let is_before = |time: &i64| Some(*time) < place.frontier.at;
                let first = times.partition_point(is_before) as u64;
                start = start.or((first < received).then_some(offset + first));
                let behind = times.partition_point(|time| Some(*time) <= place.frontier.at) as u64;
                page.retain(|_, object| Some(times[object]) == place.frontier.at);
                seen.extend((0..page.len()).map(|object| page.id(object).into_owned()));
                let times = self.times(&page)?;
                place.frontier.take(&mut page, &times);
                sender.send(page).await?;
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
                place.frontier.is_whole = true;
                place.next = end.saturating_sub(1);
                return Ok(());
            }
        }
        Err(self.stuck("too many objects of one moment come in an order that changes").into())
    }

    /// How many objects a list has whose pages do not tell.
    pub(super) async fn count(&self) -> Result<Option<u64>, Error> {
        match &self.listing.count {
            Some(request) => counted(self.fetcher.begin(request, &self.fetcher.projection, Page::count)).await,
            None => Ok(None),
        }
    }

    pub(super) fn stuck(&self, problem: &str) -> Error {
        Error::Inconsistent { problem: problem.to_owned(), request: self.listing.request().into() }
    }
}
