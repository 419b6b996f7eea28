//! How a page is fetched: what every way of pagination works with.

use std::sync::Arc;

use tokio::task::JoinHandle;

use super::sender::Closed;
use crate::catalog::Object;
use crate::checkpoint::Checkpoint;
use crate::decode::{DecodeError, Page, Projection};
use crate::http::Error;
use crate::http::{Client, Request, Stats};
use crate::query::{Fetch, MAX_PAGE_SIZE};

pub(crate) struct PageFetcher {
    client: Arc<Client>,
    object: &'static Object,
    pub(super) projection: Arc<Projection>,
    extra_params: Vec<(&'static str, &'static str)>,
    pub(super) page_size: u32,
    pub(super) first_page: u32,
    /// The reader will probably stop early: what it may not need is not begun before it asks.
    pub(super) is_limited: bool,
    pub(super) resume_from: Option<Checkpoint>,
    stats: Arc<Stats>,
}

/// Why pagination ends before its list does.
pub(crate) enum Stop {
    /// Nobody reads any more.
    Closed,
    Error(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop::Error(error)
    }
}

impl From<Closed> for Stop {
    fn from(_: Closed) -> Self {
        Stop::Closed
    }
}

/// How a body becomes a page.
type Parse = fn(Vec<u8>, &Projection) -> Result<Page, DecodeError>;

impl PageFetcher {
    pub(super) fn new(client: Arc<Client>, fetch: &Fetch, stats: Arc<Stats>) -> Self {
        let page_size = fetch.page_size.clamp(1, MAX_PAGE_SIZE);
        PageFetcher {
            client,
            object: fetch.object,
            projection: Projection::new(fetch.object, &fetch.columns).into(),
            extra_params: fetch.extra_params.clone(),
            page_size,
            first_page: fetch.limit_hint.unwrap_or(page_size).clamp(1, page_size),
            is_limited: fetch.limit_hint.is_some(),
            resume_from: fetch.resume_from.clone(),
            stats,
        }
    }

    /// The projection of a page that is read for nothing but the ids of its objects and when they were created.
    pub(super) fn ids(&self) -> Projection {
        Projection::new(self.object, &[])
    }

    /// The request with the parameters that some of the columns need.
    pub(super) fn with_extra_params(&self, request: &Request) -> Request {
        self.extra_params.iter().fold(request.clone(), |request, (name, value)| request.param(name, value))
    }

    /// One page of a list.
    pub(super) async fn page(&self, request: &Request) -> Result<Page, Error> {
        self.fetch(&self.with_extra_params(request), &self.projection, Page::list).await
    }

    /// A request's answer, parsed.
    pub(super) async fn fetch(
        &self,
        request: &Request,
        projection: &Arc<Projection>,
        parse: Parse,
    ) -> Result<Page, Error> {
        self.begin(request, projection, parse).wait().await
    }

    /// Every request is a task of its own: it goes on to its end, and makes room for others, while nobody polls the
    /// pagination because its reader is in no hurry. Several streams of one client may be read in turns.
    pub(super) fn begin(&self, request: &Request, projection: &Arc<Projection>, parse: Parse) -> Task {
        let (client, request, projection) = (Arc::clone(&self.client), request.clone(), Arc::clone(projection));
        let stats = Arc::clone(&self.stats);
        Task(tokio::spawn(async move {
            let body = client.get(&request, &stats).await?;
            let beginning = body[..body.len().min(512)].to_vec();
            parse(body, &projection)
                .map_err(|wrong| client.malformed(wrong.expected, wrong.problem, &beginning, &request))
        }))
    }

    /// How many requests may be in flight at once.
    pub(super) fn concurrency(&self) -> usize {
        self.client.settings().max_concurrency.max(1)
    }
}

/// A request on its way, which is aborted when it is dropped.
pub(super) struct Task(JoinHandle<Result<Page, Error>>);

impl Task {
    pub(super) async fn wait(mut self) -> Result<Page, Error> {
        (&mut self.0).await.unwrap_or(Err(Error::BrokenOff))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}
