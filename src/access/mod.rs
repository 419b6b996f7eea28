//! Row security: which rows of a mirror the user behind a request may see.
//!
//! | file | question |
//! | --- | --- |
//! | [`claims`] | Who is the request from? |
//! | [`visible_users`] | Which organizations are theirs, and which users may they see? |
//! | [`policy`] | Which policies and views say so? |

pub mod claims;
pub mod policy;
pub mod visible_users;
