//! The stream of pages that a consumer polls while they are fetched in the background.

use std::sync::Arc;
use std::task::Poll;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::decode::Page;
use crate::http::Error;
use crate::http::{Client, Stats};
use crate::pagination::{self, Demand};
use crate::query::Fetch;

/// A stream of pages. Dropping it stops the fetching and aborts the requests in flight.
pub struct PageStream {
    pages: mpsc::Receiver<Result<Page, Error>>,
    demand: Arc<Demand>,
    received: u64,
    is_ended: bool,
    stats: Arc<Stats>,
    task: JoinHandle<()>,
}

impl PageStream {
    /// Starts fetching on the current tokio runtime. `wake` is called on that runtime whenever the result of
    /// [`PageStream::poll_page`] may have changed. It must not block.
    pub fn start(fetch: Fetch, client: Arc<Client>, wake: impl Fn() + Send + Sync + 'static) -> PageStream {
        PageStream::start_counted(fetch, client, Arc::default(), wake)
    }

    /// The same, with counters that several streams can share.
    pub fn start_counted(
        fetch: Fetch,
        client: Arc<Client>,
        stats: Arc<Stats>,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> PageStream {
        let (sender, pages, demand) = pagination::channel(fetch.query.may_overlap(fetch.object), wake);
        let task = tokio::spawn(pagination::run(client, fetch, sender, Arc::clone(&stats)));
        PageStream { pages, demand, received: 0, is_ended: false, stats, task }
    }

    /// The next page if it has arrived, or `None` after the last page. Each call asks for one more page: without it,
    /// nothing past the first page is fetched. After an error the stream has ended.
    pub fn poll_page(&mut self) -> Poll<Option<Result<Page, Error>>> {
        self.demand.request_pages(self.received + 1);
        match self.pages.try_recv() {
            Ok(page) => {
                self.received += 1;
                self.is_ended = page.is_err();
                Poll::Ready(Some(page))
            }
            Err(mpsc::error::TryRecvError::Empty) => Poll::Pending,
            Err(mpsc::error::TryRecvError::Disconnected) if self.is_ended => Poll::Ready(None),
            Err(mpsc::error::TryRecvError::Disconnected) => {
                self.is_ended = true;
                Poll::Ready((!self.demand.is_finished()).then_some(Err(Error::BrokenOff)))
            }
        }
    }

    /// What fetching has cost so far.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }
}

impl Drop for PageStream {
    fn drop(&mut self) {
        self.task.abort();
    }
}
