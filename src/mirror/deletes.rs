//! What Clerk has no more.

use super::config::Table;
use super::merge;
use super::run::Step;
use super::sync::Sync;
use crate::attempt::Failure;
use crate::error::FdwError;
use crate::import::quote_literal;
use crate::spi;

/// More than this share of a table's rows, and more than that many, look like an accident.
const SHARE: f64 = 0.2;
const ROWS: u64 = 50;

/// How many rows of a table came from Clerk and are not deleted.
pub fn live(table: &Table) -> Result<u64, FdwError> {
    count(table, "true")
}

fn count(table: &Table, condition: &str) -> Result<u64, FdwError> {
    let (name, deleted_at, synced_at) = (&table.name, table.deleted_at(), table.synced_at());
    let count = spi::value(
        &format!(
            "SELECT pg_catalog.count(*) FROM {name} t
              WHERE t.{deleted_at} IS NULL AND t.{synced_at} IS NOT NULL AND ({condition})"
        ),
        &[],
    )?;
    Ok(count.and_then(|count| count.parse().ok()).unwrap_or(0))
}

/// The error that so many deletions are, unless they are wished for.
pub fn accident(sync: &Sync, table: &Table, deletes: u64, of: u64) -> Option<FdwError> {
    let looks_like_one = deletes > ROWS && deletes as f64 > SHARE * of as f64;
    (looks_like_one && !sync.run.wish.force).then(|| FdwError::Accident {
        table: table.name.clone(),
        deletes,
        of,
        mirror: sync.mirror.name.clone(),
    })
}

/// After a complete pass, deletes what was not on any of its pages and was last heard of before it began. Gives the
/// reason where it does not.
pub fn what_is_gone(sync: &Sync, step: &mut Step, table: &Table, since: &str) -> Result<Option<FdwError>, Failure> {
    let condition = format!(
        "t.{synced_at} OPERATOR(pg_catalog.<) {since} AND NOT EXISTS (
           SELECT FROM clerk_fdw.sync_page p CROSS JOIN LATERAL pg_catalog.unnest(p.ids) AS seen(id)
            WHERE p.mirror OPERATOR(pg_catalog.=) {mirror}::pg_catalog.name AND p.object OPERATOR(pg_catalog.=) {object}
              AND seen.id OPERATOR(pg_catalog.=) t.{id}::pg_catalog.text)",
        synced_at = table.synced_at(),
        mirror = quote_literal(&sync.mirror.name),
        object = quote_literal(table.object.name),
        id = table.id(),
    );
    let (deletes, of) = sync.attempt(|| Ok((count(table, &condition)?, live(table)?)))?;
    if deletes == 0 {
        return Ok(None);
    }
    if let Some(accident) = accident(sync, table, deletes, of) {
        return Ok(Some(accident));
    }
    delete(sync, step, table, &condition)?;
    Ok(None)
}

/// Deletes rows; where one cannot be deleted, because others refer to it, the rest goes.
pub fn delete(sync: &Sync, step: &mut Step, table: &Table, condition: &str) -> Result<(), Failure> {
    match sync.attempt(|| merge::delete(sync.mirror, table, condition, merge::NOW)) {
        Ok(deleted) => step.deleted += deleted,
        Err(failure) if failure.is_about_a_row() => {
            let (name, id, deleted_at) = (&table.name, table.id(), table.deleted_at());
            let ids = format!("SELECT t.{id} FROM {name} t WHERE t.{deleted_at} IS NULL AND ({condition})");
            let ids = sync.attempt(|| spi::rows(&ids, &[]))?;
            for gone in ids.into_iter().flatten().flatten() {
                let one = format!("t.{id} OPERATOR(pg_catalog.=) {}", quote_literal(&gone));
                match sync.attempt(|| merge::delete(sync.mirror, table, &one, merge::NOW)) {
                    Ok(deleted) => step.deleted += deleted,
                    Err(failure) if failure.is_about_a_row() => sync.attempt(|| step.refuse(&gone, &failure))?,
                    Err(failure) => return Err(failure),
                }
            }
        }
        Err(failure) => return Err(failure),
    }
    sync.commit(|| step.log())
}
