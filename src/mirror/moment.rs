//! Moments as statements take them: a parameter, so that the statement is the same each time and stays prepared.

use pgrx::pg_sys;

/// Microseconds since 1970, as exact as Postgres' own times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(i64);

impl Moment {
    pub fn now() -> Moment {
        /// Postgres counts from 2000.
        const EPOCH: i64 = 946_684_800_000_000;
        // SAFETY: reads the clock.
        Moment(unsafe { pg_sys::GetCurrentTimestamp() }.saturating_add(EPOCH))
    }

    pub fn of_milliseconds(milliseconds: i64) -> Moment {
        Moment(milliseconds.saturating_mul(1000))
    }

    /// What a statement gave for [`microseconds`].
    pub fn parse(text: &str) -> Option<Moment> {
        text.parse().ok().map(Moment)
    }

    /// The value of a parameter for [`time`].
    pub fn parameter(self) -> String {
        self.0.to_string()
    }
}

/// The expression for a time in microseconds since 1970.
pub fn microseconds(time: &str) -> String {
    format!("(extract(epoch FROM {time}) * 1000000)::int8")
}

/// The expression for the time that a parameter is, such as `$1`; null if it is.
pub fn time(parameter: &str) -> String {
    format!("('epoch'::timestamptz + {parameter}::int8 * '1 microsecond'::interval)")
}
