//! What is known to be deleted, so that nothing older brings it back.
//!
//! A deleted row cannot say so where deletes are hard, nor one that was never there: an event of an object's creation
//! may come after that of its deletion.

use super::config::{Mirror, Table};
use super::store;
use crate::error::FdwError;

/// Which of some objects were found deleted since a time, which is an expression.
pub fn since(mirror: &Mirror, table: &Table, ids: &[String], since: &str) -> Result<Vec<String>, FdwError> {
    store::column(
        &format!(
            "SELECT gone.id FROM clerk_fdw_internal.tombstone gone
              WHERE gone.mirror = $1::int4 AND gone.object = $2 AND gone.recorded_at >= {since}
                AND gone.id = ANY (ARRAY(SELECT jsonb_array_elements_text($3::jsonb)))"
        ),
        &[Some(&mirror.key()), Some(table.object.name), Some(&json(ids))],
    )
}

/// Makes one for each of some objects, whether there is a row or not; `at` is an expression, when they were deleted.
pub fn bury(mirror: &Mirror, table: &Table, ids: &[String], at: &str) -> Result<(), FdwError> {
    if ids.is_empty() {
        return Ok(());
    }
    store::run(
        &format!(
            "INSERT INTO clerk_fdw_internal.tombstone AS known (mirror, object, id, deleted_at)
             SELECT $1::int4, $2, gone.id, {at} FROM jsonb_array_elements_text($3::jsonb) gone(id)
             ON CONFLICT (mirror, object, id) DO UPDATE
                SET deleted_at = GREATEST(known.deleted_at, excluded.deleted_at), recorded_at = excluded.recorded_at"
        ),
        &[Some(&mirror.key()), Some(table.object.name), Some(&json(ids))],
    )
}

/// When an object was deleted, in microseconds since 1970, if it is known to be.
pub fn deleted_at(mirror: &Mirror, table: &Table, id: &str) -> Result<Option<i64>, FdwError> {
    let at = store::value(
        &format!(
            "SELECT {} FROM clerk_fdw_internal.tombstone gone
              WHERE gone.mirror = $1::int4 AND gone.object = $2 AND gone.id = $3",
            microseconds("gone.deleted_at")
        ),
        &[Some(&mirror.key()), Some(table.object.name), Some(id)],
    )?;
    Ok(at.and_then(|at| at.parse().ok()))
}

/// The expression for a time in microseconds since 1970.
pub fn microseconds(time: &str) -> String {
    format!("(extract(epoch FROM {time}) * 1000000)::int8")
}

/// The expression for the time that so many microseconds since 1970 are.
pub fn time(microseconds: i64) -> String {
    format!("('epoch'::timestamptz + {microseconds} * '1 microsecond'::interval)")
}

/// A list of texts as a parameter of a statement.
pub fn json<T: serde::Serialize>(texts: &[T]) -> String {
    serde_json::to_string(texts).unwrap_or_default()
}
