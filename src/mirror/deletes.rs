//! What Clerk has no more.

use super::config::{Mirror, Table};
use super::run::Step;
use super::sync::Sync;
use super::{merge, tombstone};
use crate::attempt::{Failure, attempt_among_others};
use crate::error::FdwError;
use crate::import::quote_literal;
use crate::sandbox::as_extension_owner;
use crate::spi::{self, Stored};

/// More than this share of a table's rows, and more than that many, look like an accident.
const SHARE: f64 = 0.2;
const ROWS: u64 = 50;

/// How many rows of a table came from Clerk and are not deleted.
pub fn live(table: &Table) -> Result<u64, FdwError> {
    let (name, deleted_at, synced_at) = (&table.name, table.deleted_at(), table.synced_at());
    let count = table.value(
        &format!("SELECT count(*) FROM {name} t WHERE t.{deleted_at} IS NULL AND t.{synced_at} IS NOT NULL"),
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

/// How many rows one statement deletes.
const BATCH: usize = 5_000;

/// After a complete pass, deletes what was not on any of its pages and was last heard of before it began. Gives the
/// reason where it does not.
pub fn what_is_gone(sync: &Sync, step: &mut Step, table: &Table, since: &str) -> Result<Option<FdwError>, Failure> {
    let (name, id, deleted_at, synced_at) = (&table.name, table.id(), table.deleted_at(), table.synced_at());
    let old = format!("t.{synced_at} < {since}");
    let unseen = format!(
        "FROM {name} t WHERE t.{deleted_at} IS NULL AND {old}
            AND NOT EXISTS (SELECT FROM {SEEN} seen WHERE seen.id = t.{id}::text)"
    );
    let (of, deletes, gone) = sync.attempt(|| {
        let seen = as_extension_owner(|| Stored::of(PAGES, &[Some(&sync.mirror.key()), Some(table.object.name)]))?;
        let of = live(table)?;
        let ask = |what: &str| {
            table.sandboxed(|| {
                spi::connected(|| {
                    seen.name(SEEN)?;
                    spi::execute(&format!("SELECT {what} {unseen}"), &[], false)
                })
            })
        };
        let count = ask("count(*)")?.into_iter().flatten().flatten().next();
        let deletes = count.and_then(|count| count.parse().ok()).unwrap_or(0);
        let gone = match deletes == 0 || accident(sync, table, deletes, of).is_some() {
            true => Vec::new(),
            false => ask(&format!("t.{id}::text"))?.into_iter().flatten().flatten().collect(),
        };
        seen.end();
        Ok((of, deletes, gone))
    })?;
    if let Some(accident) = accident(sync, table, deletes, of) {
        return Ok(Some(accident));
    }
    delete(sync, step, table, &gone, &old)?;
    Ok(None)
}

/// What the objects on the pages of a pass are called in the statements here, and where they are kept.
const SEEN: &str = "clerk_seen";
const PAGES: &str = "SELECT seen.id FROM clerk_fdw_internal.sync_page p CROSS JOIN LATERAL unnest(p.ids) AS seen(id)
                      WHERE p.mirror = $1::int4 AND p.object = $2";

/// Deletes the rows of some objects for which a condition over `t` still holds; where one cannot be deleted, because
/// others refer to it, the rest goes.
pub fn delete(sync: &Sync, step: &mut Step, table: &Table, ids: &[String], condition: &str) -> Result<(), Failure> {
    for batch in ids.chunks(BATCH) {
        let remove = |ids: &[String]| {
            let condition = format!("{condition} AND {}", among(table, ids));
            attempt_among_others(|| merge::delete(sync.mirror, table, &condition, merge::NOW))
        };
        match remove(batch) {
            Ok(deleted) => step.deleted += deleted,
            Err(failure) if failure.is_about_a_row() => {
                for gone in batch {
                    match remove(std::slice::from_ref(gone)) {
                        Ok(deleted) => step.deleted += deleted,
                        Err(failure) if failure.is_about_a_row() => sync.attempt(|| step.refuse(gone, &failure))?,
                        Err(failure) => return Err(failure),
                    }
                }
            }
            Err(failure) => return Err(failure),
        }
        sync.commit(|| step.log())?;
    }
    Ok(())
}

/// Deletes what cannot be without an object that is gone, such as the memberships of a user. Clerk tells of these
/// deletions as well, but later: until then they would give rights that have ended.
pub fn what_belongs_to(mirror: &Mirror, table: &Table, id: &str, at: &str) -> Result<(), FdwError> {
    for child in mirror.children(table.object)? {
        let Some(parent) = child.column(table.object.id().name) else { continue };
        merge::delete(mirror, &child, &format!("t.{parent} = {}", quote_literal(id)), at)?;
    }
    Ok(())
}

/// The condition that a row is one of these.
pub fn among(table: &Table, ids: &[String]) -> String {
    format!(
        "t.{}::text IN (SELECT jsonb_array_elements_text({}::jsonb))",
        table.id(),
        quote_literal(&tombstone::json(ids))
    )
}
