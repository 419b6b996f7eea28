//! Incremental syncs: each reads the list in descending order of change, until it reaches changes that are already
//! known.

use clerk_api::{Fetch, OrderBy, Page, Query};

use super::full;
use super::page::merge_page;
use crate::error::FdwError;
use crate::mirror::apply::merge::Merge;
use crate::mirror::apply::tombstone;
use crate::mirror::model::Table;
use crate::mirror::row_counts;
use crate::mirror::store;
use crate::mirror::sync::compare::{self, Comparison, Counts};
use crate::mirror::sync::log::{Mode, Step};
use crate::mirror::sync::session::{StepOutcome, SyncSession};
use crate::mirror::timestamp::{self, Timestamp};
use crate::pg::subtransaction::Failure;

/// Changes may become visible at Clerk in another order than their times say, a little late. So a sync reads on until a
/// minute (in milliseconds) before the last known change.
const OVERLAP: i64 = 60_000;

pub fn sync_table<'s>(session: &SyncSession<'s>, table: &Table) -> Result<StepOutcome<'s>, Failure> {
    let is_dry = session.run.options.dry_run;
    let mut step = session.in_subtransaction(|| session.run.begin_step(table, Mode::Incremental, None))?;
    let since = Timestamp::now();
    let (known_until, refused) =
        session.in_subtransaction(|| Ok((known_until(session, table)?, refused(session, table)?)))?;
    session.commit(|| step.log())?;
    let merge = Merge::new(session.mirror, table, Some(since), is_dry);

    // The table may accept now what it refused before, even though the object has not changed at Clerk since.
    if let Some(parameter) = table.object.ids_parameter().filter(|_| !refused.is_empty()) {
        let query = Query::Batches { parameter, values: refused.clone(), filters: Vec::new() };
        merge_pages(session, &mut step, &merge, Fetch { query, ..session.fetch_all(table) }, |_, _| Ok(true))?;
    }

    let order = table.object.by_update().map(OrderBy::descending);
    let changed = Fetch { query: Query::List { filters: Vec::new(), order }, ..session.fetch_all(table) };
    let (mut newest, mut oldest) = (known_until, i64::MAX);
    merge_pages(session, &mut step, &merge, changed, |page, updated_at| {
        for at in (0..page.len()).filter_map(|object| page.value(object, updated_at)?.parse::<i64>().ok()) {
            if at > oldest {
                return Err(FdwError::OutOfOrder(table.object.name));
            }
            (newest, oldest) = (newest.max(at), at);
        }
        Ok(oldest >= known_until.saturating_sub(OVERLAP))
    })?;

    let clerk = session.count_all(&mut step, table)?.unwrap_or(0);
    let (stored, refused_count) = session
        .in_subtransaction(|| Ok((row_counts::stored(session.mirror, table)?, count_refused(session, table)?)))?;
    let live = stored.live();
    let mut delete_error = None;
    if is_dry {
        step.deleted = (live + step.merged.inserted).saturating_sub(clerk + refused_count);
    } else if clerk != live + refused_count {
        if !compare::is_worth_it(session, table, clerk) {
            // With so few pages, reading all of them finds the difference soonest.
            return full::resume_or_start(session, step, table);
        }
        let counts = Counts { clerk, table: &stored };
        match compare::compare(session, &mut step, &merge, table, since, &counts, refused_count)? {
            Comparison::Resolved => {}
            Comparison::NeedsFullSync => return full::resume_or_start(session, step, table),
            Comparison::TooManyDeletes(error) => delete_error = Some(error),
        }
    }
    if !is_dry {
        let success_at = delete_error.is_none().then_some(since);
        session.commit(|| end(session, table, newest, success_at, clerk))?;
    }
    Ok(StepOutcome { step, delete_error })
}

/// Reads and merges pages until `wants_more` returns false. It gets each page and the index at which the page has the
/// objects' `updated_at`.
fn merge_pages(
    session: &SyncSession,
    step: &mut Step,
    merge: &Merge,
    fetch: Fetch,
    mut wants_more: impl FnMut(&Page, usize) -> Result<bool, FdwError>,
) -> Result<(), Failure> {
    let mut fetch = merge.fetch(fetch);
    fetch.columns.extend(fetch.object.updated_at().map(|column| column.source.into()));
    let last = fetch.columns.len() - 1;
    let mut pages = session.start(fetch)?;
    while let Some(page) = session.next(step, &mut pages)? {
        let wants_more = session.in_subtransaction(|| wants_more(&page, last))?;
        merge_page(session, step, merge, &page)?;
        if !wants_more {
            step.end_fetch();
            break;
        }
    }
    Ok(())
}

/// The time up to which all changes are known, in Unix milliseconds of Clerk's clock.
fn known_until(session: &SyncSession, table: &Table) -> Result<i64, FdwError> {
    let known_until = store::value(
        "SELECT known_until FROM clerk_fdw_internal.mirror_table WHERE mirror = $1::int4 AND object = $2",
        &[Some(&session.mirror.key()), Some(table.object.name)],
    )?;
    Ok(known_until.and_then(|at| at.parse().ok()).unwrap_or(0))
}

/// The ids of the objects that the table refused and has not accepted since.
fn refused(session: &SyncSession, table: &Table) -> Result<Vec<String>, FdwError> {
    store::column(
        "SELECT object_id FROM clerk_fdw_internal.sync_error
          WHERE resolved_at IS NULL AND mirror = $1::int4 AND object = $2",
        &[Some(&session.mirror.key()), Some(table.object.name)],
    )
}

/// The number of objects that the table lacks because it refused them.
fn count_refused(session: &SyncSession, table: &Table) -> Result<u64, FdwError> {
    let refused = refused(session, table)?;
    if refused.is_empty() {
        return Ok(0);
    }
    let (name, id, deleted_at) = (&table.name, table.id(), table.deleted_at());
    let count = table.value(
        &format!(
            "SELECT count(*) FROM jsonb_array_elements_text($1::jsonb) refused(id)
              WHERE NOT EXISTS (SELECT FROM {name} t WHERE t.{id}::text = refused.id AND t.{deleted_at} IS NULL)"
        ),
        &[Some(&tombstone::json_array(&refused))],
    )?;
    Ok(count.and_then(|count| count.parse().ok()).unwrap_or(0))
}

/// Records that the table is in sync. Without `success_at` it is not, because deletions were refused.
fn end(
    session: &SyncSession,
    table: &Table,
    newest: i64,
    success_at: Option<Timestamp>,
    clerk: u64,
) -> Result<(), FdwError> {
    let live = row_counts::stored(session.mirror, table)?.total().live;
    store::run(
        &format!(
            "UPDATE clerk_fdw_internal.mirror_table
                SET known_until = $3::int8, success_at = coalesce({}, success_at), drift = $4::int8
              WHERE mirror = $1::int4 AND object = $2",
            timestamp::from_parameter_sql("$5")
        ),
        &[
            Some(&session.mirror.key()),
            Some(table.object.name),
            Some(&newest.to_string()),
            Some(&(clerk as i64 - live).to_string()),
            success_at.map(Timestamp::parameter).as_deref(),
        ],
    )
}
