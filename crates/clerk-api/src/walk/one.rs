//! One object by its id.

use std::sync::Arc;

use super::Stop;
use crate::error::Error;
use crate::page::{Page, Projection};
use crate::read::{Out, Walk};
use crate::request::Request;

/// Hands over the one object, or nothing where Clerk has none of that id.
pub(super) async fn walk(walk: &Walk, request: Request, out: &Out) -> Result<(), Stop> {
    let request = walk.asks.iter().fold(request, |request, (name, value)| request.param(name, value));
    match walk.fetch(&request, &walk.projection, Page::one).await {
        Ok(page) => Ok(out.send(page).await?),
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A list answered 404: that means an empty list only if its owner is unknown too. Anything else is a fault,
/// and a fault must not look like an owner without members.
pub(super) async fn is_missing(walk: &Walk, owner: Option<(Request, String)>, list: Error) -> Result<(), Stop> {
    let Some((owner, id)) = owner else { return Err(list.into()) };
    match walk.fetch(&owner, &Arc::new(Projection::new(&[])), Page::one).await {
        // Clerk finds an organization by its slug as well; its members it finds by its id alone.
        Ok(found) if found.id(0) == id => Err(list.into()),
        Ok(_) => Ok(()),
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(error.into()),
    }
}
