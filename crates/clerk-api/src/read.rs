//! Reading an object's list or one object: what to ask for, and the pages as they come.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use crate::client::Client;
use crate::error::Error;
use crate::object::{Key, Object};
use crate::page::{Locator, Page, Projection};
use crate::walk;

/// As many objects as Clerk puts in one page.
pub const LARGEST_PAGE: u32 = 500;

/// Pages that wait for the reader beside those in flight.
const QUEUE: usize = 2;

/// What to read.
#[derive(Debug, Clone)]
pub struct Read {
    pub object: &'static Object,
    pub from: From,
    /// The values that each page shall find.
    pub values: Vec<Locator>,
    /// Query parameters that Clerk needs to send some of the values.
    pub asks: Vec<(&'static str, &'static str)>,
    /// Objects in a page.
    pub page_size: u32,
    /// How many objects are likely enough: the first page is no larger.
    pub enough: Option<u32>,
}

/// Which of an object's list to read.
#[derive(Debug, Clone)]
pub enum From {
    /// The whole instance.
    All,
    /// What has this value in that column.
    Key { key: &'static Key, value: String },
}

impl Read {
    /// All objects of the instance, in pages as large as they can be.
    pub fn all(object: &'static Object, values: Vec<Locator>) -> Self {
        Read { object, from: From::All, values, asks: Vec::new(), page_size: LARGEST_PAGE, enough: None }
    }

    /// Starts reading on the current tokio runtime. `wake` is called, on that runtime, whenever
    /// [`Reader::poll`] has something new to say; it must not block.
    pub fn start(self, client: Arc<Client>, wake: impl Fn() + Send + Sync + 'static) -> Reader {
        let (pages, receiver) = mpsc::channel(QUEUE);
        let demand = Arc::new(Demand::default());
        let out = Out { pages: Some(pages), demand: Arc::clone(&demand), wake: Box::new(wake), sent: 0 };
        let task = tokio::spawn(walk::walk(client, self, out));
        Reader { pages: receiver, demand, received: 0, ended: false, task }
    }
}

/// Pages on their way. Dropping it stops the reading and closes what is in flight.
pub struct Reader {
    pages: mpsc::Receiver<Result<Page, Error>>,
    demand: Arc<Demand>,
    received: u64,
    ended: bool,
    task: JoinHandle<()>,
}

/// What a [`Reader`] has to say.
#[derive(Debug)]
pub enum Next {
    /// The next page, or why there is none; after an error comes nothing more.
    Page(Result<Page, Error>),
    /// Nothing yet.
    Pending,
    /// Every page was handed over.
    End,
}

impl Reader {
    /// The next page if it is there. Asking is what makes the reading go on past the first page.
    pub fn poll(&mut self) -> Next {
        self.demand.ask_for(self.received + 1);
        match self.pages.try_recv() {
            Ok(page) => {
                self.received += 1;
                // An error is the last that comes.
                self.ended = page.is_err();
                Next::Page(page)
            }
            Err(mpsc::error::TryRecvError::Empty) => Next::Pending,
            Err(mpsc::error::TryRecvError::Disconnected) if self.ended => Next::End,
            Err(mpsc::error::TryRecvError::Disconnected) => {
                self.ended = true;
                match self.demand.finished.load(Ordering::Acquire) {
                    true => Next::End,
                    false => Next::Page(Err(Error::BrokenOff)),
                }
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// How many pages the reader has asked for: what is not wanted is not fetched.
#[derive(Default)]
struct Demand {
    asked: AtomicU64,
    grown: Notify,
    /// The walk came to the list's end: only then is having no more pages the end of the rows.
    finished: AtomicBool,
}

impl Demand {
    fn ask_for(&self, pages: u64) {
        if self.asked.fetch_max(pages, Ordering::AcqRel) < pages {
            self.grown.notify_one();
        }
    }
}

/// Where a walk puts its pages.
pub(crate) struct Out {
    /// There until the walk ends.
    pages: Option<mpsc::Sender<Result<Page, Error>>>,
    demand: Arc<Demand>,
    wake: Box<dyn Fn() + Send + Sync>,
    sent: u64,
}

/// Nobody reads any more.
pub(crate) struct Closed;

impl Out {
    /// Hands over a page; waits while the queue is full. Empty pages are of no interest to the reader.
    pub(crate) async fn send(&mut self, page: Result<Page, Error>) -> Result<(), Closed> {
        if matches!(&page, Ok(page) if page.is_empty()) {
            return Ok(());
        }
        let pages = self.pages.as_ref().ok_or(Closed)?;
        pages.send(page).await.map_err(|_| Closed)?;
        self.sent += 1;
        (self.wake)();
        Ok(())
    }

    /// Every page was handed over.
    pub(crate) fn finish(&self) {
        self.demand.finished.store(true, Ordering::Release);
    }

    /// Waits until the reader wants more than it was sent.
    pub(crate) async fn wanted(&self) {
        while self.demand.asked.load(Ordering::Acquire) <= self.sent {
            self.demand.grown.notified().await;
        }
    }
}

impl Drop for Out {
    /// The end of the list is news as well. The channel must be closed before the reader looks.
    fn drop(&mut self) {
        self.pages = None;
        (self.wake)();
    }
}

/// What every walk works with.
pub(crate) struct Walk {
    pub(crate) client: Arc<Client>,
    pub(crate) projection: Arc<Projection>,
    pub(crate) asks: Vec<(&'static str, &'static str)>,
    pub(crate) page_size: u32,
    pub(crate) first_page: u32,
}

impl Walk {
    pub(crate) fn new(client: Arc<Client>, read: &Read) -> Self {
        let page_size = read.page_size.clamp(1, LARGEST_PAGE);
        Walk {
            client,
            projection: Projection::new(&read.values).into(),
            asks: read.asks.clone(),
            page_size,
            first_page: read.enough.unwrap_or(page_size).clamp(1, page_size),
        }
    }
}
