//! What a reading has cost, for those who want to know.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Counted while a reading goes on.
#[derive(Debug, Default)]
pub struct Stats {
    requests: AtomicU64,
    retries: AtomicU64,
    bytes: AtomicU64,
    paced: AtomicU64,
    asked: AtomicU64,
}

impl Stats {
    /// Requests sent, retries among them.
    pub fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }

    /// Requests that were sent again.
    pub fn retries(&self) -> u64 {
        self.retries.load(Relaxed)
    }

    /// Bytes of the answers' bodies, uncompressed.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// How long requests waited for their turn: the rate limit, a fixed interval, a pause that Clerk asked for.
    /// Requests side by side wait at the same time; this is the sum.
    pub fn paced(&self) -> Duration {
        Duration::from_micros(self.paced.load(Relaxed))
    }

    /// How long requests waited for Clerk, summed likewise.
    pub fn asked(&self) -> Duration {
        Duration::from_micros(self.asked.load(Relaxed))
    }

    pub(crate) fn sent(&self, again: bool, paced: Duration) {
        self.requests.fetch_add(1, Relaxed);
        self.retries.fetch_add(again.into(), Relaxed);
        self.paced.fetch_add(paced.as_micros() as u64, Relaxed);
    }

    pub(crate) fn answered(&self, bytes: usize, asked: Duration) {
        self.bytes.fetch_add(bytes as u64, Relaxed);
        self.asked.fetch_add(asked.as_micros() as u64, Relaxed);
    }
}
