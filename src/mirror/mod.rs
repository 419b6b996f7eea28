//! Mirrors: local tables that are kept in sync with Clerk.
//!
//! `sql/1_bookkeeping.sql` defines the tables in which the extension stores what it knows about mirrors. Each file uses
//! only those above it:
//!
//! | file | question |
//! | --- | --- |
//! | [`timestamp`] | How are points in time passed to statements? |
//! | [`store`] | How are the extension's own tables read and written? |
//! | [`model`] | What is a mirror, and what do its tables hold? |
//! | [`invalidation`] | How do backends learn that a mirror has changed? |
//! | [`lock`] | What keeps two syncs apart, and two changes of one object? |
//! | [`row_counts`] | How many rows do the tables have? |
//! | [`apply`] | How do Clerk's objects become rows, and how are rows deleted? |
//! | [`sync`] | What happens in a sync, from beginning to end? |
//! | [`refresh`] | How is a single object synced? |
//! | [`schedule`] | When is a mirror synced automatically? |
//! | [`setup`] | How are mirrors created, changed and dropped? |

pub mod apply;
pub mod invalidation;
pub mod lock;
pub mod model;
pub mod refresh;
pub mod row_counts;
pub mod schedule;
pub mod setup;
pub mod store;
pub mod sync;
pub mod timestamp;
