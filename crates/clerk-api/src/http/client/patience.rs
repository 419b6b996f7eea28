//! How long a request puts up with 429s.

use std::time::{Duration, Instant};

/// For how long a request is repeated after 429s.
pub(super) struct Patience {
    timeout: Duration,
    /// When the first 429 came.
    refused: Option<Instant>,
}

impl Patience {
    pub(super) fn new(timeout: Duration) -> Self {
        Patience { timeout, refused: None }
    }

    /// What is left of the time.
    pub(super) fn left(&self) -> Duration {
        self.timeout.saturating_sub(self.refused.map_or(Duration::ZERO, |refused| refused.elapsed()))
    }

    /// Notes a 429, and returns what is left of the time. The first one begins it.
    pub(super) fn refuse(&mut self) -> Duration {
        match self.refused {
            Some(_) => self.left(),
            None => {
                self.refused = Some(Instant::now());
                self.timeout
            }
        }
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
