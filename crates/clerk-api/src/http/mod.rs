//! Single requests to Clerk: how they are built, paced and repeated, and what their errors mean.

mod client;
mod error;
mod limiter;
mod request;
mod stats;

pub use client::{Client, Settings, check_api_url};
pub use error::{Error, Problem};
pub use request::Request;
pub use stats::Stats;
