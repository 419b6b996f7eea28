//! Faults in answers and changes of the instance, and the requests at which they happen.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use serde::Deserialize;

use crate::request::Request;
use crate::state::State;

/// Which requests something happens to.
///
/// By default the first request to any path, once.
///
/// ```
/// use clerk_sim::When;
/// // The third and fourth page of users after the first.
/// let when = When::path("/v1/users").has("starting_after").nth(3).times(2);
/// ```
#[derive(Clone, Deserialize)]
pub struct When {
    method: Option<String>,
    path: Option<String>,
    path_prefix: Option<String>,
    /// Parameters that the request must have, with this value, or with any value for `None`.
    #[serde(default)]
    params: BTreeMap<String, Option<String>>,
    #[serde(default = "one")]
    nth: u64,
    /// For how many requests in a row; `None` is for all.
    #[serde(default = "once")]
    times: Option<u64>,
    #[serde(skip)]
    test: Option<Test>,
    /// How many requests have matched so far.
    #[serde(skip)]
    seen: u64,
}

type Test = Arc<dyn Fn(&Request) -> bool + Send + Sync>;

fn one() -> u64 {
    1
}

fn once() -> Option<u64> {
    Some(1)
}

impl When {
    /// Any request.
    pub fn any() -> When {
        When {
            method: None,
            path: None,
            path_prefix: None,
            params: BTreeMap::new(),
            nth: 1,
            times: Some(1),
            test: None,
            seen: 0,
        }
    }

    /// Requests to exactly this path, decoded and with `/v1`.
    pub fn path(path: impl Into<String>) -> When {
        When { path: Some(path.into()), ..When::any() }
    }

    /// Requests to every path with this prefix.
    pub fn under(prefix: impl Into<String>) -> When {
        When { path_prefix: Some(prefix.into()), ..When::any() }
    }

    /// Only those requests that also have this method, such as `POST`.
    pub fn method(mut self, method: impl Into<String>) -> When {
        self.method = Some(method.into());
        self
    }

    /// Only those requests that also have this query parameter with this value.
    pub fn with(mut self, parameter: impl Into<String>, value: impl Into<String>) -> When {
        self.params.insert(parameter.into(), Some(value.into()));
        self
    }

    /// Only those requests that also have this query parameter, with any value.
    pub fn has(mut self, parameter: impl Into<String>) -> When {
        self.params.insert(parameter.into(), None);
        self
    }

    /// Only those requests that also pass this test.
    pub fn test(mut self, test: impl Fn(&Request) -> bool + Send + Sync + 'static) -> When {
        self.test = Some(Arc::new(test));
        self
    }

    /// Not before the `nth` of the matching requests, counted from 1.
    pub fn nth(mut self, nth: u64) -> When {
        self.nth = nth;
        self
    }

    /// For so many matching requests in a row.
    pub fn times(mut self, times: u64) -> When {
        self.times = Some(times);
        self
    }

    /// For all matching requests from the `nth` on.
    pub fn always(mut self) -> When {
        self.times = None;
        self
    }

    /// Counts the request if it matches, and returns whether something happens to it.
    fn is_due(&mut self, request: &Request) -> bool {
        if !self.matches(request) {
            return false;
        }
        self.seen += 1;
        let index = self.seen.checked_sub(self.nth.max(1));
        index.is_some_and(|index| self.times.is_none_or(|times| index < times))
    }

    fn matches(&self, request: &Request) -> bool {
        let path = &request.path;
        self.method.as_ref().is_none_or(|method| *method == request.method)
            && self.path.as_ref().is_none_or(|wanted| wanted == path)
            && self.path_prefix.as_ref().is_none_or(|prefix| path.starts_with(prefix.as_str()))
            && self.params.iter().all(|(name, value)| match value {
                Some(value) => request.parameters(name).contains(&value.as_str()),
                None => request.parameter(name).is_some(),
            })
            && self.test.as_ref().is_none_or(|test| test(request))
    }
}

impl fmt::Debug for When {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("When")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("path_prefix", &self.path_prefix)
            .field("params", &self.params)
            .field("nth", &self.nth)
            .field("times", &self.times)
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}

/// A fault in the answers to certain requests.
///
/// If several faults apply to one request, the one that was added first decides. But faults that only make an answer
/// wrong ([`Fault::short_page`], [`Fault::unstable_ties`], [`Fault::miscount`], [`Fault::no_count`]) apply together.
///
/// ```
/// use clerk_sim::Fault;
/// let fault = Fault::status(500).on_path("/v1/users").nth(3).times(2);
/// ```
#[derive(Clone, Debug, Deserialize)]
pub struct Fault {
    #[serde(flatten)]
    pub(crate) kind: FaultKind,
    #[serde(flatten)]
    when: When,
}

/// The kind of a fault. In JSON its name is under `kind`, in snake case.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum FaultKind {
    Status { status: u16, retry_after: Option<u64> },
    Reset,
    Cut,
    CutJson,
    Html,
    Silence,
    LoseAnswer,
    WithholdAnswer,
    Slow { ms: u64 },
    Body { status: u16, body: String },
    RepeatPage,
    ShortPage { objects: usize },
    UnstableTies,
    Miscount { by: i64 },
    NoCount,
}

/// How an answer is distorted that still looks right.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Distortions {
    /// The maximum number of objects in a page.
    pub(crate) max_objects: Option<usize>,
    /// The seed for a random order of objects that are equal in the requested order.
    pub(crate) tie_seed: Option<u64>,
    /// The number that is added to a `total_count`.
    pub(crate) count_error: i64,
    /// Whether a `total_count` is left out.
    pub(crate) omits_count: bool,
}

impl Distortions {
    /// Adds a fault, and returns true, if it is one that distorts the answer.
    fn add(&mut self, kind: &FaultKind, seed: u64) -> bool {
        match *kind {
            FaultKind::ShortPage { objects } => self.max_objects = Some(objects),
            FaultKind::UnstableTies => self.tie_seed = Some(seed),
            FaultKind::Miscount { by } => self.count_error = self.count_error.saturating_add(by),
            FaultKind::NoCount => self.omits_count = true,
            _ => return false,
        }
        true
    }

    /// Distorts the `total_count` at the end of an answer.
    pub(crate) fn recount(&self, json: Vec<u8>) -> Vec<u8> {
        const NAME: &[u8] = br#","total_count":"#;
        let Some(place) = json.windows(NAME.len()).rposition(|part| part == NAME) else { return json };
        if self.count_error == 0 && !self.omits_count {
            return json;
        }
        let (before, count) = (&json[..place], &json[place + NAME.len()..]);
        let count = std::str::from_utf8(count).ok().and_then(|count| count.strip_suffix('}')?.parse::<u64>().ok());
        let Some(count) = count.filter(|_| !self.omits_count) else { return [before, b"}"].concat() };
        [before, NAME, count.saturating_add_signed(self.count_error).to_string().as_bytes(), b"}"].concat()
    }
}

impl Fault {
    fn new(kind: FaultKind) -> Fault {
        Fault { kind, when: When::any() }
    }

    /// An answer with this status and Clerk's error for it.
    pub fn status(status: u16) -> Fault {
        Fault::new(FaultKind::Status { status, retry_after: None })
    }

    /// 429, with `Retry-After` in seconds.
    pub fn too_many_requests(retry_after: u64) -> Fault {
        Fault::status(429).retry_after(retry_after)
    }

    /// The connection is reset before any byte of an answer.
    pub fn reset() -> Fault {
        Fault::new(FaultKind::Reset)
    }

    /// The head and half of the body are sent, then the connection ends.
    pub fn cut() -> Fault {
        Fault::new(FaultKind::Cut)
    }

    /// An answer of the right length whose JSON ends in the middle.
    pub fn cut_json() -> Fault {
        Fault::new(FaultKind::CutJson)
    }

    /// Status 200 with a page of HTML, such as a proxy may send.
    pub fn html() -> Fault {
        Fault::new(FaultKind::Html)
    }

    /// No answer, for as long as the client keeps the connection.
    pub fn silence() -> Fault {
        Fault::new(FaultKind::Silence)
    }

    /// The change that the request asks for is made, and then the connection is reset before any byte of an answer. A
    /// request that Clerk would refuse changes nothing, as always. [`Fault::reset`] makes no change.
    pub fn lose_answer() -> Fault {
        Fault::new(FaultKind::LoseAnswer)
    }

    /// As [`Fault::lose_answer`], with no answer for as long as the client keeps the connection.
    pub fn withhold_answer() -> Fault {
        Fault::new(FaultKind::WithholdAnswer)
    }

    /// The correct answer, later by this time.
    pub fn slow(by: Duration) -> Fault {
        let ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        Fault::new(FaultKind::Slow { ms })
    }

    /// This status and body, as `application/json`.
    pub fn body(status: u16, body: impl Into<String>) -> Fault {
        let body = body.into();
        Fault::new(FaultKind::Body { status, body })
    }

    /// The last page that was sent from the same path is sent again, whatever the cursor or offset is. Pages are kept
    /// from the moment on when the fault is added; if there is none yet, the correct answer is sent.
    pub fn repeat_page() -> Fault {
        Fault::new(FaultKind::RepeatPage)
    }

    /// A page with at most so many objects, although more belong to it; with none, it is empty. Its `total_count` stays
    /// correct.
    pub fn short_page(objects: usize) -> Fault {
        Fault::new(FaultKind::ShortPage { objects })
    }

    /// Objects that are equal in the requested order come in a different order in each answer, also behind
    /// `starting_after`.
    pub fn unstable_ties() -> Fault {
        Fault::new(FaultKind::UnstableTies)
    }

    /// The `total_count` of a list or of `/users/count` is too high by this number, or too low if it is negative.
    pub fn miscount(by: i64) -> Fault {
        Fault::new(FaultKind::Miscount { by })
    }

    /// A list or `/users/count` is answered without its `total_count`.
    pub fn no_count() -> Fault {
        Fault::new(FaultKind::NoCount)
    }

    /// Sends `Retry-After`, in seconds, with a [`Fault::status`].
    pub fn retry_after(mut self, seconds: u64) -> Fault {
        if let FaultKind::Status { retry_after, .. } = &mut self.kind {
            *retry_after = Some(seconds);
        }
        self
    }

    /// Sets the requests at which the fault happens.
    pub fn when(mut self, when: When) -> Fault {
        self.when = when;
        self
    }

    /// See [`When::path`].
    pub fn on_path(mut self, path: impl Into<String>) -> Fault {
        self.when.path = Some(path.into());
        self
    }

    /// See [`When::method`].
    pub fn on_method(mut self, method: impl Into<String>) -> Fault {
        self.when = self.when.method(method);
        self
    }

    /// See [`When::under`].
    pub fn under(mut self, prefix: impl Into<String>) -> Fault {
        self.when.path_prefix = Some(prefix.into());
        self
    }

    /// See [`When::with`].
    pub fn with(mut self, parameter: impl Into<String>, value: impl Into<String>) -> Fault {
        self.when = self.when.with(parameter, value);
        self
    }

    /// See [`When::has`].
    pub fn has(mut self, parameter: impl Into<String>) -> Fault {
        self.when = self.when.has(parameter);
        self
    }

    /// See [`When::nth`].
    pub fn nth(mut self, nth: u64) -> Fault {
        self.when = self.when.nth(nth);
        self
    }

    /// See [`When::times`].
    pub fn times(mut self, times: u64) -> Fault {
        self.when = self.when.times(times);
        self
    }

    /// See [`When::always`].
    pub fn always(mut self) -> Fault {
        self.when = self.when.always();
        self
    }
}

pub(crate) type Action = Box<dyn FnOnce(&mut State) + Send>;

/// What is due for one request.
pub(crate) struct Due {
    /// Changes to be made before the request is answered.
    pub(crate) changes: Vec<Action>,
    pub(crate) fault: Option<FaultKind>,
    pub(crate) distortions: Distortions,
}

/// The faults and changes that wait for their requests.
#[derive(Default)]
pub(crate) struct Plan {
    faults: Vec<Fault>,
    changes: Vec<(When, Action)>,
    /// The last page that was sent from each path, for faults that repeat one.
    pages: HashMap<String, Bytes>,
}

impl Plan {
    pub(crate) fn add_fault(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    pub(crate) fn add_change(&mut self, when: When, action: Action) {
        self.changes.push((when, action));
    }

    pub(crate) fn clear(&mut self) {
        *self = Plan::default();
    }

    /// Keeps a page that was sent, if there is a fault that repeats pages.
    pub(crate) fn sent(&mut self, path: &str, page: &Bytes) {
        if self.faults.iter().any(|fault| matches!(fault.kind, FaultKind::RepeatPage)) {
            self.pages.insert(path.to_owned(), page.clone());
        }
    }

    pub(crate) fn page_before(&self, path: &str) -> Option<Bytes> {
        self.pages.get(path).cloned()
    }

    /// Counts the request for every fault and change that matches it, and returns what is due: the changes, the fault
    /// that was added first, and all distortions. `number` is the request's number in the log, which seeds the order of
    /// ties.
    pub(crate) fn due(&mut self, request: &Request, number: usize) -> Due {
        let mut changes = Vec::new();
        let mut waiting = Vec::new();
        for (mut when, action) in self.changes.drain(..) {
            if when.is_due(request) {
                changes.push(action);
            } else {
                waiting.push((when, action));
            }
        }
        self.changes = waiting;

        let mut first_fault = None;
        let mut distortions = Distortions::default();
        for fault in &mut self.faults {
            if fault.when.is_due(request) && !distortions.add(&fault.kind, number as u64) && first_fault.is_none() {
                first_fault = Some(fault.kind.clone());
            }
        }
        Due { changes, fault: first_fault, distortions }
    }
}
