//! Reads lists with the parameter `offset` and a `total_count`, in order of creation.
//!
//! A deletion moves all later objects forward, so that a page at an offset misses objects that slipped into the range
//! of the page before. An object that is imported with an old time of creation moves them backward. So each page has to
//! begin before the moment in which the page before ended: see [`Frontier`]. If it does not, reading goes back until a
//! page does.

use std::collections::HashSet;

use futures_util::stream::{self, StreamExt};

use super::fetcher::{PageFetcher, Stop};
use super::frontier::{Frontier, last_moment, times};
use super::offset_reader::{MAX_SEARCHES, OVERLAP, OffsetReader};
use super::resume::{self, ResumePoint};
use super::sender::PageSender;
use super::unstable_order;
use crate::decode::Page;
use crate::http::Error;
use crate::listing::OffsetListing;

/// How many times a moment with more objects than a page is read, in a changing order, before this is an error. The
/// reason for the number is the same as in [`super::moment`].
const MAX_READINGS: u32 = 20;

pub(super) async fn read(fetcher: &PageFetcher, listing: &OffsetListing, sender: &PageSender) -> Result<(), Stop> {
    let reader = OffsetReader { fetcher, listing };
    if !listing.is_by_creation() {
        return unstable_order::read(&reader, sender).await;
    }
    let mut progress = match fetcher.resume_from.clone().and_then(ResumePoint::of) {
        Some(ResumePoint { offset, frontier }) => Progress { next_offset: offset, frontier, ..Progress::default() },
        None => {
            let limit = reader.first_page();
            let page = reader.page(0, limit).await?;
            if times(&page, listing.is_descending()).is_none() {
                return unstable_order::read(&reader, sender).await;
            }
            let mut progress = Progress::default();
            reader.hand_over(&mut progress, 0, limit, page, sender).await?;
            progress
        }
    };
    while !progress.is_ended {
        sender.wait_for_demand().await;
        let (first, size, total) = (progress.next_offset, reader.page_size(), progress.total);
        // Without a total, it is not known whether there is a next page, so only one page is requested.
        let offsets = (0..).map(|n| first + n * (size - OVERLAP)).take_while(|offset| {
            *offset == first || total.is_some_and(|total| *offset < total.saturating_sub(OVERLAP))
        });
        let reader = &reader;
        let mut pages = stream::iter(offsets)
            .map(|offset| async move { (offset, reader.page(offset, size).await) })
            // Pages are handed over in order. Twice the concurrency lets as many finished pages wait for that as are in
            // flight.
            .buffered(2 * fetcher.concurrency());
        while let Some((offset, page)) = pages.next().await {
            let page = page?;
            // Where a moment was read separately meanwhile, all objects of this page have been handed over.
            if offset + size <= progress.next_offset {
                continue;
            }
            if !reader.is_contiguous(&progress, offset, &page)? {
                reader.search_backwards(&mut progress, sender).await?;
                if progress.is_ended || !reader.is_contiguous(&progress, offset, &page)? {
                    break;
                }
            }
            reader.hand_over(&mut progress, offset, size, page, sender).await?;
            if progress.is_ended {
                break;
            }
        }
    }
    Ok(())
}

/// How far a list was read.
#[derive(Default)]
struct Progress {
    frontier: Frontier,
    /// The offset at which the next page begins.
    next_offset: u64,
    /// How many objects the list has according to the last page that contained the total.
    total: Option<u64>,
    is_ended: bool,
    /// Whether the last page had fewer objects than requested.
    was_short: bool,
    /// When the last object of the last page was created, as [`times`] counts.
    last_created_at: Option<i64>,
    /// How many pages in a row neither had a new object nor ended at a later time than the one before.
    idle_pages: u32,
    /// How many searches in a row found no new object.
    searches: u32,
}

impl OffsetReader<'_> {
    /// Whether no object is missing between those handed over and the end of a page.
    ///
    /// Nothing can be missing before the first page. But where that page begins later than the last object handed over,
    /// either all of those were deleted meanwhile, or it is not the first page: a list whose total has not fallen has
    /// lost none.
    fn is_contiguous(&self, progress: &Progress, offset: u64, page: &Page) -> Result<bool, Error> {
        let times = self.times(page)?;
        if offset > 0 {
            return Ok(progress.frontier.is_contiguous(&times));
        }
        let begins_later = times.first().is_none_or(|first| Some(*first) > progress.frontier.at);
        if progress.frontier.at.is_none() || !begins_later {
            return Ok(true);
        }
        match page.total_count().zip(progress.total).is_some_and(|(now, before)| now < before) {
            true => Ok(true),
            false => Err(self.inconsistent("they begin later than before, though none is gone")),
        }
    }

    /// Hands over the new objects of a page, for which [`Self::is_contiguous`] has to hold.
    async fn hand_over(
        &self,
        progress: &mut Progress,
        offset: u64,
        limit: u64,
        mut page: Page,
        sender: &PageSender,
    ) -> Result<(), Stop> {
        let times = self.times(&page)?;
        let new = progress.frontier.retain_new(&mut page, &times);
        let end = offset + times.len() as u64;
        let is_full = times.len() as u64 >= limit;
        let is_idle = new == 0 && times.last().copied() <= progress.last_created_at;
        (progress.idle_pages, progress.last_created_at) =
            (if is_idle { progress.idle_pages + 1 } else { 0 }, times.last().copied());
        progress.searches = if new > 0 { 0 } else { progress.searches };
        let is_end_again = !is_full && progress.was_short && is_idle;
        (progress.total, progress.was_short) = (page.total_count().or(progress.total), !is_full);
        progress.is_ended = !is_full
            && match progress.total {
                Some(total) if total > end && is_end_again => {
                    return Err(self.inconsistent("more objects are counted than listed").into());
                }
                Some(total) if total >= end => total == end,
                // If the total does not say that the list ends here, two short pages in a row have to end here.
                _ => is_end_again,
            };
        if progress.idle_pages > MAX_SEARCHES {
            return Err(self.inconsistent("they repeat or skip objects however often they are read").into());
        }
        let moment_start = offset + last_moment(&times) as u64;
        progress.next_offset = moment_start.saturating_sub(1);
        page.set_checkpoint(Some(resume::checkpoint(progress.next_offset, &progress.frontier)));
        sender.send(page).await?;
        match is_full && progress.next_offset <= offset && limit == self.page_size() {
            true => self.read_moment(progress, progress.next_offset, sender).await,
            false => Ok(()),
        }
    }

    /// Reads a page where the page before ended, and then further and further back until no object is missing between
    /// those handed over and that page.
    async fn search_backwards(&self, progress: &mut Progress, sender: &PageSender) -> Result<(), Stop> {
        progress.searches += 1;
        if progress.searches > MAX_SEARCHES {
            return Err(self.inconsistent("they repeat or skip objects however often they are read").into());
        }
        let (mut offset, mut step) = (progress.next_offset, self.page_size() / 2);
        loop {
            let page = self.page(offset, self.page_size()).await?;
            if self.is_contiguous(progress, offset, &page)? {
                return self.hand_over(progress, offset, self.page_size(), page, sender).await;
            }
            offset = offset.saturating_sub(step);
            step *= 2;
        }
    }

    /// Hands over the rest of a moment that has more objects than a page. Each object has one position, which may
    /// change from page to page, so the moment is read until as many objects were seen as it has positions.
    async fn read_moment(&self, progress: &mut Progress, before: u64, sender: &PageSender) -> Result<(), Stop> {
        let mut seen: HashSet<String> = HashSet::new();
        let mut total = progress.total;
        for _ in 0..MAX_READINGS {
            let mut offset = before;
            // The offsets at which the moment begins and ends.
            let mut start = None;
            let end = loop {
                sender.wait_for_demand().await;
                let mut page = self.page(offset, self.page_size()).await?;
                let times = self.times(&page)?;
                if start.is_none() && offset > 0 && !progress.frontier.is_contiguous(&times) {
                    // The moment has moved to earlier offsets. The caller's next page is then not contiguous, which
                    // makes it search backwards.
                    return Ok(());
                }
                if page.total_count() != total {
                    // Objects were created or deleted, which changed the positions.
                    (total, seen) = (page.total_count(), HashSet::new());
                    break None;
                }
                let (received, is_past) = (times.len() as u64, times.last().copied() > progress.frontier.at);
                let is_before = |time: &i64| Some(*time) < progress.frontier.at;
                let first = times.partition_point(is_before) as u64;
                start = start.or((first < received).then_some(offset + first));
                let behind = times.partition_point(|time| Some(*time) <= progress.frontier.at) as u64;
                page.retain(|_, object| Some(times[object]) == progress.frontier.at);
                seen.extend((0..page.len()).map(|object| page.id(object).into_owned()));
                let times = self.times(&page)?;
                progress.frontier.retain_new(&mut page, &times);
                sender.send(page).await?;
                if is_past || total == Some(offset + received) {
                    break Some(offset + behind);
                }
                if received == 0 {
                    // This is the end of the list, unless its total says otherwise.
                    break total.is_none_or(|total| total < offset).then_some(offset);
                }
                offset += received;
            };
            if let Some(end) = end.filter(|end| seen.len() as u64 >= end - start.unwrap_or(*end)) {
                progress.frontier.is_complete = true;
                progress.next_offset = end.saturating_sub(1);
                return Ok(());
            }
        }
        Err(self.inconsistent("too many objects of one moment come in an order that changes").into())
    }
}
