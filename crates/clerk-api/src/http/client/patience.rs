//! How long a request puts up with 429s.

use std::time::Duration;

/// For how long a request is held back after 429s. The time that it waits for its turn among others does not count: it would
/// have passed without them as well.
pub(super) struct Patience {
    timeout: Duration,
    held: Duration,
}

impl Patience {
    pub(super) fn new(timeout: Duration) -> Self {
        Patience { timeout, held: Duration::ZERO }
    }

    /// What is left of the time.
    pub(super) fn left(&self) -> Duration {
        self.timeout.saturating_sub(self.held)
    }

    /// Notes for how long the request was held back before a try.
    pub(super) fn was_held(&mut self, time: Duration) {
        self.held = self.held.saturating_add(time);
    }

    /// What the error says when the time does not last for a wait that Clerk asks for.
    pub(super) fn exceeded(&self, cause: &str, asked: Option<Duration>) -> String {
        let timeout = self.timeout.as_millis();
        match asked {
            Some(asked) => format!(
                "{cause}; Clerk asks to wait {} s, and of rate_limit_timeout_ms ({timeout}) there are {:.1} s left",
                asked.as_secs() + u64::from(asked.subsec_nanos() > 0),
                self.left().as_secs_f64()
            ),
            None => format!("{cause}; this has gone on for longer than rate_limit_timeout_ms ({timeout})"),
        }
    }
}
