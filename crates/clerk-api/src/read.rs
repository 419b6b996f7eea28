//! Reading an object's list or one object: what to ask for, and the pages as they come.

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use url::form_urlencoded::byte_serialize;

use crate::client::Client;
use crate::error::Error;
use crate::object::{Answer, Key, MOST_VALUES, Object};
use crate::page::{Locator, Page, Projection};
use crate::stats::Stats;
use crate::walk::{self, Mark};

/// As many objects as Clerk puts in one page.
pub const LARGEST_PAGE: u32 = 500;

/// With fewer pages than this, finding out how to read a list with cursors side by side takes longer than reading them.
pub const FEWEST_PAGES: u64 = 8;

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
    /// Where a list that is read by offset shall go on: the mark of the last page that an earlier reading handed over.
    pub after: Option<Mark>,
}

/// Which of an object's list to read.
#[derive(Debug, Clone)]
pub enum From {
    /// What these parameters leave of the instance's list, in this order if it matters.
    List { filters: Filters, order: Option<Ordered> },
    /// As `List`, once for each hundred values of one parameter.
    Batches { parameter: &'static str, values: Vec<String>, filters: Filters },
    /// What has one of these values in that column; the parameters narrow each of their lists.
    Keys { key: &'static Key, values: Vec<String>, filters: Filters, order: Option<Ordered> },
    /// The one object that the object's endpoint gives.
    Itself,
    /// No object, only how many there are, in the instance's list or below one value of a key whose answer is a list:
    /// see [`Page::total_count`].
    Count { below: Option<(&'static Key, String)>, filters: Filters },
    /// Pages picked at random, enough of them for so many objects of that total.
    Sample { wanted: u64, total: u64 },
}

impl From {
    /// Whether two of its lists may hold the same object: a user has several addresses, each of which finds them, in
    /// either case of its letters; and an organization is found by its slug and by its id where a slug is asked for.
    fn may_overlap(&self) -> bool {
        match self {
            From::Batches { values, .. } => batches(values).nth(1).is_some(),
            From::Keys { key, values, .. } => key.answer == Answer::One && values.len() > 1,
            _ => false,
        }
    }
}

/// Values of one parameter in groups that one request can carry: as many as Clerk takes, and no more than the length
/// of a URL allows.
pub fn batches(values: &[String]) -> impl Iterator<Item = &[String]> {
    let mut rest = values;
    std::iter::from_fn(move || {
        let mut length = 0;
        let fitting = rest.iter().take(MOST_VALUES).take_while(|value| {
            length += ROOM_FOR_NAME + byte_serialize(value.as_bytes()).map(str::len).sum::<usize>();
            length <= LONGEST_VALUES
        });
        // A value that is too long by itself is sent alone, for Clerk to refuse.
        let (batch, others) = rest.split_at(fitting.count().max(1).min(rest.len()));
        rest = others;
        (!batch.is_empty()).then_some(batch)
    })
}

/// Servers take URLs of 8 KB; the path and other parameters need some of it.
const LONGEST_VALUES: usize = 6000;

/// For a parameter's name with `=` and `&`.
const ROOM_FOR_NAME: usize = 16;

/// Whether one request can carry these values of one parameter.
pub fn fit_one_request(values: &[String]) -> bool {
    batches(values).nth(1).is_none() && values.iter().all(|value| fits(value))
}

/// Whether a request can carry a value.
pub fn fits(value: &str) -> bool {
    byte_serialize(value.as_bytes()).map(str::len).sum::<usize>() <= LONGEST_VALUES - ROOM_FOR_NAME
}

/// Query parameters; a name may repeat.
pub type Filters = Vec<(&'static str, String)>;

/// An order that the pages shall come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ordered {
    /// What `order_by` calls it.
    pub parameter: &'static str,
    pub descending: bool,
}

/// The order of every list whose order does not matter: new objects come last and nothing moves.
pub const OLDEST_FIRST: Ordered = Ordered { parameter: "created_at", descending: false };

impl fmt::Display for Ordered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.descending { "-" } else { "" })?;
        f.write_str(self.parameter)
    }
}

impl Read {
    /// All objects of the instance, in pages as large as they can be.
    pub fn all(object: &'static Object, values: Vec<Locator>) -> Self {
        Read {
            object,
            from: From::List { filters: Vec::new(), order: None },
            values,
            asks: Vec::new(),
            page_size: LARGEST_PAGE,
            enough: None,
            after: None,
        }
    }

    /// Starts reading on the current tokio runtime. `wake` is called, on that runtime, whenever
    /// [`Reader::poll`] has something new to say; it must not block.
    pub fn start(self, client: Arc<Client>, wake: impl Fn() + Send + Sync + 'static) -> Reader {
        let (pages, receiver) = mpsc::channel(QUEUE);
        let demand = Arc::new(Demand::default());
        let stats = Arc::new(Stats::default());
        let out = Out {
            pages: Some(pages),
            demand: Arc::clone(&demand),
            wake: Box::new(wake),
            sent: AtomicU64::new(0),
            handed_over: self.from.may_overlap().then(Mutex::default),
        };
        let task = tokio::spawn(walk::walk(client, self, out, Arc::clone(&stats)));
        Reader { pages: receiver, demand, received: 0, ended: false, stats, task }
    }
}

/// Pages on their way. Dropping it stops the reading and closes what is in flight.
pub struct Reader {
    pages: mpsc::Receiver<Result<Page, Error>>,
    demand: Arc<Demand>,
    received: u64,
    ended: bool,
    stats: Arc<Stats>,
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

impl Reader {
    /// What the reading has cost so far.
    pub fn stats(&self) -> &Stats {
        &self.stats
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
            self.grown.notify_waiters();
        }
    }
}

/// Where a walk puts its pages.
pub(crate) struct Out {
    /// There until the walk ends.
    pages: Option<mpsc::Sender<Result<Page, Error>>>,
    demand: Arc<Demand>,
    wake: Box<dyn Fn() + Send + Sync>,
    sent: AtomicU64,
    /// The ids of what was handed over, where lists may overlap. There are no more of them than a few for each value
    /// that was asked for.
    handed_over: Option<Mutex<HashSet<String>>>,
}

/// Nobody reads any more.
pub(crate) struct Closed;

impl Out {
    /// Hands over a page; waits while the queue is full. A page without objects is of no interest to the reader.
    pub(crate) async fn send(&self, mut page: Page) -> Result<(), Closed> {
        if let Some(handed_over) = &self.handed_over {
            let mut ids = handed_over.lock().unwrap_or_else(PoisonError::into_inner);
            let new: Vec<bool> = (0..page.len()).map(|object| ids.insert(page.id(object).into_owned())).collect();
            page.retain(|_, object| new[object]);
        }
        match page.is_empty() {
            true => Ok(()),
            false => self.hand_over(Ok(page)).await,
        }
    }

    /// Hands over whatever it is.
    pub(crate) async fn hand_over(&self, page: Result<Page, Error>) -> Result<(), Closed> {
        let pages = self.pages.as_ref().ok_or(Closed)?;
        pages.send(page).await.map_err(|_| Closed)?;
        self.sent.fetch_add(1, Ordering::AcqRel);
        (self.wake)();
        Ok(())
    }

    /// Every page was handed over.
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
    /// The reader will probably stop early: what it may not need is not begun before it asks.
    pub(crate) is_limited: bool,
    pub(crate) after: Option<Mark>,
    pub(crate) stats: Arc<Stats>,
}

impl Walk {
    pub(crate) fn new(client: Arc<Client>, read: &Read, stats: Arc<Stats>) -> Self {
        let page_size = read.page_size.clamp(1, LARGEST_PAGE);
        Walk {
            client,
            projection: Projection::new(&read.values).into(),
            asks: read.asks.clone(),
            page_size,
            first_page: read.enough.unwrap_or(page_size).clamp(1, page_size),
            is_limited: read.enough.is_some(),
            after: read.after.clone(),
            stats,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_hold_a_hundred_values_or_what_a_url_can() {
        let sizes = |values: Vec<String>| batches(&values).map(<[String]>::len).collect::<Vec<_>>();
        assert_eq!(sizes((0..250).map(|n| format!("user_{n:027}")).collect()), [100, 100, 50]);
        assert_eq!(sizes(vec!["ü".repeat(300); 5]), [3, 2], "six bytes in a URL for each");
        assert_eq!(sizes(vec!["x".repeat(9000), "y".to_owned()]), [1, 1]);
        assert_eq!(sizes(vec![]), [] as [usize; 0]);
        assert!(fits("x") && !fits(&"x".repeat(9000)));
        assert!(!fit_one_request(&vec!["x".to_owned(); 101]));
    }
}
