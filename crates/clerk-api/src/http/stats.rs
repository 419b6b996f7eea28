//! Counts the requests and the time that reading from Clerk has cost, which EXPLAIN ANALYZE shows.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::budget::Priority;

/// How many requests of a stream go before the pages of others. A lookup needs no more.
const SHORT: u64 = 2;

/// Counters of one stream of pages, which are updated while it is read.
#[derive(Debug, Default)]
pub struct Stats {
    begun: AtomicU64,
    requests: AtomicU64,
    retries: AtomicU64,
    bytes: AtomicU64,
    paced: AtomicU64,
    asked: AtomicU64,
}

impl Stats {
    /// How many requests were sent, including retries.
    pub fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }

    /// How many of the requests were retries.
    pub fn retries(&self) -> u64 {
        self.retries.load(Relaxed)
    }

    /// How many bytes the bodies of the answers had, uncompressed.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// How long requests waited before they were sent: for the rate limit, the minimum interval, a pause that Clerk
    /// asked for, or other requests in flight. This is the sum, also of requests that waited at the same time.
    pub fn pacing_time(&self) -> Duration {
        Duration::from_micros(self.paced.load(Relaxed))
    }

    /// How long requests waited for Clerk's answers. This is the sum, also of requests that waited at the same time.
    pub fn response_time(&self) -> Duration {
        Duration::from_micros(self.asked.load(Relaxed))
    }

    /// The priority of the next request.
    pub(crate) fn next_priority(&self) -> Priority {
        if self.begun.fetch_add(1, Relaxed) < SHORT { Priority::Short } else { Priority::Long }
    }

    pub(crate) fn sent(&self, is_retry: bool, paced: Duration) {
        self.requests.fetch_add(1, Relaxed);
        self.retries.fetch_add(is_retry.into(), Relaxed);
        self.paced.fetch_add(paced.as_micros() as u64, Relaxed);
    }

    pub(crate) fn answered(&self, bytes: usize, asked: Duration) {
        self.bytes.fetch_add(bytes as u64, Relaxed);
        self.asked.fetch_add(asked.as_micros() as u64, Relaxed);
    }
}
