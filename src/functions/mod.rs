//! The functions that SQL calls. They check their arguments; `sql/` declares and documents them.

mod access;
mod budget;
mod catalog;
mod mirror;
mod modify;
mod webhook;
