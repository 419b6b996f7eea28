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

use super::cursor::Cursor;
use super::cursor_reader::{CursorReader, await_count};
use super::fetcher::{PageFetcher, Stop};
use super::next_page::checkpoint;
use super::sender::PageSender;
use super::shares::{Claim, Shares};
use crate::decode::Page;
use crate::http::Error;
use crate::listing::CursorListing;

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

/// A page from one of several parallel readers.
struct ReaderPage {
    page: Page,
    /// The reader's cursor, if its range has apparently ended with this page and that has to be verified.
    end: Option<Cursor>,
}

impl CursorReader<'_> {
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
}
