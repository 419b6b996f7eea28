//! Planning: which requests can answer how much of a query, for how many rows, at which cost.
//!
//! Each file uses only those above it.
//!
//! | file | question |
//! | --- | --- |
//! | [`clause`] | Which column does a clause compare with what? |
//! | [`private`] | What do paths and plans keep for later? |
//! | [`rel_info`] | What is known about a foreign table of the query? |
//! | [`cost`] | How many rows and requests does a way to read it take? |
//! | [`sizes`] | How many rows does it give? |
//! | [`paths`] | Which ways are there to read it? |
//! | [`upper_paths`] | What can Clerk do beyond a scan? |
//! | [`create_plan`] | What does the plan of the chosen way look like? |

pub mod clause;
mod cost;
pub mod create_plan;
pub mod paths;
pub mod private;
mod rel_info;
pub mod sizes;
pub mod upper_paths;
