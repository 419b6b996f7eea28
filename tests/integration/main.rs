//! What SQL files cannot show: queries through a real Postgres against a simulated Clerk, with the requests counted,
//! faults on the way, changes in between and eyes on the backend's memory.
//!
//! `make test` runs them; `bin/with-postgres cargo nextest run -E 'package(clerk_fdw)'` runs them alone.
//! They are one program, because linking ten takes longer than running most of them.

mod attacks;
mod common;

mod drift;
mod duplicates;
mod faults;
mod interrupts;
mod joins;
mod lies;
mod memory;
mod mirror;
mod mirror_background;
mod mirror_counts;
mod mirror_crash;
mod mirror_deletes;
mod mirror_import;
mod mirror_restore;
mod mirror_resume;
mod mirror_roles;
mod mirror_rounds;
mod mirror_tables;
mod mirror_targets;
mod plans;
mod pressure;
mod pushdown;
mod pushdown_explain;
mod pushdown_joins;
mod pushdown_orders;
mod pushdown_types;
mod random;
mod random_mirrors;
mod requests;
mod row_security;
mod secrets;
mod twin;
mod values;
mod webhook_server;
mod webhook_storm;
mod webhook_trust;
mod webhooks;
