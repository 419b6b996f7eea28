//! Clerk as a backend sees it.
//!
//! | file | question |
//! | --- | --- |
//! | [`credentials`] | Whose key does a query use? |
//! | [`server`] | Which Clerk does a server mean, and which connections to it are open? |
//! | [`io_thread`] | Where do requests run, and how does the backend wait for them? |
//! | [`row_counts`] | How many rows do foreign tables have? |

pub mod credentials;
pub mod io_thread;
pub mod row_counts;
pub mod server;
