//! Changes and deletes rows.

use clerk_api::catalog::{Answer as AnswerKind, Write};
use clerk_api::{Error, Request, json};
use pgrx::pg_sys;

use super::connection::Purpose;
use super::statement::Statement;
use super::view;
use crate::error::OrRaise;
use crate::pg::tuples::clear;

impl Statement {
    /// Changes a row, and puts what Clerk has made of it into the slot if somebody wants to see it.
    ///
    /// # Safety
    /// The slots must hold the new and the old row of the statement's relation, and the old one must have been loaded.
    pub unsafe fn update(
        &mut self,
        state: *mut pg_sys::EState,
        relation: *mut pg_sys::ResultRelInfo,
        slot: *mut pg_sys::TupleTableSlot,
        old_slot: *mut pg_sys::TupleTableSlot,
    ) -> *mut pg_sys::TupleTableSlot {
        // SAFETY: the caller guarantees a row of the relation.
        let new = unsafe { self.read(slot) };
        self.rows += 1;
        let number = self.rows;
        let old = std::mem::take(&mut self.old);
        let requests = self.writer.update(&old, &new).map_err(|error| self.refused(error, number)).or_raise_hidden();
        // SAFETY: as above.
        unsafe { view::check(self, state, relation, slot, &new, Some(&old)) };
        let answer = self.send_changes(requests, number);
        match answer {
            // SAFETY: as above.
            Some((write, answer)) => unsafe { self.show(relation, slot, &old, write, &answer) },
            // Nothing has changed, so the row is what it was.
            // SAFETY: the caller guarantees that both slots hold rows of the relation.
            None => unsafe { copy(old_slot, slot) },
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
            // What was written is noted with the first request, but the row has reached Clerk only with the last.
            let change = (position == 0).then_some(change.as_str());
            if !done.is_empty() {
                self.connection.partly = Some(format!("Of row {number} this had been done: {}.", done.join(", ")));
            }
            let purpose = Purpose { change, rows: &[vec![number]], takes_refusals: false, goes_on: false };
            let answer = self.connection.send(vec![request], &purpose, &mut self.reached).pop();
            self.reached.take_back(number);
            done.push(shown);
            if let Some(Ok(answer)) = answer {
                last = Some((write, answer));
            }
        }
        self.connection.partly = None;
        if count > 0 {
            self.reached.add(number);
        }
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
        let request = self.writer.delete(&old).map_err(|error| self.refused(error, number)).or_raise_hidden();
        let change = format!("rows deleted from {}", self.object.name);
        let purpose = Purpose { change: Some(&change), rows: &[vec![number]], takes_refusals: true, goes_on: false };
        let answer = self.connection.send(vec![request], &purpose, &mut self.reached).pop();
        match answer {
            // Somebody else has deleted it since it was read.
            Some(Err(Error::Refused { status: 404, .. })) => return std::ptr::null_mut(),
            Some(Err(error)) => self.fail(error, &[number]),
            Some(Ok(answer)) => self.mirror_deleted(&old, &answer),
            None => {}
        }
        // SAFETY: both slots have the relation's row type.
        unsafe { copy(self.old_slot, slot) };
        slot
    }

    /// Shows to the mirrors that a row was deleted.
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

/// Copies a row from one slot to another.
///
/// # Safety
/// Both slots must have the same row type, and the first one must hold a row.
unsafe fn copy(from: *mut pg_sys::TupleTableSlot, to: *mut pg_sys::TupleTableSlot) {
    // SAFETY: the caller guarantees the slots, whose own functions take them. The guard turns an ERROR into a panic.
    unsafe {
        clear(to);
        if let Some(copy) = (*(*to).tts_ops).copyslot {
            pg_sys::ffi::pg_guard_ffi_boundary(|| copy(to, from));
        }
    }
}
