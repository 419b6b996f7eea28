//! Lists with `starting_after`, in order of creation.
//!
//! One cursor reads one page after the other. To read side by side, the time between the oldest and the newest
//! object is cut into ranges, and every range has a cursor of its own. Whether Clerk's `created_at_after` and
//! `…_before` include their bounds does not matter: each range asks for one millisecond more on either side and
//! drops what is not its own.
//!
//! A cursor is the last object before the moment in which its page ended: see [`Frontier`]. These lists are bare, and a
//! page that is not full may be their end or a lie: see [`super::ends`].

use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::join;
use futures_util::stream::{self, Stream, StreamExt, TryStreamExt};

use super::ends::counted;
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
    let list = &List { fetcher, listing, range, received: AtomicU64::new(0) };
    let mut cursor = Cursor::new(range);
    // The first page's request goes first.
    let is_whole = !fetcher.is_limited && !list.listing.is_lookup;
    let counting = async { is_whole.then(|| list.begin_to_count(range)) };
    let (page, counting) = join(list.page_after(&mut cursor, fetcher.first_page), counting).await;
    let (mut page, mut before) = (page?, None);
    loop {
        list.hand_over(&cursor, before, page, sender).await?;
        if list.listing.is_lookup && cursor.is_short {
            return Ok(());
        }
        sender.wanted().await;
        if cursor.is_short || list.listing.order.is_none() {
            break;
        }
        before = cursor.frontier.at.filter(|_| !list.is_descending());
        page = list.page_after(&mut cursor, list.size()).await?;
    }
    let counting = counting.unwrap_or_else(|| list.begin_to_count(range));
    let total = counted(counting).await?;
    let mut ends = vec![];
    if cursor.is_short {
        ends.push(cursor);
    } else {
        let shares = &list.shares(cursor, total).await?;
        let readers = (0..fetcher.concurrency()).map(|_| Box::pin(list.pages(shares)));
        let mut pages = stream::iter(readers).flatten_unordered(None);
        while let Some(read) = pages.try_next().await? {
            list.received.fetch_add(read.page.len() as u64, Ordering::Relaxed);
            sender.send(read.page).await?;
            ends.extend(read.end);
        }
    }
    list.bear_out(ends, total, sender).await
}

/// What is read of a range with the page before the cursor, which began behind `before`. Of the moment in which the
/// page ended there may be more.
fn covered(range: TimeRange, before: Option<i64>, cursor: &Cursor, ended: bool) -> Option<Checkpoint> {
    let last = if ended { range.last } else { Some(cursor.frontier.at?.saturating_sub(1)) };
    Some(Checkpoint::Covered { first: before.or(range.first), last })
}

/// A place in one range.
pub(super) struct Cursor {
    pub(super) range: TimeRange,
    pub(super) frontier: Frontier,
    /// The last object before the frontier's moment, and when it was created, as `frontier` counts.
    after: Option<(String, i64)>,
    /// A moment that is read by itself.
    pub(super) moment: Option<Moment>,
    /// The last page was not full.
    pub(super) is_short: bool,
}

impl Cursor {
    pub(super) fn new(range: TimeRange) -> Self {
        Cursor { range, frontier: Frontier::default(), after: None, moment: None, is_short: false }
    }

    /// From here on the times of creation say where to go on.
    pub(super) fn goes_by_time(&mut self) {
        self.after = None;
    }
}

/// What one of several readers has read: a page, and at the end of its range its cursor.
struct ReaderPage {
    page: Page,
    end: Option<Cursor>,
}

pub(super) struct List<'l> {
    pub(super) fetcher: &'l PageFetcher,
    pub(super) listing: CursorListing,
    pub(super) range: TimeRange,
    /// How many objects were handed over.
    received: AtomicU64,
}

impl List<'_> {
    /// No page brings anything new that only shows again what stands around the cursor.
    pub(super) fn size(&self) -> u32 {
        self.fetcher.page_size.max(3)
    }

    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Hands over the page before a cursor that reads alone.
    pub(super) async fn hand_over(
        &self,
        cursor: &Cursor,
        before: Option<i64>,
        mut page: Page,
        sender: &PageSender,
    ) -> Result<(), Stop> {
        page.retain(|page, object| cursor.range.holds(page.created_at(object)));
        if !self.is_descending() {
            page.set_checkpoint(covered(cursor.range, before, cursor, cursor.is_short));
        }
        self.received.fetch_add(page.len() as u64, Ordering::Relaxed);
        Ok(sender.send(page).await?)
    }

    /// What one of several readers reads: one share after the other, until nothing is left to take over.
    fn pages(&self, shares: &Shares) -> impl Stream<Item = Result<ReaderPage, Error>> {
        stream::try_unfold(None::<Claim>, move |reading| async move {
            let Some(mut claim) = reading.or_else(|| shares.take()) else { return Ok(None) };
            claim.cursor.range = shares.range(&claim);
            let before = claim.cursor.frontier.at;
            let mut page = self.page_after(&mut claim.cursor, self.size()).await?;
            // Another reader may have claim over the later part while the page was on its way.
            let range = shares.range(&claim);
            page.retain(|page, object| range.holds(page.created_at(object)));
            let is_past = range.last.is_some_and(|last| claim.cursor.frontier.at > Some(last));
            let ended = claim.cursor.is_short || is_past;
            page.set_checkpoint(covered(range, before, &claim.cursor, ended));
            shares.note(&claim, page.len(), ended);
            if !ended {
                return Ok(Some((ReaderPage { page, end: None }, Some(claim))));
            }
            // An object beyond its range shows that a range has ended; a short page only says so.
            let end = (!is_past).then_some(Cursor { range, ..claim.cursor });
            Ok(Some((ReaderPage { page, end }, None)))
        })
    }

    /// What is new of the page that follows a cursor; the cursor is moved on. It may hold what lies just beside the
    /// range.
    pub(super) async fn page_after(&self, cursor: &mut Cursor, limit: u32) -> Result<Page, Error> {
        if cursor.moment.is_some() {
            return self.page_of_moment(cursor).await;
        }
        let mut page = match self.page_behind(cursor, limit).await? {
            Some(page) => page,
            None => self.page(self.rest(cursor), None, limit).await?,
        };
        let times = self.times(&page)?;
        if times.first().copied() < cursor.after.as_ref().map(|(_, at)| *at) && !times.is_empty() {
            return Err(self.inconsistent("a page repeats objects of the one before"));
        }
        if (0..page.len()).any(|object| !cursor.range.wider().holds(page.created_at(object))) {
            return Err(self.inconsistent("a page has objects that were created at another time than asked for"));
        }
        let start = last_moment(&times);
        if let (Some(last_before), true) = (start.checked_sub(1), times.last().copied() >= cursor.frontier.at) {
            cursor.after = Some((page.id(last_before).into_owned(), times[last_before]));
        }
        let is_full = times.len() >= limit as usize;
        cursor.is_short = !is_full;
        let new = cursor.frontier.take(&mut page, &times);
        if is_full && limit == self.size() && (start == 0 || new == 0) {
            if new == 0 && cursor.frontier.is_whole {
                return Err(self.inconsistent("a page has nothing new though more is to come"));
            }
            cursor.moment = Some(self.moment(cursor).await?);
        }
        Ok(page)
    }

    /// The page behind a cursor's object, if that leads on. It does not once the object is deleted; nor does it show
    /// whether it leaves something out where nothing of the moment is left in which the page before ended.
    async fn page_behind(&self, cursor: &Cursor, limit: u32) -> Result<Option<Page>, Error> {
        let Some((id, _)) = &cursor.after else { return Ok(None) };
        let page = match self.page(cursor.range, Some(id), limit).await {
            Err(Error::Refused { .. }) => return Ok(None),
            page => page?,
        };
        let first = self.times(&page)?.first().copied();
        Ok(first.is_some_and(|first| Some(first) <= cursor.frontier.at).then_some(page))
    }

    /// What of a cursor's range is left to read, as the times of creation tell.
    fn rest(&self, cursor: &Cursor) -> TimeRange {
        let Some(at) = cursor.frontier.at else { return cursor.range };
        let at = if cursor.frontier.is_whole { at.saturating_add(1) } else { at };
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
