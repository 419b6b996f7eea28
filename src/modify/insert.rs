//! Writes new rows: one by one, or many beside each other.

use clerk_api::Error;
use clerk_api::write::{NewObject, WriteError};
use pgrx::pg_sys;

use super::conflict;
use super::connection::{Answer, Purpose};
use super::show::shows_rows;
use super::statement::{RowValues, Statement};
use super::view;
use crate::error::{FdwError, OrRaise};

impl Statement {
    /// How many rows are written at a time, if they may be written beside each other.
    pub const BATCH: usize = 1000;

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
        !has_triggers && !is_shown && self.conflict.as_ref().is_none_or(|conflict| !conflict.is_update)
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
            let row = self.read(slot);
            self.rows += 1;
            if self.collects_rows {
                self.collects_rows = self.can_batch(relation) && !has_statement_trigger(relation);
            }
            if self.collects_rows {
                self.collected.push(row);
                if self.collected.len() >= Self::BATCH {
                    self.write_collected();
                }
                return slot;
            }
            let number = self.rows;
            let new = self.writer.insert(&row).map_err(|error| self.refused(error, number)).or_raise_hidden();
            view::check(self, state, relation, slot, &row, None);
            let answers = self.send_new(std::slice::from_ref(&new), number);
            match answers.into_iter().next() {
                Some(Ok(answer)) => {
                    self.show_insert(relation, slot, &row, &answer);
                    slot
                }
                Some(Err(error)) => self.resolve_conflict(state, relation, slot, &new, error),
                None => std::ptr::null_mut(),
            }
        }
    }

    /// Writes new rows beside each other, and moves the slots of those that are written to the front. Returns how many these
    /// are.
    ///
    /// # Safety
    /// The slots must hold rows of the statement's relation.
    pub unsafe fn insert_all(&mut self, slots: &mut [*mut pg_sys::TupleTableSlot]) -> usize {
        let first = self.rows + 1;
        let mut rows = Vec::with_capacity(slots.len());
        for slot in slots.iter() {
            // SAFETY: the caller guarantees a row of the relation.
            rows.push(unsafe { self.read(*slot) });
            self.rows += 1;
        }
        let is_written = self.write_rows(&rows, first);
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
    fn write_rows(&mut self, rows: &[RowValues], first: u64) -> Vec<bool> {
        let mut new = Vec::with_capacity(rows.len());
        for (number, row) in (first..).zip(rows) {
            new.push(self.writer.insert(row).map_err(|error| self.refused(error, number)).or_raise_hidden());
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
                    if conflict::find(self, &new[position]).is_none() {
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
        let mut answers: Vec<Answer> = vec![Err(Error::BrokenOff); new.len()];
        let mut waiting: Vec<Vec<usize>> = groups;
        while !waiting.is_empty() {
            waiting = self.send_groups(new, waiting, first, &change, &mut answers);
        }
        answers
    }

    /// Sends a request for each group of new objects, and keeps the answers. Returns the groups that were not sent because
    /// another one was refused.
    fn send_groups(
        &mut self,
        new: &[NewObject],
        groups: Vec<Vec<usize>>,
        first: u64,
        change: &str,
        answers: &mut [Answer],
    ) -> Vec<Vec<usize>> {
        let numbers = |group: &Vec<usize>| group.iter().map(|position| first + *position as u64).collect::<Vec<_>>();
        let rows: Vec<Vec<u64>> = groups.iter().map(numbers).collect();
        let requests = groups.iter().map(|group| {
            let members: Vec<&NewObject> = group.iter().map(|position| &new[*position]).collect();
            NewObject::request_for_all(&members).ok_or_else(|| self.no_key()).or_raise_hidden()
        });
        let requests = requests.collect();
        // A refusal of several objects does not say which one is refused.
        let takes_refusals = self.conflict.is_some() || groups.iter().any(|group| group.len() > 1);
        let goes_on = self.conflict.is_some();
        let purpose = Purpose { change: Some(change), rows: &rows, takes_refusals, goes_on };
        let received = self.connection.send(requests, &purpose, &mut self.reached);
        let mut waiting = Vec::new();
        for ((group, rows), answer) in groups.into_iter().zip(&rows).zip(received) {
            match (&group[..], answer) {
                (_, Err(Error::BrokenOff)) => waiting.push(group),
                (_, Err(error)) if self.conflict.is_none() && group.len() == 1 => self.fail(error, rows),
                ([position], answer) => answers[*position] = answer,
                (positions, Ok(answer)) => {
                    let objects = new[positions[0]].in_answer(&answer).unwrap_or_default();
                    for (index, position) in positions.iter().enumerate() {
                        answers[*position] = Ok(objects.get(index).cloned().unwrap_or_default());
                    }
                }
                // They are sent one by one, in their order, until the one that is refused.
                (positions, Err(_)) => {
                    for (position, row) in positions.iter().zip(rows) {
                        let request = new[*position].request().ok_or_else(|| self.no_key()).or_raise_hidden();
                        let rows = [vec![*row]];
                        let purpose =
                            Purpose { change: Some(change), rows: &rows, takes_refusals: false, goes_on: false };
                        let answer = self.connection.send(vec![request], &purpose, &mut self.reached);
                        answers[*position] = answer.into_iter().next().unwrap_or(Err(Error::BrokenOff));
                    }
                }
            }
        }
        waiting
    }

    /// Shows what Clerk has made of a new row.
    ///
    /// # Safety
    /// The slot must have the row type of the statement's relation.
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

    /// Does what ON CONFLICT says about a new row that Clerk has refused, or fails with Clerk's refusal. Returns null if no
    /// row is changed.
    ///
    /// # Safety
    /// The slot must hold the row, of the statement's relation, that was to be inserted.
    unsafe fn resolve_conflict(
        &mut self,
        state: *mut pg_sys::EState,
        relation: *mut pg_sys::ResultRelInfo,
        slot: *mut pg_sys::TupleTableSlot,
        new: &NewObject,
        error: Error,
    ) -> *mut pg_sys::TupleTableSlot {
        let number = self.rows;
        let Some(existing) = conflict::find(self, new) else { self.fail(error, &[number]) };
        let is_update = self.conflict.as_ref().is_some_and(|conflict| conflict.is_update);
        if !is_update {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller guarantees the relation and the row. Because of DO UPDATE, Postgres has made what that needs.
        unsafe { conflict::update_existing(self, state, relation, slot, &existing) }
    }

    /// Shows a new row to the mirrors.
    fn mirror_new(&mut self, row: &[Option<String>], answer: &str) {
        if let Some(write) = self.object.writes.insert.as_ref() {
            self.mirror_changed(row, write, answer);
        }
    }

    /// The error for a row without the id by which Clerk would find it.
    fn no_key(&self) -> FdwError {
        let error = WriteError::NoKey { object: self.object.name, column: self.object.id().name };
        FdwError::Row { error, progress: None }
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
