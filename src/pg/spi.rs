//! SQL from inside: every value goes in and comes out as text.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::c_char;
use std::ptr::null;

use pgrx::{PgTupleDesc, pg_sys};

use crate::error::FdwError;
use crate::pg::encoding::{from_server, to_c_string, to_text};
use crate::pg::sandbox;

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

/// Values as SPI takes them.
struct Arguments {
    datums: Vec<pg_sys::Datum>,
    /// A letter for each value that says whether it is null.
    nulls: Vec<c_char>,
}

impl Arguments {
    fn new(values: &[Value]) -> Self {
        let is_null = |value: &Value| if value.is_some() { b' ' } else { b'n' } as c_char;
        Arguments {
            datums: values.iter().map(|value| value.map_or(pg_sys::Datum::null(), to_text)).collect(),
            nulls: values.iter().map(is_null).collect(),
        }
    }
}

/// Runs a statement in the current SPI connection.
pub fn execute(statement: &str, values: &[Value], read_only: bool) -> Result<Vec<Row>, FdwError> {
    let mut types = vec![pg_sys::TEXTOID; values.len()];
    let mut arguments = Arguments::new(values);
    // SAFETY: there are as many types, values and flags as parameters.
    unsafe {
        check(pg_sys::SPI_execute_with_args(
            to_c_string(statement),
            values.len() as i32,
            types.as_mut_ptr(),
            arguments.datums.as_mut_ptr(),
            arguments.nulls.as_ptr(),
            read_only,
            0,
        ))?;
    }
    Ok(take_rows())
}

/// The rows that the last statement of the current SPI connection gave.
fn take_rows() -> Vec<Row> {
    // SAFETY: a table of results is there until it is freed.
    unsafe {
        let table = pg_sys::SPI_tuptable;
        if table.is_null() {
            return Vec::new();
        }
        let columns = (*(*table).tupdesc).natts;
        let rows = (0..(*table).numvals as usize).map(|row| {
            let row = *(*table).vals.add(row);
            (1..=columns).map(|column| text(row, (*table).tupdesc, column)).collect()
        });
        let rows = rows.collect();
        pg_sys::SPI_freetuptable(table);
        rows
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
                let mut arguments = Arguments::new(values);
                let portal = pg_sys::SPI_cursor_open_with_args(
                    null(),
                    to_c_string(query),
                    values.len() as i32,
                    types.as_mut_ptr(),
                    arguments.datums.as_mut_ptr(),
                    arguments.nulls.as_ptr(),
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

/// When a statement that was prepared is planned.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Planned {
    /// Once for many times, whatever the values: for few rows, which an index finds.
    Once,
    /// Each time: the tables may have grown so much that another plan is the better one.
    EachTime,
}

/// A statement that a backend prepares once, with parameters of type text.
#[derive(Clone)]
pub struct Prepared(pg_sys::SPIPlanPtr);

impl Prepared {
    pub fn new(statement: &str, parameters: usize) -> Result<Prepared, FdwError> {
        connected(|| Prepared::within(statement, parameters, 0))
    }

    /// The same in the current SPI connection, whose relations the statement may name: whoever executes it has to make
    /// relations of the same names and columns known.
    fn within(statement: &str, parameters: usize, options: u32) -> Result<Prepared, FdwError> {
        let mut types = vec![pg_sys::TEXTOID; parameters];
        // SAFETY: there are as many types as parameters; a plan that is kept outlives the connection.
        unsafe {
            let statement = to_c_string(statement);
            let plan = pg_sys::SPI_prepare_cursor(statement, parameters as i32, types.as_mut_ptr(), options as i32);
            if plan.is_null() {
                return Err(FdwError::Spi(pg_sys::SPI_result));
            }
            check(pg_sys::SPI_keepplan(plan))?;
            Ok(Prepared(plan))
        }
    }

    /// Plans it unless that was done before. What it is to find, an index finds.
    fn plan(&self) {
        // SAFETY: an SPI connection is open, and the plan that is held is given back; the setting is Postgres' own.
        unsafe {
            sandbox::with_setting(c"enable_seqscan", c"off", || {
                let plan = pg_sys::SPI_plan_get_cached_plan(self.0);
                if !plan.is_null() {
                    pg_sys::ReleaseCachedPlan(plan, pg_sys::CurrentResourceOwner);
                }
            });
        }
    }

    /// Executes it in the current SPI connection, and gives its rows.
    fn rows(&self, values: &[Value], planned: Planned, read_only: bool) -> Result<Vec<Row>, FdwError> {
        if planned == Planned::Once {
            self.plan();
        }
        self.check_count(values)?;
        let mut arguments = Arguments::new(values);
        // SAFETY: SPI_keepplan keeps the plan until `end`, and it has as many parameters as there are values.
        unsafe {
            let (datums, nulls) = (arguments.datums.as_mut_ptr(), arguments.nulls.as_ptr());
            check(pg_sys::SPI_execute_plan(self.0, datums, nulls, read_only, 0))?;
        }
        Ok(take_rows())
    }

    /// Fails unless there are as many values as parameters: SPI would read beyond the values.
    fn check_count(&self, values: &[Value]) -> Result<(), FdwError> {
        // SAFETY: SPI_keepplan keeps the plan until `end`.
        let parameters = unsafe { pg_sys::SPI_getargcount(self.0) };
        if usize::try_from(parameters) == Ok(values.len()) { Ok(()) } else { check(pg_sys::SPI_ERROR_ARGUMENT) }
    }

    /// The first value of the only row as it is, in the memory of whoever calls this.
    pub fn datum(&self, values: &[Value]) -> Result<Option<pg_sys::Datum>, FdwError> {
        let mut arguments = Arguments::new(values);
        connected(|| {
            self.check_count(values)?;
            // SAFETY: SPI_keepplan keeps the plan until `end`, and it has as many parameters as there are values. The
            // value is copied by the length of its column's type, before the connection ends.
            unsafe {
                let (datums, nulls) = (arguments.datums.as_mut_ptr(), arguments.nulls.as_ptr());
                check(pg_sys::SPI_execute_plan(self.0, datums, nulls, true, 1))?;
                let table = pg_sys::SPI_tuptable;
                if table.is_null() || (*table).numvals == 0 {
                    return Ok(None);
                }
                let descriptor = PgTupleDesc::from_pg_unchecked((*table).tupdesc);
                let Some(column) = descriptor.get(0) else { return Ok(None) };
                let mut is_null = false;
                let value = pg_sys::SPI_getbinval(*(*table).vals, (*table).tupdesc, 1, &mut is_null);
                let copy = || pg_sys::SPI_datumTransfer(value, column.attbyval, column.attlen.into());
                Ok((!is_null).then(copy))
            }
        })
    }

    /// Gives it up.
    pub fn end(self) {
        // SAFETY: nobody has a copy any more that is used again.
        unsafe { pg_sys::SPI_freeplan(self.0) };
    }
}

impl Planned {
    fn options(self) -> u32 {
        match self {
            Planned::Once => pg_sys::CURSOR_OPT_GENERIC_PLAN,
            Planned::EachTime => pg_sys::CURSOR_OPT_CUSTOM_PLAN,
        }
    }
}

/// A statement that is kept, and how often it was used.
struct Kept {
    plan: Prepared,
    uses: u32,
}

impl Kept {
    /// Whether it is time to plan it anew. The table may have been empty when it was planned, and any index as good as
    /// the right one; so the second, fourth, eighth time, and later every so often.
    fn is_old(&self) -> bool {
        const OFTEN: u32 = 1024;
        self.uses.is_power_of_two() && self.uses < OFTEN || self.uses.is_multiple_of(OFTEN)
    }
}

thread_local! {
    /// The statements that this backend has prepared.
    static PREPARED: RefCell<HashMap<(String, Planned), Kept>> = RefCell::default();
    /// How many of them are being executed, one within another.
    static EXECUTING: Cell<u32> = const { Cell::new(0) };
}

/// How many statements a backend keeps prepared: a few for each table of each mirror that it has to do with.
const MAX_PREPARED: usize = 500;

/// Counts a statement that is being executed, until it is dropped, be it by an error.
struct Executing;

impl Executing {
    fn begin() -> Self {
        EXECUTING.set(EXECUTING.get() + 1);
        Executing
    }
}

impl Drop for Executing {
    fn drop(&mut self) {
        EXECUTING.set(EXECUTING.get() - 1);
    }
}

/// Runs a statement that comes again with other values, and gives its rows.
pub fn prepared(statement: &str, values: &[Value], planned: Planned) -> Result<Vec<Row>, FdwError> {
    // SAFETY: as in `rows`.
    let read_only = unsafe { pg_sys::IsInParallelMode() };
    connected(|| execute_prepared(statement, values, planned, read_only))
}

/// The same in the current SPI connection.
pub fn execute_prepared(
    statement: &str,
    values: &[Value],
    planned: Planned,
    read_only: bool,
) -> Result<Vec<Row>, FdwError> {
    let key = (statement.to_owned(), planned);
    // While one is being executed, none goes: it may be that one.
    let may_end = EXECUTING.get() == 0;
    let known = PREPARED.with_borrow_mut(|prepared| {
        let kept = prepared.get_mut(&key)?;
        kept.uses = kept.uses.saturating_add(1);
        if planned == Planned::Once && may_end && kept.is_old() { None } else { Some(kept.plan.clone()) }
    });
    let plan = match known {
        Some(plan) => plan,
        None => {
            if PREPARED.with_borrow(HashMap::len) >= MAX_PREPARED {
                if !may_end {
                    return execute(statement, values, read_only);
                }
                PREPARED.take().into_values().for_each(|kept| kept.plan.end());
            }
            let plan = Prepared::within(statement, values.len(), planned.options())?;
            PREPARED
                .with_borrow_mut(|prepared| {
                    let uses = prepared.get(&key).map_or(0, |kept| kept.uses);
                    prepared.insert(key, Kept { plan: plan.clone(), uses })
                })
                .into_iter()
                .for_each(|kept| kept.plan.end());
            plan
        }
    };
    let _executing = Executing::begin();
    plan.rows(values, planned, read_only)
}

pub(super) fn check(code: i32) -> Result<(), FdwError> {
    if code < 0 { Err(FdwError::Spi(code)) } else { Ok(()) }
}
