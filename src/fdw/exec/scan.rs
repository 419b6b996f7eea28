//! Scans foreign tables: sends requests to Clerk and returns rows to the executor.
//!
//! The query's memory context owns the scan and drops it when the query ends, by success, error or cancel; that cancels
//! the requests in flight. Each row lives in the executor's per-tuple memory, so that memory does not grow with the
//! rows.

use std::ffi::c_int;
use std::sync::Arc;
use std::time::Duration;

use clerk_api::catalog::Object;
use clerk_api::pushdown::{BoundCondition, Classified};
use clerk_api::{Client, Fetch, OrderBy, Page, Query, Stats, batches, extra_params};
use pgrx::{PgList, PgMemoryContexts, PgTupleDesc, pg_guard, pg_sys};

use crate::error::{FdwError, OrRaise};
use crate::fdw::convert::ColumnConverter;
use crate::fdw::exec::rows::{fill, fill_count};
use crate::fdw::exec::values;
use crate::fdw::plan::private::ScanPlan;
use crate::options;
use crate::pg::expression;
use crate::pg::tuples::clear;
use crate::remote::io_thread::Pages;
use crate::remote::row_counts;
use crate::remote::server::Server;

use lookups::Lookups;
use stored::Stored;

pub mod lookups;
mod stored;

/// The scan of one node of a plan. Each rescan executes it again.
pub struct Scan {
    relation: pg_sys::Oid,
    object: &'static Object,
    server: Server,
    /// The role whose user mapping is used.
    role: pg_sys::Oid,
    page_size: u32,
    plan: ScanPlan,
    /// The plan's conditions, each with how it is pushed down.
    classified: Classified,
    converters: Vec<ColumnConverter>,
    /// The plan's expressions, which give the values of its conditions.
    expressions: Vec<*mut pg_sys::ExprState>,
    progress: Progress,
    /// The rows, if all are read before the first is used.
    stored: Option<Stored>,
    /// The lookups, if the scan is the inner side of a lookup join.
    lookups: Option<Lookups>,
    /// What the executions that have ended have cost: one for each rescan, for example in a nested loop.
    finished_stats: ScanStats,
}

/// The cost of executions of a scan, as EXPLAIN ANALYZE shows it.
#[derive(Default, Clone, Copy)]
pub struct ScanStats {
    pub rows: f64,
    pub requests: u64,
    pub retries: u64,
    pub bytes: u64,
    /// How long requests waited for the rate limit.
    pub pacing: Duration,
    /// How long requests waited for Clerk's answers.
    pub waiting: Duration,
    /// Whether an earlier query has opened the connection; `None` if no connection was needed.
    pub is_connection_reused: Option<bool>,
}

impl ScanStats {
    fn add(&mut self, stats: &Stats, rows: f64) {
        self.rows += rows;
        self.requests += stats.requests();
        self.retries += stats.retries();
        self.bytes += stats.bytes();
        self.pacing += stats.pacing_time();
        self.waiting += stats.response_time();
    }
}

/// How far an execution of a scan is.
enum Progress {
    /// No request was sent yet: the executor may end a scan without asking for a single row.
    NotStarted,
    Reading(Box<Reading>),
    /// The scan counts rows, and no row can satisfy the conditions: it will return a count of 0.
    ZeroCount,
    Ended,
}

/// A scan whose requests have been started.
struct Reading {
    pages: Pages,
    page: Option<Page>,
    /// The index of the next row in the page.
    row: usize,
    /// How many rows were returned.
    rows: f64,
    /// Whether the whole table is read, so that its size is known at the end.
    is_whole: bool,
}

/// The callback BeginForeignScan: prepares a scan. Puts a [`Scan`] that the query's memory context owns into
/// `fdw_state`, or leaves it null if the query is only explained. Sends no request.
///
/// # Safety
/// Only Postgres may call this, with the arguments of that callback.
#[pg_guard]
pub unsafe extern "C-unwind" fn begin_foreign_scan(node: *mut pg_sys::ForeignScanState, flags: c_int) {
    if flags & pg_sys::EXEC_FLAG_EXPLAIN_ONLY as c_int != 0 {
        return;
    }
    // SAFETY: Postgres passes a foreign scan of this extension, with its state, its plan and its opened relation. The
    // query's memory context outlives the node, and drops the Scan when it is deleted.
    unsafe {
        let memory = (*(*node).ss.ps.state).es_query_cxt;
        let scan = Scan::new(node, memory);
        (*node).fdw_state = PgMemoryContexts::For(memory).leak_and_drop_on_delete(scan).cast();
    }
}

/// The callback IterateForeignScan: returns the next row, in per-tuple memory, or an empty slot at the end.
///
/// # Safety
/// Only Postgres may call this, with the arguments of that callback.
#[pg_guard]
pub unsafe extern "C-unwind" fn iterate_foreign_scan(
    node: *mut pg_sys::ForeignScanState,
) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: Postgres iterates only scans that begin_foreign_scan was called for without EXPLAIN_ONLY, so that
    // fdw_state is a Scan, to which no other reference exists. The slot is the node's scan slot, which Postgres made
    // with the row type of the table, or of fdw_scan_tlist for a count.
    unsafe {
        let slot = (*node).ss.ss_ScanTupleSlot;
        clear(slot);
        let scan = &mut *(*node).fdw_state.cast::<Scan>();
        let is_filled = match (scan.plan.is_lookup(), scan.plan.reads_first) {
            (true, _) => scan.next_looked_up(slot),
            (false, true) => scan.next_stored(node, slot),
            (false, false) => scan.next_row(node, slot),
        };
        if is_filled {
            pg_sys::ExecStoreVirtualTuple(slot);
        }
        slot
    }
}

/// The callback ReScanForeignScan: the rows are wanted again, perhaps with other parameters.
///
/// # Safety
/// Only Postgres may call this, with the arguments of that callback.
#[pg_guard]
pub unsafe extern "C-unwind" fn re_scan_foreign_scan(node: *mut pg_sys::ForeignScanState) {
    // SAFETY: Postgres rescans only scans that begin_foreign_scan was called for without EXPLAIN_ONLY, so that
    // fdw_state is a Scan, to which no other reference exists.
    let scan = unsafe { &mut *(*node).fdw_state.cast::<Scan>() };
    scan.forget_lookups();
    match &mut scan.stored {
        Some(stored) => stored.is_wanted_again = true,
        None => scan.set_progress(Progress::NotStarted),
    }
}

/// The callback EndForeignScan: no more rows are wanted, and requests in flight are cancelled.
///
/// # Safety
/// Only Postgres may call this, with the arguments of that callback.
#[pg_guard]
pub unsafe extern "C-unwind" fn end_foreign_scan(node: *mut pg_sys::ForeignScanState) {
    // SAFETY: begin_foreign_scan has set fdw_state to a Scan, or left it null if the query is only explained. No other
    // reference to the Scan exists.
    if let Some(scan) = unsafe { (*node).fdw_state.cast::<Scan>().as_mut() } {
        scan.set_progress(Progress::Ended);
        scan.forget_lookups();
        scan.end_stored();
    }
}

impl Scan {
    /// The scan that a node executes; `None` if the query is only explained.
    ///
    /// # Safety
    /// `begin_foreign_scan` must have been called with the node, and no other reference to its scan may exist.
    pub unsafe fn of<'n>(node: *mut pg_sys::ForeignScanState) -> Option<&'n mut Scan> {
        // SAFETY: begin_foreign_scan has set fdw_state to a Scan, or left it null if the query is only explained. The
        // caller guarantees that no other reference exists.
        unsafe { (*node).fdw_state.cast::<Scan>().as_mut() }
    }

    /// What all executions have cost up to now.
    pub fn stats(&self) -> ScanStats {
        let mut stats = self.finished_stats;
        if let Progress::Reading(reading) = &self.progress {
            stats.add(reading.pages.stats(), reading.rows);
        }
        if let Some(lookups) = &self.lookups {
            stats.add(lookups.stats(), 0.0);
        }
        stats
    }

    /// Ends what is in progress, adding its cost to the statistics, and sets the new progress.
    fn set_progress(&mut self, progress: Progress) {
        self.finished_stats = self.stats();
        self.progress = progress;
    }

    /// Prepares the scan of a node.
    ///
    /// # Safety
    /// The node must be a foreign scan of this extension that Postgres has set up, and `memory` must outlive the scan.
    unsafe fn new(node: *mut pg_sys::ForeignScanState, memory: pg_sys::MemoryContext) -> Self {
        // SAFETY: the caller guarantees that Postgres has set up the node with its plan, which get_foreign_plan made.
        // Its relation is open, or null for a scan that counts. ExecInitExprList returns a list of ExprStates in the
        // query's memory, and the caller guarantees that `memory` outlives the converters.
        unsafe {
            let foreign_scan: *mut pg_sys::ForeignScan = (*node).ss.ps.plan.cast();
            let plan = ScanPlan::of(foreign_scan);
            let relation = pg_sys::Oid::from(plan.relation);
            let table = options::table(relation).or_raise();
            let converters = match (*node).ss.ss_currentRelation.as_ref() {
                // A scan that counts has no relation and reads no columns.
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
                role: role_to_check(node, foreign_scan),
                page_size: table.page_size,
                classified: plan.classified(table.object),
                plan,
                converters,
                expressions: PgList::from_pg(expressions).iter_ptr().collect(),
                progress: Progress::NotStarted,
                stored: None,
                lookups: None,
                finished_stats: ScanStats::default(),
            }
        }
    }

    /// Puts the next row into the slot; returns false if there are no more rows.
    ///
    /// # Safety
    /// The node must be the one that the scan was made for, and the slot must be its scan slot.
    unsafe fn next_row(&mut self, node: *mut pg_sys::ForeignScanState, slot: *mut pg_sys::TupleTableSlot) -> bool {
        loop {
            match &mut self.progress {
                // SAFETY: the caller guarantees that the scan was made for this node.
                Progress::NotStarted => self.progress = unsafe { self.start(node) },
                Progress::Ended => return false,
                Progress::ZeroCount => {
                    // SAFETY: the caller guarantees the node's scan slot. That of a scan that counts has one attribute
                    // of type bigint for each count(*) in fdw_scan_tlist.
                    unsafe { fill_count(slot, 0) };
                    self.progress = Progress::Ended;
                    return true;
                }
                Progress::Reading(reading) => {
                    if let Some(page) = reading.page.as_ref().filter(|page| reading.row < page.len()) {
                        // SAFETY: the caller guarantees the node's scan slot, whose descriptor is that of the table
                        // that the converters were made from.
                        unsafe { fill(slot, page, reading.row, &self.converters, self.object) };
                        reading.row += 1;
                        reading.rows += 1.0;
                        return true;
                    }
                    // The old page is dropped before the wait for the next one, so that only one page is in memory.
                    reading.page = None;
                    match reading.pages.next() {
                        Ok(Some(page)) if self.plan.is_count => {
                            // The client has already refused an answer without a count.
                            let count = page.total_count().unwrap_or(0);
                            // SAFETY: the caller guarantees the node's scan slot. That of a scan that counts has one
                            // attribute of type bigint for each count(*) in fdw_scan_tlist.
                            unsafe { fill_count(slot, count) };
                            self.set_progress(Progress::Ended);
                            return true;
                        }
                        Ok(Some(page)) => (reading.page, reading.row) = (Some(page), 0),
                        Ok(None) => {
                            if reading.is_whole {
                                row_counts::remember_rows(self.relation, reading.rows);
                            }
                            self.set_progress(Progress::Ended);
                        }
                        Err(error) => {
                            self.set_progress(Progress::Ended);
                            FdwError::Clerk { error, server: self.server.name.clone() }.raise();
                        }
                    }
                }
            }
        }
    }

    /// Evaluates the conditions' values and starts the requests.
    ///
    /// # Safety
    /// The node must be the one that the scan was made for.
    unsafe fn start(&mut self, node: *mut pg_sys::ForeignScanState) -> Progress {
        let missing = self.classified.missing_keys();
        if !missing.is_empty() {
            FdwError::NoKeyCondition { object: self.object.name, columns: missing }.raise();
        }
        // SAFETY: `new` prepared the plan's expressions for the node, and the caller guarantees that it is this one.
        let bound = unsafe { self.bind(|state| evaluate(state, (*node).ss.ps.ps_ExprContext)) };
        let order = self.plan.order_by(self.object);
        let Some(query) = self.classified.bind(&bound, order, self.plan.is_count) else {
            return match self.plan.is_count {
                true => Progress::ZeroCount,
                false => Progress::Ended,
            };
        };
        let query = self.or_full_scan(query, order);
        let is_whole = matches!(&query, Query::List { filters, .. } if filters.is_empty());
        let (fetch, client) = self.fetch(query);
        let pages = Pages::start(fetch, client).or_raise();
        Progress::Reading(Box::new(Reading { pages, page: None, row: 0, rows: 0.0, is_whole }))
    }

    /// What is to be fetched for a query, and the connection to do it with.
    fn fetch(&mut self, query: Query) -> (Fetch, Arc<Client>) {
        let (client, is_reused) = self.server.connect(self.role).or_raise();
        // A rescan finds the connection that the first execution has opened, so only the first one counts.
        self.finished_stats.is_connection_reused.get_or_insert(is_reused);
        let fetch = Fetch {
            object: self.object,
            query,
            columns: self.converters.iter().map(|converter| converter.locator.clone()).collect(),
            extra_params: extra_params(self.converters.iter().filter_map(|converter| converter.extra_param)),
            page_size: self.page_size,
            limit_hint: self.plan.limit,
            resume_from: None,
        };
        (fetch, client)
    }

    /// Binds the plan's conditions to the current values of their expressions.
    ///
    /// # Safety
    /// `evaluate` must return the value of the expression that it is called with.
    unsafe fn bind(
        &self,
        mut evaluate: impl FnMut(*mut pg_sys::ExprState) -> Option<pg_sys::Datum>,
    ) -> Vec<BoundCondition> {
        let mut evaluate = |number: usize| evaluate(*self.expressions.get(number)?);
        let conditions = self.plan.conditions.iter();
        // SAFETY: the planner chose each kind by the type of the expression, whose value the caller guarantees that
        // `evaluate` returns.
        conditions.map(|condition| unsafe { values::bind(condition, &mut evaluate) }).collect()
    }

    /// The query, or the list of the whole table if the query would take more requests than that. Postgres checks the
    /// conditions again on each row, so it filters out the other rows.
    fn or_full_scan(&self, query: Query, order: Option<OrderBy>) -> Query {
        let requests = match &query {
            Query::Batches { values, .. } => batches(values).count(),
            Query::Lookup { values, .. } => values.len(),
            _ => return query,
        };
        if self.object.list.is_none() {
            return query;
        }
        // SAFETY: the executor holds a lock on the relation, so that it exists and RelationIdGetRelation does not
        // return null. RelationClose returns the reference.
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

/// The number of rows that a table of unknown size is assumed to have when a scan chooses between lookups and reading
/// the whole table. The planner assumes far fewer ([`crate::fdw::plan`]), so that it prefers lookups to reading a
/// table. Here the number of lookups is known, and to read a large table by mistake costs much more than some lookups.
/// With pages of 500 objects, up to 2008 requests are preferred to reading a table of this size.
const UNKNOWN_ROWS: f64 = 500_000.0;

/// The whole table is read only if that takes less than half as many requests. A request for a full page takes longer
/// than one for a few objects.
const FULL_SCAN_FACTOR: f64 = 2.0;

/// A query that takes up to this many requests more is still preferred: so few are not worth reading a whole table,
/// most of which the query does not need.
const FULL_SCAN_MARGIN: f64 = 8.0;

/// Evaluates an expression; `None` for NULL.
///
/// # Safety
/// The expression must have been prepared for the node that the context belongs to.
unsafe fn evaluate(state: *mut pg_sys::ExprState, context: *mut pg_sys::ExprContext) -> Option<pg_sys::Datum> {
    let mut is_null = false;
    // SAFETY: the caller guarantees that the expression was prepared for the context's node.
    let value = unsafe { expression::evaluate(state, context, &mut is_null) };
    (!is_null).then_some(value)
}

/// The role whose rights the scan uses: the owner of the view that the table is used in, if there is one, else the
/// current role.
///
/// # Safety
/// The plan must be the node's.
unsafe fn role_to_check(node: *mut pg_sys::ForeignScanState, plan: *mut pg_sys::ForeignScan) -> pg_sys::Oid {
    // SAFETY: the caller guarantees that the plan is the node's. The executor's range table has an entry for each
    // relation of its plans, and get_ptr checks the index.
    unsafe {
        #[cfg(feature = "pg15")]
        let check_as_user = {
            // A scan that counts has no scanrelid, but fs_relids names the table that it counts.
            let relid = match (*plan).scan.scanrelid {
                0 => pg_sys::bms_next_member((*plan).fs_relids, -1),
                relid => relid as i32,
            };
            let table = PgList::<pg_sys::RangeTblEntry>::from_pg((*(*node).ss.ps.state).es_range_table);
            table.get_ptr(relid as usize - 1).map_or(pg_sys::InvalidOid, |entry| (*entry).checkAsUser)
        };
        #[cfg(not(feature = "pg15"))]
        let check_as_user = {
            let _ = node;
            (*plan).checkAsUser
        };
        if check_as_user == pg_sys::InvalidOid { pg_sys::GetUserId() } else { check_as_user }
    }
}
