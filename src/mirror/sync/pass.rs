//! Passes: what is stored with each page of a full sync of one table, so that another sync can resume it.

use clerk_api::{Checkpoint, Page};

use super::session::SyncSession;
use crate::error::FdwError;
use crate::mirror::model::Table;
use crate::mirror::store;
use crate::mirror::timestamp::{self, Timestamp};

/// A pass that has begun.
pub struct Pass {
    pub started_at: Timestamp,
    pub expected: Option<u64>,
    /// The time of the last change of any object when the pass began, in Unix milliseconds of Clerk's clock.
    pub known_until: Option<i64>,
    pub checkpoints: Vec<Checkpoint>,
    /// Whether it resumes where another sync was cut off, and relies on what that sync stored.
    pub is_resumed: bool,
}

/// The pass that was cut off, if there is one.
pub fn resumable(session: &SyncSession, table: &Table) -> Result<Option<Pass>, FdwError> {
    let key = session.mirror.key();
    let values = [Some(&*key), Some(table.object.name)];
    let row = store::row(
        &format!(
            "SELECT {}, pass_expected, pass_known_until FROM clerk_fdw_internal.mirror_table
              WHERE mirror = $1::int4 AND object = $2",
            timestamp::microseconds_sql("pass_started_at")
        ),
        &values,
    )?;
    let Some([Some(started_at), expected, known_until]) = row.as_deref() else { return Ok(None) };
    let Some(started_at) = Timestamp::parse(started_at) else { return Ok(None) };
    let checkpoints = store::rows(
        "SELECT checkpoint FROM clerk_fdw_internal.sync_page WHERE checkpoint IS NOT NULL
            AND mirror = $1::int4 AND object = $2
          ORDER BY number",
        &values,
    )?;
    let checkpoints =
        checkpoints.iter().flatten().flatten().filter_map(|checkpoint| serde_json::from_str(checkpoint).ok());
    Ok(Some(Pass {
        started_at,
        expected: expected.as_ref().and_then(|count| count.parse().ok()),
        known_until: known_until.as_ref().and_then(|at| at.parse().ok()),
        checkpoints: checkpoints.collect(),
        is_resumed: true,
    }))
}

/// The number of distinct objects on the pages of the pass.
pub fn count_seen(session: &SyncSession, table: &Table) -> Result<u64, FdwError> {
    let count = store::value(
        "SELECT count(DISTINCT seen.id)
           FROM clerk_fdw_internal.sync_page p CROSS JOIN LATERAL unnest(p.ids) AS seen(id)
          WHERE p.mirror = $1::int4 AND p.object = $2",
        &[Some(&session.mirror.key()), Some(table.object.name)],
    )?;
    Ok(count.and_then(|count| count.parse().ok()).unwrap_or(0))
}

/// Stores the checkpoint and the ids of a page, which are committed with it.
pub fn store_page(session: &SyncSession, table: &Table, page: &Page) -> Result<(), FdwError> {
    let checkpoint = page.checkpoint().and_then(|checkpoint| serde_json::to_string(checkpoint).ok());
    let ids: Vec<_> = (0..page.len()).map(|object| page.id(object)).collect();
    let ids = serde_json::to_string(&ids).unwrap_or_default();
    store::run(
        "INSERT INTO clerk_fdw_internal.sync_page (mirror, object, checkpoint, ids)
         SELECT $1::int4, $2, $3::jsonb, ARRAY(SELECT jsonb_array_elements_text($4::jsonb))",
        &[Some(&session.mirror.key()), Some(table.object.name), checkpoint.as_deref(), Some(&ids)],
    )
}

/// Discards a pass whose pages cannot be trusted: the next sync begins a new one.
pub fn discard(session: &SyncSession, table: &Table) -> Result<(), FdwError> {
    store::run(
        "UPDATE clerk_fdw_internal.mirror_table SET pass_started_at = NULL WHERE mirror = $1::int4 AND object = $2",
        &[Some(&session.mirror.key()), Some(table.object.name)],
    )?;
    delete_pages(session, table)
}

/// Deletes what was stored about the pages of a pass.
pub fn delete_pages(session: &SyncSession, table: &Table) -> Result<(), FdwError> {
    store::run(
        "DELETE FROM clerk_fdw_internal.sync_page
          WHERE mirror = $1::int4 AND object = $2",
        &[Some(&session.mirror.key()), Some(table.object.name)],
    )
}
