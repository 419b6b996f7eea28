//! What is known to be deleted, so that nothing older brings it back.
//!
//! A deleted row cannot say so where deletes are hard, nor one that was never there: an event of an object's creation
//! may come after that of its deletion.

use crate::error::FdwError;
use crate::mirror::model::{Mirror, Table};
use crate::mirror::moment::{self, Moment};
use crate::mirror::store;

/// Which of some objects were found deleted since a moment.
pub fn since(mirror: &Mirror, table: &Table, ids: &[String], since: Moment) -> Result<Vec<String>, FdwError> {
    store::column(
        &format!(
            "SELECT gone.id FROM clerk_fdw_internal.tombstone gone
              WHERE gone.mirror = $1::int4 AND gone.object = $2 AND gone.recorded_at >= {}
                AND gone.id = ANY (ARRAY(SELECT jsonb_array_elements_text($3::jsonb)))",
            moment::time("$4")
        ),
        &[Some(&mirror.key()), Some(table.object.name), Some(&json(ids)), Some(&since.parameter())],
    )
}

/// Makes one for each of some objects, whether there is a row or not; `at` is when they were deleted, `None` if that is
/// now.
pub fn record(mirror: &Mirror, table: &Table, ids: &[String], at: Option<Moment>) -> Result<(), FdwError> {
    if ids.is_empty() {
        return Ok(());
    }
    store::run(
        &format!(
            "INSERT INTO clerk_fdw_internal.tombstone AS known (mirror, object, id, deleted_at)
             SELECT $1::int4, $2, gone.id, coalesce({}, clock_timestamp())
               FROM jsonb_array_elements_text($3::jsonb) gone(id) ORDER BY gone.id
             ON CONFLICT (mirror, object, id) DO UPDATE
                SET deleted_at = GREATEST(known.deleted_at, excluded.deleted_at), recorded_at = excluded.recorded_at",
            moment::time("$4")
        ),
        &[Some(&mirror.key()), Some(table.object.name), Some(&json(ids)), at.map(Moment::parameter).as_deref()],
    )
}

/// When an object was deleted, if it is known to be.
pub fn deleted_at(mirror: &Mirror, table: &Table, id: &str) -> Result<Option<Moment>, FdwError> {
    let at = store::value(
        &format!(
            "SELECT {} FROM clerk_fdw_internal.tombstone gone
              WHERE gone.mirror = $1::int4 AND gone.object = $2 AND gone.id = $3",
            moment::microseconds("gone.deleted_at")
        ),
        &[Some(&mirror.key()), Some(table.object.name), Some(id)],
    )?;
    Ok(at.as_deref().and_then(Moment::parse))
}

/// A list of texts as a parameter of a statement.
pub fn json<T: serde::Serialize>(texts: &[T]) -> String {
    serde_json::to_string(texts).unwrap_or_default()
}
