//! Clerk's Backend API: a client that reads every page of a list, or says why it could not.
//!
//! ```no_run
//! use std::sync::Arc;
//! use std::task::Poll;
//! use clerk_api::{Client, Fetch, Locator, PageStream, Settings, catalog::object};
//!
//! # async fn example() -> Result<(), clerk_api::Error> {
//! let client = Arc::new(Client::new(Settings::default(), "sk_test_…".into())?);
//! let users = object("users").expect("the catalogue has users");
//! let fetch = Fetch::all(users, vec![Locator::Path(vec!["username".into()])]);
//! let mut pages = PageStream::start(fetch, client, || {});
//! loop {
//!     match pages.poll_page() {
//!         Poll::Ready(Some(page)) => println!("{} users", page?.len()),
//!         Poll::Ready(None) => break,
//!         Poll::Pending => tokio::task::yield_now().await,
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Each module uses only those above it:
//!
//! | module | question |
//! | --- | --- |
//! | [`catalog`] | Which objects does Clerk have, and how are they read? |
//! | `decode` | Where in an answer are the values that a query uses? |
//! | `http` | How is a single request sent, paced and repeated, and which errors can it end with? |
//! | `query` | Which objects are to be read from Clerk? |
//! | [`pushdown`] | Which conditions of a query can Clerk evaluate, and by which parameters? |
//! | [`write`] | Which requests change a row, and which rows does Clerk not take? |
//! | `listing` | Which requests does a query consist of? |
//! | `pagination` | How is a list read to its end, so that no object is missed and none is returned twice? |
//! | `stream` | How do pages reach their consumer? |
//! | [`webhook`] | Did Clerk send this webhook, and what does it say? |
//!
//! This crate does not depend on Postgres. Everything runs on the tokio runtime that [`PageStream::start`] is called
//! in.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::panic, clippy::unwrap_used, clippy::print_stderr, clippy::print_stdout))]

pub mod catalog;
mod checkpoint;
mod decode;
#[cfg(fuzzing)]
pub mod fuzzing;
mod http;
mod listing;
mod pagination;
pub mod pushdown;
mod query;
mod stream;
mod time_range;
pub mod webhook;
pub mod write;

pub use checkpoint::Checkpoint;
pub use decode::{Locator, Page, json};
pub use http::{
    BudgetState, BudgetTable, Budgets, Client, Clock, DEFAULT_RATE_LIMITS, Error, Problem, Request, Settings, Stats,
    check_api_url,
};
pub use pagination::{MIN_PAGES_TO_SPLIT, remaining};
pub use query::{Fetch, Filters, MAX_PAGE_SIZE, OrderBy, Query, Room, batches, extra_params, fit_one_request, fits};
pub use stream::PageStream;
pub use time_range::TimeRange;
