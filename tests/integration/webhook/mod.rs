//! Webhooks: signatures, outcomes, orders, and `clerk-hook` between a Clerk that sends and Postgres.

mod concurrency;
mod hook_program;
mod objects;
mod order;
mod outcome;
mod signature;
