//! Single requests to Clerk: how they are built, paced and repeated, and what their errors mean.

mod arbitrary;
mod budget;
mod client;
mod error;
mod limiter;
mod request;
mod secret;
mod stats;
mod stop;

pub use budget::{BudgetState, BudgetTable, Budgets, Clock};
#[cfg(fuzzing)]
pub(crate) use client::retry_after;
pub use client::{Client, DEFAULT_RATE_LIMITS, Settings, check_api_url};
pub use error::{Error, Problem};
pub use request::Request;
pub use stats::Stats;
pub(crate) use stop::Stopper;
