//! Background workers, which sync mirrors on request or on schedule.

pub mod background;
