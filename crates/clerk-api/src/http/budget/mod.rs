//! How many requests may start in ten seconds, counted together by all who use one key at one host.
//!
//! A [`BudgetTable`] is memory that may be shared by many processes and has one *budget* for each instance of Clerk: a
//! base URL with a key. All of it is `AtomicU64`s. Nothing blocks, nothing is counted up and down, and what a process
//! has noted are only times, so that a process may be killed at any instruction: what it leaves behind grows old and then
//! means nothing.
//!
//! | file | question |
//! | --- | --- |
//! | `window` | When may the next request start, so that no ten seconds have more than the limit? |
//! | `entry` | Who goes first, how long are all held back after a 429, and who waits? |
//! | `table` | Where in the memory is the budget of an instance, and which one makes room for another? |
//! | `handle` | How does a client use its instance's budget? |
//!
//! Each file uses only those above it.

mod entry;
mod handle;
mod table;
mod window;

#[cfg(test)]
mod tests;

pub(crate) use handle::{Budget, Start, Started};
pub use handle::{BudgetState, Budgets};
pub use table::BudgetTable;

/// Tells the time in microseconds, the same for all processes that share a table. It never goes back, and is larger than
/// ten seconds.
pub type Clock = fn() -> u64;

/// Which of several requests that wait goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Priority {
    /// The first requests of a query, which for a lookup are all.
    Short,
    /// The later pages of a long scan.
    Long,
}
