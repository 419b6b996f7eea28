//! Reads lists from their first page to their last, so that no object is missed and none is handed over twice.
//!
//! A *reader* reads pages from Clerk, several of them in parallel. Pages are *handed over* to the *consumer*, who polls
//! a [`crate::PageStream`]. A *moment* is one millisecond of creation time: Clerk sorts by it, and objects that were
//! created in the same millisecond may come in a different order each time.
//!
//! | file | question |
//! | --- | --- |
//! | `fetcher`, `sender` | How are pages fetched, and how do they reach the consumer? |
//! | `frontier` | Which objects were handed over? |
//! | `resume` | What is left to read of a list that was interrupted? |
//! | `single` | How is one object read? |
//! | `whole` | How is a list read that has no pages? |
//! | `cursor`, `cursor_reader` | What is a position in a list by cursor, and what does reading one need? |
//! | `moment` | What if more objects were created in one moment than fit into a page? |
//! | `next_page` | How does reading get from one page by cursor to the next? |
//! | `range`, `shares`, `partition` | Which reader reads which range of creation time? |
//! | `completeness` | How is the end of a list by cursor verified, given that its pages contain no total? |
//! | `by_cursor` | How do several readers read a list by cursor in parallel? |
//! | `offset_reader` | What does reading a list by offset need? |
//! | `unstable_order` | How is a list read by offset that is not sorted by creation? |
//! | `by_offset` | How is a list read by offset while objects are created and deleted? |
//!
//! Each file uses only those above it.

mod by_cursor;
mod by_offset;
mod completeness;
mod cursor;
mod cursor_reader;
mod fetcher;
mod frontier;
mod moment;
mod next_page;
mod offset_reader;
mod partition;
mod range;
mod resume;
mod sender;
mod shares;
mod single;
mod unstable_order;
mod whole;

pub use resume::remaining;
pub(crate) use sender::{Demand, PageSender, channel};

use std::sync::Arc;

use futures_util::stream::{self, StreamExt, TryStreamExt};

use crate::catalog::{List, Object};
use crate::decode::Page;
use crate::http::Error;
use crate::http::{Client, Request, Stats};
use crate::listing::{Counting, Listing, Parent};
use crate::query::{Fetch, OrderBy, Query};
use fetcher::{PageFetcher, Stop};

/// Lists by cursor with fewer pages than this are not split for parallel reading, because the requests that find out
/// how to split them would take longer than reading the pages.
pub const MIN_PAGES_TO_SPLIT: u64 = 8;

/// Fetches what a query asks for and hands it over page by page. After an error nothing more is handed over.
pub(crate) async fn run(client: Arc<Client>, fetch: Fetch, sender: PageSender, stats: Arc<Stats>) {
    // A checkpoint does not say in which part of a list it is, so such a list is read anew.
    let resume_from = fetch.resume_from.clone().filter(|_| !fetch.query.is_in_parts(fetch.object));
    let fetch = Fetch { resume_from, ..fetch };
    let fetcher = PageFetcher::new(client, &fetch, stats);
    let ended = match &fetch.query {
        query if query.needs_list() && fetch.object.list.is_none() => {
            // Without this error the query would look as if there were no objects.
            Err(Error::Config(format!("{} can only be listed below a parent", fetch.object.name)).into())
        }
        Query::Count { .. } => count(&fetcher, fetch.query.counting(fetch.object), &sender).await,
        Query::Sample { wanted, total } if wanted < total && fetch.object.is_paged() => {
            sample(&fetcher, fetch.object, *wanted, *total, &sender).await
        }
        Query::Sample { .. } => listings(&fetcher, fetch.object, &Query::all(), &sender).await,
        query => listings(&fetcher, fetch.object, query, &sender).await,
    };
    match ended {
        Ok(()) => sender.finish(),
        // If sending fails, the consumer is gone and does not need the error.
        Err(Stop::Error(error)) => drop(sender.send_result(Err(error)).await),
        Err(Stop::Closed) => {}
    }
}

/// Reads the lists of a query in parallel, if that cannot lose objects.
async fn listings(
    fetcher: &PageFetcher,
    object: &'static Object,
    query: &Query,
    sender: &PageSender,
) -> Result<(), Stop> {
    // An object that moves from the first part of a list to the second one while both are read would be missing from
    // both. One after the other it comes from the first part, from the second one, or from both.
    let is_in_order = fetcher.has_limit_hint || query.is_in_parts(object);
    let side_by_side = if is_in_order { 1 } else { fetcher.concurrency() };
    stream::iter(query.listings(object))
        .map(|listing| async move {
            sender.wait_for_demand().await;
            one_listing(fetcher, listing, sender).await
        })
        .buffer_unordered(side_by_side)
        .try_collect()
        .await
}

async fn one_listing(fetcher: &PageFetcher, listing: Listing, sender: &PageSender) -> Result<(), Stop> {
    match listing {
        Listing::Single(request) => single::read(fetcher, &request, sender).await,
        Listing::Only(request) => single::read_only(fetcher, &request, sender).await,
        Listing::ByCursor(listing) => by_cursor::read(fetcher, listing, sender).await,
        Listing::Whole(listing) => {
            let ended = whole::read(fetcher, &listing, sender).await;
            unless_parent_is_missing(fetcher, listing.parent.as_ref(), ended).await
        }
        Listing::ByOffset(listing) => {
            let ended = by_offset::read(fetcher, &listing, sender).await;
            unless_parent_is_missing(fetcher, listing.parent.as_ref(), ended).await
        }
    }
}

/// How reading a list below a parent ended. A list that was answered with 404 is empty if its parent does not exist.
async fn unless_parent_is_missing(
    fetcher: &PageFetcher,
    parent: Option<&Parent>,
    ended: Result<(), Stop>,
) -> Result<(), Stop> {
    match ended {
        Err(Stop::Error(error)) if error.is_not_found() => single::check_parent_missing(fetcher, parent, error).await,
        ended => ended,
    }
}

/// Hands over randomly chosen pages. Objects that are created or deleted meanwhile do not matter for a sample.
async fn sample(
    fetcher: &PageFetcher,
    object: &'static Object,
    wanted: u64,
    total: u64,
    sender: &PageSender,
) -> Result<(), Stop> {
    let Some(List { path, params, max_page_size, .. }) = object.list else { return Ok(()) };
    let size = u64::from(fetcher.page_size.min(max_page_size));
    let mut page_numbers: Vec<u64> = (0..total.div_ceil(size)).collect();
    fastrand::shuffle(&mut page_numbers);
    page_numbers.truncate(wanted.div_ceil(size) as usize);
    let list = Request::new(path).extra_params(params).maybe("order_by", OrderBy::oldest_first(object));
    let list = list.param("limit", size);
    let mut pages = stream::iter(page_numbers)
        .map(|page_number| {
            let request = list.clone().param("offset", page_number * size);
            async move { fetcher.page(&request).await }
        })
        .buffer_unordered(fetcher.concurrency());
    while let Some(page) = pages.try_next().await? {
        sender.send(page).await?;
    }
    Ok(())
}

/// Hands over one page that has no objects, only their number.
async fn count(fetcher: &PageFetcher, counting: Option<Counting>, sender: &PageSender) -> Result<(), Stop> {
    let none = || Page::count(br#"{"total_count":0}"#.to_vec(), &fetcher.projection).map_err(|_| Error::BrokenOff);
    let page = match counting {
        None => none()?,
        Some(Counting::Endpoint(request)) => fetcher.fetch(&request, &fetcher.projection, Page::count).await?,
        Some(Counting::Page { request, parent }) => {
            match fetcher.fetch(&request, &fetcher.projection, Page::counted_list).await {
                Err(error) if error.is_not_found() => {
                    single::check_parent_missing(fetcher, parent.as_ref(), error).await?;
                    none()?
                }
                page => page?,
            }
        }
    };
    Ok(sender.send_result(Ok(page)).await?)
}
