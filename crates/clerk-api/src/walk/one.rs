//! One object by its id.

use super::Stop;
use crate::error::Error;
use crate::page::Page;
use crate::read::{Out, Walk};
use crate::request::Request;

/// Hands over the one object, or nothing where Clerk has none of that id.
pub(super) async fn walk(walk: &Walk, request: Request, out: &mut Out) -> Result<(), Stop> {
    let request = walk.asks.iter().fold(request, |request, (name, value)| request.param(name, value));
    match walk.fetch(&request, &walk.projection, Page::one).await {
        Ok(page) => Ok(out.send(Ok(page)).await?),
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A list answered 404: that means an empty list only if its owner is unknown too. Anything else is a fault,
/// and a fault must not look like an owner without members.
pub(super) async fn is_missing(walk: &Walk, owner: Option<Request>, list: Error) -> Result<(), Stop> {
    let Some(owner) = owner else { return Err(list.into()) };
    match walk.client.get(&owner).await {
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => Err(list.into()),
    }
}
