//! The functions that SQL calls, with their arguments checked; `sql/` declares and documents them.

mod access;
mod catalog;
mod mirror;
mod webhook;
