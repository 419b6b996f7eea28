//! The tables of `clerk_fdw_internal`, which only the extension's owner reads and writes.
//!
//! No statement that goes through here touches what a tenant wrote; that is what [`Table`](super::config::Table)'s own
//! functions are for.

use crate::error::FdwError;
use crate::sandbox::as_extension_owner;
use crate::spi::{self, Row, Value};

/// Runs a statement and gives its rows.
pub fn rows(statement: &str, values: &[Value]) -> Result<Vec<Row>, FdwError> {
    as_extension_owner(|| spi::rows(statement, values))
}

/// The only row.
pub fn row(statement: &str, values: &[Value]) -> Result<Option<Row>, FdwError> {
    as_extension_owner(|| spi::row(statement, values))
}

/// The first value of the first row.
pub fn value(statement: &str, values: &[Value]) -> Result<Option<String>, FdwError> {
    as_extension_owner(|| spi::value(statement, values))
}

/// The first column of all rows.
pub fn column(statement: &str, values: &[Value]) -> Result<Vec<String>, FdwError> {
    Ok(rows(statement, values)?.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect())
}

/// Runs a statement for what it does.
pub fn run(statement: &str, values: &[Value]) -> Result<(), FdwError> {
    as_extension_owner(|| spi::run(statement, values))
}

/// A truth value as a parameter.
pub fn truth(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}
