//! From a list's first page to its last, so that nothing is missed and nothing comes twice.
//!
//! | file | question |
//! | --- | --- |
//! | `by_cursor` | How is a list read by cursor, by several readers side by side? |
//! | `survey`, `range`, `shares` | Which of them reads which range of creation time? |
//! | `ends` | Where does a list by cursor end, that has no total? |
//! | `moment` | What if more objects were created in one moment than a page shows? |
//! | `by_offset` | How is a list read by offset while objects come and go? |
//! | `by_place` | How is a list read by offset that is not in order of creation? |
//! | `frontier` | How far was a list handed over? |
//! | `single` | How is one object read? |
//! | `resume` | What is left of a list that was interrupted? |
//! | `fetcher`, `sender` | How does a page get here, and how does it get to the reader? |

mod by_cursor;
mod by_offset;
mod by_place;
mod ends;
mod fetcher;
mod frontier;
mod moment;
mod range;
mod resume;
mod sender;
mod shares;
mod single;
mod survey;

pub use resume::remaining;
pub(crate) use sender::{Demand, PageSender, channel};

use std::sync::Arc;

use futures_util::stream::{self, StreamExt, TryStreamExt};

use crate::catalog::{List, Object};
use crate::decode::Page;
use crate::http::Error;
use crate::http::{Client, Request, Stats};
use crate::listing::{Counting, Listing};
use crate::query::{Fetch, OrderBy, Query};
use fetcher::{PageFetcher, Stop};

/// With fewer pages than this, finding out how to read a list by cursor side by side takes longer than reading them.
pub const MIN_PAGES_TO_SPLIT: u64 = 8;

/// Fetches what was asked for and hands it over page by page; an error is the last thing handed over.
pub(crate) async fn run(client: Arc<Client>, fetch: Fetch, sender: PageSender, stats: Arc<Stats>) {
    let fetcher = PageFetcher::new(client, &fetch, stats);
    let ended = match &fetch.query {
        Query::Count { .. } => count(&fetcher, fetch.query.counting(fetch.object), &sender).await,
        Query::Sample { wanted, total } if wanted < total => {
            sample(&fetcher, fetch.object, *wanted, *total, &sender).await
        }
        Query::Sample { .. } => listings(&fetcher, Query::all().listings(fetch.object), &sender).await,
        query => listings(&fetcher, query.listings(fetch.object), &sender).await,
    };
    match ended {
        Ok(()) => sender.finish(),
        // A reader that is gone has no use for the error.
        Err(Stop::Error(error)) => drop(sender.hand_over(Err(error)).await),
        Err(Stop::Closed) => {}
    }
}

/// Reads several lists side by side.
async fn listings(fetcher: &PageFetcher, listings: Vec<Listing>, sender: &PageSender) -> Result<(), Stop> {
    let side_by_side = if fetcher.is_limited { 1 } else { fetcher.concurrency() };
    stream::iter(listings)
        .map(|listing| async move {
            sender.wanted().await;
            one_listing(fetcher, listing, sender).await
        })
        .buffer_unordered(side_by_side)
        .try_collect()
        .await
}

async fn one_listing(fetcher: &PageFetcher, listing: Listing, sender: &PageSender) -> Result<(), Stop> {
    match listing {
        Listing::Single(request) => single::read(fetcher, request, sender).await,
        Listing::ByCursor(listing) => by_cursor::read(fetcher, listing, sender).await,
        Listing::ByOffset(listing) => match by_offset::read(fetcher, &listing, sender).await {
            Err(Stop::Error(error)) if error.is_not_found() => {
                single::check_parent_missing(fetcher, listing.parent.as_ref(), error).await
            }
            ended => ended,
        },
    }
}

/// Hands over pages from random places. What comes or goes meanwhile does no harm to a sample.
async fn sample(
    fetcher: &PageFetcher,
    object: &'static Object,
    wanted: u64,
    total: u64,
    sender: &PageSender,
) -> Result<(), Stop> {
    let Some(List { path, .. }) = object.list else { return Ok(()) };
    let size = u64::from(fetcher.page_size);
    let mut places: Vec<u64> = (0..total.div_ceil(size)).collect();
    fastrand::shuffle(&mut places);
    places.truncate(wanted.div_ceil(size) as usize);
    let list = Request::new(path).maybe("order_by", OrderBy::oldest_first(object)).param("limit", size);
    let mut pages = stream::iter(places)
        .map(|place| {
            let request = list.clone().param("offset", place * size);
            async move { fetcher.page(&request).await }
        })
        .buffer_unordered(fetcher.concurrency());
    while let Some(page) = pages.try_next().await? {
        sender.send(page).await?;
    }
    Ok(())
}

/// Hands over one page that knows no more than how many objects there are.
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
    Ok(sender.hand_over(Ok(page)).await?)
}
