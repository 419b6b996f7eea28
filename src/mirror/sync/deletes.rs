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
use crate::mirror::sync::session::SyncSession;
use crate::mirror::timestamp::{self, Timestamp};
use crate::pg::sandbox::as_extension_owner;
use crate::pg::spi::{self, StoredRows};
use crate::pg::subtransaction::{Failure, retrying_deadlocks};

/// If a sync would delete more than 20 % of a table's rows, and more than 50 rows, an emptied instance or a fault is
/// likelier than so many real deletions. In a small table 50 deletions may be everyday ones.
const MAX_SHARE: f64 = 0.2;
const MAX_ROWS: u64 = 50;

/// The error for so many deletions; `None` if they are below the threshold or the caller forces them.
pub fn threshold_error(session: &SyncSession, table: &Table, deletes: u64, rows: u64) -> Option<FdwError> {
    let is_exceeded = deletes > MAX_ROWS && deletes as f64 > MAX_SHARE * rows as f64;
    (is_exceeded && !session.run.options.force).then(|| FdwError::DeleteThresholdExceeded {
        table: table.name.clone(),
        deletes,
        of: rows,
        mirror: session.mirror.name.clone(),
    })
}

/// The most rows that one statement deletes, so that a transaction holds the locks of so many rows for a short time
/// only.
const MAX_BATCH: usize = 5_000;

/// After a pass, deletes the rows of objects that were on none of its pages and that no one has written since it began.
/// Returns the error if they are too many. Unless the pass is known to be complete, Clerk is first asked for each of
/// these objects by its id.
pub fn delete_unseen(
    session: &SyncSession,
    step: &mut Step,
    merge: &Merge,
    table: &Table,
    since: Timestamp,
    is_complete: bool,
) -> Result<Option<FdwError>, Failure> {
    let (name, id, deleted_at, synced_at) = (&table.name, table.id(), table.deleted_at(), table.synced_at());
    let unseen = format!(
        "FROM {name} t WHERE t.{deleted_at} IS NULL AND t.{synced_at} < {}
            AND NOT EXISTS (SELECT FROM {SEEN_RELATION} seen WHERE seen.id = t.{id}::text)",
        timestamp::from_parameter_sql("$1")
    );
    let (rows, deletes, unseen_ids) = session.in_subtransaction(|| {
        let seen =
            as_extension_owner(|| StoredRows::of(SEEN_IDS, &[Some(&session.mirror.key()), Some(table.object.name)]))?;
        let rows = row_counts::recount(session.mirror, table)?.live as u64;
        let select = |expression: &str| {
            table.sandboxed(|| {
                spi::connected(|| {
                    seen.name(SEEN_RELATION)?;
                    spi::execute(&format!("SELECT {expression} {unseen}"), &[Some(&since.parameter())], false)
                })
            })
        };
        let count = select("count(*)")?.into_iter().flatten().flatten().next();
        let deletes = count.and_then(|count| count.parse().ok()).unwrap_or(0);
        let unseen_ids = match deletes == 0 || threshold_error(session, table, deletes, rows).is_some() {
            true => Vec::new(),
            false => select(&format!("t.{id}::text"))?.into_iter().flatten().flatten().collect(),
        };
        seen.end();
        Ok((rows, deletes, unseen_ids))
    })?;
    if let Some(error) = threshold_error(session, table, deletes, rows) {
        return Ok(Some(error));
    }
    let deleted_ids = match is_complete {
        true => unseen_ids,
        false => unknown_to_clerk(session, step, merge, table, &unseen_ids)?,
    };
    delete(session, step, table, &deleted_ids, since)?;
    Ok(None)
}

/// Looks up these objects at Clerk and returns the ids of those that it does not find. The others are merged. If Clerk
/// cannot look up this object by its id, none are returned.
fn unknown_to_clerk(
    session: &SyncSession,
    step: &mut Step,
    merge: &Merge,
    table: &Table,
    ids: &[String],
) -> Result<Vec<String>, Failure> {
    let Some(parameter) = table.object.ids_parameter() else { return Ok(Vec::new()) };
    let mut unknown = Vec::new();
    for batch in batches(ids) {
        let filters: Vec<_> = batch.iter().map(|id| (parameter, id.clone())).collect();
        let counted = session.count_query(step, table, Query::Count { parent: None, filters: filters.clone() })?;
        let query = Query::List { filters, order: None };
        let mut pages = session.start(merge.fetch(Fetch { query, ..session.fetch_all(table) }))?;
        let mut found_ids = HashSet::new();
        while let Some(page) = session.next(step, &mut pages)? {
            merge_page(session, step, merge, &page)?;
            found_ids.extend((0..page.len()).map(|object| page.id(object).into_owned()));
        }
        // If the list has fewer objects than Clerk counts, it is not known whether an object that it lacks has been
        // deleted.
        let (asked, listed, counted) = (batch.len(), found_ids.len(), counted.unwrap_or(0));
        if counted != listed as u64 {
            session.commit(|| pass::discard(session, table))?;
            session.in_subtransaction(|| {
                Err(FdwError::InconsistentLookup { object: table.object.name, asked, counted, listed })
            })?;
        }
        unknown.extend(batch.iter().filter(|id| !found_ids.contains(*id)).cloned());
    }
    Ok(unknown)
}

/// The name under which the statements here refer to the objects on the pages of a pass, and the query for these
/// objects.
const SEEN_RELATION: &str = "clerk_seen";
const SEEN_IDS: &str = "SELECT seen.id FROM clerk_fdw_internal.sync_page p CROSS JOIN LATERAL unnest(p.ids) AS seen(id)
                      WHERE p.mirror = $1::int4 AND p.object = $2";

/// Deletes the rows of these objects unless they have been written since. If one row cannot be deleted, because other
/// rows refer to it, the others still are.
pub fn delete(
    session: &SyncSession,
    step: &mut Step,
    table: &Table,
    ids: &[String],
    since: Timestamp,
) -> Result<(), Failure> {
    for batch in ids.chunks(MAX_BATCH) {
        let remove = |ids: &[String]| {
            let filter = RowFilter { ids: Some(ids), written_before: Some(since), ..RowFilter::default() };
            retrying_deadlocks(|| remove(session.mirror, table, filter, None))
        };
        match remove(batch) {
            Ok(deleted) => step.deleted += deleted,
            Err(failure) if failure.is_row_error() => {
                for id in batch {
                    match remove(std::slice::from_ref(id)) {
                        Ok(deleted) => step.deleted += deleted,
                        Err(failure) if failure.is_row_error() => {
                            session.in_subtransaction(|| step.refuse(id, &failure))?
                        }
                        Err(failure) => return Err(failure),
                    }
                }
            }
            Err(failure) => return Err(failure),
        }
        session.commit(|| step.log())?;
    }
    Ok(())
}
