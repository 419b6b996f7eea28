//! From a list's first page to its last, so that nothing is missed and nothing comes twice.

mod by_cursor;
mod by_offset;
mod by_place;
mod ends;
mod front;
mod mark;
mod moment;
mod one;
mod range;
mod shares;
mod survey;

pub use mark::{Mark, rest};

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
    ByOffset { list: Counted, owner: Option<(Request, String)> },
    ByCursor(Bare),
}

/// A list by offset.
struct Counted {
    request: Request,
    /// None where the list has no say in it.
    order: Option<Ordered>,
    /// What to ask for its total, where its pages do not tell.
    count: Option<Request>,
}

/// A list without a total: what these parameters leave of the instance's.
struct Bare {
    path: &'static str,
    /// The endpoint that counts.
    count: &'static str,
    filters: Filters,
    order: Option<Ordered>,
    /// It is asked for by values that belong to one object each: what it finds is all there is.
    is_lookup: bool,
}

fn lists_of(object: &'static Object, from: From) -> Vec<List> {
    let list = |filters: Filters, order: Option<Ordered>| match object.paging {
        Paging::Cursor { count } if order.is_none_or(|order| order.parameter == OLDEST_FIRST.parameter) => {
            let is_value = |name: &str| object.columns.iter().any(|column| column.finds(name));
            let is_lookup = filters.iter().any(|(name, _)| is_value(name));
            List::ByCursor(Bare { path: object.list, count, filters, order, is_lookup })
        }
        paging => {
            let count = match paging {
                Paging::Cursor { count } => Some(Request::new(count).params(&filters)),
                Paging::Offset => None,
            };
            let (request, order) = (Request::new(object.list).params(&filters), Some(order.unwrap_or(OLDEST_FIRST)));
            List::ByOffset { list: Counted { request, order, count }, owner: None }
        }
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
                Answer::List { owner, orders } => {
                    let (request, order) = (request.params(&filters), orders.then(|| order.unwrap_or(OLDEST_FIRST)));
                    let owner = Request::with_id(owner, &value).map(|owner| (owner, value));
                    List::ByOffset { list: Counted { request, order, count: None }, owner }
                }
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
        List::ByCursor(bare) => by_cursor::walk(walk, bare, out).await,
        List::ByOffset { list, owner } => match by_offset::walk(walk, list, out).await {
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
    async fn fetch(&self, request: &Request, projection: &Arc<Projection>, parse: Parse) -> Result<Page, Error> {
        self.begin(request, projection, parse).wait().await
    }

    /// Every request is a task of its own: it goes on to its end, and makes room for others, while nobody looks after
    /// the walk because its reader is in no hurry. Several walks of one client may be read in turns.
    fn begin(&self, request: &Request, projection: &Arc<Projection>, parse: Parse) -> Task {
        let (client, request, projection) = (Arc::clone(&self.client), request.clone(), Arc::clone(projection));
        let stats = Arc::clone(&self.stats);
        Task(tokio::spawn(async move {
            let body = client.get(&request, &stats).await?;
            let beginning = body[..body.len().min(512)].to_vec();
            parse(body, &projection)
                .map_err(|wrong| client.malformed(wrong.expected, wrong.problem, &beginning, &request))
        }))
    }

    /// How many requests a walk has in flight at most.
    fn concurrency(&self) -> usize {
        self.client.settings().max_concurrency.max(1)
    }
}

/// How a body becomes a page.
type Parse = fn(Vec<u8>, &Projection) -> Result<Page, Malformed>;

/// A request on its way, which ends with whoever waits for it.
struct Task(JoinHandle<Result<Page, Error>>);

impl Task {
    async fn wait(mut self) -> Result<Page, Error> {
        (&mut self.0).await.unwrap_or(Err(Error::BrokenOff))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}
