//! SQL from inside: every value goes in and comes out as text.

use std::ffi::c_char;
use std::ptr::null;

use pgrx::pg_sys;

use crate::deferral;
use crate::encoding::{from_server, to_c_string, to_text};
use crate::error::{FdwError, OrRaise};

/// A value of a parameter `$1`, `$2`, …, of type text.
pub type Value<'v> = Option<&'v str>;

/// A row of results.
pub type Row = Vec<Option<String>>;

/// Runs a statement and gives its rows. Postgres' own errors end the statement.
pub fn rows(statement: &str, values: &[Value]) -> Result<Vec<Row>, FdwError> {
    // While a query is parallel, nothing can be written, and a statement must not look as if it could.
    // SAFETY: reads a variable of this backend.
    let read_only = unsafe { pg_sys::IsInParallelMode() };
    connected(|| execute(statement, values, read_only))
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

/// Makes a tuplestore known to the current SPI connection as a relation.
///
/// # Safety
/// The tuplestore holds tuples of the descriptor, and lives as long as the connection.
pub unsafe fn name_relation(
    name: &str,
    descriptor: pg_sys::TupleDesc,
    store: *mut pg_sys::Tuplestorestate,
    rows: f64,
) -> Result<(), FdwError> {
    // SAFETY: the relation is made in the connection's memory, zeroed, and gone with it.
    unsafe {
        let relation: *mut pg_sys::EphemeralNamedRelationData =
            pg_sys::palloc0(size_of::<pg_sys::EphemeralNamedRelationData>()).cast();
        (*relation).md.name = to_c_string(name);
        (*relation).md.tupdesc = descriptor;
        (*relation).md.reliddesc = pg_sys::InvalidOid;
        (*relation).md.enrtype = pg_sys::EphemeralNameRelationType::ENR_NAMED_TUPLESTORE;
        (*relation).md.enrtuples = rows;
        (*relation).reldata = store.cast();
        check(pg_sys::SPI_register_relation(relation))
    }
}

/// The rows of a query, kept where memory does not grow with them.
pub struct Stored {
    store: *mut pg_sys::Tuplestorestate,
    descriptor: pg_sys::TupleDesc,
    count: u64,
}

impl Stored {
    /// Runs a query and keeps its rows until the end of the current (sub)transaction, or until this is dropped.
    pub fn of(query: &str, values: &[Value]) -> Result<Stored, FdwError> {
        /// As much as may stay in memory before it goes to disk, in KB.
        const MEMORY: i32 = 4 * 1024;
        /// Rows that are fetched at a time.
        const FETCH: i64 = 10_000;
        let mut types = vec![pg_sys::TEXTOID; values.len()];
        // SAFETY: the store and the descriptor are made in the memory and with the resources of the current
        // (sub)transaction, not of the SPI connection, and copy what they are given.
        unsafe {
            let memory = pg_sys::CurTransactionContext;
            let before = pg_sys::MemoryContextSwitchTo(memory);
            let store = pg_sys::tuplestore_begin_heap(false, false, MEMORY);
            pg_sys::MemoryContextSwitchTo(before);
            let mut stored = Stored { store, descriptor: std::ptr::null_mut(), count: 0 };
            connected(|| {
                let mut datums: Vec<_> =
                    values.iter().map(|value| value.map_or(pg_sys::Datum::null(), to_text)).collect();
                let nulls: Vec<c_char> =
                    values.iter().map(|value| if value.is_some() { b' ' } else { b'n' } as c_char).collect();
                let nulls = if nulls.is_empty() { null() } else { nulls.as_ptr() };
                let portal = pg_sys::SPI_cursor_open_with_args(
                    null(),
                    to_c_string(query),
                    values.len() as i32,
                    types.as_mut_ptr(),
                    datums.as_mut_ptr(),
                    nulls,
                    false,
                    0,
                );
                loop {
                    pg_sys::SPI_cursor_fetch(portal, true, FETCH as _);
                    let table = pg_sys::SPI_tuptable;
                    if stored.descriptor.is_null() {
                        let before = pg_sys::MemoryContextSwitchTo(memory);
                        stored.descriptor = pg_sys::CreateTupleDescCopy((*table).tupdesc);
                        pg_sys::MemoryContextSwitchTo(before);
                    }
                    let fetched = (*table).numvals;
                    for row in 0..fetched as usize {
                        pg_sys::tuplestore_puttuple(store, *(*table).vals.add(row));
                    }
                    pg_sys::SPI_freetuptable(table);
                    stored.count += fetched;
                    if fetched == 0 {
                        break;
                    }
                }
                pg_sys::SPI_cursor_close(portal);
                Ok(())
            })?;
            Ok(stored)
        }
    }

    /// Makes the rows known to the current SPI connection as a relation.
    pub fn name(&self, name: &str) -> Result<(), FdwError> {
        // SAFETY: the store's tuples came with the descriptor, and this lives as long as the connection's statements.
        unsafe { name_relation(name, self.descriptor, self.store, self.count as f64) }
    }

    /// Gives the memory back. Without it, the end of the (sub)transaction does.
    pub fn end(self) {
        // SAFETY: nothing names the rows any more, and the (sub)transaction that owns them goes on.
        unsafe { pg_sys::tuplestore_end(self.store) };
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

/// A statement that a backend prepares once, with parameters of type text.
#[derive(Clone)]
pub struct Prepared(pg_sys::SPIPlanPtr);

impl Prepared {
    pub fn new(statement: &str, parameters: usize) -> Result<Prepared, FdwError> {
        let mut types = vec![pg_sys::TEXTOID; parameters];
        connected(|| {
            // SAFETY: there are as many types as parameters; a plan that is kept outlives the connection.
            unsafe {
                let plan = pg_sys::SPI_prepare(to_c_string(statement), parameters as i32, types.as_mut_ptr());
                if plan.is_null() {
                    return Err(FdwError::Spi(pg_sys::SPI_result));
                }
                check(pg_sys::SPI_keepplan(plan))?;
                Ok(Prepared(plan))
            }
        })
    }

    /// The first value of the only row as it is, in the memory of whoever calls this.
    pub fn datum(&self, values: &[Value]) -> Result<Option<pg_sys::Datum>, FdwError> {
        let mut datums: Vec<_> = values.iter().map(|value| value.map_or(pg_sys::Datum::null(), to_text)).collect();
        let nulls: Vec<c_char> =
            values.iter().map(|value| if value.is_some() { b' ' } else { b'n' } as c_char).collect();
        connected(|| {
            // SAFETY: the plan is kept until `end`, and takes as many values; the row has at least one column, whose
            // type is passed by reference with a length of its own, as arrays are.
            unsafe {
                check(pg_sys::SPI_execute_plan(self.0, datums.as_mut_ptr(), nulls.as_ptr(), true, 1))?;
                let table = pg_sys::SPI_tuptable;
                if table.is_null() || (*table).numvals == 0 {
                    return Ok(None);
                }
                let mut is_null = false;
                let value = pg_sys::SPI_getbinval(*(*table).vals, (*table).tupdesc, 1, &mut is_null);
                Ok((!is_null).then(|| pg_sys::SPI_datumTransfer(value, false, -1)))
            }
        })
    }

    /// Gives it up.
    pub fn end(self) {
        // SAFETY: nobody has a copy any more that is used again.
        unsafe { pg_sys::SPI_freeplan(self.0) };
    }
}

fn check(code: i32) -> Result<(), FdwError> {
    if code < 0 { Err(FdwError::Spi(code)) } else { Ok(()) }
}

/// A procedure's SPI connection, in which transactions may end.
pub struct Transactions(());

impl Transactions {
    /// Connects, and commits what the caller has done so far; only where the procedure was called outside a
    /// transaction block.
    pub fn begin() -> Result<Self, FdwError> {
        // SAFETY: finished below, or by Postgres after an error.
        check(unsafe { pg_sys::SPI_connect_ext(pg_sys::SPI_OPT_NONATOMIC as i32) })?;
        let transactions = Transactions(());
        transactions.commit();
        Ok(transactions)
    }

    /// Commits, and begins the next transaction, in which nothing that tenants wrote can be deferred.
    pub fn commit(&self) {
        // SAFETY: no subtransaction is open and no other role is set, or Postgres raises an error.
        unsafe { pg_sys::SPI_commit() };
        deferral::check_at_once().or_raise();
    }

    pub fn end(self) -> Result<(), FdwError> {
        // SAFETY: the connection of `begin` is the current one.
        check(unsafe { pg_sys::SPI_finish() })
    }
}
