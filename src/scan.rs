//! How Clerk's objects become rows.
//!
//! All that a scan holds hangs under the query's memory context: when that goes, by success, error or cancel, so do
//! the requests in flight. A row lives in the executor's per-tuple memory, so that memory does not grow with rows.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::panic::AssertUnwindSafe;

use clerk_api::object::Object;
use clerk_api::{From, Page, Read};
use pgrx::pg_sys::panic::CaughtError;
use pgrx::{PgList, PgSqlErrorCode, PgTryBuilder, PgTupleDesc, pg_guard, pg_sys};

use crate::connection::{self, Server};
use crate::convert::{Misfit, Target};
use crate::encoding::from_server;
use crate::error::{FdwError, OrRaise};
use crate::io_thread::Pages;
use crate::option;
use crate::plan::ScanPlan;

/// One execution of one scan.
struct Scan {
    relation: pg_sys::Oid,
    object: &'static Object,
    server: Server,
    /// Whose user mapping holds the key.
    role: pg_sys::Oid,
    page_size: u32,
    plan: ScanPlan,
    targets: Vec<Target>,
    /// The value of the plan's key.
    key_value: Option<*mut pg_sys::ExprState>,
    progress: Progress,
}

enum Progress {
    /// Nothing was asked of Clerk yet: a scan may end without a single row being wanted.
    NotStarted,
    Reading(Reading),
    Ended,
}

struct Reading {
    pages: Pages,
    page: Option<Page>,
    /// The next row of the page.
    row: usize,
    rows: f64,
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
        if let Some(clear) = (*(*slot).tts_ops).clear {
            pg_sys::ffi::pg_guard_ffi_boundary(|| clear(slot));
        }
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
    unsafe { (*(*node).fdw_state.cast::<Scan>()).progress = Progress::NotStarted }
}

/// Postgres wants no more rows: what is on its way is given up.
#[pg_guard]
pub unsafe extern "C-unwind" fn end_foreign_scan(node: *mut pg_sys::ForeignScanState) {
    // SAFETY: as above; there is none if the scan was only explained.
    if let Some(scan) = unsafe { (*node).fdw_state.cast::<Scan>().as_mut() } {
        scan.progress = Progress::Ended;
    }
}

impl Scan {
    unsafe fn new(node: *mut pg_sys::ForeignScanState, memory: pg_sys::MemoryContext) -> Self {
        // SAFETY: the caller's.
        unsafe {
            let foreign_scan: *mut pg_sys::ForeignScan = (*node).ss.ps.plan.cast();
            let plan = ScanPlan::of(foreign_scan);
            let descriptor = PgTupleDesc::from_pg_copy((*(*node).ss.ss_currentRelation).rd_att);
            let relation = (*(*node).ss.ss_currentRelation).rd_id;
            let table = option::table(relation).or_raise();
            let targets = plan
                .columns
                .iter()
                .filter_map(|number| descriptor.get(*number as usize - 1))
                .filter(|attribute| !attribute.attisdropped)
                .map(|attribute| Target::new(relation, attribute, table.object, memory))
                .collect();
            let expressions = pg_sys::ExecInitExprList((*foreign_scan).fdw_exprs, node.cast());
            Scan {
                relation,
                object: table.object,
                server: Server::new(table.server),
                role: role(node, foreign_scan),
                page_size: table.page_size,
                plan,
                targets,
                key_value: PgList::from_pg(expressions).get_ptr(0),
                progress: Progress::NotStarted,
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
                        Ok(Some(page)) => (reading.page, reading.row) = (Some(page), 0),
                        Ok(None) => {
                            if self.key_value.is_none() {
                                connection::saw_rows(self.relation, reading.rows);
                            }
                            self.progress = Progress::Ended;
                        }
                        Err(error) => {
                            self.progress = Progress::Ended;
                            FdwError::Clerk { error, server: self.server.name.clone() }.raise();
                        }
                    }
                }
            }
        }
    }

    /// Starts reading.
    unsafe fn start(&self, node: *mut pg_sys::ForeignScanState) -> Progress {
        let key = self.plan.key.as_ref().and_then(|column| self.object.key(column));
        let from = match (key, self.key_value) {
            (Some(key), Some(expression)) => {
                // SAFETY: the caller's; the expression was prepared for this node.
                match unsafe { text_value(expression, (*node).ss.ps.ps_ExprContext) } {
                    Some(value) => From::Key { key, value },
                    // No row's value equals NULL.
                    None => return Progress::Ended,
                }
            }
            _ => From::All,
        };
        let client = self.server.connect(self.role).or_raise();
        let read = Read {
            object: self.object,
            from,
            values: self.targets.iter().map(|target| target.locator.clone()).collect(),
            asks: self.targets.iter().filter_map(|target| target.asks).collect(),
            page_size: self.page_size,
            enough: self.plan.enough,
        };
        let pages = Pages::start(read, client).or_raise();
        Progress::Reading(Reading { pages, page: None, row: 0, rows: 0.0 })
    }
}

/// Whose rights the scan uses: the owner of a view that it belongs to, else the current role.
unsafe fn role(node: *mut pg_sys::ForeignScanState, plan: *mut pg_sys::ForeignScan) -> pg_sys::Oid {
    // SAFETY: the caller's; the plan's range table has an entry for its relation.
    unsafe {
        #[cfg(any(feature = "pg14", feature = "pg15"))]
        let checked = {
            let table = PgList::<pg_sys::RangeTblEntry>::from_pg((*(*node).ss.ps.state).es_range_table);
            table.get_ptr((*plan).scan.scanrelid as usize - 1).map_or(pg_sys::InvalidOid, |entry| (*entry).checkAsUser)
        };
        #[cfg(not(any(feature = "pg14", feature = "pg15")))]
        let checked = {
            let _ = node;
            (*plan).checkAsUser
        };
        if checked == pg_sys::InvalidOid { pg_sys::GetUserId() } else { checked }
    }
}

/// The value of an expression of type text, in UTF-8; `None` for NULL.
unsafe fn text_value(expression: *mut pg_sys::ExprState, context: *mut pg_sys::ExprContext) -> Option<String> {
    // SAFETY: the expression was prepared for the node that the context belongs to; its value is a text.
    unsafe {
        let evaluate = (*expression).evalfunc?;
        let mut null = false;
        let value = pg_sys::ffi::pg_guard_ffi_boundary(|| evaluate(expression, context, &mut null));
        if null {
            return None;
        }
        Some(from_server(pg_sys::text_to_cstring(value.cast_mut_ptr())))
    }
}

/// Converts one object into the slot. Errors name the object and the column, those of input functions as well.
unsafe fn fill(
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
