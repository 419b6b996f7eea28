//! Executes scans: sends the requests of a plan and converts Clerk's objects to rows.
//!
//! | file | question |
//! | --- | --- |
//! | [`values`] | Which values do the plan's conditions have when the query runs? |
//! | [`rows`] | How is an object converted to a row? |
//! | [`scan`] | How is a table scanned? |
//! | [`stored_rows`] | How are all rows read before the first is used? |
//! | [`explain`] | What does EXPLAIN show? |
//! | [`analyze`] | Which rows does ANALYZE sample? |

pub mod analyze;
pub mod explain;
pub mod rows;
pub mod scan;
pub mod stored_rows;
pub mod values;
