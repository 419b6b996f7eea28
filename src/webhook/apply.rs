//! Applies an event to the mirror's row.
//!
//! The order in which an object's events arrive must not matter. So events are not ordered by their arrival but by the
//! time of the change that they report: `updated_at` for a state, the event's own time for a deletion. The newest one
//! wins; of two with the same time, the one that arrives later.

use clerk_api::catalog::{Change, Column, Object, Role, Source};
use clerk_api::webhook::Event;
use clerk_api::{Locator, Page, json};

use crate::error::FdwError;
use crate::mirror::apply::merge::Merge;
use crate::mirror::apply::remove::{self, RowFilter, remove};
use crate::mirror::apply::tombstone;
use crate::mirror::lock;
use crate::mirror::model::{DeleteMode, Mirror, Table};
use crate::mirror::refresh;
use crate::mirror::sync::session::check_instance;
use crate::mirror::timestamp::{Timestamp, microseconds_sql};
use crate::pg::spi::PlanPolicy;

/// What was done with an event, and why.
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
    // The request is made before any lock is taken, so that no other transaction has to wait for Clerk's response.
    if revalidate && let Some(outcome) = refresh_object(mirror, &table, event, id)? {
        return Ok(outcome);
    }
    lock::object(mirror, &table, id);
    match event.change {
        Change::Upsert => {
            let outcome = upsert(mirror, &table, event.data, id, happened_at)?;
            if matches!(outcome, Outcome::Applied) {
                replace_elements(mirror, &table, event.data, id, happened_at)?;
            }
            Ok(outcome)
        }
        Change::Partial => {
            let part = table.for_part(&told_columns(&table, event.data));
            upsert(mirror, &part, event.data, id, happened_at)
        }
        Change::Delete => delete(mirror, &table, id, happened_at),
    }
}

/// Applies the object that Clerk answers with when it was written. Unlike an event, an answer leaves out what Clerk counts or
/// embeds only in lists, such as an organization's members: the row keeps that.
pub fn apply_answer(
    mirror: &Mirror,
    object: &'static Object,
    id: &str,
    data: &str,
    happened_at: i64,
) -> Result<(), FdwError> {
    let Some(table) = mirror.find_table(object.name)? else { return Ok(()) };
    lock::object(mirror, &table, id);
    let is_missing = |column: &&'static Column| match column.source {
        Source::Member(name) => json::member(data, name).is_none(),
        Source::Path([first, ..]) => json::member(data, first).is_none(),
        _ => false,
    };
    let columns: &'static [Column] = object.columns;
    let told = table.without(&columns.iter().filter(is_missing).collect::<Vec<_>>());
    if matches!(upsert(mirror, &told, data, id, happened_at)?, Outcome::Applied) {
        replace_elements(mirror, &table, data, id, happened_at)?;
    }
    Ok(())
}

/// Fetches the object's current state from Clerk, whatever state the event reports. `None` if Clerk has no endpoint for
/// that, or only one for the objects of a parent, and neither the event nor the object's row says which parent that is.
fn refresh_object(mirror: &Mirror, table: &Table, event: &Event, id: &str) -> Result<Option<Outcome>, FdwError> {
    let lookup_from_event = || {
        // An object that Clerk cannot look up by its id is in the list of its parent, which the event names.
        table.object.key_columns.iter().find_map(|key| {
            let column = table.object.column(key.column, true)?;
            let page = Page::of_object(table.object, event.data, &[column.source.into()]).ok()?;
            let parent_id = json::string(page.value(0, 0)?)?.into_owned();
            Some((key, parent_id))
        })
    };
    let lookup = match table.object.get_by_id() {
        Some(key) => Some((key, id.to_owned())),
        None => match lookup_from_event() {
            Some(lookup) => Some(lookup),
            None => refresh::lookup_of_parent(table, id)?,
        },
    };
    let Some((key, value)) = lookup else { return Ok(None) };
    let (client, _) = mirror.server.connect(mirror.owner)?;
    check_instance(mirror, &client, false)?;
    refresh::sync_by_lookup(mirror, &client, table, id, key, value)?;
    Ok(Some(Outcome::Applied))
}

/// Merges the state that the event reports.
fn upsert(mirror: &Mirror, table: &Table, data: &str, id: &str, happened_at: i64) -> Result<Outcome, FdwError> {
    let updated_at = updated_at(table, data);
    let state_time = Timestamp::from_milliseconds(updated_at.unwrap_or(happened_at));
    let row = RowTimes::read(table, id)?;
    let deleted_at = tombstone::deleted_at(mirror, table.object.name, id)?.max(row.deleted_at);
    let deleted_at = deleted_at.max(parents_deleted_at(mirror, table, data)?);
    if let Some(deleted_at) = deleted_at.filter(|deleted_at| *deleted_at > state_time) {
        if mirror.deletes == DeleteMode::Soft {
            // The row of a deleted object keeps the object's last state, in whatever order the events arrive.
            merge_one(&Merge::for_deleted(mirror, table, deleted_at), table, data)?;
        }
        return Ok(Outcome::Stale("the object, or what it belongs to, was deleted later"));
    }
    if merge_one(&Merge::new(mirror, table, None, false), table, data)? {
        return Ok(Outcome::Applied);
    }
    // Nothing was changed: the row already has this state, or a newer one.
    match RowTimes::read(table, id)?.updated_at > Some(state_time) {
        true => Ok(Outcome::Stale("the row has a newer state")),
        false => Ok(Outcome::Applied),
    }
}

/// When a parent of the object was deleted, and the object with it, if that is known. Clerk has no event for the deletion
/// of some objects, such as the invitations of an organization.
fn parents_deleted_at(mirror: &Mirror, table: &Table, data: &str) -> Result<Option<Timestamp>, FdwError> {
    let mut latest = None;
    for column in table.object.columns {
        let Some(Role::Parent(parent)) = column.role else { continue };
        let page = Page::of_object(table.object, data, &[column.source.into()])
            .map_err(|problem| FdwError::EventData { object: table.object.name, problem })?;
        let Some(parent_id) = page.value(0, 0).and_then(json::string) else { continue };
        latest = latest.max(tombstone::deleted_at(mirror, parent, &parent_id)?);
    }
    Ok(latest)
}

/// The columns of the object that an event tells, which has only a part of the object.
fn told_columns(table: &Table, data: &str) -> Vec<&'static Column> {
    let tells = |column: &&'static Column| match column.source {
        Source::Member(name) => json::member(data, name).is_some(),
        Source::Path([first, ..]) => json::member(data, first).is_some(),
        _ => false,
    };
    table.object.columns.iter().filter(tells).collect()
}

/// Replaces the rows that are elements of an object, such as the email addresses of a user, by those that the event
/// reports.
fn replace_elements(
    mirror: &Mirror,
    owner: &Table,
    data: &str,
    owner_id: &str,
    happened_at: i64,
) -> Result<(), FdwError> {
    for table in mirror.element_tables(owner.object)? {
        let Some(owner_column) = table.object.parent(owner.object).and_then(|parent| table.column(parent.name)) else {
            continue;
        };
        let merge = Merge::new(mirror, &table, None, false);
        let page = Page::of_object(table.object, data, &merge.locators())
            .map_err(|problem| FdwError::EventData { object: table.object.name, problem })?;
        let mut ids: Vec<String> = (0..page.len()).map(|row| page.id(row).into_owned()).collect();
        ids.sort();
        ids.iter().for_each(|id| lock::object(mirror, &table, id));
        merge.objects(&page, &(0..page.len()).collect::<Vec<_>>())?;
        let gone = RowFilter { column: Some((owner_column, owner_id)), except_ids: Some(&ids), ..RowFilter::default() };
        remove(mirror, &table, gone, Some(Timestamp::from_milliseconds(happened_at)))?;
    }
    Ok(())
}

/// The object's own `updated_at`, in Unix milliseconds.
fn updated_at(table: &Table, data: &str) -> Option<i64> {
    let column = table.object.updated_at()?;
    Page::of_object(table.object, data, &[column.source.into()]).ok()?.value(0, 0)?.parse().ok()
}

/// The times in an object's row; both are `None` if there is no row.
#[derive(Default)]
struct RowTimes {
    deleted_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
}

impl RowTimes {
    fn read(table: &Table, id: &str) -> Result<RowTimes, FdwError> {
        // In a table that was not created by the extension, the column may have another type.
        let column_sql = |column: &str| microseconds_sql(&format!("t.{column}::text::timestamptz"));
        let query = format!(
            "SELECT {}, {} FROM {} t WHERE {}",
            column_sql(table.deleted_at()),
            table.updated_at().map_or("NULL".to_owned(), column_sql),
            table.name,
            table.equals_sql("t", table.id(), "$1")
        );
        let row = table.rows(&query, &[Some(id)], PlanPolicy::Once)?.into_iter().next().unwrap_or_default();
        let timestamp = |index: usize| Timestamp::parse(row.get(index)?.as_ref()?);
        Ok(RowTimes { deleted_at: timestamp(0), updated_at: timestamp(1) })
    }
}

/// Merges one object, and returns whether that changed its row.
fn merge_one(merge: &Merge, table: &Table, data: &str) -> Result<bool, FdwError> {
    let locators: Vec<Locator> = merge.locators();
    let page = Page::of_object(table.object, data, &locators)
        .map_err(|problem| FdwError::EventData { object: table.object.name, problem })?;
    let merged = merge.objects(&page, &[0])?;
    Ok(merged.inserted + merged.updated > 0)
}

/// Removes the object's row, and the rows that cannot exist without it.
fn delete(mirror: &Mirror, table: &Table, id: &str, happened_at: i64) -> Result<Outcome, FdwError> {
    let deleted_at = Timestamp::from_milliseconds(end_of_second(happened_at));
    let row = RowTimes::read(table, id)?;
    if tombstone::deleted_at(mirror, table.object.name, id)?.max(row.deleted_at).max(row.updated_at) > Some(deleted_at)
    {
        return Ok(Outcome::Stale("the object was updated or deleted later"));
    }
    let filter = RowFilter { column: Some((table.id(), id)), ..RowFilter::default() };
    if remove(mirror, table, filter, Some(deleted_at))? == 0 {
        // The event of its creation may still arrive.
        tombstone::record(mirror, table, &[id.to_owned()], Some(deleted_at))?;
    }
    remove::remove_children(mirror, table, id, Some(deleted_at))?;
    Ok(Outcome::Applied)
}

/// A time without milliseconds may have been rounded down to the second, so it stands for the end of that second: a
/// deletion is the last thing that happens to an object.
fn end_of_second(milliseconds: i64) -> i64 {
    if milliseconds % 1000 == 0 { milliseconds.saturating_add(999) } else { milliseconds }
}
