//! What SQL files cannot show: queries through a real Postgres against a simulated Clerk, with the requests counted,
//! faults on the way, changes in between and eyes on the backend's memory.
//!
//! `make test` runs them; `make test T=pushdown::like` runs those whose names contain that. CONTRIBUTING.md says where a
//! new test goes. They are one program, because linking ten takes longer than running most of them.

mod support;

mod access;
mod conversions;
mod docs;
mod fuzz;
mod http;
mod mirror;
mod modify;
mod objects;
mod planner;
mod pushdown;
mod random;
mod scan;
mod security;
mod soak;
mod webhook;
