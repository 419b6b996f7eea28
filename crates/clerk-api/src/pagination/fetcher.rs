//! Fetches single pages, for all kinds of pagination.

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
    /// The consumer will probably stop early, so requests that may not be needed are not sent before it asks for more.
    pub(super) has_limit_hint: bool,
    pub(super) resume_from: Option<Checkpoint>,
    stats: Arc<Stats>,
}

/// Why pagination ends before its list does.
pub(crate) enum Stop {
    /// The consumer is gone.
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

/// A function that parses a body.
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
            has_limit_hint: fetch.limit_hint.is_some(),
            resume_from: fetch.resume_from.clone(),
            stats,
        }
    }

    /// The projection of a page of which only the objects' ids and times of creation are needed.
    pub(super) fn id_projection(&self) -> Projection {
        Projection::new(self.object, &[])
    }

    /// The request with the extra parameters that some of the query's columns need.
    pub(super) fn with_extra_params(&self, request: &Request) -> Request {
        request.clone().extra_params(&self.extra_params)
    }

    /// One page of a list.
    pub(super) async fn page(&self, request: &Request) -> Result<Page, Error> {
        self.fetch(&self.with_extra_params(request), &self.projection, Page::list).await
    }

    /// Sends a request and parses its answer.
    pub(super) async fn fetch(
        &self,
        request: &Request,
        projection: &Arc<Projection>,
        parse: Parse,
    ) -> Result<Page, Error> {
        self.begin(request, projection, parse).wait().await
    }

    /// Sends a request in a task of its own. So it finishes, and gives its place in the limiter to the next request,
    /// even while the pagination is not polled because its consumer is slow. Several streams of one client can
    /// therefore be read in turns without blocking each other.
    pub(super) fn begin(&self, request: &Request, projection: &Arc<Projection>, parse: Parse) -> PendingPage {
        let (client, request, projection) = (Arc::clone(&self.client), request.clone(), Arc::clone(projection));
        let stats = Arc::clone(&self.stats);
        PendingPage(tokio::spawn(async move {
            let body = client.get(&request, &stats).await?;
            let beginning = body[..body.len().min(512)].to_vec();
            parse(body, &projection)
                .map(|mut page| {
                    request.key().into_iter().for_each(|key| page.set_key(&projection, key));
                    page
                })
                .map_err(|error| client.malformed(error.expected, error.problem, &beginning, &request))
        }))
    }

    /// How many requests may be in flight at once.
    pub(super) fn concurrency(&self) -> usize {
        self.client.settings().max_concurrency.max(1)
    }
}

/// The page of a request in flight. Dropping it aborts the request.
pub(super) struct PendingPage(JoinHandle<Result<Page, Error>>);

impl PendingPage {
    pub(super) async fn wait(mut self) -> Result<Page, Error> {
        (&mut self.0).await.unwrap_or(Err(Error::BrokenOff))
    }
}

impl Drop for PendingPage {
    fn drop(&mut self) {
        self.0.abort();
    }
}
