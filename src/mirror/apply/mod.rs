//! How Clerk's objects become rows, and how the rows of deleted objects are removed.
//!
//! | file | question |
//! | --- | --- |
//! | [`tombstone`] | Which objects are known to be deleted? |
//! | [`merge`] | How does a page become rows? |
//! | [`remove`] | How are the rows of deleted objects removed? |

pub mod merge;
pub mod remove;
pub mod tombstone;
