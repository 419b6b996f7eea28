//! What all connections to the simulator share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, RwLock};
use std::time::Duration;

use crate::fault::Plan;
use crate::rate_limit::Limiter;
use crate::request::Log;
use crate::state::State;

/// The state that the connections share with the [`Sim`](crate::Sim).
pub(crate) struct Shared {
    pub(crate) state: RwLock<State>,
    pub(crate) log: Mutex<Log>,
    pub(crate) plan: Mutex<Plan>,
    pub(crate) latency: Latency,
    pub(crate) limiter: Limiter,
    pub(crate) keys: Vec<String>,
}

/// The delay before every answer.
pub(crate) struct Latency(AtomicU64);

impl Latency {
    pub(crate) fn new(latency: Duration) -> Latency {
        let new = Latency(AtomicU64::new(0));
        new.set(latency);
        new
    }

    pub(crate) fn set(&self, latency: Duration) {
        let microseconds = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.0.store(microseconds, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }
}
