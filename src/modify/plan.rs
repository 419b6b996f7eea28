//! Plans writes: which tables can be written, how their rows are found again, and what the plan tells the executor.

use std::ffi::c_int;

use clerk_api::write::{Operation, RowWriter};
use pgrx::{PgRelation, pg_guard, pg_sys};
use serde::{Deserialize, Serialize};

use super::arbiter::{self, OnConflict};
use super::row;
use crate::error::{FdwError, OrRaise};
use crate::fdw::plan::private::to_list;
use crate::options::{self, Table};
use crate::pg::encoding::from_server;

/// What the plan of a write tells the executor.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ModifyPlan {
    /// What happens to a row that Clerk has already.
    pub conflict: Option<OnConflict>,
}

/// The callback IsForeignRelUpdatable: which operations a table allows, as bits.
///
/// # Safety
/// Only Postgres may call this, with the arguments of that callback.
#[pg_guard]
pub unsafe extern "C-unwind" fn is_foreign_rel_updatable(relation: pg_sys::Relation) -> c_int {
    // SAFETY: Postgres passes an open foreign table of this extension.
    let table = options::table(unsafe { (*relation).rd_id }).or_raise();
    if !table.is_updatable {
        return 0;
    }
    Operation::of(table.object).into_iter().map(|operation| 1 << command(operation)).sum()
}

/// The callback AddForeignUpdateTargets: the rows that are updated or deleted come with all their columns, because those
/// by which Clerk finds them may be any.
///
/// # Safety
/// Only Postgres may call this, with the arguments of that callback.
#[pg_guard]
pub unsafe extern "C-unwind" fn add_foreign_update_targets(
    root: *mut pg_sys::PlannerInfo,
    index: pg_sys::Index,
    _entry: *mut pg_sys::RangeTblEntry,
    _relation: pg_sys::Relation,
) {
    // SAFETY: makeVar makes a whole-row reference to the table at this index of the query, as Postgres itself does for
    // tables with row triggers and under the same name. The name is a C string that lives as long as the library.
    unsafe {
        let row =
            pg_sys::makeVar(index as _, pg_sys::InvalidAttrNumber as i16, pg_sys::RECORDOID, -1, pg_sys::InvalidOid, 0);
        pg_sys::add_row_identity_var(root, row, index, c"wholerow".as_ptr());
    }
}

/// The callback PlanForeignModify: refuses what the table or Clerk does not allow, and makes the plan's private data.
///
/// # Safety
/// Only Postgres may call this, with the arguments of that callback.
#[pg_guard]
pub unsafe extern "C-unwind" fn plan_foreign_modify(
    root: *mut pg_sys::PlannerInfo,
    plan: *mut pg_sys::ModifyTable,
    index: pg_sys::Index,
    _subplan: c_int,
) -> *mut pg_sys::List {
    // SAFETY: Postgres passes the root of the query, the plan of its ModifyTable and the index of a foreign table of this
    // extension, for which simple_rte_array has an entry. The query holds a lock on the table.
    unsafe {
        let entry = *(*root).simple_rte_array.add(index as usize);
        let relation = PgRelation::with_lock((*entry).relid, pg_sys::NoLock as _);
        let operation = match (*plan).operation {
            pg_sys::CmdType::CMD_UPDATE => Operation::Update,
            pg_sys::CmdType::CMD_DELETE => Operation::Delete,
            _ => Operation::Insert,
        };
        let table = writable_table(relation.as_ptr(), operation).or_raise_hidden();
        let on_conflict = (*(*root).parse).onConflict;
        let conflict = match operation == Operation::Insert && !on_conflict.is_null() {
            true => Some(arbiter::planned(root, table.object).or_raise_hidden()),
            false => None,
        };
        to_list(&ModifyPlan { conflict })
    }
}

/// The table, if it allows an operation.
///
/// # Safety
/// The relation must be an open foreign table of this extension.
pub unsafe fn writable_table(relation: pg_sys::Relation, operation: Operation) -> Result<Table, FdwError> {
    // SAFETY: the caller guarantees an open foreign table, whose name is a C string.
    let (oid, schema, name) = unsafe {
        let class = (*relation).rd_rel;
        let schema = pg_sys::get_namespace_name((*class).relnamespace);
        let schema = if schema.is_null() { String::new() } else { from_server(schema) };
        ((*relation).rd_id, schema, from_server((*class).relname.data.as_ptr()))
    };
    let table = options::table(oid)?;
    if !table.is_updatable {
        return Err(FdwError::NotUpdatable { schema, table: name, server: table.server_name, operation });
    }
    // SAFETY: the caller guarantees an open relation.
    let columns = unsafe { row::columns(relation, table.object) };
    RowWriter::new(table.object, columns)
        .check_operation(operation)
        .map_err(|error| FdwError::Row { error, progress: None })?;
    Ok(table)
}

/// The command of an operation, whose number is its bit in the answer of [`is_foreign_rel_updatable`].
fn command(operation: Operation) -> pg_sys::CmdType::Type {
    match operation {
        Operation::Insert => pg_sys::CmdType::CMD_INSERT,
        Operation::Update => pg_sys::CmdType::CMD_UPDATE,
        Operation::Delete => pg_sys::CmdType::CMD_DELETE,
    }
}
