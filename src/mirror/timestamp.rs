//! Timestamps as parameters of statements: the text of the statement stays the same, so that it stays prepared.

use pgrx::pg_sys;

/// Microseconds since 1970, the resolution of Postgres' own timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(i64);

impl Timestamp {
    pub fn now() -> Timestamp {
        /// Postgres counts from 2000: these are the microseconds between 1970 and 2000.
        const EPOCH_OFFSET: i64 = 946_684_800_000_000;
        // SAFETY: GetCurrentTimestamp only reads the system's clock; it needs no transaction and no memory.
        Timestamp(unsafe { pg_sys::GetCurrentTimestamp() }.saturating_add(EPOCH_OFFSET))
    }

    pub fn from_milliseconds(milliseconds: i64) -> Timestamp {
        Timestamp(milliseconds.saturating_mul(1000))
    }

    /// Parses what a statement returned for [`microseconds_sql`].
    pub fn parse(text: &str) -> Option<Timestamp> {
        text.parse().ok().map(Timestamp)
    }

    /// The value of a parameter for [`from_parameter_sql`].
    pub fn parameter(self) -> String {
        self.0.to_string()
    }
}

/// The SQL expression that converts a timestamp to microseconds since 1970.
pub fn microseconds_sql(time: &str) -> String {
    format!("(extract(epoch FROM {time}) * 1000000)::int8")
}

/// The SQL expression that converts a parameter such as `$1` to a timestamp; null if the parameter is null.
pub fn from_parameter_sql(parameter: &str) -> String {
    format!("('epoch'::timestamptz + {parameter}::int8 * '1 microsecond'::interval)")
}
