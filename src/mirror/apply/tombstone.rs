//! Tombstones: the objects that are known to be deleted, so that no older state restores them.
//!
//! The row itself cannot hold this if deletes are hard, or if there never was one: the event of an object's creation
//! may arrive after the event of its deletion.

use crate::error::FdwError;
use crate::mirror::model::{Mirror, Table};
use crate::mirror::store;
use crate::mirror::timestamp::{self, Timestamp};

/// Which of these objects have had a tombstone recorded since a point in time.
pub fn recorded_since(
    mirror: &Mirror,
    table: &Table,
    ids: &[String],
    since: Timestamp,
) -> Result<Vec<String>, FdwError> {
    store::column(
        &format!(
            "SELECT gone.id FROM clerk_fdw_internal.tombstone gone
              WHERE gone.mirror = $1::int4 AND gone.object = $2 AND gone.recorded_at >= {}
                AND gone.id = ANY (ARRAY(SELECT jsonb_array_elements_text($3::jsonb)))",
            timestamp::from_parameter_sql("$4")
        ),
        &[Some(&mirror.key()), Some(table.object.name), Some(&json_array(ids)), Some(&since.parameter())],
    )
}

/// Records a tombstone for each object, whether it has a row or not. `deleted_at` is when the objects were deleted;
/// `None` stands for now.
pub fn record(mirror: &Mirror, table: &Table, ids: &[String], deleted_at: Option<Timestamp>) -> Result<(), FdwError> {
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
            timestamp::from_parameter_sql("$4")
        ),
        &[
            Some(&mirror.key()),
            Some(table.object.name),
            Some(&json_array(ids)),
            deleted_at.map(Timestamp::parameter).as_deref(),
        ],
    )
}

/// When an object was deleted, if it is known to be deleted.
pub fn deleted_at(mirror: &Mirror, object: &str, id: &str) -> Result<Option<Timestamp>, FdwError> {
    let deleted_at = store::value(
        &format!(
            "SELECT {} FROM clerk_fdw_internal.tombstone gone
              WHERE gone.mirror = $1::int4 AND gone.object = $2 AND gone.id = $3",
            timestamp::microseconds_sql("gone.deleted_at")
        ),
        &[Some(&mirror.key()), Some(object), Some(id)],
    )?;
    Ok(deleted_at.as_deref().and_then(Timestamp::parse))
}

/// Strings as a parameter of a statement: a JSON array.
pub fn json_array<T: serde::Serialize>(texts: &[T]) -> String {
    serde_json::to_string(texts).unwrap_or_default()
}
