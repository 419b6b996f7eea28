//! Implements the foreign-data wrapper, which shows Clerk's objects as foreign tables.
//!
//! | file | question |
//! | --- | --- |
//! | [`convert`] | How does a JSON value become a value of a column's type? |
//! | [`plan`] | Which parts of a query can requests answer, and at which cost? |
//! | [`exec`] | How is a plan executed, with requests to Clerk? |
//! | [`lookup_join`] | How are rows of other tables joined with objects, many of which one request looks up? |
//! | [`import`] | Which tables does IMPORT FOREIGN SCHEMA create? |

pub mod convert;
pub mod exec;
pub mod import;
pub mod lookup_join;
pub mod plan;
