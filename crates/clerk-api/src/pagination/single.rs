//! Reads one object by its id, and checks the parent of a list that was answered with 404.

use std::sync::Arc;

use super::fetcher::{PageFetcher, Stop};
use super::sender::PageSender;
use crate::decode::{Page, Projection};
use crate::http::Error;
use crate::http::Request;
use crate::listing::Parent;

/// Hands over the object, or nothing if Clerk has no object with that id.
pub(super) async fn read(fetcher: &PageFetcher, request: &Request, sender: &PageSender) -> Result<(), Stop> {
    match read_only(fetcher, request, sender).await {
        Err(Stop::Error(error)) if error.is_not_found() => Ok(()),
        ended => ended,
    }
}

/// Hands over the only object of its kind. That one always exists, so status 404 is an error.
pub(super) async fn read_only(fetcher: &PageFetcher, request: &Request, sender: &PageSender) -> Result<(), Stop> {
    let request = fetcher.with_extra_params(request);
    let page = fetcher.fetch(&request, &fetcher.projection, Page::single).await?;
    Ok(sender.send(page).await?)
}

/// Checks a list that was answered with 404. Only if the parent does not exist either, the list is empty. Otherwise the
/// 404 is an error, which must not look like a parent without children.
pub(super) async fn check_parent_missing(
    fetcher: &PageFetcher,
    parent: Option<&Parent>,
    list_error: Error,
) -> Result<(), Stop> {
    let Some(Parent { request, id }) = parent else { return Err(list_error.into()) };
    match fetcher.fetch(request, &Arc::new(Projection::of_parent()), Page::single).await {
        // Clerk finds an organization by its slug as well, but its memberships only by its id: if the id differs, the
        // parent was found by its slug, and the list is empty.
        Ok(found) if found.id(0) == *id => Err(list_error.into()),
        Ok(_) => Ok(()),
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(error.into()),
    }
}
