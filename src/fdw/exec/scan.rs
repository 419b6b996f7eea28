//! How Clerk's objects become rows.
//!
//! All that a scan holds hangs under the query's memory context: when that goes, by success, error or cancel, so do
//! the requests in flight. A row lives in the executor's per-tuple memory, so that memory does not grow with rows.

use std::ffi::c_int;
use std::time::Duration;

use clerk_api::catalog::Object;
use clerk_api::pushdown::{BoundCondition, Classified};
use clerk_api::{Fetch, OrderBy, Page, Query, Stats, batches};
use pgrx::{PgList, PgMemoryContexts, PgTupleDesc, pg_guard, pg_sys};

use crate::error::{FdwError, OrRaise};
use crate::fdw::convert::ColumnConverter;
use crate::fdw::exec::rows::{clear, fill, fill_count};
use crate::fdw::exec::values;
use crate::fdw::plan::private::ScanPlan;
use crate::options;
use crate::remote::io_thread::Pages;
use crate::remote::row_counts;
use crate::remote::server::Server;

/// One execution of one scan.
pub struct Scan {
    relation: pg_sys::Oid,
    object: &'static Object,
    server: Server,
    /// Whose user mapping holds the key.
    role: pg_sys::Oid,
    page_size: u32,
    plan: ScanPlan,
    /// The plan's conditions, and how each is pushed down.
    classified: Classified,
    converters: Vec<ColumnConverter>,
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

/// Postgres prepares a scan, for EXPLAIN as well. Leaves a [`Scan`] in `fdw_state`, which lives in the query's memory
/// context; asks nothing of Clerk yet.
#[pg_guard]
pub unsafe extern "C-unwind" fn begin_foreign_scan(node: *mut pg_sys::ForeignScanState, flags: c_int) {
    if flags & pg_sys::EXEC_FLAG_EXPLAIN_ONLY as c_int != 0 {
        return;
    }
    // SAFETY: the node is a scan of a foreign table of this extension that Postgres has opened. The query's memory
    // context outlives it, and frees the Scan.
    unsafe {
        let memory = (*(*node).ss.ps.state).es_query_cxt;
        let scan = Scan::new(node, memory);
        (*node).fdw_state = PgMemoryContexts::For(memory).leak_and_drop_on_delete(scan).cast();
    }
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
    // SAFETY: begin_foreign_scan left the Scan, and nobody else holds a reference to it.
    unsafe { (*(*node).fdw_state.cast::<Scan>()).go_to(Progress::NotStarted) }
}

/// Postgres wants no more rows: what is on its way is given up.
#[pg_guard]
pub unsafe extern "C-unwind" fn end_foreign_scan(node: *mut pg_sys::ForeignScanState) {
    // SAFETY: begin_foreign_scan left the Scan, or null if the query was only explained.
    if let Some(scan) = unsafe { (*node).fdw_state.cast::<Scan>().as_mut() } {
        scan.go_to(Progress::Ended);
    }
}

impl Scan {
    /// The scan that is being executed; none if it is only explained.
    ///
    /// # Safety
    /// The node is a scan of this extension that `begin_foreign_scan` was called with.
    pub unsafe fn of<'n>(node: *mut pg_sys::ForeignScanState) -> Option<&'n mut Scan> {
        // SAFETY: begin_foreign_scan left the Scan, or null if the query was only explained.
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

    /// # Safety
    /// The node is a scan of a foreign table of this extension that Postgres has opened, and `memory` outlives it.
    unsafe fn new(node: *mut pg_sys::ForeignScanState, memory: pg_sys::MemoryContext) -> Self {
        // SAFETY: Postgres has set up the node, its plan and the descriptor of its relation.
        unsafe {
            let foreign_scan: *mut pg_sys::ForeignScan = (*node).ss.ps.plan.cast();
            let plan = ScanPlan::of(foreign_scan);
            let relation = pg_sys::Oid::from(plan.relation);
            let table = options::table(relation).or_raise();
            let converters = match (*node).ss.ss_currentRelation.as_ref() {
                // Rows are only counted.
                None => Vec::new(),
                Some(open) => {
                    let descriptor = PgTupleDesc::from_pg_copy(open.rd_att);
                    plan.columns
                        .iter()
                        .filter_map(|number| descriptor.get(*number as usize - 1))
                        .filter(|attribute| !attribute.attisdropped)
                        .map(|attribute| ColumnConverter::new(relation, attribute, table.object, memory))
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
                classified: plan.classified(table.object),
                plan,
                converters,
                expressions: PgList::from_pg(expressions).iter_ptr().collect(),
                progress: Progress::NotStarted,
                spent: Spent::default(),
            }
        }
    }

    /// Puts the next row into the slot; false if there is none.
    ///
    /// # Safety
    /// The node is the one that the scan was made for, and the slot is its own.
    unsafe fn next_row(&mut self, node: *mut pg_sys::ForeignScanState, slot: *mut pg_sys::TupleTableSlot) -> bool {
        loop {
            match &mut self.progress {
                // SAFETY: the caller promises the scan's own node.
                Progress::NotStarted => self.progress = unsafe { self.start(node) },
                Progress::Ended => return false,
                Progress::CountedNothing => {
                    // SAFETY: the slot of a scan that counts has one attribute of type bigint for each count(*).
                    unsafe { fill_count(slot, 0) };
                    self.progress = Progress::Ended;
                    return true;
                }
                Progress::Reading(reading) => {
                    if let Some(page) = reading.page.as_ref().filter(|page| reading.row < page.len()) {
                        // SAFETY: the slot has the row type of the table that the converters were made for.
                        unsafe { fill(slot, page, reading.row, &self.converters, self.object) };
                        reading.row += 1;
                        reading.rows += 1.0;
                        return true;
                    }
                    // The old page's memory is given back before the wait for the next one.
                    reading.page = None;
                    match reading.pages.next() {
                        Ok(Some(page)) if self.plan.is_count => {
                            // An answer without a count is an error before it gets here.
                            let count = page.total_count().unwrap_or(0);
                            // SAFETY: the slot of a scan that counts has one attribute of type bigint for each
                            // count(*).
                            unsafe { fill_count(slot, count) };
                            self.go_to(Progress::Ended);
                            return true;
                        }
                        Ok(Some(page)) => (reading.page, reading.row) = (Some(page), 0),
                        Ok(None) => {
                            if reading.is_whole {
                                row_counts::remember_rows(self.relation, reading.rows);
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
    ///
    /// # Safety
    /// The node is the one that the scan was made for.
    unsafe fn start(&mut self, node: *mut pg_sys::ForeignScanState) -> Progress {
        let missing = self.classified.missing_keys();
        if !missing.is_empty() {
            FdwError::NoKeyCondition { object: self.object.name, columns: missing }.raise();
        }
        // SAFETY: the expressions were prepared for this node, whose context they are evaluated in.
        let bound = unsafe { self.bind(|state| evaluate(state, (*node).ss.ps.ps_ExprContext)) };
        let order = self.plan.order_by(self.object);
        let Some(query) = self.classified.bind(&bound, order, self.plan.is_count) else {
            return match self.plan.is_count {
                // No row is a count of 0.
                true => Progress::CountedNothing,
                false => Progress::Ended,
            };
        };
        let query = self.or_full_scan(query, order);
        let is_whole = matches!(&query, Query::List { filters, .. } if filters.is_empty());
        let (client, reused) = self.server.connect(self.role).or_raise();
        // Later loops of this execution find the connection that the first one has opened.
        self.spent.reused.get_or_insert(reused);
        let fetch = Fetch {
            object: self.object,
            query,
            columns: self.converters.iter().map(|converter| converter.locator.clone()).collect(),
            extra_params: self.converters.iter().filter_map(|converter| converter.extra_param).collect(),
            page_size: self.page_size,
            limit_hint: self.plan.limit,
            resume_from: None,
        };
        let pages = Pages::start(fetch, client).or_raise();
        Progress::Reading(Box::new(Reading { pages, page: None, row: 0, rows: 0.0, is_whole }))
    }

    /// What the plan's conditions say now.
    ///
    /// # Safety
    /// `evaluate` gives the value of an expression of the plan.
    unsafe fn bind(
        &self,
        mut evaluate: impl FnMut(*mut pg_sys::ExprState) -> Option<pg_sys::Datum>,
    ) -> Vec<BoundCondition> {
        let mut evaluate = |number: usize| evaluate(*self.expressions.get(number)?);
        let conditions = self.plan.conditions.iter();
        // SAFETY: the planner has matched the kinds to the types of the expressions.
        conditions.map(|condition| unsafe { values::bind(condition, &mut evaluate) }).collect()
    }

    /// Where a query would take more requests than reading the whole table, the whole table instead: Postgres leaves
    /// out what was not asked for.
    fn or_full_scan(&self, query: Query, order: Option<OrderBy>) -> Query {
        let requests = match &query {
            Query::Batches { values, .. } => batches(values).count(),
            Query::Lookup { values, .. } => values.len(),
            _ => return query,
        };
        if self.object.list.is_none() {
            return query;
        }
        // SAFETY: the executor has the relation locked, so that it is in the cache, and the reference is given back.
        let analyzed = unsafe {
            let relation = pg_sys::RelationIdGetRelation(self.relation);
            let rows = (*(*relation).rd_rel).reltuples;
            pg_sys::RelationClose(relation);
            rows
        };
        let rows = row_counts::known_rows(self.relation, analyzed.into()).unwrap_or(UNKNOWN_ROWS);
        let pages = (rows / f64::from(self.page_size)).ceil();
        match requests as f64 > FULL_SCAN_FACTOR * pages + FULL_SCAN_MARGIN {
            true => Query::List { filters: Vec::new(), order },
            false => query,
        }
    }
}

/// As many rows a table is taken to have, before it is known, where that decides whether all of it is read. The
/// planner's guess ([`crate::fdw::plan`]) is far lower, because it had better look rows up than read a table; here the
/// values are known, and reading a large table by mistake costs much more than some lookups.
const UNKNOWN_ROWS: f64 = 500_000.0;

/// All of a table is read where that takes less than half as many requests: its pages are full, while the answers to
/// lookups are short.
const FULL_SCAN_FACTOR: f64 = 2.0;

/// So few requests more are not worth reading what nobody asked for.
const FULL_SCAN_MARGIN: f64 = 8.0;

/// The value of an expression; `None` for NULL.
///
/// # Safety
/// The expression was prepared for the node that the context belongs to.
unsafe fn evaluate(expression: *mut pg_sys::ExprState, context: *mut pg_sys::ExprContext) -> Option<pg_sys::Datum> {
    // SAFETY: the caller promises that expression and context belong together; an error of Postgres' becomes a panic.
    unsafe {
        let function = (*expression).evalfunc?;
        let mut null = false;
        let value = pg_sys::ffi::pg_guard_ffi_boundary(|| function(expression, context, &mut null));
        (!null).then_some(value)
    }
}

/// Whose rights the scan uses: the owner of a view that it belongs to, else the current role.
///
/// # Safety
/// The plan is the node's.
unsafe fn role(node: *mut pg_sys::ForeignScanState, plan: *mut pg_sys::ForeignScan) -> pg_sys::Oid {
    // SAFETY: the executor's range table has an entry for each relation of its plans.
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
