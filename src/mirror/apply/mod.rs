//! How Clerk's objects become rows, and how the rows of deleted ones go.
//!
//! | file | question |
//! | --- | --- |
//! | [`tombstone`] | What is known to be deleted? |
//! | [`merge`] | How does a page become rows? |
//! | [`remove`] | How do rows go whose objects Clerk has no more? |

pub mod merge;
pub mod remove;
pub mod tombstone;
