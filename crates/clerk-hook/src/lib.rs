//! Takes Clerk's webhooks in over HTTP and hands them to the database.
//!
//! ```no_run
//! use clerk_hook::{Config, Server, parse_database};
//!
//! # async fn example() -> std::io::Result<()> {
//! let database = parse_database("postgres://clerk_hook@db.example.com/app").expect("a database's URL");
//! let server = Server::bind(Config::new(database, "clerk")).await?;
//! println!("POST http://{}/webhooks/clerk", server.address());
//! server.run(std::future::pending()).await;
//! # Ok(())
//! # }
//! ```
//!
//! There is no more to it than the way from HTTP to `clerk_fdw.receive_webhook`: that function checks the signature
//! and applies the event, and whoever sends is told what it said:
//!
//! | status | when |
//! | --- | --- |
//! | 200 | the function answered and what it did is committed; the body is its answer |
//! | 400, 401, 413 | the delivery is wrong: no header, not text, too large, refused with 22023, 28000 or 54000 |
//! | 408 | the body did not come in time |
//! | 500, 503, 504 | the function failed, the database could not be reached, or it was not done in time |
//! | 503 with `Retry-After` | there were too many deliveries at once |
//!
//! The statuses are for those who read logs: Svix sends again, hours apart in the end, after everything but 2xx, so
//! that 4xx ends nothing.
//!
//! Anybody may send, and only the database can tell who did. So nothing that an unknown sender does costs more than a
//! bounded number of connections and bodies, and none of them is kept for somebody who does not go on while others
//! wait.
//!
//! - `server` has the configuration and listens.
//! - `front` takes connections in and bounds them; `places` is how.
//! - `receive` is a delivery's way, `admin` has the endpoints for whoever runs the server.
//! - `database` is the way to the function and back, `sslmode` says whether it is encrypted.
//! - `failure` says which status whatever went wrong becomes.
//! - `metrics` counts.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::panic, clippy::unwrap_used, clippy::print_stderr, clippy::print_stdout))]

mod admin;
mod database;
mod failure;
mod front;
mod metrics;
mod places;
mod receive;
mod server;
mod sslmode;
mod tls;

pub use server::{Config, Server};
pub use sslmode::parse_database;
