//! Runs SQL statements through SPI. All parameters and results are texts.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::c_char;
use std::ptr::null;
use std::thread::LocalKey;

use pgrx::{PgTupleDesc, pg_sys};

use crate::error::FdwError;
use crate::pg::encoding::{from_server, to_c_string, to_text};
use crate::pg::sandbox;

/// The value of a parameter `$1`, `$2`, …, which is of type text. `None` is NULL.
pub type Value<'v> = Option<&'v str>;

/// A row of a result.
pub type Row = Vec<Option<String>>;

/// Runs a statement and returns its rows. Postgres' own errors are raised and not returned.
pub fn rows(statement: &str, values: &[Value]) -> Result<Vec<Row>, FdwError> {
    connected(|| execute(statement, values, is_parallel()))
}

/// Runs a statement that only reads, and returns its rows. It runs with the snapshot of the current query, and SPI
/// refuses to write, unlike in [`rows`]; so it may run in parallel workers.
pub fn read(statement: &str, values: &[Value]) -> Result<Vec<Row>, FdwError> {
    connected(|| execute(statement, values, true))
}

/// Runs a statement and returns its first row; `None` if it has none.
pub fn row(statement: &str, values: &[Value]) -> Result<Option<Row>, FdwError> {
    Ok(rows(statement, values)?.into_iter().next())
}

/// Runs a statement and returns the first value of its first row; `None` if there is no row or the value is NULL.
pub fn value(statement: &str, values: &[Value]) -> Result<Option<String>, FdwError> {
    Ok(row(statement, values)?.and_then(|row| row.into_iter().next()).flatten())
}

/// Runs a statement and ignores its rows.
pub fn run(statement: &str, values: &[Value]) -> Result<(), FdwError> {
    rows(statement, values).map(drop)
}

/// Runs an action within an SPI connection of its own. If an ERROR is raised, Postgres closes the connection.
pub fn connected<T>(action: impl FnOnce() -> Result<T, FdwError>) -> Result<T, FdwError> {
    // SAFETY: SPI may be connected at any time in a transaction, and connections nest. SPI_finish closes the connection
    // of this SPI_connect, because the action closes those that it opens.
    unsafe {
        check(pg_sys::SPI_connect())?;
        let result = action();
        check(pg_sys::SPI_finish())?;
        result
    }
}

/// Whether the current query is parallel. Then nothing can be written, and SPI raises an error for a statement that is
/// not marked as read-only.
fn is_parallel() -> bool {
    // SAFETY: IsInParallelMode only reads the state of this backend's transaction.
    unsafe { pg_sys::IsInParallelMode() }
}

/// Values in the form that SPI takes them.
struct Arguments {
    datums: Vec<pg_sys::Datum>,
    /// For each value `n` if it is NULL, else a space.
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
    // SAFETY: the arrays of types, values and flags have values.len() elements each, and live until the call returns.
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
    Ok(copy_rows())
}

/// Copies the rows of the last statement of the current SPI connection, and frees SPI's own.
fn copy_rows() -> Vec<Row> {
    // SAFETY: SPI_tuptable is null or the result of the last statement, with `numvals` rows of its descriptor, until
    // SPI_freetuptable.
    unsafe {
        let table = pg_sys::SPI_tuptable;
        if table.is_null() {
            return Vec::new();
        }
        let columns = (*(*table).tupdesc).natts;
        let rows = (0..(*table).numvals as usize).map(|row| {
            let row = *(*table).vals.add(row);
            (1..=columns).map(|column| column_text(row, (*table).tupdesc, column)).collect()
        });
        let rows = rows.collect();
        pg_sys::SPI_freetuptable(table);
        rows
    }
}

/// Registers a tuplestore as a relation that the statements of the current SPI connection can name.
///
/// # Safety
/// The tuplestore must hold tuples of the descriptor, and both must live as long as statements name the relation.
pub unsafe fn name_relation(
    name: &str,
    descriptor: pg_sys::TupleDesc,
    store: *mut pg_sys::Tuplestorestate,
    rows: f64,
) -> Result<(), FdwError> {
    // SAFETY: palloc0 returns room for the relation in the memory of the SPI connection, which registers it and frees
    // it. The caller guarantees that the tuplestore holds tuples of the descriptor and outlives the statements that
    // name it.
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

/// The rows of a query in a tuplestore, which goes to disk if they are many.
pub struct StoredRows {
    store: *mut pg_sys::Tuplestorestate,
    descriptor: pg_sys::TupleDesc,
    count: u64,
}

impl StoredRows {
    /// Runs a query and keeps its rows until [`StoredRows::end`], or else until the current (sub)transaction ends.
    pub fn of(query: &str, values: &[Value]) -> Result<StoredRows, FdwError> {
        /// How much of the rows may stay in memory, in KB: 4 MB, which is the default of work_mem.
        const MEMORY: i32 = 4 * 1024;
        /// How many rows are fetched at a time: enough that the cost of a fetch does not count, and few enough that a
        /// batch of ids takes a few megabytes.
        const FETCH_ROWS: i64 = 10_000;
        let mut types = vec![pg_sys::TEXTOID; values.len()];
        // SAFETY: the store and the descriptor live in the memory of the current (sub)transaction and not of the SPI
        // connection, and both hold copies. The arguments' arrays have values.len() elements each. After a fetch,
        // SPI_tuptable is a result with `numvals` rows until SPI_freetuptable, even when there are no more rows.
        unsafe {
            let memory = pg_sys::CurTransactionContext;
            let previous = pg_sys::MemoryContextSwitchTo(memory);
            let store = pg_sys::tuplestore_begin_heap(false, false, MEMORY);
            pg_sys::MemoryContextSwitchTo(previous);
            let mut stored = StoredRows { store, descriptor: std::ptr::null_mut(), count: 0 };
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
                    pg_sys::SPI_cursor_fetch(portal, true, FETCH_ROWS as _);
                    let table = pg_sys::SPI_tuptable;
                    if stored.descriptor.is_null() {
                        let previous = pg_sys::MemoryContextSwitchTo(memory);
                        stored.descriptor = pg_sys::CreateTupleDescCopy((*table).tupdesc);
                        pg_sys::MemoryContextSwitchTo(previous);
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

    /// Registers the rows as a relation that the statements of the current SPI connection can name.
    pub fn name(&self, name: &str) -> Result<(), FdwError> {
        // SAFETY: `of` copied the descriptor from the result whose tuples it put into the store. Both live until `end`,
        // which consumes `self`, or until the end of the (sub)transaction, inside which the SPI connection was opened.
        unsafe { name_relation(name, self.descriptor, self.store, self.count as f64) }
    }

    /// Frees the rows. To be called outside the SPI connections that name them, in the same (sub)transaction as
    /// [`StoredRows::of`]; without this call, the end of the (sub)transaction frees them.
    pub fn end(self) {
        // SAFETY: `of` made the store, and `self` is consumed, so that it is freed once and not used afterwards.
        // Statements that name the rows run in an SPI connection of `connected`, which is finished before the caller
        // gets here.
        unsafe { pg_sys::tuplestore_end(self.store) };
    }
}

/// The value of a column as text; `None` if it is NULL.
///
/// # Safety
/// The row must have that descriptor, and the descriptor a column of that number.
unsafe fn column_text(row: pg_sys::HeapTuple, descriptor: pg_sys::TupleDesc, column: i32) -> Option<String> {
    // SAFETY: the caller guarantees that the descriptor is the row's and has the column. SPI_getvalue returns a C
    // string, or null for NULL.
    unsafe {
        let value = pg_sys::SPI_getvalue(row, descriptor, column);
        (!value.is_null()).then(|| from_server(value))
    }
}

/// When a prepared statement is planned.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum PlanPolicy {
    /// Once for all executions, whatever the values: for statements on few rows, which an index finds.
    Once,
    /// For each execution: for statements on many rows, whose tables may have grown so that another plan is better.
    EachTime,
}

/// A statement that this backend has prepared, with parameters of type text.
#[derive(Clone)]
pub struct Prepared(pg_sys::SPIPlanPtr);

impl Prepared {
    /// Prepares a statement with a number of parameters.
    pub fn new(statement: &str, parameters: usize) -> Result<Prepared, FdwError> {
        connected(|| Prepared::within(statement, parameters, 0))
    }

    /// Prepares a statement in the current SPI connection. It may name relations that are registered there; each
    /// connection that executes the statement has to register relations of the same names and columns.
    fn within(statement: &str, parameters: usize, options: u32) -> Result<Prepared, FdwError> {
        let mut types = vec![pg_sys::TEXTOID; parameters];
        // SAFETY: the array has one type for each parameter. SPI_keepplan moves the plan into memory that outlives the
        // connection.
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

    /// Makes the generic plan if there is none yet. Sequential scans are disabled meanwhile: the statement is for rows
    /// that an index finds, but an empty or small table would get a sequential scan, which would stay when the table
    /// has grown.
    fn plan(&self) {
        // SAFETY: enable_seqscan is a boolean setting of Postgres. SPI_keepplan keeps the plan until `free`, and the
        // callers have an SPI connection open. SPI_plan_get_cached_plan takes a reference for CurrentResourceOwner,
        // which ReleaseCachedPlan returns.
        unsafe {
            sandbox::with_setting(c"enable_seqscan", c"off", || {
                let plan = pg_sys::SPI_plan_get_cached_plan(self.0);
                if !plan.is_null() {
                    pg_sys::ReleaseCachedPlan(plan, pg_sys::CurrentResourceOwner);
                }
            });
        }
    }

    /// Executes the statement in the current SPI connection and returns its rows.
    fn rows(&self, values: &[Value], planned: PlanPolicy, read_only: bool) -> Result<Vec<Row>, FdwError> {
        if planned == PlanPolicy::Once {
            self.plan();
        }
        self.check_count(values)?;
        let mut arguments = Arguments::new(values);
        // SAFETY: SPI_keepplan keeps the plan until `free`, and it has as many parameters as there are values.
        unsafe {
            let (datums, nulls) = (arguments.datums.as_mut_ptr(), arguments.nulls.as_ptr());
            check(pg_sys::SPI_execute_plan(self.0, datums, nulls, read_only, 0))?;
        }
        Ok(copy_rows())
    }

    /// Fails unless there are as many values as parameters: SPI would read beyond the values.
    fn check_count(&self, values: &[Value]) -> Result<(), FdwError> {
        // SAFETY: SPI_keepplan keeps the plan until `free`.
        let parameters = unsafe { pg_sys::SPI_getargcount(self.0) };
        if usize::try_from(parameters) == Ok(values.len()) { Ok(()) } else { check(pg_sys::SPI_ERROR_ARGUMENT) }
    }

    /// Executes the statement and returns the first value of its first row as a datum, copied to the current memory
    /// context; `None` if there is no row or the value is NULL.
    pub fn datum(&self, values: &[Value]) -> Result<Option<pg_sys::Datum>, FdwError> {
        let mut arguments = Arguments::new(values);
        connected(|| {
            self.check_count(values)?;
            // SAFETY: SPI_keepplan keeps the plan until `free`, and it has as many parameters as there are values. The
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

    /// Frees the statement.
    ///
    /// # Safety
    /// No copy of the statement may be in use, or be used afterwards.
    pub unsafe fn free(self) {
        // SAFETY: SPI_keepplan has kept the plan until now, and the caller guarantees that nobody uses it any more.
        unsafe { pg_sys::SPI_freeplan(self.0) };
    }
}

impl PlanPolicy {
    fn options(self) -> u32 {
        match self {
            PlanPolicy::Once => pg_sys::CURSOR_OPT_GENERIC_PLAN,
            PlanPolicy::EachTime => pg_sys::CURSOR_OPT_CUSTOM_PLAN,
        }
    }
}

/// A prepared statement that is kept, and how many times it was used.
struct CachedStatement {
    plan: Prepared,
    uses: u32,
}

impl CachedStatement {
    /// Whether it has to be planned again. When it was planned, its table may have been empty, so that every index
    /// seemed as good as the right one. Tables often grow fast at first, so the plan is renewed after 1, 2, 4, 8 uses
    /// and so on, and from 1024 uses on after every 1024, which costs little for each.
    fn is_due_for_replanning(&self) -> bool {
        const REPLAN_INTERVAL: u32 = 1024;
        self.uses.is_power_of_two() && self.uses < REPLAN_INTERVAL || self.uses.is_multiple_of(REPLAN_INTERVAL)
    }
}

thread_local! {
    /// The statements that [`prepared`] and [`execute_prepared`] have prepared in this backend.
    static PREPARED: RefCell<HashMap<(String, PlanPolicy), CachedStatement>> = RefCell::default();
    /// How many of them are being executed. It is more than one if a trigger of one statement runs another.
    static EXECUTING: Cell<u32> = const { Cell::new(0) };
}

/// How many statements a backend keeps prepared. Each mirror needs a few for each of its tables, so this is enough for
/// some dozens of mirrors; the plans of many more would take too much memory.
const MAX_PREPARED: usize = 500;

/// Counts a statement as being executed until this is dropped, by a return or by an error. Prepared statements are not
/// freed while their count is above zero.
pub struct Executing(&'static LocalKey<Cell<u32>>);

impl Executing {
    pub fn begin(count: &'static LocalKey<Cell<u32>>) -> Self {
        count.set(count.get() + 1);
        Executing(count)
    }
}

impl Drop for Executing {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// Runs a statement that is run repeatedly with different values, and returns its rows.
pub fn prepared(statement: &str, values: &[Value], planned: PlanPolicy) -> Result<Vec<Row>, FdwError> {
    connected(|| execute_prepared(statement, values, planned, is_parallel()))
}

/// Like [`prepared`], but in the current SPI connection.
pub fn execute_prepared(
    statement: &str,
    values: &[Value],
    planned: PlanPolicy,
    read_only: bool,
) -> Result<Vec<Row>, FdwError> {
    let key = (statement.to_owned(), planned);
    // While a statement is being executed, none may be freed, because it could be that one.
    let may_free = EXECUTING.get() == 0;
    let cached = PREPARED.with_borrow_mut(|prepared| {
        let cached = prepared.get_mut(&key)?;
        cached.uses = cached.uses.saturating_add(1);
        let is_stale = planned == PlanPolicy::Once && may_free && cached.is_due_for_replanning();
        (!is_stale).then(|| cached.plan.clone())
    });
    let plan = match cached {
        Some(plan) => plan,
        None => {
            if PREPARED.with_borrow(HashMap::len) >= MAX_PREPARED {
                if !may_free {
                    return execute(statement, values, read_only);
                }
                for cached in PREPARED.take().into_values() {
                    // SAFETY: no statement is being executed, and these are not in the map any more.
                    unsafe { cached.plan.free() };
                }
            }
            let plan = Prepared::within(statement, values.len(), planned.options())?;
            let replaced = PREPARED.with_borrow_mut(|prepared| {
                let uses = prepared.get(&key).map_or(0, |cached| cached.uses);
                prepared.insert(key, CachedStatement { plan: plan.clone(), uses })
            });
            if let Some(replaced) = replaced {
                // SAFETY: a statement is replaced only while none is being executed, and it is not in the map any more.
                unsafe { replaced.plan.free() };
            }
            plan
        }
    };
    let _executing = Executing::begin(&EXECUTING);
    plan.rows(values, planned, read_only)
}

/// Turns a return code of SPI that stands for a failure, which is a negative one, into an error.
pub(super) fn check(code: i32) -> Result<(), FdwError> {
    if code < 0 { Err(FdwError::Spi(code)) } else { Ok(()) }
}
