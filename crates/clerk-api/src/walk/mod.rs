//! From a list's first page to its last, so that nothing is missed and nothing comes twice.

mod by_cursor;
mod by_offset;
mod mark;
mod one;
mod range;
mod shares;
mod survey;

pub use mark::{Mark, rest};

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::task::JoinHandle;

use crate::client::Client;
use crate::error::Error;
use crate::object::{Answer, Key, Object, Paging};
use crate::page::{Malformed, Page, Projection};
use crate::read::{Closed, Filters, From, OLDEST_FIRST, Ordered, Out, Read, Walk, batches};
use crate::request::Request;
use crate::stats::Stats;

/// Reads what was asked for and hands it over page by page; an error is the last thing handed over.
pub(crate) async fn walk(client: Arc<Client>, read: Read, out: Out, stats: Arc<Stats>) {
    let walk = Walk::new(client, &read, stats);
    let ended = match read.from {
        From::Count { below, filters } => count(&walk, read.object, below, filters, &out).await,
        From::Sample { wanted, total } if wanted < total => sample(&walk, read.object, wanted, total, &out).await,
        From::Sample { .. } => lists(&walk, lists_of(read.object, Read::all(read.object, vec![]).from), &out).await,
        from => lists(&walk, lists_of(read.object, from), &out).await,
    };
    match ended {
        Ok(()) => out.finish(),
        // A reader that is gone has no use for the error.
        Err(Stop::Error(error)) => drop(out.hand_over(Err(error)).await),
        Err(Stop::Closed) => {}
    }
}

/// One of the lists that a read consists of.
enum List {
    One(Request),
    ByOffset { request: Request, order: Option<Ordered>, owner: Option<(Request, String)> },
    ByCursor { path: &'static str, count: &'static str, filters: Filters, order: Option<Ordered> },
}

fn lists_of(object: &'static Object, from: From) -> Vec<List> {
    let list = |filters: Filters, order: Option<Ordered>| match object.paging {
        Paging::Cursor { count } if order.is_none_or(|order| order.parameter == OLDEST_FIRST.parameter) => {
            List::ByCursor { path: object.list, count, filters, order }
        }
        _ => List::ByOffset {
            request: Request::new(object.list).params(&filters),
            order: Some(order.unwrap_or(OLDEST_FIRST)),
            owner: None,
        },
    };
    match from {
        From::Itself => vec![List::One(Request::new(object.list))],
        From::List { filters, order } => vec![list(filters, order)],
        From::Batches { parameter, values, filters } => batches(&values)
            .map(|values| {
                let values = values.iter().map(|value| (parameter, value.clone()));
                list(filters.iter().cloned().chain(values).collect(), None)
            })
            .collect(),
        From::Keys { key, values, filters, order } => values
            .into_iter()
            // No object has an id that no URL can name, nor one that is the name of another endpoint.
            .filter_map(|value| Some((Request::with_id(key.path, &value)?, value)))
            .filter(|(request, _)| key.answer != Answer::One || !object.has_endpoint(request))
            .map(|(request, value)| match key.answer {
                Answer::One => List::One(request),
                Answer::List { owner, orders } => List::ByOffset {
                    request: request.params(&filters),
                    order: orders.then(|| order.unwrap_or(OLDEST_FIRST)),
                    owner: Request::with_id(owner, &value).map(|owner| (owner, value)),
                },
            })
            .collect(),
        From::Count { .. } | From::Sample { .. } => Vec::new(),
    }
}

/// Reads several lists side by side.
async fn lists(walk: &Walk, lists: Vec<List>, out: &Out) -> Result<(), Stop> {
    let side_by_side = if walk.is_limited { 1 } else { walk.concurrency() };
    stream::iter(lists)
        .map(|list| async move {
            out.wanted().await;
            one_list(walk, list, out).await
        })
        .buffer_unordered(side_by_side)
        .try_collect()
        .await
}

async fn one_list(walk: &Walk, list: List, out: &Out) -> Result<(), Stop> {
    match list {
        List::One(request) => one::walk(walk, request, out).await,
        List::ByCursor { path, count, filters, order } => by_cursor::walk(walk, path, count, filters, order, out).await,
        List::ByOffset { request, order, owner } => match by_offset::walk(walk, request, order, out).await {
            Err(Stop::Error(error)) if error.is_not_found() => one::is_missing(walk, owner, error).await,
            ended => ended,
        },
    }
}

/// Hands over pages from random places. What comes or goes meanwhile does no harm to a sample.
async fn sample(walk: &Walk, object: &'static Object, wanted: u64, total: u64, out: &Out) -> Result<(), Stop> {
    let size = u64::from(walk.page_size);
    let mut places: Vec<u64> = (0..total.div_ceil(size)).collect();
    fastrand::shuffle(&mut places);
    places.truncate(wanted.div_ceil(size) as usize);
    let list = Request::new(object.list).param("order_by", OLDEST_FIRST).param("limit", size);
    let mut pages = stream::iter(places)
        .map(|place| {
            let request = list.clone().param("offset", place * size);
            async move { walk.page(&request).await }
        })
        .buffer_unordered(walk.concurrency());
    while let Some(page) = pages.try_next().await? {
        out.send(page).await?;
    }
    Ok(())
}

/// Hands over one page that knows no more than how many objects there are.
async fn count(
    walk: &Walk,
    object: &'static Object,
    below: Option<(&'static Key, String)>,
    filters: Filters,
    out: &Out,
) -> Result<(), Stop> {
    let (path, owner) = match (below, object.paging) {
        (None, Paging::Cursor { count }) => {
            let page = walk.fetch(&Request::new(count).params(&filters), &walk.projection, Page::count).await?;
            return Ok(out.hand_over(Ok(page)).await?);
        }
        (None, Paging::Offset) => (Some(Request::new(object.list)), None),
        (Some((key, value)), _) => {
            let owner = match key.answer {
                Answer::List { owner, .. } => Request::with_id(owner, &value).zip(Some(value.clone())),
                Answer::One => None,
            };
            (Request::with_id(key.path, &value), owner)
        }
    };
    let nothing = || Page::count(br#"{"total_count":0}"#.to_vec(), &walk.projection).map_err(|_| Error::BrokenOff);
    let page = match path {
        None => nothing()?,
        Some(path) => {
            let request = path.params(&filters).param("limit", 1);
            match walk.fetch(&request, &walk.projection, Page::counted_list).await {
                Err(error) if error.is_not_found() => {
                    one::is_missing(walk, owner, error).await?;
                    nothing()?
                }
                page => page?,
            }
        }
    };
    Ok(out.hand_over(Ok(page)).await?)
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
        let stats = Arc::clone(&self.stats);
        let mut task = Task(tokio::spawn(async move {
            let body = client.get(&request, &stats).await?;
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

/// How a body becomes a page.
type Parse = fn(Vec<u8>, &Projection) -> Result<Page, Malformed>;

/// A task that ends with whoever waits for it.
struct Task<T>(JoinHandle<T>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
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

    /// The same, ending with this object.
    fn up_to(mut self, id: &str) -> Self {
        let kept = self.ids.iter().position(|other| other == id).map_or(0, |index| index + 1);
        self.ids.truncate(kept);
        self
    }

    /// What followed this object.
    fn behind(&self, id: &str) -> impl Iterator<Item = String> {
        self.ids.iter().skip_while(move |other| *other != id).skip(1).cloned()
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
    fn is_before(&self, page: &Page, object: usize, descending: bool) -> bool {
        let created_at = page.created_at(object);
        let is_later = if descending { created_at < self.created_at } else { created_at > self.created_at };
        is_later || (created_at == self.created_at && !self.same_moment.contains(&*page.id(object)))
    }
}
