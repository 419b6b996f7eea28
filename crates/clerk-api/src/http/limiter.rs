//! Decides when the next request may start: by the rate limit, a minimum interval and the pauses that Clerk asks for.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use governor::Quota;
use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

/// Clerk counts requests in windows of this length, and so does the `rate_limit` setting.
const WINDOW: Duration = Duration::from_secs(10);

/// A pause that Clerk asks for is made longer by a random time of up to this much, so that backends that wait for the
/// same pause do not all start at once.
const SPREAD: Duration = Duration::from_millis(250);

/// The limiter of one client. All of its requests share it, so that a 429 for one of them makes all of them wait.
pub(crate) struct RateLimiter {
    bucket: governor::RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>,
    /// How many requests the bucket let start at once, when the last one started.
    remaining: AtomicU32,
    clock: DefaultClock,
    interval: Duration,
    max_concurrency: usize,
    state: Mutex<State>,
    slot_freed: Notify,
}

struct State {
    /// No request starts before this.
    not_before: Instant,
    /// When the last request started, for the fixed interval.
    next_start: Instant,
    in_flight: usize,
    /// How many requests may be in flight now. A 429 halves it, and successes increase it again.
    concurrency: usize,
    /// Successes since `concurrency` last changed.
    successes: usize,
}

impl RateLimiter {
    /// Allows `rate_limit` requests in 10 seconds, as a token bucket that holds as many, at least `interval` apart and
    /// at most `max_concurrency` at once.
    pub(crate) fn new(rate_limit: std::num::NonZeroU32, interval: Duration, max_concurrency: usize) -> Self {
        let quota = Quota::with_period(WINDOW / rate_limit.get())
            .unwrap_or_else(|| Quota::per_second(std::num::NonZeroU32::MAX))
            .allow_burst(rate_limit);
        let now = Instant::now();
        RateLimiter {
            bucket: governor::RateLimiter::direct(quota).with_middleware(),
            remaining: AtomicU32::new(rate_limit.get()),
            clock: DefaultClock::default(),
            interval,
            max_concurrency,
            state: Mutex::new(State {
                not_before: now,
                next_start: now,
                in_flight: 0,
                concurrency: max_concurrency,
                successes: 0,
            }),
            slot_freed: Notify::new(),
        }
    }

    /// Waits until a request may start. The request counts as in flight until its [`Permit`] is dropped.
    pub(crate) async fn acquire(&self) -> Permit<'_> {
        let permit = self.acquire_slot().await;
        loop {
            match self.bucket.check() {
                Ok(state) => break self.remaining.store(state.remaining_burst_capacity(), Ordering::Relaxed),
                Err(not_until) => sleep(not_until.wait_time_from(self.clock.now())).await,
            }
        }
        loop {
            // The pause may have been set, or grown, while this request slept.
            let start = {
                let mut state = self.lock();
                let start = state.not_before.max(state.next_start);
                if start <= Instant::now() {
                    state.next_start = saturating_add(Instant::now(), self.interval);
                    return permit;
                }
                start
            };
            sleep_until(start).await;
        }
    }

    /// How many requests may start at once now, before others have to wait.
    pub(crate) fn remaining(&self) -> u32 {
        self.remaining.load(Ordering::Relaxed)
    }

    async fn acquire_slot(&self) -> Permit<'_> {
        loop {
            let slot_freed = self.slot_freed.notified();
            {
                let mut state = self.lock();
                if state.in_flight < state.concurrency {
                    state.in_flight += 1;
                    return Permit { limiter: self };
                }
            }
            slot_freed.await;
        }
    }

    /// Reacts to a 429: no request starts for `pause`, and fewer requests may be in flight after it.
    pub(crate) fn pause(&self, pause: Duration) {
        let now = Instant::now();
        let mut state = self.lock();
        if state.not_before <= now {
            // Halved only once in a pause, because all requests that were in flight together get a 429.
            state.concurrency = (state.concurrency / 2).max(1);
            state.successes = 0;
        }
        state.not_before =
            state.not_before.max(saturating_add(now, pause.saturating_add(SPREAD.mul_f64(fastrand::f64()))));
    }

    /// Counts a success. After a 429, `concurrency` grows by one whenever as many requests as it allows have succeeded.
    pub(crate) fn record_success(&self) {
        let mut state = self.lock();
        if state.concurrency < self.max_concurrency {
            state.successes += 1;
            if state.successes >= state.concurrency {
                state.successes = 0;
                state.concurrency += 1;
                self.slot_freed.notify_one();
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

/// The permission to have one request in flight, until it is dropped.
pub(crate) struct Permit<'a> {
    limiter: &'a RateLimiter,
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.limiter.lock().in_flight -= 1;
        self.limiter.slot_freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;

    fn limiter(limit: u32, interval_ms: u64, max_concurrency: usize) -> RateLimiter {
        RateLimiter::new(NonZeroU32::new(limit).unwrap(), Duration::from_millis(interval_ms), max_concurrency)
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
        limiter.pause(Duration::from_millis(200));
        limiter.pause(Duration::from_millis(100));
        assert_eq!(limiter.lock().concurrency, 4, "one narrowing a pause");
        let permits = futures_util::future::join_all((0..4).map(|_| limiter.acquire())).await;
        assert!(start.elapsed() >= Duration::from_millis(200));
        assert!(
            tokio::time::timeout(Duration::from_millis(50), limiter.acquire()).await.is_err(),
            "a fifth ran beside the four"
        );
        drop(permits);
        for _ in 0..4 {
            limiter.record_success();
        }
        assert_eq!(limiter.lock().concurrency, 5);
    }

    #[tokio::test]
    async fn no_pause_is_too_long_for_the_clock() {
        let limiter = limiter(1000, u64::MAX, 8);
        drop(limiter.acquire().await);
        limiter.pause(Duration::MAX);
        let permit = tokio::time::timeout(Duration::from_millis(50), limiter.acquire());
        assert!(permit.await.is_err());
    }
}
