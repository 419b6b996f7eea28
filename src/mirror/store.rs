//! The tables of `clerk_fdw_internal`, which only the extension's owner reads and writes.
//!
//! No statement that goes through here touches what a tenant wrote; that is what [`Table`](crate::mirror::model::Table)'s own
//! functions are for. Every statement is prepared once in each backend: what changes in it is a parameter.

use crate::error::FdwError;
use crate::pg::sandbox::as_extension_owner;
use crate::pg::spi::{self, Planned, Row, Value};

/// Runs a statement and gives its rows.
pub fn rows(statement: &str, values: &[Value]) -> Result<Vec<Row>, FdwError> {
    as_extension_owner(|| spi::prepared(statement, values, Planned::Once))
}

/// The only row.
pub fn row(statement: &str, values: &[Value]) -> Result<Option<Row>, FdwError> {
    Ok(rows(statement, values)?.into_iter().next())
}

/// The first value of the first row.
pub fn value(statement: &str, values: &[Value]) -> Result<Option<String>, FdwError> {
    Ok(row(statement, values)?.and_then(|row| row.into_iter().next()).flatten())
}

/// The first column of all rows.
pub fn column(statement: &str, values: &[Value]) -> Result<Vec<String>, FdwError> {
    Ok(rows(statement, values)?.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect())
}

/// Runs a statement for what it does.
pub fn run(statement: &str, values: &[Value]) -> Result<(), FdwError> {
    rows(statement, values).map(drop)
}

/// Reads in the snapshot that is active.
pub fn read(statement: &str, values: &[Value]) -> Result<Vec<Row>, FdwError> {
    as_extension_owner(|| spi::read(statement, values))
}

/// A truth value as a parameter.
pub fn truth(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}
