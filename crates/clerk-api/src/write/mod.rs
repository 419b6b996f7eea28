//! Which requests change a row of a table, and which rows Clerk does not take.
//!
//! Everything that the OpenAPI file says about a body is checked before a request is sent: a row that is refused here has
//! changed nothing.
//!
//! - `error`: why a row is refused
//! - `members`: JSON objects as lists of members; `check`: whether a value is one that Clerk takes
//! - `row`: the values of a row by the object's columns
//! - `insert`, `update`, `delete`: the requests for a row; `find` looks for a row as it is at Clerk
//! - `sending` sends them, several beside each other

mod check;
mod delete;
mod error;
mod find;
mod insert;
mod members;
mod row;
mod sending;
mod update;

#[cfg(test)]
mod tests;

pub use error::{Operation, WriteError};
pub use find::{find_by_id, find_owner, find_unique};
pub use insert::NewObject;
pub use row::{RowWriter, TableColumn};
pub use sending::{Outcome, Sending};
