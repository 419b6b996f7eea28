//! SQL from inside: every value goes in and comes out as text.

use std::ffi::c_char;
use std::ptr::null;

use pgrx::pg_sys;

use crate::encoding::{from_server, to_c_string, to_text};
use crate::error::FdwError;

/// A value of a parameter `$1`, `$2`, …, of type text.
pub type Value<'v> = Option<&'v str>;

/// A row of results.
pub type Row = Vec<Option<String>>;

/// Runs a statement and gives its rows. Postgres' own errors end the statement.
pub fn rows(statement: &str, values: &[Value]) -> Result<Vec<Row>, FdwError> {
    connected(|| execute(statement, values, false))
}

/// Strictly read-only, unlike [`rows`] in a transaction that has written: fit for parallel queries.
pub fn read(statement: &str, values: &[Value]) -> Result<Vec<Row>, FdwError> {
    connected(|| execute(statement, values, true))
}

/// The only row.
pub fn row(statement: &str, values: &[Value]) -> Result<Option<Row>, FdwError> {
    Ok(rows(statement, values)?.into_iter().next())
}

/// The first value of the first row.
pub fn value(statement: &str, values: &[Value]) -> Result<Option<String>, FdwError> {
    Ok(row(statement, values)?.and_then(|row| row.into_iter().next()).flatten())
}

/// Runs a statement for what it does.
pub fn run(statement: &str, values: &[Value]) -> Result<(), FdwError> {
    rows(statement, values).map(drop)
}

/// Does something within an SPI connection of its own. An error ends the connection as well.
pub fn connected<T>(action: impl FnOnce() -> Result<T, FdwError>) -> Result<T, FdwError> {
    // SAFETY: connected and finished around the action.
    unsafe {
        check(pg_sys::SPI_connect())?;
        let done = action();
        check(pg_sys::SPI_finish())?;
        done
    }
}

/// Runs a statement in the current SPI connection.
pub fn execute(statement: &str, values: &[Value], read_only: bool) -> Result<Vec<Row>, FdwError> {
    let mut types = vec![pg_sys::TEXTOID; values.len()];
    let mut datums: Vec<_> = values.iter().map(|value| value.map_or(pg_sys::Datum::null(), to_text)).collect();
    let nulls: Vec<c_char> = values.iter().map(|value| if value.is_some() { b' ' } else { b'n' } as c_char).collect();
    let nulls = if nulls.is_empty() { null() } else { nulls.as_ptr() };
    // SAFETY: there are as many types, values and flags as parameters; a table of results is there until it is freed.
    unsafe {
        let (types, datums, count) = (types.as_mut_ptr(), datums.as_mut_ptr(), values.len() as i32);
        let statement = to_c_string(statement);
        check(pg_sys::SPI_execute_with_args(statement, count, types, datums, nulls, read_only, 0))?;
        let table = pg_sys::SPI_tuptable;
        if table.is_null() {
            return Ok(Vec::new());
        }
        let columns = (*(*table).tupdesc).natts;
        let rows = (0..(*table).numvals as usize).map(|row| {
            let row = *(*table).vals.add(row);
            (1..=columns).map(|column| text(row, (*table).tupdesc, column)).collect()
        });
        let rows = rows.collect();
        pg_sys::SPI_freetuptable(table);
        Ok(rows)
    }
}

/// # Safety
/// The row has that descriptor and such a column.
unsafe fn text(row: pg_sys::HeapTuple, descriptor: pg_sys::TupleDesc, column: i32) -> Option<String> {
    // SAFETY: the caller's; what it gives is a C string or null.
    unsafe {
        let value = pg_sys::SPI_getvalue(row, descriptor, column);
        (!value.is_null()).then(|| from_server(value))
    }
}

fn check(code: i32) -> Result<(), FdwError> {
    if code < 0 { Err(FdwError::Spi(code)) } else { Ok(()) }
}

/// A procedure's SPI connection, in which transactions may end.
pub struct Transactions(());

impl Transactions {
    /// Connects; only where the procedure was called outside a transaction block.
    pub fn begin() -> Result<Self, FdwError> {
        // SAFETY: finished below, or by Postgres after an error.
        check(unsafe { pg_sys::SPI_connect_ext(pg_sys::SPI_OPT_NONATOMIC as i32) })?;
        Ok(Transactions(()))
    }

    /// Commits, and begins the next transaction.
    pub fn commit(&self) {
        // SAFETY: no subtransaction is open and no other role is set, or Postgres raises an error.
        unsafe { pg_sys::SPI_commit() };
    }

    pub fn end(self) -> Result<(), FdwError> {
        // SAFETY: the connection of `begin` is the current one.
        check(unsafe { pg_sys::SPI_finish() })
    }
}
