//! One object by its id.

use std::sync::Arc;

use super::fetcher::{PageFetcher, Stop};
use super::sender::PageSender;
use crate::decode::{Page, Projection};
use crate::http::Error;
use crate::http::Request;

/// Hands over the one object, or nothing where Clerk has none of that id.
pub(super) async fn read(fetcher: &PageFetcher, request: Request, sender: &PageSender) -> Result<(), Stop> {
    let request = fetcher.with_extra_params(&request);
    match fetcher.fetch(&request, &fetcher.projection, Page::one).await {
        Ok(page) => Ok(sender.send(page).await?),
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A list answered 404: that means an empty list only if its parent is unknown too. Anything else is a fault,
/// and a fault must not look like a parent without children.
pub(super) async fn check_parent_missing(
    fetcher: &PageFetcher,
    parent: Option<&(Request, String)>,
    list: Error,
) -> Result<(), Stop> {
    let Some((parent, id)) = parent else { return Err(list.into()) };
    match fetcher.fetch(parent, &Arc::new(Projection::of_parent()), Page::one).await {
        // Clerk finds an organization by its slug as well; its members it finds by its id alone.
        Ok(found) if found.id(0) == *id => Err(list.into()),
        Ok(_) => Ok(()),
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(error.into()),
    }
}
