//! Runs a lookup join as a node of the executor.

use std::ffi::c_int;
use std::ptr::null_mut;

use pgrx::{PgList, PgMemoryContexts, pg_guard, pg_sys};

use super::join::{LookupJoin, Nodes};
use super::private::LookupPlan;
use super::remembered::Remembered;
use super::{Callbacks, NAME, explain};
use crate::pg::tuples;

/// The state of the node. Postgres knows its beginning.
#[repr(C)]
pub struct LookupJoinState {
    node: pg_sys::CustomScanState,
    /// Owned by the query's memory context; null if the query is only explained.
    join: *mut LookupJoin,
}

static METHODS: Callbacks<pg_sys::CustomExecMethods> = Callbacks(pg_sys::CustomExecMethods {
    CustomName: NAME.as_ptr(),
    BeginCustomScan: Some(begin_custom_scan),
    ExecCustomScan: Some(exec_custom_scan),
    EndCustomScan: Some(end_custom_scan),
    ReScanCustomScan: Some(re_scan_custom_scan),
    MarkPosCustomScan: None,
    RestrPosCustomScan: None,
    EstimateDSMCustomScan: None,
    InitializeDSMCustomScan: None,
    ReInitializeDSMCustomScan: None,
    InitializeWorkerCustomScan: None,
    ShutdownCustomScan: None,
    ExplainCustomScan: Some(explain::explain_custom_scan),
});

/// The callback CreateCustomScanState: allocates the state of a node.
///
/// # Safety
/// Only Postgres may call this, with the argument of that callback.
#[pg_guard]
pub unsafe extern "C-unwind" fn create_custom_scan_state(_plan: *mut pg_sys::CustomScan) -> *mut pg_sys::Node {
    // SAFETY: palloc0 returns memory of this size or raises an error, and zero is a valid state: no pointer is set.
    unsafe {
        let state: *mut LookupJoinState = pg_sys::palloc0(size_of::<LookupJoinState>()).cast();
        (*state).node.ss.ps.type_ = pg_sys::NodeTag::T_CustomScanState;
        (*state).node.methods = &raw const METHODS.0;
        state.cast()
    }
}

/// The callback BeginCustomScan: prepares the two sides and the join.
///
/// # Safety
/// Only Postgres may call this, with the arguments of that callback.
#[pg_guard]
unsafe extern "C-unwind" fn begin_custom_scan(
    node: *mut pg_sys::CustomScanState,
    estate: *mut pg_sys::EState,
    flags: c_int,
) {
    // SAFETY: Postgres passes a state that create_custom_scan_state has made, with its plan, which `create_plan` has made:
    // of two plans, of which the second is a foreign scan, and three lists of expressions. Postgres has made the slot of the
    // joined row from custom_scan_tlist. Everything is allocated in the query's memory, which drops the LookupJoin.
    unsafe {
        let scan: *mut pg_sys::CustomScan = (*node).ss.ps.plan.cast();
        let plan = LookupPlan::of(scan);
        let side_flags = flags & !(pg_sys::EXEC_FLAG_BACKWARD | pg_sys::EXEC_FLAG_MARK) as c_int;
        let mut sides = PgList::<pg_sys::PlanState>::new();
        for side in PgList::<pg_sys::Plan>::from_pg((*scan).custom_plans).iter_ptr() {
            sides.push(pg_sys::ExecInitNode(side, estate, side_flags));
        }
        let (outer, inner) = (sides.get_ptr(0), sides.get_ptr(1));
        (*node).custom_ps = sides.into_pg();
        let (Some(outer), Some(inner)) = (outer, inner) else {
            pgrx::error!("clerk_fdw: a lookup join has no two sides")
        };
        if flags & pg_sys::EXEC_FLAG_EXPLAIN_ONLY as c_int != 0 {
            return;
        }
        let expressions = PgList::<pg_sys::List>::from_pg((*scan).custom_exprs);
        let list = |number| expressions.get_ptr(number).unwrap_or(null_mut());
        let values = pg_sys::ExecInitExprList(list(1), node.cast());
        let slot_of = |side| {
            pg_sys::ExecInitExtraTupleSlot(
                estate,
                pg_sys::ExecGetResultType(side),
                &raw const pg_sys::TTSOpsMinimalTuple,
            )
        };
        let nodes = Nodes {
            node: node.cast(),
            outer,
            inner: inner.cast(),
            row: (*node).ss.ss_ScanTupleSlot,
            outer_row: slot_of(outer),
            context: (*node).ss.ps.ps_ExprContext,
            values: PgList::from_pg(values).iter_ptr().collect(),
            matches: pg_sys::ExecInitQual(list(0), node.cast()),
            admits: pg_sys::ExecInitQual(list(2), node.cast()),
            filter: (*node).ss.ps.qual,
            memory: (*estate).es_query_cxt,
            is_recheck: !(*estate).es_epq_active.is_null(),
        };
        let remembered = Remembered::new(slot_of(inner), (*estate).es_query_cxt);
        let join = LookupJoin::new(plan, nodes, remembered);
        (*node.cast::<LookupJoinState>()).join =
            PgMemoryContexts::For((*estate).es_query_cxt).leak_and_drop_on_delete(join);
    }
}

/// The callback ExecCustomScan: returns the next row, or null at the end.
///
/// # Safety
/// Only Postgres may call this, with the argument of that callback.
#[pg_guard]
unsafe extern "C-unwind" fn exec_custom_scan(node: *mut pg_sys::CustomScanState) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: Postgres runs only nodes that begin_custom_scan was called for without EXPLAIN_ONLY, so that there is a
    // LookupJoin, to which nothing else refers.
    unsafe {
        let state = node.cast::<LookupJoinState>();
        let join = &mut *(*state).join;
        let slot = (*node).ss.ss_ScanTupleSlot;
        let is_filled = match join.plan.reads_first {
            true => join.next_stored(),
            false => join.next(),
        };
        if !is_filled {
            return null_mut();
        }
        let projection = (*node).ss.ps.ps_ProjInfo;
        if projection.is_null() {
            return slot;
        }
        let context = (*node).ss.ps.ps_ExprContext;
        pg_sys::MemoryContextReset((*context).ecxt_per_tuple_memory);
        (*context).ecxt_scantuple = slot;
        tuples::project(projection)
    }
}

/// The callback ReScanCustomScan: the rows are wanted again, perhaps with other parameters.
///
/// # Safety
/// Only Postgres may call this, with the argument of that callback.
#[pg_guard]
unsafe extern "C-unwind" fn re_scan_custom_scan(node: *mut pg_sys::CustomScanState) {
    // SAFETY: Postgres rescans only nodes that begin_custom_scan was called for without EXPLAIN_ONLY, so that there is a
    // LookupJoin, to which nothing else refers, and two sides.
    unsafe {
        let state = node.cast::<LookupJoinState>();
        let changed = (*node).ss.ps.chgParam;
        let sides: Vec<_> = PgList::<pg_sys::PlanState>::from_pg((*node).custom_ps).iter_ptr().collect();
        if !changed.is_null() {
            sides.iter().for_each(|side| pg_sys::UpdateChangedParamSet(*side, changed));
        }
        let join = &mut *(*state).join;
        let inner: *mut pg_sys::PlanState = join.inner().cast();
        let has_other_rows = !(*inner).chgParam.is_null();
        // The same rows again, whatever the statement has written meanwhile.
        if changed.is_null() && join.rewind() {
            return;
        }
        join.restart(has_other_rows);
        for side in sides {
            // The rows of the inner side are remembered, and it is only asked for others; but when a row is checked again, it
            // returns one without being asked.
            if side != inner || has_other_rows || !(*(*node).ss.ps.state).es_epq_active.is_null() {
                pg_sys::ExecReScan(side);
            }
        }
    }
}

/// The callback EndCustomScan: no more rows are wanted.
///
/// # Safety
/// Only Postgres may call this, with the argument of that callback.
#[pg_guard]
unsafe extern "C-unwind" fn end_custom_scan(node: *mut pg_sys::CustomScanState) {
    // SAFETY: Postgres passes a node that begin_custom_scan was called for. The LookupJoin is null if the query is only
    // explained, and nothing else refers to it.
    unsafe {
        let state = node.cast::<LookupJoinState>();
        if let Some(join) = (*state).join.as_mut() {
            join.end();
        }
        for side in PgList::<pg_sys::PlanState>::from_pg((*node).custom_ps).iter_ptr() {
            pg_sys::ExecEndNode(side);
        }
    }
}

/// The join that a node runs; `None` if the query is only explained.
///
/// # Safety
/// The node must be one that begin_custom_scan was called for, and no other reference to its join may exist.
pub unsafe fn join_of<'n>(node: *mut pg_sys::CustomScanState) -> Option<&'n LookupJoin> {
    // SAFETY: the caller guarantees the node, whose state is one of create_custom_scan_state.
    unsafe { (*node.cast::<LookupJoinState>()).join.as_ref() }
}
