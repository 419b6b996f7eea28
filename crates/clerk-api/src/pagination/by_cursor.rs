//! Reads lists with the parameter `starting_after`, in order of creation.
//!
//! One cursor reads one page after the other. For parallel reading, the time between the oldest and the newest object
//! is split into ranges, and every range has a cursor of its own. Whether Clerk's `created_at_after` and `…_before`
//! include their bounds does not matter: each range asks for one more millisecond on either side and drops objects
//! outside of it.
//!
//! A cursor goes on behind the last object before the moment in which its page ended: see [`Frontier`]. These lists are
//! bare arrays without a total, so a page that is not full may be the end of the list or an incomplete answer: see
//! [`super::completeness`].

use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::join;
use futures_util::stream::{self, Stream, StreamExt, TryStreamExt};

use super::completeness::await_count;
use super::fetcher::{PageFetcher, Stop};
use super::frontier::{Frontier, last_moment, times};
use super::moment::Moment;
use super::sender::PageSender;
use super::shares::{Claim, Shares};
use crate::checkpoint::Checkpoint;
use crate::decode::Page;
use crate::http::Error;
use crate::listing::CursorListing;
use crate::time_range::TimeRange;

pub(super) async fn read(fetcher: &PageFetcher, mut listing: CursorListing, sender: &PageSender) -> Result<(), Stop> {
    let range = listing.take_range();
    let reader = &CursorReader { fetcher, listing, range, received: AtomicU64::new(0) };
    let mut cursor = Cursor::new(range);
    // The request for the first page is sent first. The list is counted at the same time unless the count may not be
    // needed.
    let counts_beside = !fetcher.has_limit_hint && !reader.listing.is_lookup;
    let counting = async { counts_beside.then(|| reader.begin_count(range)) };
    let (page, counting) = join(reader.page_after(&mut cursor, fetcher.first_page), counting).await;
    let (mut page, mut before) = (page?, None);
    loop {
        reader.hand_over(&cursor, before, page, sender).await?;
        if reader.listing.is_lookup && cursor.is_short {
            return Ok(());
        }
        sender.wait_for_demand().await;
        if cursor.is_short || reader.listing.order.is_none() {
            break;
        }
        before = cursor.frontier.at.filter(|_| !reader.is_descending());
        page = reader.page_after(&mut cursor, reader.page_size()).await?;
    }
    let counting = counting.unwrap_or_else(|| reader.begin_count(range));
    let total = await_count(counting).await?;
    let mut ends = vec![];
    if cursor.is_short {
        ends.push(cursor);
    } else {
        let shares = &reader.partition(cursor, total).await?;
        let readers = (0..fetcher.concurrency()).map(|_| Box::pin(reader.pages(shares)));
        let mut pages = stream::iter(readers).flatten_unordered(None);
        while let Some(read) = pages.try_next().await? {
            reader.received.fetch_add(read.page.len() as u64, Ordering::Relaxed);
            sender.send(read.page).await?;
            ends.extend(read.end);
        }
    }
    reader.verify_ends(ends, total, sender).await
}

/// The checkpoint for the last page of a cursor. The page began at the moment `before`, or at the beginning of the
/// range. If the range has not ended, the checkpoint excludes the page's last moment, of which there may be more
/// objects.
fn checkpoint(range: TimeRange, before: Option<i64>, cursor: &Cursor, ended: bool) -> Option<Checkpoint> {
    let last = if ended { range.last } else { Some(cursor.frontier.at?.saturating_sub(1)) };
    Some(Checkpoint::Covered { first: before.or(range.first), last })
}

/// A position in one range.
pub(super) struct Cursor {
    pub(super) range: TimeRange,
    pub(super) frontier: Frontier,
    /// The last object before the frontier's moment. Without one, the next page is found by the time of creation.
    anchor: Option<Anchor>,
    /// A moment that is read separately.
    pub(super) moment: Option<Moment>,
    /// The last page was not full.
    pub(super) is_short: bool,
}

/// The object behind which a cursor goes on.
struct Anchor {
    id: String,
    /// As the cursor's frontier counts.
    created_at: i64,
}

impl Cursor {
    pub(super) fn new(range: TimeRange) -> Self {
        Cursor { range, frontier: Frontier::default(), anchor: None, moment: None, is_short: false }
    }

    /// Makes the next page begin by the time of creation instead of behind an object.
    pub(super) fn continue_by_time(&mut self) {
        self.anchor = None;
    }
}

/// A page from one of several parallel readers.
struct ReaderPage {
    page: Page,
    /// The reader's cursor, if its range has apparently ended with this page and that has to be verified.
    end: Option<Cursor>,
}

pub(super) struct CursorReader<'l> {
    pub(super) fetcher: &'l PageFetcher,
    pub(super) listing: CursorListing,
    pub(super) range: TimeRange,
    /// How many objects were handed over.
    received: AtomicU64,
}

impl CursorReader<'_> {
    /// How many objects a page has. Three at least, because a smaller page could repeat only objects around the cursor
    /// and bring nothing new.
    pub(super) fn page_size(&self) -> u32 {
        self.fetcher.page_size.max(3)
    }

    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

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

    /// The pages that one of several parallel readers reads: one share after the other, until no share is left to
    /// claim.
    fn pages(&self, shares: &Shares) -> impl Stream<Item = Result<ReaderPage, Error>> {
        stream::try_unfold(None::<Claim>, move |reading| async move {
            let Some(mut claim) = reading.or_else(|| shares.claim()) else { return Ok(None) };
            claim.cursor.range = shares.range(&claim);
            let before = claim.cursor.frontier.at;
            let mut page = self.page_after(&mut claim.cursor, self.page_size()).await?;
            // Another reader may have claimed the later part of the range while the page was fetched.
            let range = shares.range(&claim);
            page.retain(|page, object| range.holds(page.created_at(object)));
            let is_past = range.last.is_some_and(|last| claim.cursor.frontier.at > Some(last));
            let ended = claim.cursor.is_short || is_past;
            page.set_checkpoint(checkpoint(range, before, &claim.cursor, ended));
            shares.record_progress(&claim, page.len(), ended);
            if !ended {
                return Ok(Some((ReaderPage { page, end: None }, Some(claim))));
            }
            // An object beyond the range proves that the range has ended. A short page does not, so that end is
            // verified.
            let end = (!is_past).then_some(Cursor { range, ..claim.cursor });
            Ok(Some((ReaderPage { page, end }, None)))
        })
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

    async fn page(&self, range: TimeRange, after: Option<&str>, limit: u32) -> Result<Page, Error> {
        self.fetcher.page(&self.listing.page(range, self.is_descending(), limit, after)).await
    }

    pub(super) fn is_descending(&self) -> bool {
        self.listing.is_descending()
    }

    pub(super) fn times(&self, page: &Page) -> Result<Vec<i64>, Error> {
        times(page, self.is_descending()).ok_or_else(|| self.inconsistent("they are not in order of creation"))
    }

    pub(super) fn inconsistent(&self, problem: &str) -> Error {
        Error::Inconsistent { problem: problem.to_owned(), request: self.listing.request().into() }
    }
}
