//! Clerk's rate limit: a number of requests in ten seconds for each secret key.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::lock::lock;

const WINDOW: Duration = Duration::from_secs(10);

/// How many requests a key may make in ten seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RateLimit {
    /// As Clerk's documentation says: 1,000 for a key that begins with `sk_live_`, 100 for any other.
    #[default]
    ByKey,
    /// This many.
    Requests(u32),
    /// No limit.
    Off,
}

impl RateLimit {
    fn of(self, key: &str) -> u32 {
        match self {
            RateLimit::ByKey if key.starts_with("sk_live_") => 1000,
            RateLimit::ByKey => 100,
            RateLimit::Requests(max) => max,
            RateLimit::Off => u32::MAX,
        }
    }
}

/// Counts the requests of each key, in windows that begin with the first request after the last window ended.
pub(crate) struct Limiter {
    windows: Vec<Mutex<Window>>,
}

struct Window {
    max: u32,
    began: Option<Instant>,
    used: u32,
}

impl Limiter {
    pub(crate) fn new(limit: RateLimit, keys: &[String]) -> Limiter {
        let windows = keys.iter().map(|key| Mutex::new(Window { max: limit.of(key), began: None, used: 0 }));
        Limiter { windows: windows.collect() }
    }

    /// Counts one request of the key with this index.
    ///
    /// # Errors
    /// The number of whole seconds until the next window, if the key has used up the current one.
    pub(crate) fn count(&self, key: usize) -> Result<(), u64> {
        let Some(window) = self.windows.get(key) else {
            return Ok(());
        };
        let mut window = lock(window);
        let now = Instant::now();
        let passed = match window.began {
            Some(began) if now.duration_since(began) < WINDOW => now.duration_since(began),
            _ => {
                window.began = Some(now);
                window.used = 0;
                Duration::ZERO
            }
        };
        if window.used >= window.max {
            return Err((WINDOW - passed).as_secs_f64().ceil() as u64);
        }
        window.used += 1;
        Ok(())
    }
}
