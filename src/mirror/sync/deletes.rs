//! Deletes the rows of objects that a sync finds to be deleted at Clerk.

use std::collections::HashSet;

use clerk_api::{Fetch, Query, batches};

use super::page::merge_page;
use super::pass;
use crate::error::FdwError;
use crate::mirror::apply::merge::Merge;
use crate::mirror::apply::remove::{RowFilter, remove};
use crate::mirror::model::Table;
use crate::mirror::row_counts;
use crate::mirror::sync::log::Step;
use crate::mirror::sync::session::Sync;
use crate::mirror::timestamp::{self, Timestamp};
use crate::pg::sandbox::as_extension_owner;
use crate::pg::spi::{self, Stored};
use crate::pg::subtransaction::{Failure, retrying_deadlocks};

/// If a sync would delete more than 20 % of a table's rows, and more than 50 rows, a wrong key or an emptied instance
/// is likelier than so many real deletions. In a small table 50 deletions may be everyday ones.
const SHARE: f64 = 0.2;
const ROWS: u64 = 50;

/// The error for so many deletions; `None` if they are below the threshold or the caller forces them.
pub fn exceeds_threshold(sync: &Sync, table: &Table, deletes: u64, of: u64) -> Option<FdwError> {
    let looks_like_one = deletes > ROWS && deletes as f64 > SHARE * of as f64;
    (looks_like_one && !sync.run.options.force).then(|| FdwError::DeleteThresholdExceeded {
        table: table.name.clone(),
        deletes,
        of,
        mirror: sync.mirror.name.clone(),
    })
}

/// The most rows that one statement deletes, so that a transaction holds the locks of so many rows for a short time
/// only.
const BATCH: usize = 5_000;

/// After a pass, deletes the rows of objects that were on none of its pages and that no one has written since it began.
/// Returns the error if they are too many. Unless the pass is known to be complete, Clerk is first asked for each of
/// these objects by its id.
pub fn what_is_gone(
    sync: &Sync,
    step: &mut Step,
    merge: &Merge,
    table: &Table,
    since: Timestamp,
    is_complete: bool,
) -> Result<Option<FdwError>, Failure> {
    let (name, id, deleted_at, synced_at) = (&table.name, table.id(), table.deleted_at(), table.synced_at());
    let unseen = format!(
        "FROM {name} t WHERE t.{deleted_at} IS NULL AND t.{synced_at} < {}
            AND NOT EXISTS (SELECT FROM {SEEN} seen WHERE seen.id = t.{id}::text)",
        timestamp::from_parameter_sql("$1")
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

/// Looks up these objects at Clerk and returns the ids of those that it does not find. The others are merged. If Clerk
/// cannot look up this object by its id, none are returned.
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
        // If the list has fewer objects than Clerk counts, it is not known whether an object that it lacks has been
        // deleted.
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

/// The name under which the statements here refer to the objects on the pages of a pass, and the query for these
/// objects.
const SEEN: &str = "clerk_seen";
const PAGES: &str = "SELECT seen.id FROM clerk_fdw_internal.sync_page p CROSS JOIN LATERAL unnest(p.ids) AS seen(id)
                      WHERE p.mirror = $1::int4 AND p.object = $2";

/// Deletes the rows of these objects unless they have been written since. If one row cannot be deleted, because other
/// rows refer to it, the others still are.
pub fn delete(sync: &Sync, step: &mut Step, table: &Table, ids: &[String], since: Timestamp) -> Result<(), Failure> {
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
