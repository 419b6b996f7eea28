//! Where pagination puts its pages, and how it learns that more are wanted.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, mpsc};

use crate::decode::Page;
use crate::http::Error;

/// Pages that wait for the reader beside those in flight.
const QUEUE_LENGTH: usize = 2;

/// The two ends of a stream of pages. `wake` is called whenever the receiving end has something new to say. Where
/// lists `may_overlap`, objects that come again are left out.
pub(crate) fn channel(
    may_overlap: bool,
    wake: impl Fn() + Send + Sync + 'static,
) -> (PageSender, mpsc::Receiver<Result<Page, Error>>, Arc<Demand>) {
    let (pages, receiver) = mpsc::channel(QUEUE_LENGTH);
    let demand = Arc::new(Demand::default());
    let sender = PageSender {
        pages: Some(pages),
        demand: Arc::clone(&demand),
        wake: Box::new(wake),
        sent: AtomicU64::new(0),
        sent_ids: may_overlap.then(Mutex::default),
    };
    (sender, receiver, demand)
}

/// How many pages the reader has asked for: what is not wanted is not fetched.
#[derive(Default)]
pub(crate) struct Demand {
    asked: AtomicU64,
    grown: Notify,
    /// Pagination came to the list's end: only then is having no more pages the end of the rows.
    finished: AtomicBool,
}

impl Demand {
    pub(crate) fn ask_for(&self, pages: u64) {
        if self.asked.fetch_max(pages, Ordering::AcqRel) < pages {
            self.grown.notify_waiters();
        }
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.finished.load(Ordering::Acquire)
    }
}

pub(crate) struct PageSender {
    /// There until pagination ends.
    pages: Option<mpsc::Sender<Result<Page, Error>>>,
    demand: Arc<Demand>,
    wake: Box<dyn Fn() + Send + Sync>,
    sent: AtomicU64,
    /// The ids of what was sent, where lists may overlap. There are no more of them than a few for each value that was
    /// asked for.
    sent_ids: Option<Mutex<HashSet<String>>>,
}

/// Nobody reads any more.
pub(crate) struct Closed;

impl PageSender {
    /// Sends a page; waits while the queue is full. A page without objects is of no interest to the reader.
    pub(crate) async fn send(&self, mut page: Page) -> Result<(), Closed> {
        if let Some(sent_ids) = &self.sent_ids {
            let mut ids = sent_ids.lock().unwrap_or_else(PoisonError::into_inner);
            let new: Vec<bool> = (0..page.len()).map(|object| ids.insert(page.id(object).into_owned())).collect();
            page.retain(|_, object| new[object]);
        }
        match page.is_empty() {
            true => Ok(()),
            false => self.hand_over(Ok(page)).await,
        }
    }

    /// Sends a page even if it has no objects, or the error that ends the stream.
    pub(crate) async fn hand_over(&self, page: Result<Page, Error>) -> Result<(), Closed> {
        let pages = self.pages.as_ref().ok_or(Closed)?;
        pages.send(page).await.map_err(|_| Closed)?;
        self.sent.fetch_add(1, Ordering::AcqRel);
        (self.wake)();
        Ok(())
    }

    /// Every page was sent.
    pub(crate) fn finish(&self) {
        self.demand.finished.store(true, Ordering::Release);
    }

    /// Waits until the reader wants more than it was sent.
    pub(crate) async fn wanted(&self) {
        loop {
            // Made before the look, so that what grows in between wakes it.
            let grown = self.demand.grown.notified();
            if self.demand.asked.load(Ordering::Acquire) > self.sent.load(Ordering::Acquire) {
                return;
            }
            grown.await;
        }
    }
}

impl Drop for PageSender {
    /// The end of the list is news as well. The channel must be closed before the reader looks.
    fn drop(&mut self) {
        self.pages = None;
        (self.wake)();
    }
}
