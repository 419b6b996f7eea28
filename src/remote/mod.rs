//! Connects a backend to Clerk.
//!
//! | file | question |
//! | --- | --- |
//! | [`credentials`] | Which API key does a query use? |
//! | [`budget`] | How do all backends together keep to the rate limit? |
//! | [`server`] | How is a foreign server's connection to Clerk made and kept? |
//! | [`io_thread`] | On which thread do requests run, and how does the backend wait for them? |
//! | [`row_counts`] | How many rows do foreign tables have? |

pub mod budget;
pub mod credentials;
pub mod io_thread;
pub mod row_counts;
pub mod server;
