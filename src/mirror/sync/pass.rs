//! A full sync of one table, called a pass: what is kept about it with each page, so that another sync can resume it.

use clerk_api::{Checkpoint, Page};

use super::session::Sync;
use crate::error::FdwError;
use crate::mirror::model::Table;
use crate::mirror::moment::{self, Moment};
use crate::mirror::store;

/// A pass that is under way.
pub struct Pass {
    pub started_at: Moment,
    pub expected: Option<u64>,
    /// No object has changed later than that when it began, in Unix milliseconds of Clerk's clock.
    pub known_until: Option<i64>,
    pub checkpoints: Vec<Checkpoint>,
    /// It goes on where another sync was cut off, and relies on what that one noted.
    pub is_resumed: bool,
}

/// The pass that was cut off, if there is one.
pub fn under_way(sync: &Sync, table: &Table) -> Result<Option<Pass>, FdwError> {
    let key = sync.mirror.key();
    let values = [Some(&*key), Some(table.object.name)];
    let row = store::row(
        &format!(
            "SELECT {}, pass_expected, pass_known_until FROM clerk_fdw_internal.mirror_table
              WHERE mirror = $1::int4 AND object = $2",
            moment::microseconds("pass_started_at")
        ),
        &values,
    )?;
    let Some([Some(started_at), expected, known_until]) = row.as_deref() else { return Ok(None) };
    let Some(started_at) = Moment::parse(started_at) else { return Ok(None) };
    let checkpoints = store::rows(
        "SELECT mark FROM clerk_fdw_internal.sync_page WHERE mark IS NOT NULL
            AND mirror = $1::int4 AND object = $2
          ORDER BY number",
        &values,
    )?;
    let checkpoints = checkpoints.iter().flatten().flatten().filter_map(|mark| serde_json::from_str(mark).ok());
    Ok(Some(Pass {
        started_at,
        expected: expected.as_ref().and_then(|count| count.parse().ok()),
        known_until: known_until.as_ref().and_then(|at| at.parse().ok()),
        checkpoints: checkpoints.collect(),
        is_resumed: true,
    }))
}

/// How many objects were on the pages of the pass.
pub fn seen(sync: &Sync, table: &Table) -> Result<u64, FdwError> {
    let seen = store::value(
        "SELECT count(DISTINCT seen.id)
           FROM clerk_fdw_internal.sync_page p CROSS JOIN LATERAL unnest(p.ids) AS seen(id)
          WHERE p.mirror = $1::int4 AND p.object = $2",
        &[Some(&sync.mirror.key()), Some(table.object.name)],
    )?;
    Ok(seen.and_then(|count| count.parse().ok()).unwrap_or(0))
}

/// Writes down what a page held, to be committed with it.
pub fn remember(sync: &Sync, table: &Table, page: &Page) -> Result<(), FdwError> {
    let checkpoint = page.checkpoint().and_then(|checkpoint| serde_json::to_string(checkpoint).ok());
    let ids: Vec<_> = (0..page.len()).map(|object| page.id(object)).collect();
    let ids = serde_json::to_string(&ids).unwrap_or_default();
    store::run(
        "INSERT INTO clerk_fdw_internal.sync_page (mirror, object, mark, ids)
         SELECT $1::int4, $2, $3::jsonb, ARRAY(SELECT jsonb_array_elements_text($4::jsonb))",
        &[Some(&sync.mirror.key()), Some(table.object.name), checkpoint.as_deref(), Some(&ids)],
    )
}

/// Gives up a pass whose pages cannot be trusted: the next sync begins anew.
pub fn give_up(sync: &Sync, table: &Table) -> Result<(), FdwError> {
    store::run(
        "UPDATE clerk_fdw_internal.mirror_table SET pass_started_at = NULL WHERE mirror = $1::int4 AND object = $2",
        &[Some(&sync.mirror.key()), Some(table.object.name)],
    )?;
    forget(sync, table)
}

/// Drops what was noted of its pages.
pub fn forget(sync: &Sync, table: &Table) -> Result<(), FdwError> {
    store::run(
        "DELETE FROM clerk_fdw_internal.sync_page
          WHERE mirror = $1::int4 AND object = $2",
        &[Some(&sync.mirror.key()), Some(table.object.name)],
    )
}
