//! One statement's writes to one foreign table.

use clerk_api::Error;
use clerk_api::catalog::Object;
use clerk_api::write::{RowWriter, WriteError};
use pgrx::{PgMemoryContexts, pg_sys};

use super::arbiter::OnConflict;
use super::connection::{Connection, Rows};
use super::mirror::Mirrors;
use super::plan::ModifyPlan;
use super::row::{self, RowReader};
use crate::error::{FdwError, OrRaise};
use crate::options;
use crate::pg::memory::child_context;
use crate::remote::server::Server;

/// The values of a row: for each column of the table the JSON text, or `None` for NULL.
pub type RowValues = Vec<Option<String>>;

/// The writes of one statement to one foreign table.
pub struct Statement {
    pub object: &'static Object,
    pub connection: Connection,
    pub mirrors: Option<Mirrors>,
    pub reader: RowReader,
    pub writer: RowWriter,
    pub conflict: Option<OnConflict>,
    /// The row as it was, of an UPDATE or DELETE.
    pub old: RowValues,
    pub old_slot: *mut pg_sys::TupleTableSlot,
    /// The memory of what the current row needs.
    pub memory: pg_sys::MemoryContext,
    /// How many rows the statement has handed over.
    pub rows: u64,
    pub reached: Rows,
    /// Whether rows are collected, because Postgres hands them over one by one.
    pub collects_rows: bool,
    pub collected: Vec<RowValues>,
}

impl Statement {
    /// Prepares the writes of a statement.
    ///
    /// # Safety
    /// The relation must be an open foreign table of this extension in a query with this state, and `memory` must outlive
    /// the statement.
    pub unsafe fn new(
        state: *mut pg_sys::EState,
        relation: *mut pg_sys::ResultRelInfo,
        plan: ModifyPlan,
        memory: pg_sys::MemoryContext,
    ) -> Self {
        // SAFETY: the caller guarantees an open relation and memory that outlives the statement. The slot is made for the
        // relation's rows in that memory.
        unsafe {
            let table = options::table((*(*relation).ri_RelationDesc).rd_id).or_raise();
            let columns = row::columns((*relation).ri_RelationDesc, table.object);
            let reader = RowReader::new((*relation).ri_RelationDesc, table.object, memory);
            let previous = pg_sys::MemoryContextSwitchTo(memory);
            // The slot keeps the descriptor as long as the query's memory lives, which may be longer than the relation is open.
            let descriptor = pg_sys::CreateTupleDescCopy((*(*relation).ri_RelationDesc).rd_att);
            let old_slot = pg_sys::MakeTupleTableSlot(descriptor, &raw const pg_sys::TTSOpsHeapTuple);
            let row_memory = child_context(memory, c"clerk_fdw row");
            pg_sys::MemoryContextSwitchTo(previous);
            Statement {
                object: table.object,
                connection: Connection::new(Server::new(table.server), role_to_check(state, relation)),
                mirrors: None,
                conflict: plan.conflict,
                writer: RowWriter::new(table.object, columns),
                reader,
                old: Vec::new(),
                old_slot,
                memory: row_memory,
                rows: 0,
                reached: Rows::default(),
                collects_rows: false,
                collected: Vec::new(),
            }
        }
    }

    /// Reads the old row of an UPDATE or DELETE, and returns the slot that holds it.
    ///
    /// # Safety
    /// The slot must hold a row of the statement's plan, with the old row under the number that Postgres keeps in
    /// `ri_RowIdAttNo`.
    pub unsafe fn load_old_row(
        &mut self,
        relation: *mut pg_sys::ResultRelInfo,
        plan_slot: *mut pg_sys::TupleTableSlot,
    ) -> *mut pg_sys::TupleTableSlot {
        // SAFETY: the caller guarantees the plan's row. Its attribute of that number is the whole row of the table, which
        // is never null for a foreign table; pg_detoast_datum makes it a plain tuple, which the slot only refers to while
        // this row is written.
        unsafe {
            let number = (*relation).ri_RowIdAttNo;
            if (*plan_slot).tts_nvalid < number {
                pg_sys::slot_getsomeattrs_int(plan_slot, number.into());
            }
            let datum = *(*plan_slot).tts_values.add(number as usize - 1);
            let header = pg_sys::pg_detoast_datum(datum.cast_mut_ptr()).cast::<pg_sys::HeapTupleHeaderData>();
            let mut tuple = pg_sys::HeapTupleData {
                t_len: pgrx::varsize(header.cast()) as u32,
                t_tableOid: pg_sys::InvalidOid,
                t_data: header,
                ..Default::default()
            };
            let previous = pg_sys::MemoryContextSwitchTo((*self.old_slot).tts_mcxt);
            let copy = pg_sys::heap_copytuple(&raw mut tuple);
            pg_sys::MemoryContextSwitchTo(previous);
            pg_sys::ExecForceStoreHeapTuple(copy, self.old_slot, true);
            self.old = self.read(self.old_slot);
            self.old_slot
        }
    }

    /// Does something in memory that is freed with the next row.
    pub fn in_row_memory<T>(&mut self, action: impl FnOnce(&mut Self) -> T) -> T {
        // SAFETY: the context lives as long as the statement, and what was allocated for the row before is not used any more.
        unsafe {
            pg_sys::MemoryContextReset(self.memory);
            PgMemoryContexts::For(self.memory).switch_to(|_| action(self))
        }
    }

    /// The error for a row that is refused before anything is sent for it.
    pub fn refused(&mut self, error: WriteError, row: u64) -> FdwError {
        FdwError::Row { error, progress: Some(self.reached.progress(&[row])) }
    }

    /// Fails because of Clerk's answer for rows.
    pub fn fail(&mut self, error: Error, rows: &[u64]) -> ! {
        let progress = self.reached.progress(rows);
        FdwError::Write { error: error.into(), server: self.connection.server.name.clone(), progress }.raise_hidden()
    }

    /// Reads the values of a row.
    ///
    /// # Safety
    /// The slot must hold a row of the statement's relation.
    pub unsafe fn read(&mut self, slot: *mut pg_sys::TupleTableSlot) -> RowValues {
        // SAFETY: the caller guarantees a row of the relation.
        let row = self.in_row_memory(|statement| unsafe { statement.reader.read(slot) });
        row.map_err(|column| {
            let problem = "has a value that JSON cannot express".to_owned();
            let error = WriteError::Range { object: self.object.name, field: column, problem };
            self.refused(error, self.rows + 1)
        })
        .or_raise_hidden()
    }

    /// Makes a row of the slot the old row of an update.
    ///
    /// # Safety
    /// The slot must hold a row of the statement's relation.
    pub unsafe fn set_old_row(&mut self, slot: *mut pg_sys::TupleTableSlot) {
        // SAFETY: the caller guarantees a row of the relation.
        self.old = unsafe { self.read(slot) };
    }
}

/// The index of a relation in the range table, by which expressions refer to its columns. Partitions to which rows are routed
/// have the one of their root.
///
/// # Safety
/// The relation must be a result relation.
pub unsafe fn range_table_index(relation: *mut pg_sys::ResultRelInfo) -> pg_sys::Index {
    // SAFETY: the caller guarantees a result relation, whose root is null or one.
    unsafe {
        match ((*relation).ri_RangeTableIndex, (*relation).ri_RootResultRelInfo.as_ref()) {
            (0, Some(root)) => root.ri_RangeTableIndex,
            (index, _) => index,
        }
    }
}

/// The role whose rights a write uses: the owner of the view that the table is used in, if there is one, else the current
/// role.
///
/// # Safety
/// The relation must be a result relation of a query with this state.
unsafe fn role_to_check(state: *mut pg_sys::EState, relation: *mut pg_sys::ResultRelInfo) -> pg_sys::Oid {
    // SAFETY: the caller guarantees the state and its relation. The range table has an entry for each index but 0, which
    // partitions have that rows are routed to; their root has one.
    unsafe {
        #[cfg(feature = "pg15")]
        let check_as_user = {
            let index = range_table_index(relation);
            let table = pgrx::PgList::<pg_sys::RangeTblEntry>::from_pg((*state).es_range_table);
            let entry = (index as usize).checked_sub(1).and_then(|index| table.get_ptr(index));
            entry.map_or(pg_sys::InvalidOid, |entry| (*entry).checkAsUser)
        };
        #[cfg(not(feature = "pg15"))]
        let check_as_user = pg_sys::ExecGetResultRelCheckAsUser(relation, state);
        if check_as_user == pg_sys::InvalidOid { pg_sys::GetUserId() } else { check_as_user }
    }
}
