//! Clerk's Backend API: a client that reads every page of a list, or says why it could not.
//!
//! ```no_run
//! use std::sync::Arc;
//! use clerk_api::{Client, Locator, Next, Read, Settings, object::object};
//!
//! # async fn example() -> Result<(), clerk_api::Error> {
//! let client = Arc::new(Client::new(Settings::default(), "sk_test_…".into())?);
//! let users = object("users").expect("the catalogue has users");
//! let mut reader = Read::all(users, vec![Locator::Path(vec!["username".into()])]).start(client, || {});
//! loop {
//!     match reader.poll() {
//!         Next::Page(page) => println!("{} users", page?.len()),
//!         Next::Pending => tokio::task::yield_now().await,
//!         Next::End => break,
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! - [`object`] is the catalogue: what Clerk has and how it is read.
//! - [`Client`] sends single requests: pacing, retries, errors.
//! - [`Read`] says what to read, [`Reader`] hands over its pages while the next ones are on their way.
//! - [`json`] looks into JSON text without building a tree.
//! - [`webhook`] tells whether a delivery is Clerk's own, and what it says.
//!
//! Nothing here knows Postgres. Everything runs on the tokio runtime that [`Read::start`] is called in.

mod client;
mod error;
pub mod json;
pub mod object;
mod pace;
mod page;
mod read;
mod request;
mod stats;
mod walk;
pub mod webhook;

pub use client::{Client, Settings, check_api_url};
pub use error::{Error, Problem};
pub use page::{Locator, Page};
pub use read::{
    FEWEST_PAGES, Filters, From, LARGEST_PAGE, Next, OLDEST_FIRST, Ordered, Read, Reader, batches, fit_one_request,
    fits,
};
pub use request::Request;
pub use stats::Stats;
pub use walk::{Mark, rest};
