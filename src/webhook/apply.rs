//! From an event to the mirror's row.
//!
//! Which of an object's events came first must not matter. So what counts is not when an event came but what it tells
//! of: a state from `updated_at`, a deletion from the event's time. The newest wins, of two of one time the later
//! arrival.

use clerk_api::object::Answer;
use clerk_api::webhook::{Change, Event};
use clerk_api::{Locator, Page, json};

use crate::error::FdwError;
use crate::import::quote_literal;
use crate::mirror::config::{Deletes, Mirror, Table};
use crate::mirror::merge::{self, Merge, WHENEVER};
use crate::mirror::sync::check_instance;
use crate::mirror::{lock, target, tombstone};
use crate::spi;

/// What became of an event, and why.
pub enum Outcome {
    Applied,
    Stale(&'static str),
    Ignored(&'static str),
}

/// Applies an event with the rights of the current role. `happened_at` is in Unix milliseconds.
pub fn apply(mirror: &Mirror, event: &Event, happened_at: i64, revalidate: bool) -> Result<Outcome, FdwError> {
    let (Some(object), Some(id)) = (event.object, &event.id) else {
        return Ok(Outcome::Ignored("events of this type change no object that mirrors know"));
    };
    let table = match mirror.table(object.name) {
        Err(FdwError::NotMirrored { .. }) => return Ok(Outcome::Ignored("the mirror has no table for the object")),
        table => table?,
    };
    lock::object(mirror, &table, id)?;
    match event.change {
        _ if revalidate => ask(mirror, &table, event, id),
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
        table.object.keys.iter().find_map(|key| {
            let column = table.object.column(key.column, true)?;
            let page = Page::of_object(event.data, &[column.source.into()]).ok()?;
            let owner = json::string(page.value(0, 0)?)?.into_owned();
            Some((key, owner))
        })
    };
    let (key, value) = match table.object.keys.iter().find(|key| key.answer == Answer::One) {
        Some(key) => (key, id.to_owned()),
        None => told().map_or_else(|| target::owner(table, id), Ok)?,
    };
    target::fetch(mirror, &client, table, id, key, value)?;
    Ok(Outcome::Applied)
}

/// The object is as the event has it.
fn upsert(mirror: &Mirror, table: &Table, data: &str, id: &str, happened_at: i64) -> Result<Outcome, FdwError> {
    let updated_at = json::member(data, "updated_at").and_then(|at| at.parse().ok());
    let of = time(updated_at.unwrap_or(happened_at));
    let query = format!(
        "SELECT pg_catalog.date_part('epoch', at), at OPERATOR(pg_catalog.>) {of} FROM (SELECT {} AS at) gone",
        tombstone::deleted_at(mirror, table, id)
    );
    let gone = spi::row(&query, &[])?.unwrap_or_default();
    if let [Some(deleted_at), Some(is_newer)] = &gone[..]
        && is_newer == "t"
    {
        if mirror.deletes == Deletes::Soft {
            // The row of a deleted object has its last state, whichever came first.
            let deleted_at = format!("pg_catalog.to_timestamp({deleted_at})");
            merge_one(&Merge::of_deleted(mirror, table, &deleted_at), table, data)?;
        }
        return Ok(Outcome::Stale("the object was deleted later"));
    }
    if merge_one(&Merge::new(mirror, table, WHENEVER, false), table, data)? {
        return Ok(Outcome::Applied);
    }
    // Nothing was to be done: the row has this state already, or a newer one.
    match is(&format!("{} OPERATOR(pg_catalog.>) {of}", tombstone::updated_at(table, id)))? {
        true => Ok(Outcome::Stale("the row has a newer state")),
        false => Ok(Outcome::Applied),
    }
}

/// Merges one object, and tells whether that changed anything.
fn merge_one(merge: &Merge, table: &Table, data: &str) -> Result<bool, FdwError> {
    let values: Vec<Locator> = merge.values();
    let page =
        Page::of_object(data, &values).map_err(|problem| FdwError::EventData { object: table.object.name, problem })?;
    let merged = merge.objects(&page, 0..1)?;
    Ok(merged.inserted + merged.updated > 0)
}

/// The object is gone.
fn delete(mirror: &Mirror, table: &Table, id: &str, happened_at: i64) -> Result<Outcome, FdwError> {
    let at = time(end_of_second(happened_at));
    let known = [tombstone::deleted_at(mirror, table, id), tombstone::updated_at(table, id)];
    if is(&format!("GREATEST({}) OPERATOR(pg_catalog.>) {at}", known.join(", ")))? {
        return Ok(Outcome::Stale("the object was updated or deleted later"));
    }
    tombstone::bury(mirror, table, id, &at)?;
    let condition = format!("t.{} OPERATOR(pg_catalog.=) {}", table.id(), quote_literal(id));
    merge::delete(mirror, table, &condition, &at)?;
    Ok(Outcome::Applied)
}

/// A time that is told in seconds may be that of any moment of its second. A deletion is the last that happens to an
/// object.
fn end_of_second(milliseconds: i64) -> i64 {
    if milliseconds % 1000 == 0 { milliseconds.saturating_add(999) } else { milliseconds }
}

/// The expression for a time in Unix milliseconds.
fn time(milliseconds: i64) -> String {
    format!("pg_catalog.to_timestamp({milliseconds}::pg_catalog.float8 OPERATOR(pg_catalog./) 1000)")
}

/// Whether a condition holds; not if that is unknown.
fn is(condition: &str) -> Result<bool, FdwError> {
    Ok(spi::value(&format!("SELECT {condition}"), &[])?.as_deref() == Some("t"))
}
