//! What Clerk has no more.

use std::collections::HashSet;

use clerk_api::{Fetch, Query, batches};

use super::page::merge_page;
use super::pass;
use crate::error::FdwError;
use crate::mirror::apply::merge::Merge;
use crate::mirror::apply::remove::{RowFilter, remove};
use crate::mirror::model::Table;
use crate::mirror::moment::{self, Moment};
use crate::mirror::row_counts;
use crate::mirror::sync::log::Step;
use crate::mirror::sync::session::Sync;
use crate::pg::sandbox::as_extension_owner;
use crate::pg::spi::{self, Stored};
use crate::pg::subtransaction::{Failure, retrying_deadlocks};

/// More than this share of a table's rows, and more than that many, look like an accident.
const SHARE: f64 = 0.2;
const ROWS: u64 = 50;

/// The error that so many deletions are, unless they are wished for.
pub fn exceeds_threshold(sync: &Sync, table: &Table, deletes: u64, of: u64) -> Option<FdwError> {
    let looks_like_one = deletes > ROWS && deletes as f64 > SHARE * of as f64;
    (looks_like_one && !sync.run.options.force).then(|| FdwError::DeleteThresholdExceeded {
        table: table.name.clone(),
        deletes,
        of,
        mirror: sync.mirror.name.clone(),
    })
}

/// How many rows one statement deletes.
const BATCH: usize = 5_000;

/// After a pass, deletes what was not on any of its pages and was last heard of before it began. Gives the reason where
/// it does not. Unless the pass is known to be complete, Clerk is asked for each of them once more.
pub fn what_is_gone(
    sync: &Sync,
    step: &mut Step,
    merge: &Merge,
    table: &Table,
    since: Moment,
    is_complete: bool,
) -> Result<Option<FdwError>, Failure> {
    let (name, id, deleted_at, synced_at) = (&table.name, table.id(), table.deleted_at(), table.synced_at());
    let unseen = format!(
        "FROM {name} t WHERE t.{deleted_at} IS NULL AND t.{synced_at} < {}
            AND NOT EXISTS (SELECT FROM {SEEN} seen WHERE seen.id = t.{id}::text)",
        moment::time("$1")
    );
    let (of, deletes, gone) = sync.in_subtransaction(|| {
        let seen = as_extension_owner(|| Stored::of(PAGES, &[Some(&sync.mirror.key()), Some(table.object.name)]))?;
        let of = row_counts::check(sync.mirror, table)?.live as u64;
        let ask = |what: &str| {
            table.sandboxed(|| {
                spi::connected(|| {
                    seen.name(SEEN)?;
                    spi::execute(&format!("SELECT {what} {unseen}"), &[Some(&since.parameter())], false)
                })
            })
        };
        let count = ask("count(*)")?.into_iter().flatten().flatten().next();
        let deletes = count.and_then(|count| count.parse().ok()).unwrap_or(0);
        let gone = match deletes == 0 || exceeds_threshold(sync, table, deletes, of).is_some() {
            true => Vec::new(),
            false => ask(&format!("t.{id}::text"))?.into_iter().flatten().flatten().collect(),
        };
        seen.end();
        Ok((of, deletes, gone))
    })?;
    if let Some(accident) = exceeds_threshold(sync, table, deletes, of) {
        return Ok(Some(accident));
    }
    let gone = if is_complete { gone } else { unknown_to_clerk(sync, step, merge, table, &gone)? };
    delete(sync, step, table, &gone, since)?;
    Ok(None)
}

/// Those of some objects that Clerk does not find by their ids. It finds the others, which are merged; all, where it
/// cannot be asked so.
fn unknown_to_clerk(
    sync: &Sync,
    step: &mut Step,
    merge: &Merge,
    table: &Table,
    ids: &[String],
) -> Result<Vec<String>, Failure> {
    let Some(parameter) = table.object.ids_parameter() else { return Ok(Vec::new()) };
    let mut unknown = Vec::new();
    for batch in batches(ids) {
        let filters: Vec<_> = batch.iter().map(|id| (parameter, id.clone())).collect();
        let counted = sync.count_of(step, table, Query::Count { parent: None, filters: filters.clone() })?;
        let query = Query::List { filters, order: None };
        let mut pages = sync.start(merge.fetch(Fetch { query, ..sync.whole(table) }))?;
        let mut found = HashSet::new();
        while let Some(page) = sync.next(step, &mut pages)? {
            merge_page(sync, step, merge, &page)?;
            found.extend((0..page.len()).map(|object| page.id(object).into_owned()));
        }
        // A list that has fewer than Clerk counts says nothing of those that it lacks.
        let (asked, listed, counted) = (batch.len(), found.len(), counted.unwrap_or(0));
        if counted != listed as u64 {
            sync.commit(|| pass::give_up(sync, table))?;
            sync.in_subtransaction(|| {
                Err(FdwError::InconsistentLookup { object: table.object.name, asked, counted, listed })
            })?;
        }
        unknown.extend(batch.iter().filter(|id| !found.contains(*id)).cloned());
    }
    Ok(unknown)
}

/// What the objects on the pages of a pass are called in the statements here, and where they are kept.
const SEEN: &str = "clerk_seen";
const PAGES: &str = "SELECT seen.id FROM clerk_fdw_internal.sync_page p CROSS JOIN LATERAL unnest(p.ids) AS seen(id)
                      WHERE p.mirror = $1::int4 AND p.object = $2";

/// Deletes the rows of some objects that were still not written since; where one cannot be deleted, because others refer
/// to it, the rest goes.
pub fn delete(sync: &Sync, step: &mut Step, table: &Table, ids: &[String], since: Moment) -> Result<(), Failure> {
    for batch in ids.chunks(BATCH) {
        let remove = |ids: &[String]| {
            let which = RowFilter { among: Some(ids), older_than: Some(since), ..RowFilter::default() };
            retrying_deadlocks(|| remove(sync.mirror, table, which, None))
        };
        match remove(batch) {
            Ok(deleted) => step.deleted += deleted,
            Err(failure) if failure.is_row_error() => {
                for gone in batch {
                    match remove(std::slice::from_ref(gone)) {
                        Ok(deleted) => step.deleted += deleted,
                        Err(failure) if failure.is_row_error() => {
                            sync.in_subtransaction(|| step.refuse(gone, &failure))?
                        }
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
