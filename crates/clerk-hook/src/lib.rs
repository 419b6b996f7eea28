//! Receives Clerk's webhooks over HTTP and hands them to the database.
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
//! The server only passes deliveries on to `clerk_fdw.receive_webhook`. That function verifies the signature and
//! applies the event, and the server answers the sender with its result:
//!
//! | status | when |
//! | --- | --- |
//! | 200 | the function returned and its changes are committed; the body is its result |
//! | 400, 401, 413 | the delivery is wrong: no header, not text, too large, refused with 22023, 28000 or 54000 |
//! | 408 | the body did not arrive in time |
//! | 500, 503, 504 | the function failed, the database could not be reached, or it did not answer in time |
//! | 503 with `Retry-After` | there were too many deliveries at once |
//!
//! The different statuses are for people who read logs: Svix retries after everything but 2xx, at growing intervals of
//! up to hours, so that 4xx does not end its retries.
//!
//! Anybody can send requests, and only the database can verify the sender. So an unknown sender can use up no more than
//! a bounded number of connections and bodies in memory, and a client that stops sending loses its slot while others
//! wait.
//!
//! - `server` has the configuration and starts the listeners.
//! - `listener` accepts connections, and `slots` bounds how many there are.
//! - `receive` handles deliveries, `admin` the endpoints for administration.
//! - `database` calls the function, and `sslmode` decides whether the connection is encrypted.
//! - `failure` maps errors to statuses.
//! - `metrics` counts deliveries and errors.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::panic, clippy::unwrap_used, clippy::print_stderr, clippy::print_stdout))]

mod admin;
mod database;
mod failure;
mod listener;
mod metrics;
mod receive;
mod server;
mod slots;
mod sslmode;
mod tls;

pub use server::{Config, Server};
pub use sslmode::parse_database;
