//! The channel on which pagination sends pages to the consumer, and learns how many the consumer asks for.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, mpsc};

use crate::decode::Page;
use crate::http::Error;

/// How many pages wait in the channel for the consumer. Two let the next page arrive while one is processed.
const QUEUE_LENGTH: usize = 2;

/// Creates the two ends of a stream of pages. `wake` is called whenever the receiving end has a new result. If lists
/// `may_overlap`, objects that were sent before are left out.
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
        sent_pages: AtomicU64::new(0),
        sent_ids: may_overlap.then(Mutex::default),
    };
    (sender, receiver, demand)
}

/// How many pages the consumer has asked for. Pages that it does not ask for are not fetched.
#[derive(Default)]
pub(crate) struct Demand {
    requested_pages: AtomicU64,
    increased: Notify,
    /// Pagination reached the end of the list. If the channel closes without this, rows are missing.
    finished: AtomicBool,
}

impl Demand {
    pub(crate) fn request_pages(&self, pages: u64) {
        if self.requested_pages.fetch_max(pages, Ordering::AcqRel) < pages {
            self.increased.notify_waiters();
        }
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.finished.load(Ordering::Acquire)
    }
}

pub(crate) struct PageSender {
    /// `None` once pagination has ended.
    pages: Option<mpsc::Sender<Result<Page, Error>>>,
    demand: Arc<Demand>,
    wake: Box<dyn Fn() + Send + Sync>,
    sent_pages: AtomicU64,
    /// The ids of the objects that were sent, if lists may overlap. Those are lookups by values, which find few objects
    /// for each value, and lists in two parts, which are short, so this set stays small.
    sent_ids: Option<Mutex<HashSet<String>>>,
}

/// The error that the consumer is gone.
pub(crate) struct Closed;

impl PageSender {
    /// Sends a page, and waits while the channel is full. A page without objects is not sent, because the consumer does
    /// not need it.
    pub(crate) async fn send(&self, mut page: Page) -> Result<(), Closed> {
        if let Some(sent_ids) = &self.sent_ids {
            let mut ids = sent_ids.lock().unwrap_or_else(PoisonError::into_inner);
            let new: Vec<bool> = (0..page.len()).map(|object| ids.insert(page.id(object).into_owned())).collect();
            page.retain(|_, object| new[object]);
        }
        let page = page.into_rows();
        match page.is_empty() {
            true => Ok(()),
            false => self.send_result(Ok(page)).await,
        }
    }

    /// Sends a page even if it has no objects, or the error that ends the stream.
    pub(crate) async fn send_result(&self, page: Result<Page, Error>) -> Result<(), Closed> {
        let pages = self.pages.as_ref().ok_or(Closed)?;
        pages.send(page).await.map_err(|_| Closed)?;
        self.sent_pages.fetch_add(1, Ordering::AcqRel);
        (self.wake)();
        Ok(())
    }

    /// Records that every page was sent.
    pub(crate) fn finish(&self) {
        self.demand.finished.store(true, Ordering::Release);
    }

    /// Waits until the consumer asks for more pages than were sent.
    pub(crate) async fn wait_for_demand(&self) {
        loop {
            // The notification is registered before the check, so that an increase in between is not missed.
            let increased = self.demand.increased.notified();
            if self.demand.requested_pages.load(Ordering::Acquire) > self.sent_pages.load(Ordering::Acquire) {
                return;
            }
            increased.await;
        }
    }
}

impl Drop for PageSender {
    /// Wakes the consumer for the end of the list. The channel must be closed before, so that the consumer sees the
    /// end.
    fn drop(&mut self) {
        self.pages = None;
        (self.wake)();
    }
}
