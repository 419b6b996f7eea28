//! Executes scans: sends the requests of a plan and converts Clerk's objects to rows.
//!
//! | file | question |
//! | --- | --- |
//! | [`values`] | Which values do the plan's conditions have when the query runs? |
//! | [`rows`] | How is an object converted to a row? |
//! | [`stored_rows`] | How are all rows kept that are read before the first is used? |
//! | [`scan`] | How is a table scanned? Its `stored` reads all rows first, its `lookups` looks objects up for a join. |
//! | [`explain`] | What does EXPLAIN show? |
//! | [`analyze`] | Which rows does ANALYZE sample? |

pub mod analyze;
pub mod explain;
pub mod rows;
pub mod scan;
pub mod stored_rows;
pub mod values;
