//! Joins rows of other tables with Clerk's objects by looking the objects up, as many in one request as Clerk takes.
//!
//! Postgres' own joins ask for one object after the other (a nested loop) or for all there are (a hash join). A *lookup
//! join* reads rows of its outer side ahead, gathers the different values of their *key*, looks the objects with these
//! values up, several requests beside each other, and returns the joined rows in the order of the outer side.
//!
//! It is a custom scan with two children: the outer side, and a foreign scan of the inner side. That scan has the clauses
//! on its table alone, and sends the values that the join gives it ([`super::exec::lookups`]).
//!
//! Each file uses only those above it.
//!
//! | file | question |
//! | --- | --- |
//! | [`private`] | What do path and plan keep? |
//! | [`key`] | By which clause can a join look rows up? |
//! | [`cost`] | How many different values does it look up? |
//! | [`nulling`] | By which outer joins do the plan's columns become null? |
//! | [`create_plan`] | How is a path made into a plan? |
//! | [`paths`] | For which joins is there such a path? |
//! | [`remembered`] | Which values were looked up, and which rows have them? |
//! | [`read_ahead`] | Which rows of the outer side are read ahead, and which lookups do they start? |
//! | [`join`] | Which rows does the join return? |
//! | [`exec`] | How does the executor run it? |
//! | [`explain`] | What does EXPLAIN show? |

mod cost;
mod create_plan;
mod exec;
mod explain;
mod join;
mod key;
mod nulling;
mod paths;
mod private;
mod read_ahead;
mod remembered;

use std::ffi::CStr;

/// The name of the plan's node in EXPLAIN.
const NAME: &CStr = c"Clerk Lookup Join";

/// Callbacks of a custom scan, to which Postgres keeps a pointer.
struct Callbacks<T>(T);

// SAFETY: only the structs of CustomPath, CustomScan and CustomScanState callbacks are put in it. They hold pointers to a
// constant text and to functions, which any thread may read.
unsafe impl<T> Sync for Callbacks<T> {}

/// Makes the planner consider lookup joins, and the executor know them.
pub fn install() {
    create_plan::register();
    paths::install();
}
