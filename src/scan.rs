//! How Clerk's objects become rows.
//!
//! All that a scan holds hangs under the query's memory context: when that goes, by success, error or cancel, so do
//! the requests in flight. A row lives in the executor's per-tuple memory, so that memory does not grow with rows.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use clerk_api::object::Object;
use clerk_api::{From, Ordered, Page, Read, Stats, batches};
use pgrx::pg_sys::panic::CaughtError;
use pgrx::{PgList, PgSqlErrorCode, PgTryBuilder, PgTupleDesc, pg_guard, pg_sys};

use crate::connection::{self, Server};
use crate::convert::{Misfit, Target};
use crate::cost;
use crate::error::{FdwError, OrRaise};
use crate::io_thread::Pages;
use crate::option;
use crate::plan::ScanPlan;
use crate::shippable::{self, Known};
use crate::value;

/// One execution of one scan.
pub struct Scan {
    relation: pg_sys::Oid,
    object: &'static Object,
    server: Server,
    /// Whose user mapping holds the key.
    role: pg_sys::Oid,
    page_size: u32,
    pub plan: ScanPlan,
    targets: Vec<Target>,
    /// The values of the plan's conditions.
    expressions: Vec<*mut pg_sys::ExprState>,
    progress: Progress,
    /// What the executions before this one have cost, and this one once it has ended.
    pub spent: Spent,
}

/// What executions of a scan have cost.
#[derive(Default, Clone, Copy)]
pub struct Spent {
    pub rows: f64,
    pub requests: u64,
    pub retries: u64,
    pub bytes: u64,
    pub paced: Duration,
    pub asked: Duration,
    /// Whether an earlier query has opened the connection; none if there was no need of it.
    pub reused: Option<bool>,
}

impl Spent {
    fn add(&mut self, stats: &Stats, rows: f64) {
        self.rows += rows;
        self.requests += stats.requests();
        self.retries += stats.retries();
        self.bytes += stats.bytes();
        self.paced += stats.paced();
        self.asked += stats.asked();
    }
}

enum Progress {
    /// Nothing was asked of Clerk yet: a scan may end without a single row being wanted.
    NotStarted,
    Reading(Box<Reading>),
    /// No row can satisfy the conditions, and how many there are is all that is wanted.
    CountedNothing,
    Ended,
}

struct Reading {
    pages: Pages,
    page: Option<Page>,
    /// The next row of the page.
    row: usize,
    rows: f64,
    /// All of the table is read, so that its size is known at the end.
    is_whole: bool,
}

/// Postgres prepares a scan, for EXPLAIN as well. Leaves a [`Scan`] in `fdw_state`; asks nothing of Clerk yet.
#[pg_guard]
pub unsafe extern "C-unwind" fn begin_foreign_scan(node: *mut pg_sys::ForeignScanState, flags: c_int) {
    if flags & pg_sys::EXEC_FLAG_EXPLAIN_ONLY as c_int != 0 {
        return;
    }
    // SAFETY: the node is a scan of a foreign table of ours that Postgres has opened; the query's memory context
    // outlives it, and its callback is the only owner of the Scan.
    unsafe {
        let memory = (*(*node).ss.ps.state).es_query_cxt;
        let callback: *mut pg_sys::MemoryContextCallback =
            pg_sys::MemoryContextAllocZero(memory, size_of::<pg_sys::MemoryContextCallback>()).cast();
        let scan = Box::into_raw(Box::new(Scan::new(node, memory)));
        (*callback).func = Some(drop_scan);
        (*callback).arg = scan.cast();
        pg_sys::MemoryContextRegisterResetCallback(memory, callback);
        (*node).fdw_state = scan.cast();
    }
}

/// The query's memory goes away. This may be in the middle of an error: nothing of Postgres may be called.
unsafe extern "C-unwind" fn drop_scan(scan: *mut c_void) {
    // SAFETY: the pointer is the one that begin_foreign_scan made, and this is called once.
    drop(unsafe { Box::from_raw(scan.cast::<Scan>()) });
}

/// Postgres wants the next row, in per-tuple memory. An empty slot is the end.
#[pg_guard]
pub unsafe extern "C-unwind" fn iterate_foreign_scan(
    node: *mut pg_sys::ForeignScanState,
) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: begin_foreign_scan left the Scan; the slot is the scan's, of its table's row type.
    unsafe {
        let slot = (*node).ss.ss_ScanTupleSlot;
        clear(slot);
        let scan = &mut *(*node).fdw_state.cast::<Scan>();
        if scan.next_row(node, slot) {
            pg_sys::ExecStoreVirtualTuple(slot);
        }
        slot
    }
}

/// Postgres wants the rows once more, perhaps with other parameters.
#[pg_guard]
pub unsafe extern "C-unwind" fn re_scan_foreign_scan(node: *mut pg_sys::ForeignScanState) {
    // SAFETY: as above.
    unsafe { (*(*node).fdw_state.cast::<Scan>()).go_to(Progress::NotStarted) }
}

/// Postgres wants no more rows: what is on its way is given up.
#[pg_guard]
pub unsafe extern "C-unwind" fn end_foreign_scan(node: *mut pg_sys::ForeignScanState) {
    // SAFETY: as above; there is none if the scan was only explained.
    if let Some(scan) = unsafe { (*node).fdw_state.cast::<Scan>().as_mut() } {
        scan.go_to(Progress::Ended);
    }
}

impl Scan {
    /// The scan that is being executed; none if it is only explained.
    pub unsafe fn of<'n>(node: *mut pg_sys::ForeignScanState) -> Option<&'n mut Scan> {
        // SAFETY: the caller's: the node is a scan of ours.
        unsafe { (*node).fdw_state.cast::<Scan>().as_mut() }
    }

    /// What was spent up to now.
    pub fn spent(&self) -> Spent {
        let mut spent = self.spent;
        if let Progress::Reading(reading) = &self.progress {
            spent.add(reading.pages.stats(), reading.rows);
        }
        spent
    }

    fn go_to(&mut self, progress: Progress) {
        self.spent = self.spent();
        self.progress = progress;
    }

    unsafe fn new(node: *mut pg_sys::ForeignScanState, memory: pg_sys::MemoryContext) -> Self {
        // SAFETY: the caller's.
        unsafe {
            let foreign_scan: *mut pg_sys::ForeignScan = (*node).ss.ps.plan.cast();
            let plan = ScanPlan::of(foreign_scan);
            let relation = pg_sys::Oid::from(plan.relation);
            let table = option::table(relation).or_raise();
            let targets = match (*node).ss.ss_currentRelation.as_ref() {
                // Rows are only counted.
                None => Vec::new(),
                Some(open) => {
                    let descriptor = PgTupleDesc::from_pg_copy(open.rd_att);
                    plan.columns
                        .iter()
                        .filter_map(|number| descriptor.get(*number as usize - 1))
                        .filter(|attribute| !attribute.attisdropped)
                        .map(|attribute| Target::new(relation, attribute, table.object, memory))
                        .collect()
                }
            };
            let expressions = pg_sys::ExecInitExprList((*foreign_scan).fdw_exprs, node.cast());
            Scan {
                relation,
                object: table.object,
                server: Server::new(table.server),
                role: role(node, foreign_scan),
                page_size: table.page_size,
                plan,
                targets,
                expressions: PgList::from_pg(expressions).iter_ptr().collect(),
                progress: Progress::NotStarted,
                spent: Spent::default(),
            }
        }
    }

    /// Puts the next row into the slot; false if there is none.
    unsafe fn next_row(&mut self, node: *mut pg_sys::ForeignScanState, slot: *mut pg_sys::TupleTableSlot) -> bool {
        loop {
            match &mut self.progress {
                // SAFETY: the caller's.
                Progress::NotStarted => self.progress = unsafe { self.start(node) },
                Progress::Ended => return false,
                Progress::CountedNothing => {
                    // SAFETY: as below.
                    unsafe { fill_count(slot, 0) };
                    self.progress = Progress::Ended;
                    return true;
                }
                Progress::Reading(reading) => {
                    if let Some(page) = reading.page.as_ref().filter(|page| reading.row < page.len()) {
                        // SAFETY: the caller's.
                        unsafe { fill(slot, page, reading.row, &self.targets, self.object) };
                        reading.row += 1;
                        reading.rows += 1.0;
                        return true;
                    }
                    // The old page's memory is given back before the wait for the next one.
                    reading.page = None;
                    match reading.pages.next() {
                        Ok(Some(page)) if self.plan.count => {
                            // An answer without a count is an error before it gets here.
                            let count = page.total_count().unwrap_or(0);
                            // SAFETY: the slot has one attribute of type bigint for each count(*).
                            unsafe { fill_count(slot, count) };
                            self.go_to(Progress::Ended);
                            return true;
                        }
                        Ok(Some(page)) => (reading.page, reading.row) = (Some(page), 0),
                        Ok(None) => {
                            if reading.is_whole {
                                connection::saw_rows(self.relation, reading.rows);
                            }
                            self.go_to(Progress::Ended);
                        }
                        Err(error) => {
                            self.go_to(Progress::Ended);
                            FdwError::Clerk { error, server: self.server.name.clone() }.raise();
                        }
                    }
                }
            }
        }
    }

    /// Starts reading.
    unsafe fn start(&mut self, node: *mut pg_sys::ForeignScanState) -> Progress {
        // SAFETY: the caller's; the expressions were prepared for this node.
        let known = unsafe { self.known(|_, state| evaluate(state, (*node).ss.ps.ps_ExprContext)) };
        let order = self.order();
        let from = shippable::read(self.object, &self.plan.conditions, &known, order, self.plan.count);
        let Some(from) = from else {
            return match self.plan.count {
                // No row is a count of 0.
                true => Progress::CountedNothing,
                false => Progress::Ended,
            };
        };
        let from = self.or_all(from, order);
        let is_whole = matches!(&from, From::List { filters, .. } if filters.is_empty());
        let (client, reused) = self.server.connect(self.role).or_raise();
        // Later loops of this execution find the connection that the first one has opened.
        self.spent.reused.get_or_insert(reused);
        let read = Read {
            object: self.object,
            from,
            values: self.targets.iter().map(|target| target.locator.clone()).collect(),
            asks: self.targets.iter().filter_map(|target| target.asks).collect(),
            page_size: self.page_size,
            enough: self.plan.enough,
            after: None,
        };
        let pages = Pages::start(read, client).or_raise();
        Progress::Reading(Box::new(Reading { pages, page: None, row: 0, rows: 0.0, is_whole }))
    }

    /// The order that the rows must come in, as Clerk calls it.
    pub fn order(&self) -> Option<Ordered> {
        let order = self.plan.order.as_ref()?;
        let parameter = self.object.order(&order.column)?.parameter;
        Some(Ordered { parameter, descending: order.descending })
    }

    /// The values of the plan's conditions, as far as they can be told.
    pub unsafe fn known(
        &self,
        mut evaluate: impl FnMut(usize, *mut pg_sys::ExprState) -> Option<pg_sys::Datum>,
    ) -> Vec<Known> {
        let conditions = self.plan.conditions.iter();
        // SAFETY: the caller's; the planner has matched the kinds to the expressions.
        conditions
            .map(|condition| unsafe {
                value::known(condition, |number| evaluate(number, *self.expressions.get(number)?))
            })
            .collect()
    }

    /// Where a read would take more requests than reading all of the table, all of the table instead: Postgres leaves
    /// out what was not asked for.
    fn or_all(&self, from: From, order: Option<Ordered>) -> From {
        let requests = match &from {
            From::Batches { values, .. } => batches(values).count(),
            From::Keys { values, .. } => values.len(),
            _ => return from,
        };
        // SAFETY: the relation is open, or its plan would have been made anew.
        let analyzed = unsafe {
            let relation = pg_sys::RelationIdGetRelation(self.relation);
            let rows = (*(*relation).rd_rel).reltuples;
            pg_sys::RelationClose(relation);
            rows
        };
        let pages =
            cost::known_rows(self.relation, analyzed.into()).unwrap_or(UNKNOWN_ROWS) / f64::from(self.page_size);
        match requests as f64 > 2.0 * pages.ceil() + 8.0 {
            true => From::List { filters: Vec::new(), order },
            false => from,
        }
    }
}

/// As many rows a table is taken to have, before it is known, where that decides whether all of it is read.
const UNKNOWN_ROWS: f64 = 500_000.0;

/// The value of an expression; `None` for NULL.
unsafe fn evaluate(expression: *mut pg_sys::ExprState, context: *mut pg_sys::ExprContext) -> Option<pg_sys::Datum> {
    // SAFETY: the expression was prepared for the node that the context belongs to.
    unsafe {
        let function = (*expression).evalfunc?;
        let mut null = false;
        let value = pg_sys::ffi::pg_guard_ffi_boundary(|| function(expression, context, &mut null));
        (!null).then_some(value)
    }
}

/// Puts a count into every attribute of the slot.
unsafe fn fill_count(slot: *mut pg_sys::TupleTableSlot, count: u64) {
    // SAFETY: a slot has as many values and flags as its descriptor has attributes.
    unsafe {
        for attribute in 0..(*(*slot).tts_tupleDescriptor).natts as usize {
            (*slot).tts_values.add(attribute).write((count as i64).into());
            (*slot).tts_isnull.add(attribute).write(false);
        }
    }
}

/// Whose rights the scan uses: the owner of a view that it belongs to, else the current role.
unsafe fn role(node: *mut pg_sys::ForeignScanState, plan: *mut pg_sys::ForeignScan) -> pg_sys::Oid {
    // SAFETY: the caller's; the plan's range table has an entry for its relation.
    unsafe {
        #[cfg(feature = "pg15")]
        let checked = {
            // A scan that only counts has no relation of its own, but stands for one.
            let number = match (*plan).scan.scanrelid {
                0 => pg_sys::bms_next_member((*plan).fs_relids, -1),
                number => number as i32,
            };
            let table = PgList::<pg_sys::RangeTblEntry>::from_pg((*(*node).ss.ps.state).es_range_table);
            table.get_ptr(number as usize - 1).map_or(pg_sys::InvalidOid, |entry| (*entry).checkAsUser)
        };
        #[cfg(not(feature = "pg15"))]
        let checked = {
            let _ = node;
            (*plan).checkAsUser
        };
        if checked == pg_sys::InvalidOid { pg_sys::GetUserId() } else { checked }
    }
}

/// Empties a slot.
pub unsafe fn clear(slot: *mut pg_sys::TupleTableSlot) {
    // SAFETY: the caller's: the slot has its operations.
    unsafe {
        if let Some(clear) = (*(*slot).tts_ops).clear {
            pg_sys::ffi::pg_guard_ffi_boundary(|| clear(slot));
        }
    }
}

/// Converts one object into the slot. Errors name the object and the column, those of input functions as well.
pub unsafe fn fill(
    slot: *mut pg_sys::TupleTableSlot,
    page: &Page,
    row: usize,
    targets: &[Target],
    object: &'static Object,
) {
    // SAFETY: a slot has as many values and flags as its descriptor has attributes.
    let (values, nulls) = unsafe {
        let attributes = (*(*slot).tts_tupleDescriptor).natts as usize;
        (
            std::slice::from_raw_parts_mut((*slot).tts_values, attributes),
            std::slice::from_raw_parts_mut((*slot).tts_isnull, attributes),
        )
    };
    nulls.fill(true);
    let current = Cell::new(0);
    PgTryBuilder::new(AssertUnwindSafe(|| {
        for (index, target) in targets.iter().enumerate() {
            current.set(index);
            if let Some(datum) = target.convert(page.value(row, index))? {
                let place = target.number as usize - 1;
                (values[place], nulls[place]) = (datum, false);
            }
        }
        Ok(())
    }))
    .catch_others(|caught| match &caught {
        CaughtError::PostgresError(report) if is_about_a_value(report.sql_error_code()) => Err(Misfit {
            problem: format!("cannot take its value: {}", report.message()),
            code: report.sql_error_code(),
        }),
        _ => caught.rethrow(),
    })
    .execute()
    .map_err(|Misfit { problem, code }| {
        let target = &targets[current.get()];
        let (column, wanted) = (target.name.clone(), target.type_name());
        FdwError::Value { object: object.name, id: page.id(row).into_owned(), column, wanted, problem, code }
    })
    .or_raise();
}

/// Whether an error comes from a value (what input functions complain of, a domain's conditions, limits of size and
/// depth), not from a cancel or a lack of memory.
fn is_about_a_value(code: PgSqlErrorCode) -> bool {
    use PgSqlErrorCode::*;
    let class = |code: PgSqlErrorCode| code as i64 & 0xFFF;
    let about_values = [
        ERRCODE_DATA_EXCEPTION,
        ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION,
        ERRCODE_PROGRAM_LIMIT_EXCEEDED,
        ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION,
    ];
    about_values.into_iter().any(|about| class(about) == class(code))
}
