//! Reading foreign tables: which rows come while Clerk changes, what a scan holds in memory, and how it is cancelled.

mod cancel;
mod concurrent_changes;
mod memory;
