//! Plans queries: decides which parts of a query requests to Clerk can answer, for how many rows and at which cost.
//!
//! Each file uses only those above it.
//!
//! | file | question |
//! | --- | --- |
//! | [`clause`] | Which column does a clause compare, and with which values? |
//! | [`private`] | What is kept in `fdw_private` of paths and plans? |
//! | [`rel_info`] | What is known about a foreign table of the query? |
//! | [`cost`] | How many rows, how many requests and what cost does a path have? |
//! | [`sizes`] | How many rows does a foreign table return? |
//! | [`paths`] | Which paths are there to scan a foreign table? |
//! | [`upper_paths`] | When can Clerk count the rows? |
//! | [`create_plan`] | How is a path made into a plan? |

pub mod clause;
pub mod cost;
pub mod create_plan;
pub mod paths;
pub mod private;
pub mod rel_info;
pub mod sizes;
pub mod upper_paths;
