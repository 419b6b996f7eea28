//! From an event to the mirror's row.
//!
//! Which of an object's events came first must not matter. So what counts is not when an event came but what it tells
//! of: a state from `updated_at`, a deletion from the event's time. The newest wins, of two of one time the later
//! arrival.

use clerk_api::catalog::Change;
use clerk_api::webhook::Event;
use clerk_api::{Locator, Page, json};

use crate::error::FdwError;
use crate::mirror::apply::merge::Merge;
use crate::mirror::apply::remove::{self, RowFilter, remove};
use crate::mirror::apply::tombstone;
use crate::mirror::lock;
use crate::mirror::model::{Deletes, Mirror, Table};
use crate::mirror::moment::{Moment, microseconds};
use crate::mirror::refresh;
use crate::mirror::sync::session::check_instance;
use crate::pg::spi::Planned;

/// What became of an event, and why.
pub enum Outcome {
    Applied,
    Stale(&'static str),
    Ignored(&'static str),
}

/// Applies an event. `happened_at` is in Unix milliseconds.
pub fn apply(mirror: &Mirror, event: &Event, happened_at: i64, revalidate: bool) -> Result<Outcome, FdwError> {
    let (Some(object), Some(id)) = (event.object, &event.id) else {
        return Ok(Outcome::Ignored("events of this type change no object that mirrors know"));
    };
    let Some(table) = mirror.find_table(object.name)? else {
        return Ok(Outcome::Ignored("the mirror has no table for the object"));
    };
    if revalidate {
        // Clerk is asked first: nobody shall wait for its answer.
        return ask(mirror, &table, event, id);
    }
    lock::object(mirror, &table, id);
    match event.change {
        Change::Upsert => upsert(mirror, &table, event.data, id, happened_at),
        Change::Delete => delete(mirror, &table, id, happened_at),
    }
}

/// Takes the object's state from Clerk, whatever the event says of it.
fn ask(mirror: &Mirror, table: &Table, event: &Event, id: &str) -> Result<Outcome, FdwError> {
    let (client, _) = mirror.server.connect(mirror.owner)?;
    check_instance(mirror, &client, false)?;
    let told = || {
        // What Clerk does not find by its id, it finds in the list of an owner, whom the event names.
        table.object.key_columns.iter().find_map(|key| {
            let column = table.object.column(key.column, true)?;
            let page = Page::of_object(table.object, event.data, &[column.source.into()]).ok()?;
            let owner = json::string(page.value(0, 0)?)?.into_owned();
            Some((key, owner))
        })
    };
    let (key, value) = match table.object.get_by_id() {
        Some(key) => (key, id.to_owned()),
        None => told().map_or_else(|| refresh::owner(table, id), Ok)?,
    };
    refresh::fetch(mirror, &client, table, id, key, value)?;
    Ok(Outcome::Applied)
}

/// The object is as the event has it.
fn upsert(mirror: &Mirror, table: &Table, data: &str, id: &str, happened_at: i64) -> Result<Outcome, FdwError> {
    let updated_at = updated_at(table, data);
    let of = Moment::of_milliseconds(updated_at.unwrap_or(happened_at));
    let row = Row::of(table, id)?;
    let gone = tombstone::deleted_at(mirror, table, id)?.max(row.deleted_at);
    if let Some(deleted_at) = gone.filter(|deleted_at| *deleted_at > of) {
        if mirror.deletes == Deletes::Soft {
            // The row of a deleted object has its last state, whichever came first.
            merge_one(&Merge::of_deleted(mirror, table, deleted_at), table, data)?;
        }
        return Ok(Outcome::Stale("the object was deleted later"));
    }
    if merge_one(&Merge::new(mirror, table, None, false), table, data)? {
        return Ok(Outcome::Applied);
    }
    // Nothing was to be done: the row has this state already, or a newer one.
    match Row::of(table, id)?.updated_at > Some(of) {
        true => Ok(Outcome::Stale("the row has a newer state")),
        false => Ok(Outcome::Applied),
    }
}

/// When an object last changed, as it says itself, in Unix milliseconds.
fn updated_at(table: &Table, data: &str) -> Option<i64> {
    let column = table.object.updated_at()?;
    Page::of_object(table.object, data, &[column.source.into()]).ok()?.value(0, 0)?.parse().ok()
}

/// What an object's row says of its times; nothing if there is no row.
#[derive(Default)]
struct Row {
    deleted_at: Option<Moment>,
    updated_at: Option<Moment>,
}

impl Row {
    fn of(table: &Table, id: &str) -> Result<Row, FdwError> {
        // The column of a table that was there before may have another type.
        let time = |column: &str| microseconds(&format!("t.{column}::text::timestamptz"));
        let query = format!(
            "SELECT {}, {} FROM {} t WHERE {}",
            time(table.deleted_at()),
            table.updated_at().map_or("NULL".to_owned(), time),
            table.name,
            table.is("t", table.id(), "$1")
        );
        let row = table.rows(&query, &[Some(id)], Planned::Once)?.into_iter().next().unwrap_or_default();
        let at = |index: usize| Moment::parse(row.get(index)?.as_ref()?);
        Ok(Row { deleted_at: at(0), updated_at: at(1) })
    }
}

/// Merges one object, and tells whether that changed anything.
fn merge_one(merge: &Merge, table: &Table, data: &str) -> Result<bool, FdwError> {
    let values: Vec<Locator> = merge.values();
    let page = Page::of_object(table.object, data, &values)
        .map_err(|problem| FdwError::EventData { object: table.object.name, problem })?;
    let merged = merge.objects(&page, &[0])?;
    Ok(merged.inserted + merged.updated > 0)
}

/// The object is gone, and so is what cannot be without it.
fn delete(mirror: &Mirror, table: &Table, id: &str, happened_at: i64) -> Result<Outcome, FdwError> {
    let deleted_at = Moment::of_milliseconds(end_of_second(happened_at));
    let row = Row::of(table, id)?;
    if tombstone::deleted_at(mirror, table, id)?.max(row.deleted_at).max(row.updated_at) > Some(deleted_at) {
        return Ok(Outcome::Stale("the object was updated or deleted later"));
    }
    let at = Some(deleted_at);
    if remove(mirror, table, RowFilter { with: Some((table.id(), id)), ..RowFilter::default() }, at)? == 0 {
        // The event of its creation may come yet.
        tombstone::record(mirror, table, &[id.to_owned()], at)?;
    }
    remove::what_belongs_to(mirror, table, id, at)?;
    Ok(Outcome::Applied)
}

/// A time that is told in seconds may be that of any moment of its second. A deletion is the last that happens to an
/// object.
fn end_of_second(milliseconds: i64) -> i64 {
    if milliseconds % 1000 == 0 { milliseconds.saturating_add(999) } else { milliseconds }
}
