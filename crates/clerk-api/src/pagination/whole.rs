//! Reads lists that Clerk returns in one answer.

use super::fetcher::{PageFetcher, Stop};
use super::sender::PageSender;
use crate::http::Error;
use crate::listing::WholeListing;

/// How many times a list is read whose total differs from the number of its objects, before this is an error. An object
/// that is created or deleted in between can explain one such answer, and hardly three in a row.
const MAX_READINGS: u32 = 3;

/// Hands over the list, once it has as many objects as it counts.
pub(super) async fn read(fetcher: &PageFetcher, listing: &WholeListing, sender: &PageSender) -> Result<(), Stop> {
    for _ in 0..MAX_READINGS {
        let page = fetcher.page(&listing.request).await?;
        if page.total_count().is_none_or(|total| total == page.len() as u64) {
            return Ok(sender.send(page).await?);
        }
    }
    let problem = "the list does not have as many objects as it counts".to_owned();
    Err(Error::Inconsistent { problem, request: listing.request.clone().into() }.into())
}
