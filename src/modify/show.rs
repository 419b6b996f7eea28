//! Shows what Clerk has made of a row: to RETURNING, triggers and views, and to the mirrors.

use clerk_api::catalog::{Answer as AnswerKind, Paging, Write};
use clerk_api::write::find_by_id;
use clerk_api::{Error, Page, Request, json};
use pgrx::pg_sys;

use super::mirror::Mirrors;
use super::statement::{Statement, range_table_index};
use crate::error::OrRaise;
use crate::fdw::exec::rows::fill;
use crate::pg::tuples::clear;
use crate::remote::io_thread::Pages;

impl Statement {
    /// Puts the object that Clerk answers with into the slot, if somebody wants to see it, and shows it to the mirrors.
    ///
    /// # Safety
    /// The slot must have the row type of the statement's relation.
    pub unsafe fn show(
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
            let page = match is_answer {
                true => Some((Page::of_object(self.object, answer, &self.reader.locators()), 0)),
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
                    let request = Box::new(Request::to_endpoint(write));
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
        let mut fetch = find_by_id(self.object, &id, &parents, self.reader.locators())?;
        fetch.extra_params = self.reader.extra_params();
        let client = self.connection.client().or_raise();
        let mut pages = Pages::start(fetch, client).or_raise();
        let is_only_row = self.object.list.is_some_and(|list| list.paging == Paging::Single);
        while let Some(page) = self.connection.next(&mut pages) {
            if let Some(found) = (0..page.len()).find(|found| is_only_row || page.id(*found) == id) {
                return Some((page, found));
            }
        }
        None
    }

    /// Whether RETURNING names a column that Clerk sends only on request.
    ///
    /// # Safety
    /// The relation must be that of the statement.
    unsafe fn returns_extra_column(&self, relation: *mut pg_sys::ResultRelInfo) -> bool {
        // SAFETY: the caller guarantees the statement's relation, whose RETURNING list is a list of expressions.
        // pull_varattnos makes a valid bitmap set, or leaves it null, which is an empty one.
        unsafe {
            let mut used = std::ptr::null_mut();
            let (list, index) = ((*relation).ri_returningList, range_table_index(relation));
            pg_sys::pull_varattnos(list.cast(), index, &mut used);
            let mut extra = self.reader.converters.iter().filter(|column| column.extra_param.is_some());
            extra.any(|column| {
                let member = i32::from(column.number) - pg_sys::FirstLowInvalidHeapAttributeNumber;
                pg_sys::bms_is_member(member, used)
            })
        }
    }

    /// The mirrors of the server, which are loaded when something was written for the first time.
    pub fn mirrors(&mut self) -> &Mirrors {
        let mirrors = self.mirrors.take().unwrap_or_else(|| Mirrors::of(&mut self.connection));
        self.mirrors.insert(mirrors)
    }

    /// Shows what Clerk has answered to a write of a row to the mirrors.
    pub fn mirror_changed(&mut self, row: &[Option<String>], write: &'static Write, answer: &str) {
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
}

/// Whether somebody wants to see the rows as Clerk has made them: RETURNING, a trigger or a view's check.
///
/// # Safety
/// The relation must be a result relation.
pub unsafe fn shows_rows(relation: *mut pg_sys::ResultRelInfo) -> bool {
    // SAFETY: the caller guarantees a result relation, whose triggers are null or a TriggerDesc.
    unsafe {
        let triggers = (*relation).ri_TrigDesc.as_ref();
        let has_triggers =
            triggers.is_some_and(|triggers| triggers.trig_insert_after_row || triggers.trig_update_after_row);
        has_triggers || !(*relation).ri_projectReturning.is_null() || !(*relation).ri_WithCheckOptions.is_null()
    }
}
