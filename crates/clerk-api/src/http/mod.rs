//! Single requests: what is sent, when, how often again, and what their failures mean.

mod client;
mod error;
mod limiter;
mod request;
mod stats;

pub use client::{Client, Settings, check_api_url};
pub use error::{Error, Problem};
pub use request::Request;
pub use stats::Stats;
