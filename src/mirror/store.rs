//! Access to the tables of `clerk_fdw_internal`, which only the extension's owner may read and write.
//!
//! No statement that runs here touches anything that another role wrote; [`Table`](crate::mirror::model::Table)'s own
//! functions are for that. Each backend prepares every statement once: whatever varies is a parameter.

use crate::error::FdwError;
use crate::pg::sandbox::as_extension_owner;
use crate::pg::spi::{self, PlanPolicy, Row, Value};

/// Runs a statement and returns its rows.
pub fn rows(statement: &str, values: &[Value]) -> Result<Vec<Row>, FdwError> {
    as_extension_owner(|| spi::prepared(statement, values, PlanPolicy::Once))
}

/// Runs a statement and returns its first row.
pub fn row(statement: &str, values: &[Value]) -> Result<Option<Row>, FdwError> {
    Ok(rows(statement, values)?.into_iter().next())
}

/// Runs a statement and returns the first value of its first row.
pub fn value(statement: &str, values: &[Value]) -> Result<Option<String>, FdwError> {
    Ok(row(statement, values)?.and_then(|row| row.into_iter().next()).flatten())
}

/// Runs a statement and returns the first column of its rows.
pub fn column(statement: &str, values: &[Value]) -> Result<Vec<String>, FdwError> {
    Ok(rows(statement, values)?.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect())
}

/// Runs a statement and ignores its rows.
pub fn run(statement: &str, values: &[Value]) -> Result<(), FdwError> {
    rows(statement, values).map(drop)
}

/// Runs a query in the active snapshot instead of a new one.
pub fn rows_in_active_snapshot(statement: &str, values: &[Value]) -> Result<Vec<Row>, FdwError> {
    as_extension_owner(|| spi::read(statement, values))
}

/// A boolean as a parameter of a statement.
pub fn boolean(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}
