//! Full syncs: each reads one object's whole list, which is called a pass.
//!
//! Each page is committed together with its checkpoint and its ids. So a pass that was cut off is resumed after its
//! last committed page, and at its end it is known which objects Clerk has.

use clerk_api::catalog::SortColumn;
use clerk_api::{Fetch, OrderBy, Page, Query, TimeRange, remaining};

use super::log::{Mode, Step, send_notice};
use super::page::merge_page_of_pass;
use super::pass::{self, Pass};
use crate::error::FdwError;
use crate::mirror::apply::merge::Merge;
use crate::mirror::model::Table;
use crate::mirror::row_counts;
use crate::mirror::store;
use crate::mirror::sync::compare::{self, Counts};
use crate::mirror::sync::deletes;
use crate::mirror::sync::session::{StepOutcome, SyncSession};
use crate::mirror::timestamp::{self, Timestamp};
use crate::pg::subtransaction::Failure;

pub fn sync_table<'s>(session: &SyncSession<'s>, table: &Table) -> Result<StepOutcome<'s>, Failure> {
    let step = session.in_subtransaction(|| session.run.begin_step(table, Mode::Full, None))?;
    resume_or_start(session, step, table)
}

/// Reads everything as part of a step that has begun.
pub fn resume_or_start<'s>(
    session: &SyncSession<'s>,
    mut step: Step<'s>,
    table: &Table,
) -> Result<StepOutcome<'s>, Failure> {
    let is_dry = session.run.options.dry_run;
    let resumable = if is_dry { None } else { session.in_subtransaction(|| pass::resumable(session, table))? };
    let mut pass = match resumable {
        Some(pass) => pass,
        None => begin(session, &mut step, table)?,
    };
    step.set_expected(pass.expected);
    session.commit(|| step.log())?;

    let since = pass.started_at;
    let merge = Merge::new(session.mirror, table, Some(since), is_dry);
    let rows_before = match is_dry {
        true => session.in_subtransaction(|| row_counts::count_rows(table))?.live(),
        false => 0,
    };
    for fetch in remaining(&merge.fetch(session.fetch_all(table)), std::mem::take(&mut pass.checkpoints)) {
        let mut pages = session.start(fetch)?;
        while let Some(page) = session.next(&mut step, &mut pages)? {
            merge_page_of_pass(session, &mut step, &merge, table, &page)?;
        }
    }
    if is_dry {
        step.deleted = rows_before.saturating_sub(step.merged.retained);
        let delete_error = deletes::threshold_error(session, table, step.deleted, rows_before);
        return Ok(StepOutcome { step, delete_error });
    }
    let is_complete = verify_complete(session, &mut step, &merge, table, &pass)?;
    let delete_error = deletes::delete_unseen(session, &mut step, &merge, table, since, is_complete)?;
    session.commit(|| end(session, table, delete_error.is_none()))?;
    Ok(StepOutcome { step, delete_error })
}

/// Begins a pass. Changes from now on are left to the next sync.
fn begin(session: &SyncSession, step: &mut Step, table: &Table) -> Result<Pass, Failure> {
    let known_until = match table.object.by_update() {
        Some(sort) => last_change(session, step, table, sort)?,
        None => None,
    };
    let expected = session.count_all(step, table)?;
    let is_dry = session.run.options.dry_run;
    session.commit(|| {
        let pass =
            Pass { started_at: Timestamp::now(), expected, known_until, checkpoints: Vec::new(), is_resumed: false };
        if is_dry {
            return Ok(pass);
        }
        let (expected_text, known_until_text) =
            (expected.map(|count| count.to_string()), known_until.map(|at| at.to_string()));
        store::run(
            &format!(
                "UPDATE clerk_fdw_internal.mirror_table
                    SET pass_started_at = {}, pass_known_until = $3::int8, pass_expected = $4::int8
                  WHERE mirror = $1::int4 AND object = $2",
                timestamp::from_parameter_sql("$5")
            ),
            &[
                Some(&session.mirror.key()),
                Some(table.object.name),
                known_until_text.as_deref(),
                expected_text.as_deref(),
                Some(&pass.started_at.parameter()),
            ],
        )?;
        pass::delete_pages(session, table)?;
        Ok(pass)
    })
}

/// The time of the last change of any object, in Unix milliseconds. Without any object it is 0, because then all
/// changes so far are known.
fn last_change(
    session: &SyncSession,
    step: &mut Step,
    table: &Table,
    sort: &SortColumn,
) -> Result<Option<i64>, Failure> {
    let updated_at = table.object.updated_at().map(|column| column.source.into());
    let query = Query::List { filters: Vec::new(), order: Some(OrderBy::descending(sort)) };
    let fetch = Fetch { query, limit_hint: Some(1), ..Fetch::all(table.object, updated_at.into_iter().collect()) };
    Ok(match session.only_page(step, fetch)? {
        Some(page) => page.value(0, 0).and_then(|at| at.parse().ok()),
        None => Some(0),
    })
}

/// Whether the pass is known to have read all objects that existed when it began. A list without a total count of its
/// own ends with a page that is not full; a count shows whether that really was the end.
///
/// Clerk may count more objects than were read because a page was incomplete, or because objects were added meanwhile
/// that have an earlier creation time, as an import's do. In both cases, the ranges of time in which the table has
/// fewer objects are read again. Objects that are added after that are left to the next sync: a pass that waited for
/// the end of an import would not end before it.
fn verify_complete(
    session: &SyncSession,
    step: &mut Step,
    merge: &Merge,
    table: &Table,
    pass: &Pass,
) -> Result<bool, Failure> {
    let Some(known_until) = pass.known_until.filter(|_| table.object.is_read_by_range()) else { return Ok(true) };
    let count_missing = |step: &mut Step| {
        let range = TimeRange { first: None, last: Some(known_until) };
        let counted = session.count_created_within(step, table, range)?.unwrap_or(0);
        Ok::<_, Failure>(counted.saturating_sub(session.in_subtransaction(|| pass::count_seen(session, table))?))
    };
    if count_missing(step)? == 0 {
        return Ok(true);
    }
    if table.created_at().is_some() {
        let clerk = session.count_all(step, table)?.unwrap_or(0);
        let stored = session.commit(|| {
            row_counts::recount(session.mirror, table)?;
            row_counts::stored(session.mirror, table)
        })?;
        let merge_page = |step: &mut Step, page: &Page| merge_page_of_pass(session, step, merge, table, page);
        compare::read_differences(
            session,
            step,
            merge,
            table,
            pass.started_at,
            &Counts { clerk, table: &stored },
            merge_page,
        )?;
    }
    let missing = count_missing(step)?;
    if missing > 0 && pass.is_resumed {
        // The sync that was cut off may have stored a checkpoint for a page that was incomplete, and ended before it
        // checked the count.
        session.commit(|| pass::discard(session, table))?;
        session.in_subtransaction(|| Err(FdwError::IncompleteList { object: table.object.name, missing }))?;
    }
    if missing > 0 {
        send_notice(format!(
            "{}: Clerk counts {missing} more than were read, as it does while others are added that say they are old; the next sync looks for them",
            table.object.name
        ));
    }
    Ok(missing == 0)
}

/// Ends the pass: the table has the state that Clerk had when the pass began, unless deletions were refused.
fn end(session: &SyncSession, table: &Table, succeeded: bool) -> Result<(), FdwError> {
    // The stored counts were corrected when deletions were looked for.
    let live = row_counts::stored(session.mirror, table)?.live().to_string();
    let key = session.mirror.key();
    let values = [Some(&*key), Some(table.object.name)];
    // Every object that was refused before has been read again. If it was refused again, its log entry has a newer
    // time.
    store::run(
        "UPDATE clerk_fdw_internal.sync_error e SET resolved_at = clock_timestamp()
           FROM clerk_fdw_internal.mirror_table t
          WHERE t.mirror = $1::int4 AND t.object = $2
            AND e.mirror = t.mirror AND e.object = t.object
            AND e.resolved_at IS NULL AND e.occurred_at < t.pass_started_at",
        &values,
    )?;
    store::run(
        "UPDATE clerk_fdw_internal.mirror_table SET known_until = pass_known_until, full_at = clock_timestamp(),
                success_at = CASE WHEN $4::bool THEN pass_started_at ELSE success_at END, drift = pass_expected - $3::int8,
                pass_started_at = NULL, pass_known_until = NULL, pass_expected = NULL
          WHERE mirror = $1::int4 AND object = $2",
        &[values[0], values[1], Some(&live), Some(store::boolean(succeeded))],
    )?;
    pass::delete_pages(session, table)
}
