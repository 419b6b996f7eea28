//! The callbacks with which Postgres runs a write.

use std::ffi::c_int;

use clerk_api::write::Operation;
use pgrx::{PgMemoryContexts, pg_guard, pg_sys};

use super::arbiter::OnConflict;
use super::plan::{ModifyPlan, writable_table};
use super::statement::Statement;
use crate::error::{FdwError, OrRaise};
use crate::fdw::plan::private::from_list;
use crate::pg::hidden_statement::HiddenStatement;

/// The callback BeginForeignModify: prepares a write. Puts a [`Statement`] that the query's memory context owns into
/// `ri_FdwState`, or leaves it null if the query is only explained. Sends no request.
///
/// # Safety
/// Only Postgres may call this, with the arguments of that callback.
#[pg_guard]
pub unsafe extern "C-unwind" fn begin_foreign_modify(
    node: *mut pg_sys::ModifyTableState,
    relation: *mut pg_sys::ResultRelInfo,
    private: *mut pg_sys::List,
    _subplan: c_int,
    flags: c_int,
) {
    if flags & pg_sys::EXEC_FLAG_EXPLAIN_ONLY as c_int != 0 {
        return;
    }
    // SAFETY: Postgres passes the state of a ModifyTable with the private data that plan_foreign_modify made, and a
    // result relation of it, which is an open foreign table of this extension.
    unsafe {
        begin((*node).ps.state, relation, from_list(private).unwrap_or_default());
    }
}

/// The callback BeginForeignInsert: prepares the inserts of a COPY, or of a partitioned table of which the foreign table
/// is a partition. These are not planned, so what the table does not allow is refused here.
///
/// # Safety
/// Only Postgres may call this, with the arguments of that callback.
#[pg_guard]
pub unsafe extern "C-unwind" fn begin_foreign_insert(
    node: *mut pg_sys::ModifyTableState,
    relation: *mut pg_sys::ResultRelInfo,
) {
    // SAFETY: Postgres passes the state of a ModifyTable, which COPY makes up, and a result relation, which is an open
    // foreign table of this extension. The plan of the node is null for COPY.
    unsafe {
        if !(*relation).ri_FdwState.is_null() {
            FdwError::RoutedToUpdated.raise();
        }
        let plan: *mut pg_sys::ModifyTable = (*node).ps.plan.cast();
        let mut modify_plan = ModifyPlan::default();
        if let Some(plan) = plan.as_ref()
            && plan.onConflictAction != pg_sys::OnConflictAction::ONCONFLICT_NONE
        {
            if plan.onConflictAction == pg_sys::OnConflictAction::ONCONFLICT_UPDATE {
                FdwError::ConflictBelowPartition.raise();
            }
            modify_plan.conflict = Some(OnConflict { is_update: false, columns: None });
        }
        writable_table((*relation).ri_RelationDesc, Operation::Insert).or_raise_hidden();
        begin((*node).ps.state, relation, modify_plan);
        let is_copy = plan.is_null();
        if let Some(statement) = statement_of(relation) {
            statement.collects_rows = is_copy && cfg!(feature = "pg15");
        }
    }
}

/// Prepares a write.
///
/// # Safety
/// The relation must be an open foreign table of this extension in a query with this state.
unsafe fn begin(state: *mut pg_sys::EState, relation: *mut pg_sys::ResultRelInfo, plan: ModifyPlan) {
    // SAFETY: the caller guarantees the state and the relation. The query's memory context outlives both, and drops the
    // Statement when it is deleted.
    unsafe {
        let memory = (*state).es_query_cxt;
        let statement = Statement::new(state, relation, plan, memory);
        (*relation).ri_FdwState = PgMemoryContexts::For(memory).leak_and_drop_on_delete(statement).cast();
    }
}

/// The statement that writes to a relation; `None` if it is only explained.
///
/// # Safety
/// The relation must be one of this extension's, and no other reference to its statement may exist.
pub unsafe fn statement_of<'s>(relation: *mut pg_sys::ResultRelInfo) -> Option<&'s mut Statement> {
    // SAFETY: only `begin` sets ri_FdwState of a foreign table of this extension, to a Statement that lives as long as the
    // query. The caller guarantees that there is no other reference.
    unsafe { (*relation).ri_FdwState.cast::<Statement>().as_mut() }
}

/// The callback GetForeignModifyBatchSize: how many rows Postgres collects before it hands them over.
///
/// # Safety
/// Only Postgres may call this, with the arguments of that callback.
#[pg_guard]
pub unsafe extern "C-unwind" fn get_foreign_modify_batch_size(relation: *mut pg_sys::ResultRelInfo) -> c_int {
    // SAFETY: Postgres passes a result relation for which begin_foreign_modify or begin_foreign_insert has been called,
    // and no other callback runs at the same time.
    match unsafe { statement_of(relation) } {
        // SAFETY: as above.
        Some(statement) if unsafe { statement.can_batch(relation) } => Statement::BATCH as c_int,
        _ => 1,
    }
}

/// The callback ExecForeignInsert: writes one row.
///
/// # Safety
/// Only Postgres may call this, with the arguments of that callback.
#[pg_guard]
pub unsafe extern "C-unwind" fn exec_foreign_insert(
    state: *mut pg_sys::EState,
    relation: *mut pg_sys::ResultRelInfo,
    slot: *mut pg_sys::TupleTableSlot,
    _plan_slot: *mut pg_sys::TupleTableSlot,
) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: Postgres inserts only into relations for which a write was begun, and passes a row of the relation.
    unsafe {
        match statement_of(relation) {
            Some(statement) => HiddenStatement::during(|| statement.insert_one(state, relation, slot)),
            None => slot,
        }
    }
}

/// The callback ExecForeignBatchInsert: writes several rows. Of those that are written, the slots come back.
///
/// # Safety
/// Only Postgres may call this, with the arguments of that callback.
#[pg_guard]
pub unsafe extern "C-unwind" fn exec_foreign_batch_insert(
    _state: *mut pg_sys::EState,
    relation: *mut pg_sys::ResultRelInfo,
    slots: *mut *mut pg_sys::TupleTableSlot,
    _plan_slots: *mut *mut pg_sys::TupleTableSlot,
    count: *mut c_int,
) -> *mut *mut pg_sys::TupleTableSlot {
    // SAFETY: as in exec_foreign_insert; `slots` has as many rows as `count` says, and may be overwritten.
    unsafe {
        if let Some(statement) = statement_of(relation) {
            let slots = std::slice::from_raw_parts_mut(slots, *count as usize);
            *count = HiddenStatement::during(|| statement.insert_all(slots)) as c_int;
        }
        slots
    }
}

/// The callback ExecForeignUpdate: changes one row.
///
/// # Safety
/// Only Postgres may call this, with the arguments of that callback.
#[pg_guard]
pub unsafe extern "C-unwind" fn exec_foreign_update(
    state: *mut pg_sys::EState,
    relation: *mut pg_sys::ResultRelInfo,
    slot: *mut pg_sys::TupleTableSlot,
    plan_slot: *mut pg_sys::TupleTableSlot,
) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: Postgres updates only relations for which a write was begun, passes the new row, and in the plan's slot the
    // old one under the number that it keeps in ri_RowIdAttNo.
    unsafe {
        match statement_of(relation) {
            Some(statement) => HiddenStatement::during(|| {
                let old = statement.load_old_row(relation, plan_slot);
                statement.update(state, relation, slot, old)
            }),
            None => slot,
        }
    }
}

/// The callback ExecForeignDelete: deletes one row.
///
/// # Safety
/// Only Postgres may call this, with the arguments of that callback.
#[pg_guard]
pub unsafe extern "C-unwind" fn exec_foreign_delete(
    _state: *mut pg_sys::EState,
    relation: *mut pg_sys::ResultRelInfo,
    slot: *mut pg_sys::TupleTableSlot,
    plan_slot: *mut pg_sys::TupleTableSlot,
) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: as in exec_foreign_update; `slot` has the relation's row type.
    unsafe {
        match statement_of(relation) {
            Some(statement) => HiddenStatement::during(|| {
                statement.load_old_row(relation, plan_slot);
                statement.delete(slot)
            }),
            None => slot,
        }
    }
}

/// The callback EndForeignModify: the query's memory context drops the [`Statement`].
///
/// # Safety
/// Only Postgres may call this, with the arguments of that callback.
#[pg_guard]
pub unsafe extern "C-unwind" fn end_foreign_modify(_state: *mut pg_sys::EState, _relation: *mut pg_sys::ResultRelInfo) {
}

/// The callback EndForeignInsert: writes the rows that were collected.
///
/// # Safety
/// Only Postgres may call this, with the arguments of that callback.
#[pg_guard]
pub unsafe extern "C-unwind" fn end_foreign_insert(_state: *mut pg_sys::EState, relation: *mut pg_sys::ResultRelInfo) {
    // SAFETY: Postgres passes a relation for which begin_foreign_insert was called.
    if let Some(statement) = unsafe { statement_of(relation) } {
        HiddenStatement::during(|| statement.write_collected());
    }
}
