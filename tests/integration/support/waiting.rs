//! Waiting for something that another process does.

use std::time::{Duration, Instant};

/// Waits until a condition is true. What has to happen soon says so itself: a busy machine takes its time.
#[track_caller]
pub fn wait_until(what: &str, mut is_true: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_true() {
        assert!(start.elapsed() < Duration::from_secs(60), "still not: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
