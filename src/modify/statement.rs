//! One statement's writes to one foreign table.

use clerk_api::catalog::{Answer as AnswerKind, Object, Write};
use clerk_api::write::{NewObject, Operation, RowWriter, find_by_id};
use clerk_api::{Error, Page, Request, json};
use pgrx::{PgMemoryContexts, pg_sys};

use super::conflict::Conflict;
use super::connection::{Answer, Connection, Purpose, Rows};
use super::mirror::Mirrors;
use super::plan::ModifyPlan;
use super::row::RowReader;
use crate::error::{FdwError, OrRaise};
use crate::fdw::exec::rows::{clear, fill};
use crate::options;
use crate::pg::hidden_statement::HiddenStatement;
use crate::remote::io_thread::Pages;
use crate::remote::server::Server;

/// The writes of one statement to one foreign table.
pub struct Statement {
    pub object: &'static Object,
    pub connection: Connection,
    mirrors: Option<Mirrors>,
    reader: RowReader,
    pub writer: RowWriter,
    conflict: Option<Conflict>,
    /// The row as it was, of an UPDATE or DELETE.
    old: Vec<Option<String>>,
    old_slot: *mut pg_sys::TupleTableSlot,
    /// The memory of what the current row needs.
    memory: pg_sys::MemoryContext,
    /// How many rows the statement has handed over.
    rows: u64,
    reached: Rows,
    /// Whether rows are collected, because Postgres hands them over one by one.
    pub collects_rows: bool,
    collected: Vec<Vec<Option<String>>>,
}

impl Statement {
    /// How many rows are written at a time, if they may be written beside each other.
    pub const BATCH: usize = 1000;

    /// Prepares the writes of a statement.
    ///
    /// # Safety
    /// The relation must be an open foreign table of this extension in a query with this state, and `memory` must outlive
    /// the statement.
    pub unsafe fn new(
        state: *mut pg_sys::EState,
        relation: *mut pg_sys::ResultRelInfo,
        _operation: Operation,
        plan: ModifyPlan,
        memory: pg_sys::MemoryContext,
    ) -> Self {
        // SAFETY: the caller guarantees an open relation and memory that outlives the statement. The slot is made for the
        // relation's rows in that memory.
        unsafe {
            let table = options::table((*(*relation).ri_RelationDesc).rd_id).or_raise();
            let (reader, columns) = RowReader::new((*relation).ri_RelationDesc, table.object, memory);
            let previous = pg_sys::MemoryContextSwitchTo(memory);
            // The slot keeps the descriptor as long as the query's memory lives, which may be longer than the relation is open.
            let descriptor = pg_sys::CreateTupleDescCopy((*(*relation).ri_RelationDesc).rd_att);
            let old_slot = pg_sys::MakeTupleTableSlot(descriptor, &raw const pg_sys::TTSOpsHeapTuple);
            let row_memory = pg_sys::AllocSetContextCreateInternal(
                memory,
                c"clerk_fdw row".as_ptr(),
                pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
            );
            pg_sys::MemoryContextSwitchTo(previous);
            Statement {
                object: table.object,
                connection: Connection::new(Server::new(table.server), role_to_check(state, relation)),
                mirrors: None,
                conflict: plan.conflict.map(Conflict::new),
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

    /// Whether rows can be collected and written beside each other: nothing runs between them that could see them, and
    /// nobody wants to see what Clerk has made of them.
    ///
    /// # Safety
    /// The relation must be that of the statement.
    pub unsafe fn can_batch(&self, relation: *mut pg_sys::ResultRelInfo) -> bool {
        // SAFETY: the caller guarantees the statement's relation, whose triggers are null or a TriggerDesc.
        let has_triggers = unsafe {
            let triggers = (*relation).ri_TrigDesc.as_ref();
            triggers.is_some_and(|triggers| triggers.trig_insert_before_row || triggers.trig_insert_after_row)
        };
        // SAFETY: as above.
        let is_shown = unsafe { shows_rows(relation) };
        !has_triggers && !is_shown && self.conflict.as_ref().is_none_or(|conflict| !conflict.is_update())
    }

    /// Reads the old row of an UPDATE or DELETE.
    ///
    /// # Safety
    /// The slot must hold a row of the statement's plan, with the old row under the number that Postgres keeps in
    /// `ri_RowIdAttNo`.
    pub unsafe fn load_old_row(
        &mut self,
        relation: *mut pg_sys::ResultRelInfo,
        plan_slot: *mut pg_sys::TupleTableSlot,
    ) {
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
            self.old = self.in_row_memory(|statement| statement.reader.read(statement.old_slot)).or_raise();
        }
    }

    /// Does something in memory that is freed with the next row.
    fn in_row_memory<T>(&mut self, action: impl FnOnce(&mut Self) -> T) -> T {
        // SAFETY: the context lives as long as the statement, and what was allocated for the row before is not used any more.
        unsafe {
            pg_sys::MemoryContextReset(self.memory);
            PgMemoryContexts::For(self.memory).switch_to(|_| action(self))
        }
    }

    /// Writes a new row, and puts what Clerk has made of it into the slot if somebody wants to see it. Returns null if the
    /// row was not written, because Clerk has it already.
    ///
    /// # Safety
    /// The slot must hold a row of the statement's relation.
    pub unsafe fn insert_one(
        &mut self,
        state: *mut pg_sys::EState,
        relation: *mut pg_sys::ResultRelInfo,
        slot: *mut pg_sys::TupleTableSlot,
    ) -> *mut pg_sys::TupleTableSlot {
        // SAFETY: the caller guarantees a row of the relation.
        unsafe {
            let row = self.in_row_memory(|statement| statement.reader.read(slot)).or_raise();
            if self.collects_rows {
                self.collects_rows = self.can_batch(relation) && !has_statement_trigger(relation);
            }
            if self.collects_rows {
                self.rows += 1;
                self.collected.push(row);
                if self.collected.len() >= Self::BATCH {
                    self.write_collected();
                }
                return slot;
            }
            self.rows += 1;
            let number = self.rows;
            let new = self.writer.insert(&row).map_err(|error| refused(error, number)).or_raise();
            super::conflict::check_view(self, state, relation, slot, &row, Operation::Insert);
            let answers = self.send_new(&[new], number);
            match answers.into_iter().next() {
                Some(Ok(answer)) => {
                    self.show_insert(relation, slot, &row, &answer);
                    slot
                }
                Some(Err(error)) => self.resolve_conflict(state, relation, slot, &row, error),
                None => std::ptr::null_mut(),
            }
        }
    }

    /// Writes new rows beside each other, and moves the slots of those that are written to the front. Returns how many these
    /// are.
    ///
    /// # Safety
    /// The slots must hold rows of the statement's relation.
    pub unsafe fn insert_all(
        &mut self,
        state: *mut pg_sys::EState,
        relation: *mut pg_sys::ResultRelInfo,
        slots: &mut [*mut pg_sys::TupleTableSlot],
    ) -> usize {
        let mut rows = Vec::with_capacity(slots.len());
        for slot in slots.iter() {
            // SAFETY: the caller guarantees a row of the relation.
            rows.push(self.in_row_memory(|statement| unsafe { statement.reader.read(*slot) }).or_raise());
        }
        let first = self.rows + 1;
        self.rows += rows.len() as u64;
        let is_written = self.write_rows(&rows, first);
        let _ = (state, relation);
        let mut written = 0;
        for (position, is_written) in is_written.into_iter().enumerate() {
            if is_written {
                slots.swap(written, position);
                written += 1;
            }
        }
        written
    }

    /// Writes the rows that were collected.
    pub fn write_collected(&mut self) {
        let rows = std::mem::take(&mut self.collected);
        if !rows.is_empty() {
            let first = self.rows + 1 - rows.len() as u64;
            self.write_rows(&rows, first);
        }
    }

    /// Writes new rows beside each other. Returns which of them were written; the others are those that Clerk has already.
    fn write_rows(&mut self, rows: &[Vec<Option<String>>], first: u64) -> Vec<bool> {
        let mut new = Vec::with_capacity(rows.len());
        for (number, row) in (first..).zip(rows) {
            new.push(self.writer.insert(row).map_err(|error| refused(error, number)).or_raise());
        }
        let answers = self.send_new(&new, first);
        let mut is_written = Vec::with_capacity(new.len());
        for (position, answer) in answers.into_iter().enumerate() {
            match answer {
                Ok(answer) => {
                    self.mirror_new(&rows[position], &answer);
                    is_written.push(true);
                }
                Err(error) => {
                    let number = first + position as u64;
                    if self.find_conflict(&new[position]).is_none() {
                        self.fail(error, &[number]);
                    }
                    is_written.push(false);
                }
            }
        }
        is_written
    }

    /// Sends the requests that make new objects. Returns the answer for each.
    fn send_new(&mut self, new: &[NewObject], first: u64) -> Vec<Answer> {
        let change = format!("rows inserted into {}", self.object.name);
        // What Clerk has already would refuse the others of its request as well.
        let groups = match self.conflict {
            Some(_) => (0..new.len()).map(|position| vec![position]).collect(),
            None => NewObject::groups(new),
        };
        let number = |position: usize| first + position as u64;
        let numbers = |group: &Vec<usize>| group.iter().map(|position| number(*position)).collect::<Vec<_>>();
        let rows: Vec<Vec<u64>> = groups.iter().map(numbers).collect();
        let requests = groups.iter().map(|group| {
            let members: Vec<&NewObject> = group.iter().map(|position| &new[*position]).collect();
            NewObject::request_for_all(&members).ok_or_else(|| self.no_key()).or_raise()
        });
        let requests = requests.collect();
        // A refusal of several objects does not say which one is refused.
        let takes_refusals = self.conflict.is_some() || groups.iter().any(|group| group.len() > 1);
        let purpose = Purpose { change: &change, rows: &rows, takes_refusals };
        let answers = self.connection.send(requests, &purpose, &mut self.reached);
        let mut by_row: Vec<Option<Answer>> = vec![None; new.len()];
        for (group, answer) in groups.iter().zip(answers) {
            match (&group[..], answer) {
                ([position], Err(error)) if self.conflict.is_none() => self.fail(error, &[number(*position)]),
                ([position], answer) => by_row[*position] = Some(answer),
                (positions, Ok(answer)) => {
                    let objects = new[positions[0]].in_answer(&answer).unwrap_or_default();
                    for (index, position) in positions.iter().enumerate() {
                        by_row[*position] = Some(Ok(objects.get(index).cloned().unwrap_or_default()));
                    }
                }
                // They are sent one by one, in their order, until the one that is refused.
                (positions, Err(Error::Refused { .. })) => {
                    for position in positions {
                        let request = new[*position].request().ok_or_else(|| self.no_key()).or_raise();
                        let purpose =
                            Purpose { change: &change, rows: &[vec![number(*position)]], takes_refusals: false };
                        by_row[*position] = self.connection.send(vec![request], &purpose, &mut self.reached).pop();
                    }
                }
                (positions, Err(error)) => {
                    let rows: Vec<u64> = positions.iter().map(|position| number(*position)).collect();
                    self.fail(error, &rows);
                }
            }
        }
        by_row.into_iter().map(|answer| answer.unwrap_or(Err(Error::BrokenOff))).collect()
    }

    /// Changes a row, and puts what Clerk has made of it into the slot if somebody wants to see it.
    ///
    /// # Safety
    /// The slot must hold the new row of the statement's relation, and the old row must have been loaded.
    pub unsafe fn update(
        &mut self,
        state: *mut pg_sys::EState,
        relation: *mut pg_sys::ResultRelInfo,
        slot: *mut pg_sys::TupleTableSlot,
    ) -> *mut pg_sys::TupleTableSlot {
        self.rows += 1;
        let number = self.rows;
        // SAFETY: the caller guarantees a row of the relation.
        let new = self.in_row_memory(|statement| unsafe { statement.reader.read(slot) }).or_raise();
        let old = std::mem::take(&mut self.old);
        let requests = self.writer.update(&old, &new).map_err(|error| refused(error, number)).or_raise();
        // SAFETY: as above.
        unsafe { super::conflict::check_view(self, state, relation, slot, &new, Operation::Update) };
        let answer = self.send_changes(requests, number);
        if let Some((write, answer)) = answer {
            // SAFETY: as above.
            unsafe {
                self.show(relation, slot, &old, write, &answer);
            }
        }
        slot
    }

    /// Sends the requests that change one row, one after the other. Returns the last answer, with the endpoint that gave it.
    fn send_changes(
        &mut self,
        requests: Vec<(&'static Write, Request)>,
        number: u64,
    ) -> Option<(&'static Write, String)> {
        let change = format!("rows of {} updated", self.object.name);
        let mut last = None;
        let mut done: Vec<String> = Vec::new();
        let count = requests.len();
        for (position, (write, request)) in requests.into_iter().enumerate() {
            let shown = request.readable();
            // The row has reached Clerk with its last request.
            let rows = if position + 1 == count { vec![number] } else { Vec::new() };
            if !done.is_empty() {
                self.connection.partly = Some(format!("Of row {number} this had been done: {}.", done.join(", ")));
            }
            let purpose = Purpose { change: &change, rows: &[rows], takes_refusals: false };
            let answer = self.connection.send(vec![request], &purpose, &mut self.reached).pop();
            done.push(shown);
            if let Some(Ok(answer)) = answer {
                last = Some((write, answer));
            }
        }
        self.connection.partly = None;
        last
    }

    /// Deletes the old row, and puts it into the slot for RETURNING. Returns null if Clerk does not have it any more.
    ///
    /// # Safety
    /// The slot must have the row type of the statement's relation, and the old row must have been loaded.
    pub unsafe fn delete(&mut self, slot: *mut pg_sys::TupleTableSlot) -> *mut pg_sys::TupleTableSlot {
        self.rows += 1;
        let number = self.rows;
        let old = std::mem::take(&mut self.old);
        let request = self.writer.delete(&old).map_err(|error| refused(error, number)).or_raise();
        let change = format!("rows deleted from {}", self.object.name);
        let purpose = Purpose { change: &change, rows: &[vec![number]], takes_refusals: true };
        let answer = self.connection.send(vec![request], &purpose, &mut self.reached).pop();
        match answer {
            // Somebody else has deleted it since it was read.
            Some(Err(Error::Refused { status: 404, .. })) => return std::ptr::null_mut(),
            Some(Err(error)) => self.fail(error, &[number]),
            Some(Ok(answer)) => self.mirror_deleted(&old, &answer),
            None => {}
        }
        // SAFETY: both slots have the relation's row type, and the functions of a slot take it.
        unsafe {
            clear(slot);
            if let Some(copy) = (*(*slot).tts_ops).copyslot {
                pg_sys::ffi::pg_guard_ffi_boundary(|| copy(slot, self.old_slot));
            }
        }
        slot
    }

    /// Fails because of Clerk's answer for rows.
    pub fn fail(&mut self, error: Error, rows: &[u64]) -> ! {
        HiddenStatement::new();
        let progress = self.reached.progress(rows);
        FdwError::Write { error: error.into(), server: self.connection.server.name.clone(), progress }.raise()
    }

    fn no_key(&self) -> FdwError {
        let error = clerk_api::write::WriteError::NoKey { object: self.object.name, column: self.object.id().name };
        FdwError::Row { error, row: None }
    }

    /// Shows what Clerk has made of a new row.
    unsafe fn show_insert(
        &mut self,
        relation: *mut pg_sys::ResultRelInfo,
        slot: *mut pg_sys::TupleTableSlot,
        row: &[Option<String>],
        answer: &str,
    ) {
        let Some(write) = self.object.writes.insert.as_ref() else { return };
        // SAFETY: the caller guarantees a slot of the relation.
        unsafe { self.show(relation, slot, row, write, answer) };
    }

    /// Puts the object that Clerk answers with into the slot, if somebody wants to see it, and shows it to the mirrors.
    ///
    /// # Safety
    /// The slot must have the row type of the statement's relation.
    unsafe fn show(
        &mut self,
        relation: *mut pg_sys::ResultRelInfo,
        slot: *mut pg_sys::TupleTableSlot,
        row: &[Option<String>],
        write: &'static Write,
        answer: &str,
    ) {
        self.mirror_changed(row, write, answer);
        // SAFETY: the caller guarantees the statement's relation.
        if !unsafe { shows_rows(relation) } {
            return;
        }
        // SAFETY: the caller guarantees a slot of the relation, whose columns the converters were made for.
        unsafe {
            let is_answer = write.answer == AnswerKind::Object
                && self.object.elements.is_none()
                && !self.returns_extra_column(relation);
            let locators: Vec<_> = self.reader.converters.iter().map(|column| column.locator.clone()).collect();
            let page = match is_answer {
                true => Some((Page::of_object(self.object, answer, &locators), 0)),
                false => self.read_again(row, answer).map(|(page, row)| (Ok(page), row)),
            };
            match page {
                Some((Ok(page), row)) => {
                    clear(slot);
                    let previous = pg_sys::MemoryContextSwitchTo(self.memory);
                    fill(slot, &page, row, &self.reader.converters, self.object);
                    pg_sys::MemoryContextSwitchTo(previous);
                    pg_sys::ExecStoreVirtualTuple(slot);
                }
                Some((Err(problem), _)) => {
                    let request = Box::new(Request::new(write.path));
                    let number = self.rows;
                    self.fail(Error::Unreadable { problem, request }, &[number + 1]);
                }
                // Clerk cannot be asked for it, so the row is shown as it was given.
                None => {}
            }
        }
    }

    /// Reads the object that was written from Clerk again.
    fn read_again(&mut self, row: &[Option<String>], answer: &str) -> Option<(Page, usize)> {
        let id = match json::member(answer, "id").and_then(json::string) {
            Some(id) => id.into_owned(),
            None => self.writer.text(row, self.object.id().name).unwrap_or_default(),
        };
        let parents = self.object.key_columns.iter().filter(|key| !key.is_single() || self.object.elements.is_some());
        let parents = parents.filter_map(|key| {
            let column = self.object.column(key.column, true)?;
            Some((column, self.writer.text(row, column.name)?))
        });
        let parents: Vec<_> = parents.collect();
        let locators = self.reader.converters.iter().map(|column| column.locator.clone()).collect();
        let mut fetch = find_by_id(self.object, &id, &parents, locators)?;
        fetch.extra_params =
            clerk_api::extra_params(self.reader.converters.iter().filter_map(|column| column.extra_param));
        let client = self.connection.client().or_raise();
        let mut pages = Pages::start(fetch, client).or_raise();
        let is_only_row = self.object.list.is_some_and(|list| list.paging == clerk_api::catalog::Paging::Single);
        while let Some(page) = self.connection.next(&mut pages) {
            if let Some(found) = (0..page.len()).find(|found| is_only_row || page.id(*found) == id) {
                return Some((page, found));
            }
        }
        None
    }

    /// Whether RETURNING names a column that Clerk sends only on request.
    unsafe fn returns_extra_column(&self, relation: *mut pg_sys::ResultRelInfo) -> bool {
        // SAFETY: the caller guarantees the statement's relation, whose RETURNING list is a list of expressions.
        // pull_varattnos makes a valid bitmap set, or leaves it null, which is an empty one.
        unsafe {
            let mut used = std::ptr::null_mut();
            let (list, index) = ((*relation).ri_returningList, (*relation).ri_RangeTableIndex);
            pg_sys::pull_varattnos(list.cast(), index, &mut used);
            let mut extra = self.reader.converters.iter().filter(|column| column.extra_param.is_some());
            extra.any(|column| {
                let member = i32::from(column.number) - pg_sys::FirstLowInvalidHeapAttributeNumber;
                pg_sys::bms_is_member(member, used)
            })
        }
    }

    fn resolve_conflict(
        &mut self,
        state: *mut pg_sys::EState,
        relation: *mut pg_sys::ResultRelInfo,
        slot: *mut pg_sys::TupleTableSlot,
        row: &[Option<String>],
        error: Error,
    ) -> *mut pg_sys::TupleTableSlot {
        let number = self.rows;
        let Ok(new) = self.writer.insert(row) else { return std::ptr::null_mut() };
        let Some(existing) = self.find_conflict(&new) else { self.fail(error, &[number]) };
        let is_update = self.conflict.as_ref().is_some_and(Conflict::is_update);
        if !is_update {
            return std::ptr::null_mut();
        }
        // The row does not count twice.
        self.rows -= 1;
        // SAFETY: the relation and the slot are those of the statement.
        unsafe { super::conflict::update_existing(self, state, relation, slot, &existing) }
    }

    /// The row that Clerk has in place of a new one that it refused; `None` if there is none.
    fn find_conflict(&mut self, new: &NewObject) -> Option<(Page, usize)> {
        let conflict = self.conflict.clone()?;
        conflict.find(self, new)
    }

    /// The locators of the table's columns.
    pub fn reader(&self) -> &RowReader {
        &self.reader
    }

    /// Makes a row of the slot the old row of an update.
    ///
    /// # Safety
    /// The slot must hold a row of the statement's relation.
    pub unsafe fn set_old_row(&mut self, slot: *mut pg_sys::TupleTableSlot) {
        // SAFETY: the caller guarantees a row of the relation.
        self.old = self.in_row_memory(|statement| unsafe { statement.reader.read(slot) }).or_raise();
    }

    /// Loads the mirrors of the server, when something was written for the first time.
    fn mirrors(&mut self) -> &Mirrors {
        if self.mirrors.is_none() {
            self.mirrors = Some(Mirrors::of(&mut self.connection));
        }
        self.mirrors.get_or_insert_with(Mirrors::default)
    }

    fn mirror_new(&mut self, row: &[Option<String>], answer: &str) {
        if let Some(write) = self.object.writes.insert.as_ref() {
            self.mirror_changed(row, write, answer);
        }
    }

    fn mirror_changed(&mut self, row: &[Option<String>], write: &'static Write, answer: &str) {
        if self.mirrors().is_empty() {
            return;
        }
        let object = self.object;
        let owner = object.elements.and_then(|_| {
            let owner_id = object.parent(object.listed())?;
            self.writer.text(row, owner_id.name)
        });
        let client = self.connection.client().or_raise();
        self.mirrors().changed(object, write, answer, owner.as_deref(), &client);
    }

    fn mirror_deleted(&mut self, old: &[Option<String>], answer: &str) {
        if self.mirrors().is_empty() {
            return;
        }
        let Some(write) = self.object.writes.delete.as_ref() else { return };
        if write.answer == AnswerKind::Object {
            // Clerk keeps it, as something that is revoked.
            return self.mirror_changed(old, write, answer);
        }
        if self.object.elements.is_some() {
            return self.mirror_changed(old, write, answer);
        }
        let object = self.object;
        let id = self.writer.text(old, object.id().name);
        let id = id.or_else(|| json::member(answer, "id").and_then(json::string).map(|id| id.into_owned()));
        let updated_at = object.updated_at().and_then(|column| self.writer.text(old, column.name));
        if let Some(id) = id {
            self.mirrors().deleted(object, &id, updated_at.and_then(|time| time.parse().ok()));
        }
    }
}

/// A row that is refused before anything is sent for it.
fn refused(error: clerk_api::write::WriteError, row: u64) -> FdwError {
    HiddenStatement::new();
    FdwError::Row { error, row: Some(row) }
}

/// Whether somebody wants to see the rows as Clerk has made them: RETURNING, a trigger or a view's check.
///
/// # Safety
/// The relation must be a result relation.
unsafe fn shows_rows(relation: *mut pg_sys::ResultRelInfo) -> bool {
    // SAFETY: the caller guarantees a result relation, whose triggers are null or a TriggerDesc.
    unsafe {
        let triggers = (*relation).ri_TrigDesc.as_ref();
        let has_triggers =
            triggers.is_some_and(|triggers| triggers.trig_insert_after_row || triggers.trig_update_after_row);
        has_triggers || !(*relation).ri_projectReturning.is_null() || !(*relation).ri_WithCheckOptions.is_null()
    }
}

/// Whether a trigger runs after the statement, which must find all rows written.
///
/// # Safety
/// The relation must be a result relation.
unsafe fn has_statement_trigger(relation: *mut pg_sys::ResultRelInfo) -> bool {
    // SAFETY: the caller guarantees a result relation, whose triggers are null or a TriggerDesc.
    unsafe { (*relation).ri_TrigDesc.as_ref() }.is_some_and(|triggers| triggers.trig_insert_after_statement)
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
            let root = (*relation).ri_RootResultRelInfo;
            let is_routed = (*relation).ri_RangeTableIndex == 0 && !root.is_null();
            let index = if is_routed { (*root).ri_RangeTableIndex } else { (*relation).ri_RangeTableIndex };
            let table = pgrx::PgList::<pg_sys::RangeTblEntry>::from_pg((*state).es_range_table);
            let entry = (index as usize).checked_sub(1).and_then(|index| table.get_ptr(index));
            entry.map_or(pg_sys::InvalidOid, |entry| (*entry).checkAsUser)
        };
        #[cfg(not(feature = "pg15"))]
        let check_as_user = pg_sys::ExecGetResultRelCheckAsUser(relation, state);
        if check_as_user == pg_sys::InvalidOid { pg_sys::GetUserId() } else { check_as_user }
    }
}
