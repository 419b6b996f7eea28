//! Row security: which rows of a mirror the user behind a request may see.
//!
//! | file | question |
//! | --- | --- |
//! | [`claims`] | Which user is the request from? |
//! | [`visible_users`] | Which organizations does the user belong to, and which users may the user see? |
//! | [`policy`] | Which policies and views enforce that? |

pub mod claims;
pub mod policy;
pub mod visible_users;
