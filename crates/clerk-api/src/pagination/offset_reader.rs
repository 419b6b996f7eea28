//! What every part of reading a list by offset works with: its pages and its count.

use super::cursor_reader::await_count;
use super::fetcher::PageFetcher;
use super::frontier::times;
use crate::decode::Page;
use crate::http::Error;
use crate::listing::OffsetListing;

/// How many objects consecutive pages have in common if every moment has only one object: the object of the moment in
/// which the page ended, and the one before it.
pub(super) const OVERLAP: u64 = 2;

/// How many pages or searches in a row may bring no new object, before this is an error.
pub(super) const MAX_SEARCHES: u32 = 8;

pub(super) struct OffsetReader<'l> {
    pub(super) fetcher: &'l PageFetcher,
    pub(super) listing: &'l OffsetListing,
}

impl OffsetReader<'_> {
    /// How many objects a page has: at least one more than the overlap, so that each page can bring a new object.
    pub(super) fn page_size(&self) -> u64 {
        u64::from(self.fetcher.page_size.min(self.listing.max_page_size)).max(1 + OVERLAP)
    }

    /// How many objects the first page has.
    pub(super) fn first_page(&self) -> u64 {
        self.fetcher.first_page.min(self.listing.max_page_size).into()
    }

    pub(super) async fn page(&self, offset: u64, limit: u64) -> Result<Page, Error> {
        self.fetcher.page(&self.listing.page(offset, limit)).await
    }

    pub(super) fn times(&self, page: &Page) -> Result<Vec<i64>, Error> {
        times(page, self.listing.is_descending()).ok_or_else(|| self.inconsistent("they are not in order of creation"))
    }

    /// Counts the objects of a list whose pages do not contain the total.
    pub(super) async fn count(&self) -> Result<Option<u64>, Error> {
        match &self.listing.count {
            Some(request) => await_count(self.fetcher.begin(request, &self.fetcher.projection, Page::count)).await,
            None => Ok(None),
        }
    }

    pub(super) fn inconsistent(&self, problem: &str) -> Error {
        Error::Inconsistent { problem: problem.to_owned(), request: self.listing.request().into() }
    }
}
