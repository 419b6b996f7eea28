//! The foreign-data wrapper: tables over Clerk's objects.
//!
//! | file | question |
//! | --- | --- |
//! | [`convert`] | How does a JSON value become a value of a column's type? |
//! | [`plan`] | Which requests can answer how much of a query, at which cost? |
//! | [`exec`] | How does a plan become requests and rows? |
//! | [`import`] | Which tables does IMPORT FOREIGN SCHEMA create? |

pub mod convert;
pub mod exec;
pub mod import;
pub mod plan;
