//! Waiting for something that another process does.

use std::time::{Duration, Instant};

/// Waits until it is so. What has to happen soon says so itself: a busy machine takes its time.
#[track_caller]
pub fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < Duration::from_secs(60), "still not: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
