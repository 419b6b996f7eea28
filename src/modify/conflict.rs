//! Does what ON CONFLICT says about a new row that Clerk refuses because it has one like it.

use clerk_api::catalog::{Object, Source};
use clerk_api::write::{NewObject, find_unique};
use clerk_api::{Fetch, Locator, Page, json};
use pgrx::pg_sys;

use super::statement::Statement;
use crate::error::OrRaise;
use crate::fdw::exec::rows::fill;
use crate::pg::expression::is_true;
use crate::pg::tuples::project;
use crate::remote::io_thread::Pages;

/// The row that Clerk has in place of a new one that it refused, with a page that holds it; `None` if there is none, or the
/// statement does not say what to do about it.
pub fn find(statement: &mut Statement, new: &NewObject) -> Option<(Page, usize)> {
    let (object, conflict) = (statement.object, statement.conflict.clone()?);
    let sets = object.writes.unique.iter().filter(|set| match &conflict.columns {
        Some(columns) => set.iter().all(|column| columns.iter().any(|other| other == column)),
        None => true,
    });
    sets.into_iter().find_map(|set| find_row(statement, new, object, set))
}

/// The row that has the same values as a new one in a set of columns.
fn find_row(
    statement: &mut Statement,
    new: &NewObject,
    object: &'static Object,
    set: &[&str],
) -> Option<(Page, usize)> {
    let mut locators = statement.reader.locators();
    let first = locators.len();
    let columns: Vec<_> = set.iter().filter_map(|name| object.column(name, true)).collect();
    locators.extend(columns.iter().map(|column| Locator::from(column.source)));
    let fetches = find_unique(new, object, set, &locators);
    let client = statement.connection.client().or_raise();
    for fetch in fetches {
        let fetch = Fetch { extra_params: statement.reader.extra_params(), ..fetch };
        let mut pages = Pages::start(fetch, client.clone()).or_raise();
        while let Some(page) = statement.connection.next(&mut pages) {
            let found = (0..page.len()).find(|row| {
                columns.iter().enumerate().all(|(index, column)| {
                    // Clerk may have found it by another of its addresses than the one that it shows.
                    let is_one_of_many = matches!(column.source, Source::Primary { .. });
                    let value = page.value(*row, first + index).and_then(json::string);
                    is_one_of_many || value.is_some_and(|value| new.has_text(column.name, &value))
                })
            });
            if let Some(found) = found {
                return Some((page, found));
            }
        }
    }
    None
}

/// Does what DO UPDATE says with the row that Clerk has. Returns null if its WHERE leaves the row out.
///
/// # Safety
/// The relation must be that of an INSERT with DO UPDATE, and the slot must hold the row that was to be inserted.
pub unsafe fn update_existing(
    statement: &mut Statement,
    state: *mut pg_sys::EState,
    relation: *mut pg_sys::ResultRelInfo,
    slot: *mut pg_sys::TupleTableSlot,
    (page, row): &(Page, usize),
) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: the caller guarantees an INSERT with DO UPDATE, for which Postgres has made the slots for the existing and
    // the projected row, both with the relation's row type, and the expressions of its SET and WHERE. They read the
    // existing row as the scan tuple and the new one as the inner tuple of the projection's context.
    unsafe {
        let update = (*relation).ri_onConflict;
        let (existing, projection) = ((*update).oc_Existing, (*update).oc_ProjInfo);
        store(statement, existing, page, *row);
        let context = (*projection).pi_exprContext;
        (*context).ecxt_scantuple = existing;
        (*context).ecxt_innertuple = slot;
        (*context).ecxt_outertuple = std::ptr::null_mut();
        if !(*update).oc_WhereClause.is_null() && !is_true((*update).oc_WhereClause, context) {
            return std::ptr::null_mut();
        }
        let projected = project(projection);
        // The update counts the row once more.
        statement.rows -= 1;
        statement.set_old_row(existing);
        statement.update(state, relation, projected, existing)
    }
}

/// Stores an object of a page in a slot for heap tuples.
///
/// # Safety
/// The slot must have the row type of the statement's relation.
unsafe fn store(statement: &Statement, slot: *mut pg_sys::TupleTableSlot, page: &Page, row: usize) {
    // SAFETY: the caller guarantees the row type. The scratch slot has it as well, and heap_form_tuple copies its values to a
    // tuple that the slot frees.
    unsafe {
        let descriptor = (*slot).tts_tupleDescriptor;
        let scratch = pg_sys::MakeSingleTupleTableSlot(descriptor, &raw const pg_sys::TTSOpsVirtual);
        let previous = pg_sys::MemoryContextSwitchTo(statement.memory);
        fill(scratch, page, row, &statement.reader.converters, statement.object);
        pg_sys::MemoryContextSwitchTo(previous);
        let tuple = pg_sys::heap_form_tuple(descriptor, (*scratch).tts_values, (*scratch).tts_isnull);
        pg_sys::ExecDropSingleTupleTableSlot(scratch);
        pg_sys::ExecForceStoreHeapTuple(tuple, slot, true);
    }
}
