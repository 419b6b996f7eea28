//! From a list's first page to its last, so that nothing is missed and nothing comes twice.

mod by_cursor;
mod by_offset;
mod one;
mod range;
mod shares;
mod survey;

use std::collections::HashSet;
use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::client::Client;
use crate::error::Error;
use crate::object::{Answer, Paging};
use crate::page::{Malformed, Page, Projection};
use crate::read::{Closed, From, Out, Read, Walk};
use crate::request::Request;

/// Reads what was asked for and hands it over page by page; an error is the last thing handed over.
pub(crate) async fn walk(client: Arc<Client>, read: Read, mut out: Out) {
    let walk = Walk::new(client, &read);
    let ended = match &read.from {
        From::All => match read.object.paging {
            Paging::Cursor { count } => by_cursor::walk(&walk, read.object.list, count, &mut out).await,
            Paging::Offset => by_offset::walk(&walk, Request::new(read.object.list), &mut out).await,
        },
        From::Key { key, value } => match (Request::with_id(key.path, value), key.answer) {
            // No object has an id that no URL can name.
            (None, _) => Ok(()),
            // Nor one that is the name of another endpoint.
            (Some(request), Answer::One) if read.object.has_endpoint(&request) => Ok(()),
            (Some(request), Answer::One) => one::walk(&walk, request, &mut out).await,
            (Some(request), Answer::List { owner }) => match by_offset::walk(&walk, request, &mut out).await {
                Err(Stop::Error(error)) if error.is_not_found() => {
                    one::is_missing(&walk, Request::with_id(owner, value), value, error).await
                }
                ended => ended,
            },
        },
    };
    match ended {
        Ok(()) => out.finish(),
        // A reader that is gone has no use for the error.
        Err(Stop::Error(error)) => drop(out.send(Err(error)).await),
        Err(Stop::Closed) => {}
    }
}

/// How a body becomes a page.
type Parse = fn(Vec<u8>, &Projection) -> Result<Page, Malformed>;

/// A task that ends with whoever waits for it.
struct Task<T>(JoinHandle<T>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Why a walk ends before its list does.
pub(crate) enum Stop {
    Closed,
    Error(Error),
}

impl std::convert::From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop::Error(error)
    }
}

impl std::convert::From<Closed> for Stop {
    fn from(_: Closed) -> Self {
        Stop::Closed
    }
}

impl Walk {
    /// One page of a list.
    async fn page(&self, request: &Request) -> Result<Page, Error> {
        let request = self.asks.iter().fold(request.clone(), |request, (name, value)| request.param(name, value));
        self.fetch(&request, &self.projection, Page::list).await
    }

    /// A request's answer, parsed.
    ///
    /// Every request is a task of its own: it goes on to its end, and makes room for others, while nobody looks after
    /// the walk because its reader is in no hurry. Several walks of one client may be read in turns.
    async fn fetch(&self, request: &Request, projection: &Arc<Projection>, parse: Parse) -> Result<Page, Error> {
        let (client, request, projection) = (Arc::clone(&self.client), request.clone(), Arc::clone(projection));
        let mut task = Task(tokio::spawn(async move {
            let body = client.get(&request).await?;
            let beginning = body[..body.len().min(512)].to_vec();
            parse(body, &projection)
                .map_err(|wrong| client.malformed(wrong.expected, wrong.problem, &beginning, &request))
        }));
        (&mut task.0).await.unwrap_or(Err(Error::BrokenOff))
    }

    /// How many requests a walk has in flight at most.
    fn concurrency(&self) -> usize {
        self.client.settings().max_concurrency.max(1)
    }
}

/// The end of the page before, by which the next page is checked.
#[derive(Default)]
struct Tail {
    ids: Vec<String>,
    created_at: Option<i64>,
    /// What was handed over of those that were created in the same millisecond as the last one, on this page and
    /// before. Where nothing of the page is left to go on from, time alone does not tell them from what is new.
    same_moment: HashSet<String>,
}

impl Tail {
    /// The end of a page that came after this one.
    fn after(self, page: &Page) -> Self {
        let Some(last) = page.len().checked_sub(1) else { return self };
        let created_at = page.created_at(last);
        let mut same_moment = if created_at == self.created_at { self.same_moment } else { HashSet::new() };
        let of_that_moment = (0..page.len()).filter(|object| page.created_at(*object) == created_at);
        same_moment.extend(of_that_moment.map(|object| page.id(object).into_owned()));
        Tail { ids: (0..page.len()).map(|object| page.id(object).into_owned()).collect(), created_at, same_moment }
    }

    fn last_id(&self) -> Option<&str> {
        self.ids.last().map(String::as_str)
    }

    /// The index of the last object of the page that stood on the page before as well.
    fn last_known(&self, page: &Page) -> Option<usize> {
        let known: HashSet<&str> = self.ids.iter().map(String::as_str).collect();
        (0..page.len()).rev().find(|object| known.contains(&*page.id(*object)))
    }

    /// Whether an object comes after all that was handed over, by time alone.
    fn is_before(&self, page: &Page, object: usize) -> bool {
        let created_at = page.created_at(object);
        created_at > self.created_at || (created_at == self.created_at && !self.same_moment.contains(&*page.id(object)))
    }
}
