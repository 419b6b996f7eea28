//! Execution: how a plan's scan becomes requests, and Clerk's objects become rows.
//!
//! | file | question |
//! | --- | --- |
//! | [`values`] | What do the plan's conditions say when the query runs? |
//! | [`rows`] | How does an object become a row? |
//! | [`scan`] | How is a table scanned? |
//! | [`explain`] | What does EXPLAIN say? |
//! | [`analyze`] | What does ANALYZE look at? |

pub mod analyze;
pub mod explain;
pub mod rows;
pub mod scan;
mod values;
