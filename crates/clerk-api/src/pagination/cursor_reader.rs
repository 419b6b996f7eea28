//! What every part of reading a list by cursor works with: its pages and its count.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::fetcher::{PageFetcher, PendingPage};
use super::frontier::times;
use crate::decode::Page;
use crate::http::Error;
use crate::listing::CursorListing;
use crate::time_range::TimeRange;

pub(super) struct CursorReader<'l> {
    pub(super) fetcher: &'l PageFetcher,
    pub(super) listing: CursorListing,
    pub(super) range: TimeRange,
    /// How many objects were handed over.
    pub(super) received: AtomicU64,
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

    pub(super) async fn page(&self, range: TimeRange, after: Option<&str>, limit: u32) -> Result<Page, Error> {
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

    /// How many objects Clerk counts in a range, if it has a count.
    pub(super) async fn count(&self, range: TimeRange) -> Result<Option<u64>, Error> {
        await_count(self.begin_count(range)).await
    }

    /// Sends the request for a range's count without waiting for the answer.
    pub(super) fn begin_count(&self, range: TimeRange) -> PendingPage {
        self.fetcher.begin(&self.listing.count(range), &Arc::new(self.fetcher.id_projection()), Page::count)
    }
}

/// The result of counting; `None` if Clerk answers with 404. The end of the list is then verified without a count.
pub(super) async fn await_count(counting: PendingPage) -> Result<Option<u64>, Error> {
    match counting.wait().await {
        Err(error) if error.is_not_found() => Ok(None),
        count => Ok(count?.total_count()),
    }
}
