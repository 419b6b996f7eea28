//! Decides when the next request of a client may start: by the budget that it shares with others, a minimum interval, and
//! how many requests may be in flight.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::budget::{Budget, Priority, Start, Started};

/// A pause may be that much longer than a request's patience, because that is measured at another moment.
const SLACK: Duration = Duration::from_millis(100);

/// The limiter of one client, which all of its requests share.
pub(crate) struct RateLimiter {
    pub(crate) budget: Budget,
    interval: Duration,
    max_concurrency: usize,
    state: Mutex<State>,
    place_freed: Notify,
    /// Of the requests with one priority, only the first one looks at the budget; the others wait behind it.
    short_queue: tokio::sync::Mutex<()>,
    long_queue: tokio::sync::Mutex<()>,
    /// How many requests wait for the budget.
    waiting: AtomicUsize,
}

struct State {
    /// When the next request may start, for the fixed interval.
    next_start: Instant,
    in_flight: usize,
    /// How many requests may be in flight now. A 429 halves it, and successes increase it again.
    concurrency: usize,
    /// When `concurrency` was last halved.
    halved_at: Option<Instant>,
    /// Successes since `concurrency` last changed.
    successes: usize,
}

/// Why a request cannot start in the time that it has.
#[derive(Debug)]
pub(crate) struct Held {
    /// For how long Clerk has asked to send nothing.
    pub(crate) time: Duration,
}

impl RateLimiter {
    /// Lets requests start as the budget allows, at least `interval` apart and at most `max_concurrency` at once.
    pub(crate) fn new(budget: Budget, interval: Duration, max_concurrency: usize) -> Self {
        RateLimiter {
            budget,
            interval,
            max_concurrency,
            state: Mutex::new(State {
                next_start: Instant::now(),
                in_flight: 0,
                concurrency: max_concurrency,
                halved_at: None,
                successes: 0,
            }),
            place_freed: Notify::new(),
            short_queue: tokio::sync::Mutex::default(),
            long_queue: tokio::sync::Mutex::default(),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Waits until a request may start. It counts as in flight until its [`Permit`] is dropped.
    ///
    /// # Errors
    /// If Clerk asks to wait for so long that the request would be held back for longer than `patience`.
    pub(crate) async fn acquire(&self, priority: Priority, patience: Duration) -> Result<Permit<'_>, Held> {
        let waiting = Waiting::new(self, priority);
        let queue = match priority {
            Priority::Short => &self.short_queue,
            Priority::Long => &self.long_queue,
        };
        let _first = queue.lock().await;
        let mut held = Duration::ZERO;
        loop {
            // Whoever waits for the budget takes no place from those who need not.
            let place = self.acquire_place().await;
            let wait = match self.start(priority) {
                Ok(started) => {
                    waiting.end();
                    return Ok(Permit { place, started, since: Instant::now() });
                }
                Err(Start::Held(time)) if held.saturating_add(time) > patience.saturating_add(SLACK) => {
                    return Err(Held { time });
                }
                Err(Start::Held(time)) => {
                    // The others who wait for the budget want to know from time to time that this one still does.
                    let wait = time.min(Duration::from_millis(250));
                    held += wait;
                    wait
                }
                Err(Start::Wait(time)) => time,
                Err(Start::Started(_)) => Duration::ZERO,
            };
            drop(place);
            sleep(wait).await;
        }
    }

    fn start(&self, priority: Priority) -> Result<Started, Start> {
        let mut state = self.lock();
        let now = Instant::now();
        if state.next_start > now {
            return Err(Start::Wait(state.next_start - now));
        }
        match self.budget.start(priority, self.waiting.load(Ordering::Relaxed).max(1)) {
            Start::Started(started) => {
                state.next_start = saturating_add(now, self.interval);
                Ok(started)
            }
            wait => Err(wait),
        }
    }

    async fn acquire_place(&self) -> Place<'_> {
        loop {
            let place_freed = self.place_freed.notified();
            {
                let mut state = self.lock();
                if state.in_flight < state.concurrency {
                    state.in_flight += 1;
                    return Place { limiter: self };
                }
            }
            place_freed.await;
        }
    }

    /// Reacts to a 429: nobody starts a request for as long as Clerk asks, or for longer if that has not helped before,
    /// and fewer requests of this client may be in flight after it.
    pub(crate) fn refuse(&self, permit: &Permit<'_>, asked: Option<Duration>, patience: Duration) {
        self.budget.refuse(&permit.started, asked, patience);
        let mut state = self.lock();
        // Halved only once for all requests that were in flight together, because all of them get a 429.
        if state.halved_at.is_none_or(|halved_at| permit.since > halved_at) {
            state.concurrency = (state.concurrency / 2).max(1);
            state.successes = 0;
            state.halved_at = Some(Instant::now());
        }
    }

    /// Counts a success. After a 429, `concurrency` grows by one whenever as many requests as it allows have succeeded.
    pub(crate) fn record_success(&self, permit: &Permit<'_>) {
        self.budget.accept(&permit.started);
        let mut state = self.lock();
        if state.concurrency < self.max_concurrency {
            state.successes += 1;
            if state.successes >= state.concurrency {
                state.successes = 0;
                state.concurrency += 1;
                self.place_freed.notify_one();
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The time after a pause. If the clock cannot represent it, a time in 30 years, which is longer than any request
/// waits.
fn saturating_add(time: Instant, pause: Duration) -> Instant {
    const YEARS: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);
    time.checked_add(pause).unwrap_or_else(|| time + YEARS)
}

/// A request that waits for the budget, until it starts or gives up.
struct Waiting<'a> {
    limiter: &'a RateLimiter,
    priority: Priority,
    has_started: bool,
}

impl<'a> Waiting<'a> {
    fn new(limiter: &'a RateLimiter, priority: Priority) -> Self {
        limiter.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting { limiter, priority, has_started: false }
    }

    fn end(mut self) {
        self.has_started = true;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let before = self.limiter.waiting.fetch_sub(1, Ordering::Relaxed);
        if !self.has_started {
            self.limiter.budget.gave_up(self.priority, before - 1);
        }
    }
}

/// One of the requests that may be in flight.
struct Place<'a> {
    limiter: &'a RateLimiter,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.limiter.lock().in_flight -= 1;
        self.limiter.place_freed.notify_one();
    }
}

/// The permission to have one request in flight, until it is dropped.
pub(crate) struct Permit<'a> {
    place: Place<'a>,
    started: Started,
    since: Instant,
}

impl Permit<'_> {
    /// Waits for the head of the answer. Clerk may count the request at any time until then, so that its slot of the budget
    /// stays in use until then.
    pub(crate) async fn until_answered<T>(&self, answer: impl Future<Output = T>) -> T {
        /// A process that is killed leaves a time that is no older.
        const TOUCH: Duration = Duration::from_millis(200);
        let slot = InUse { limiter: self.place.limiter, started: &self.started };
        let mut answer = std::pin::pin!(answer);
        loop {
            match tokio::time::timeout(TOUCH, &mut answer).await {
                Ok(answer) => return answer,
                Err(_) => slot.touch(),
            }
        }
    }
}

/// A slot of the budget whose request is on its way, until it is answered or broken off.
struct InUse<'a> {
    limiter: &'a RateLimiter,
    started: &'a Started,
}

impl InUse<'_> {
    fn touch(&self) {
        self.limiter.budget.touch(self.started);
    }
}

impl Drop for InUse<'_> {
    fn drop(&mut self) {
        self.touch();
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::super::budget::Budgets;
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    fn limiter(limit: u32, interval_ms: u64, max_concurrency: usize) -> RateLimiter {
        let base = "https://api.clerk.com/v1".parse().unwrap();
        let budget = Budget::new(&Budgets::default(), &base, "sk_test_x", NonZeroU32::new(limit).unwrap());
        RateLimiter::new(budget, Duration::from_millis(interval_ms), max_concurrency)
    }

    #[tokio::test]
    async fn a_burst_starts_at_once_and_what_is_over_the_limit_later() {
        let limiter = limiter(100, 0, 1);
        let start = Instant::now();
        for _ in 0..92 {
            limiter.acquire(Priority::Long, PATIENCE).await.unwrap();
        }
        assert!(start.elapsed() < Duration::from_secs(1), "the burst waited");
        // The first start from the reserve is possible at once.
        limiter.acquire(Priority::Long, PATIENCE).await.unwrap();
        limiter.acquire(Priority::Long, PATIENCE).await.unwrap();
        assert!(start.elapsed() >= Duration::from_millis(1250), "the reserve was not paced");
    }

    #[tokio::test]
    async fn an_interval_separates_starts() {
        let limiter = limiter(1000, 50, 8);
        let start = Instant::now();
        for _ in 0..4 {
            limiter.acquire(Priority::Long, PATIENCE).await.unwrap();
        }
        assert!(start.elapsed() >= Duration::from_millis(150));
    }

    #[tokio::test]
    async fn a_hold_stops_those_already_waiting_and_narrows_what_follows() {
        let limiter = limiter(1000, 0, 8);
        let start = Instant::now();
        let first = limiter.acquire(Priority::Short, PATIENCE).await.unwrap();
        let second = limiter.acquire(Priority::Short, PATIENCE).await.unwrap();
        limiter.refuse(&first, Some(Duration::from_millis(200)), PATIENCE);
        limiter.refuse(&second, Some(Duration::from_millis(100)), PATIENCE);
        drop((first, second));
        assert_eq!(limiter.lock().concurrency, 4, "one narrowing a pause");
        let permits = (0..4).map(|_| limiter.acquire(Priority::Long, PATIENCE));
        let permits = futures_util::future::join_all(permits).await;
        assert!(start.elapsed() >= Duration::from_millis(200));
        assert!(
            tokio::time::timeout(Duration::from_millis(50), limiter.acquire(Priority::Short, PATIENCE)).await.is_err(),
            "a fifth ran beside the four"
        );
        for permit in permits {
            limiter.record_success(&permit.unwrap());
        }
        assert_eq!(limiter.lock().concurrency, 5);
    }

    #[tokio::test]
    async fn a_hold_that_is_too_long_is_an_error_at_once() {
        let limiter = limiter(1000, 0, 8);
        let first = limiter.acquire(Priority::Short, PATIENCE).await.unwrap();
        limiter.refuse(&first, Some(Duration::from_secs(30)), PATIENCE);
        let start = Instant::now();
        let held = limiter.acquire(Priority::Short, Duration::from_secs(20)).await.err().unwrap();
        assert!(held.time > Duration::from_secs(29) && start.elapsed() < Duration::from_secs(5));
    }

    #[tokio::test]
    async fn no_pause_is_too_long_for_the_clock() {
        let limiter = limiter(1000, u64::MAX, 8);
        let first = limiter.acquire(Priority::Short, PATIENCE).await.unwrap();
        limiter.refuse(&first, Some(Duration::MAX), Duration::MAX);
        drop(first);
        let permit = tokio::time::timeout(Duration::from_millis(50), limiter.acquire(Priority::Short, Duration::MAX));
        assert!(permit.await.is_err());
    }
}
