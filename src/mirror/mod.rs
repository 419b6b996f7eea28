//! Mirrors: local tables that are kept in step with Clerk.
//!
//! What is kept about them is in `sql/bookkeeping.sql`. Each file uses only those above it.
//!
//! | file | question |
//! | --- | --- |
//! | [`moment`] | How do statements take moments? |
//! | [`store`] | How are the extension's own tables read and written? |
//! | [`model`] | What is a mirror, and what do its tables take? |
//! | [`invalidation`] | How do backends learn that a mirror has changed? |
//! | [`lock`] | What keeps two syncs apart, and two changes of one object? |
//! | [`row_counts`] | How many rows do the tables have? |
//! | [`apply`] | How do Clerk's objects become rows, and how do rows go? |
//! | [`sync`] | What happens in a sync, from its beginning to its end? |
//! | [`refresh`] | How is a single object brought in step? |
//! | [`schedule`] | When is a mirror synced by itself? |
//! | [`setup`] | How are mirrors made, changed and dropped? |

pub mod apply;
pub mod invalidation;
pub mod lock;
pub mod model;
pub mod moment;
pub mod refresh;
pub mod row_counts;
pub mod schedule;
pub mod setup;
pub mod store;
pub mod sync;
