//! Takes Clerk's webhooks in over HTTP and hands them to the database.
//!
//! ```no_run
//! use clerk_hook::{Config, Server};
//!
//! # async fn example() -> std::io::Result<()> {
//! let database = "postgres://clerk_hook@db.example.com/app?sslmode=require".parse().expect("a database's URL");
//! let server = Server::bind(Config::new(database, "clerk")).await?;
//! println!("POST http://{}/webhooks/clerk", server.address());
//! server.run(std::future::pending()).await
//! # }
//! ```
//!
//! There is no more to it than the way from HTTP to `clerk_fdw.receive_webhook`: that function checks the signature
//! and applies the event, and whoever sends is told what it said. The status decides whether Svix sends again:
//!
//! | status | when |
//! | --- | --- |
//! | 200 | the function answered and what it did is committed; the body is its answer |
//! | 400, 401, 413 | the delivery itself is wrong: no header, not text, refused by the function with 22023 or 28000 |
//! | 408 | the body did not come in time |
//! | 500, 503, 504 | the function failed, the database could not be reached, or it was not done in time |
//!
//! - `server` has the endpoints.
//! - `database` is the way to the function and back.
//! - `failure` says which status whatever went wrong becomes.
//! - `metrics` counts.

mod database;
mod failure;
mod metrics;
mod server;
mod tls;

pub use server::{Config, Server};
