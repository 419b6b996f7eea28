//! When the next request may start: the rate limit, a fixed interval, and what Clerk asked for.

use std::sync::Mutex;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

/// Clerk counts requests in windows of this length, and so does the `rate_limit` setting.
const WINDOW: Duration = Duration::from_secs(10);

/// After a pause that Clerk asked for, waiting backends spread over this much time instead of all starting at once.
const SPREAD: Duration = Duration::from_millis(250);

/// Shared by all requests of one client, so that one 429 makes every one of them wait.
pub(crate) struct RateLimiter {
    bucket: DefaultDirectRateLimiter,
    clock: DefaultClock,
    interval: Duration,
    widest: usize,
    state: Mutex<State>,
    freed: Notify,
}

struct State {
    /// No request starts before this.
    not_before: Instant,
    /// When the last request started, for the fixed interval.
    next_start: Instant,
    in_flight: usize,
    /// Requests allowed in flight now: halved by a 429, widened again by success.
    width: usize,
    successes: usize,
}

impl RateLimiter {
    /// `rate_limit` requests in 10 seconds, as a token bucket of that depth, at least `interval` apart,
    /// at most `widest` at once.
    pub(crate) fn new(rate_limit: std::num::NonZeroU32, interval: Duration, widest: usize) -> Self {
        let quota = Quota::with_period(WINDOW / rate_limit.get())
            .unwrap_or_else(|| Quota::per_second(std::num::NonZeroU32::MAX))
            .allow_burst(rate_limit);
        let now = Instant::now();
        RateLimiter {
            bucket: governor::RateLimiter::direct(quota),
            clock: DefaultClock::default(),
            interval,
            widest,
            state: Mutex::new(State { not_before: now, next_start: now, in_flight: 0, width: widest, successes: 0 }),
            freed: Notify::new(),
        }
    }

    /// Waits until a request may start. It counts as in flight until the [`Turn`] is dropped.
    pub(crate) async fn acquire(&self) -> Permit<'_> {
        let permit = self.place().await;
        while let Err(not_until) = self.bucket.check() {
            sleep(not_until.wait_time_from(self.clock.now())).await;
        }
        loop {
            // The pause may have been set, or grown, while this request slept.
            let start = {
                let mut state = self.lock();
                let start = state.not_before.max(state.next_start);
                if start <= Instant::now() {
                    state.next_start = after(Instant::now(), self.interval);
                    return permit;
                }
                start
            };
            sleep_until(start).await;
        }
    }

    async fn place(&self) -> Permit<'_> {
        loop {
            let freed = self.freed.notified();
            {
                let mut state = self.lock();
                if state.in_flight < state.width {
                    state.in_flight += 1;
                    return Permit { limiter: self };
                }
            }
            freed.await;
        }
    }

    /// Clerk said 429: nothing starts for `pause`, and fewer requests run at once after it.
    pub(crate) fn hold(&self, pause: Duration) {
        let now = Instant::now();
        let mut state = self.lock();
        if state.not_before <= now {
            // One narrowing a pause: the requests that were in flight together all get their 429.
            state.width = (state.width / 2).max(1);
            state.successes = 0;
        }
        state.not_before = state.not_before.max(after(now, pause.saturating_add(SPREAD.mul_f64(fastrand::f64()))));
    }

    /// A request succeeded: after a 429 the way back to full width is one more for each full round.
    pub(crate) fn succeeded(&self) {
        let mut state = self.lock();
        if state.width < self.widest {
            state.successes += 1;
            if state.successes >= state.width {
                state.successes = 0;
                state.width += 1;
                self.freed.notify_one();
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// So much later, or later than anybody waits where no clock goes that far.
fn after(time: Instant, pause: Duration) -> Instant {
    const YEARS: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);
    time.checked_add(pause).unwrap_or_else(|| time + YEARS)
}

/// A place among the requests in flight.
pub(crate) struct Permit<'a> {
    limiter: &'a RateLimiter,
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.limiter.lock().in_flight -= 1;
        self.limiter.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;

    fn limiter(limit: u32, interval_ms: u64, widest: usize) -> RateLimiter {
        RateLimiter::new(NonZeroU32::new(limit).unwrap(), Duration::from_millis(interval_ms), widest)
    }

    #[tokio::test]
    async fn a_full_bucket_starts_at_once_and_then_drips() {
        let limiter = limiter(100, 0, 1);
        let start = Instant::now();
        for _ in 0..100 {
            limiter.acquire().await;
        }
        assert!(start.elapsed() < Duration::from_millis(90), "the burst waited");
        for _ in 0..3 {
            limiter.acquire().await;
        }
        assert!(start.elapsed() >= Duration::from_millis(190), "the bucket did not run dry");
    }

    #[tokio::test]
    async fn an_interval_separates_starts() {
        let limiter = limiter(1000, 50, 8);
        let start = Instant::now();
        for _ in 0..4 {
            limiter.acquire().await;
        }
        assert!(start.elapsed() >= Duration::from_millis(150));
    }

    #[tokio::test]
    async fn a_hold_stops_those_already_waiting_and_narrows_what_follows() {
        let limiter = limiter(1000, 0, 8);
        let start = Instant::now();
        limiter.hold(Duration::from_millis(200));
        limiter.hold(Duration::from_millis(100));
        assert_eq!(limiter.lock().width, 4, "one narrowing a pause");
        let permits = futures_util::future::join_all((0..4).map(|_| limiter.acquire())).await;
        assert!(start.elapsed() >= Duration::from_millis(200));
        assert!(
            tokio::time::timeout(Duration::from_millis(50), limiter.acquire()).await.is_err(),
            "a fifth ran beside the four"
        );
        drop(permits);
        for _ in 0..4 {
            limiter.succeeded();
        }
        assert_eq!(limiter.lock().width, 5);
    }

    #[tokio::test]
    async fn no_pause_is_too_long_for_the_clock() {
        let limiter = limiter(1000, u64::MAX, 8);
        drop(limiter.acquire().await);
        limiter.hold(Duration::MAX);
        let permit = tokio::time::timeout(Duration::from_millis(50), limiter.acquire());
        assert!(permit.await.is_err());
    }
}
