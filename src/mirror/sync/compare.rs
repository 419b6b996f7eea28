//! Finds where Clerk and a table differ by counting. Clerk's lists do not report deletions, but both sides can count
//! the objects that were created in a range of time. Halving the range finds the few pages that are worth reading.

use clerk_api::{Fetch, Page, Query, TimeRange};

use super::page::merge_page;
use crate::error::FdwError;
use crate::mirror::apply::merge::Merge;
use crate::mirror::apply::tombstone;
use crate::mirror::model::Table;
use crate::mirror::row_counts;
use crate::mirror::row_counts::{CountsByDay, DAY_MILLISECONDS};
use crate::mirror::sync::deletes;
use crate::mirror::sync::log::Step;
use crate::mirror::sync::session::SyncSession;
use crate::mirror::timestamp::{self, Timestamp};
use crate::pg::subtransaction::Failure;

/// With fewer pages than this, reading all of them takes about as many requests as comparing counts does.
const MIN_PAGES: u64 = 8;

/// The most requests for counts that a comparison makes. It also makes at most a quarter as many as reading all pages
/// would, but always up to MIN_PAGES. If these are not enough, the differences are so many that reading everything is
/// the better way.
const MAX_COUNTS: u64 = 200;

/// The counts of both sides.
pub struct Counts<'c> {
    /// How many objects Clerk has.
    pub clerk: u64,
    /// The table's rows by the day of creation.
    pub table: &'c CountsByDay,
}

/// What a comparison has led to.
pub enum Comparison {
    /// Where the counts differ, pages were read and rows deleted.
    Resolved,
    /// The differences are so many, or so uncertain, that everything has to be read.
    NeedsFullSync,
    /// Pages were read, but the deletions are too many, so nothing was deleted.
    TooManyDeletes(FdwError),
}

/// Whether comparing counts is likely to cost less than reading everything.
pub fn is_worth_it(session: &SyncSession, table: &Table, clerk: u64) -> bool {
    let is_countable = table.object.is_read_by_range() && table.created_at().is_some();
    is_countable && clerk / u64::from(session.mirror.server.page_size()) >= MIN_PAGES
}

/// Reads the ranges in which the counts differ, and deletes the rows of objects that Clerk has deleted. `refused` is
/// the number of objects that only Clerk has because the table refused them.
pub fn compare(
    session: &SyncSession,
    step: &mut Step,
    merge: &Merge,
    table: &Table,
    since: Timestamp,
    counts: &Counts,
    refused: u64,
) -> Result<Comparison, Failure> {
    if refused > 0 {
        // It is not known when the refused objects were created, and so not by how many the counts of a range should
        // differ.
        return Ok(Comparison::NeedsFullSync);
    }
    let merge_page = |step: &mut Step, page: &Page| merge_page(session, step, merge, page);
    let inserted_before = step.merged.inserted;
    let Some(unseen) = read_differences(session, step, merge, table, since, counts, merge_page)? else {
        return Ok(Comparison::NeedsFullSync);
    };
    if unseen.is_empty() {
        if step.merged.inserted == inserted_before {
            // Only the stored counts differ from Clerk's: something else has changed the table.
            session.commit(|| row_counts::recount(session.mirror, table))?;
        }
        return Ok(Comparison::Resolved);
    }
    if let Some(error) = deletes::threshold_error(session, table, unseen.len() as u64, counts.table.live()) {
        return Ok(Comparison::TooManyDeletes(error));
    }
    deletes::delete(session, step, table, &unseen, since)?;
    Ok(Comparison::Resolved)
}

/// Reads the ranges of creation time in which Clerk and the table have different numbers of objects. Returns the ids of
/// the rows that the pages of these ranges should have contained; `None` if the ranges are too many.
pub fn read_differences(
    session: &SyncSession,
    step: &mut Step,
    merge: &Merge,
    table: &Table,
    since: Timestamp,
    counts: &Counts,
    mut on_page: impl FnMut(&mut Step, &Page) -> Result<(), Failure>,
) -> Result<Option<Vec<String>>, Failure> {
    let page_size = u64::from(session.mirror.server.page_size());
    let mut budget = MAX_COUNTS.min(counts.clerk / page_size / 4).max(MIN_PAGES);
    let mut unseen = Vec::new();
    let mut ranges = vec![(TimeRange::ALL, counts.clerk, counts.table.live())];
    while let Some((range, clerk, local)) = ranges.pop() {
        if clerk == local {
            continue;
        }
        let split = match clerk.max(local) > page_size {
            true => match split_at_day(counts.table, range) {
                None => session.in_subtransaction(|| split_at_row(table, range, local))?,
                split => split,
            },
            false => None,
        };
        let Some(Split { last_earlier, rows_earlier }) = split else {
            let query = Query::created_within(table.object, range);
            let mut pages = session.start(merge.fetch(Fetch { query, ..session.fetch_all(table) }))?;
            let mut seen = Vec::new();
            while let Some(page) = session.next(step, &mut pages)? {
                on_page(step, &page)?;
                seen.extend((0..page.len()).map(|object| page.id(object).into_owned()));
            }
            unseen.extend(session.in_subtransaction(|| unseen_ids(table, range, since, &seen))?);
            continue;
        };
        let Some(rest) = budget.checked_sub(1) else { return Ok(None) };
        budget = rest;
        let earlier = TimeRange { last: Some(last_earlier), ..range };
        let later = TimeRange { first: Some(last_earlier + 1), ..range };
        let clerk_earlier = session.count_created_within(step, table, earlier)?.unwrap_or(0).min(clerk);
        ranges.push((earlier, clerk_earlier, rows_earlier));
        ranges.push((later, clerk - clerk_earlier, local.saturating_sub(rows_earlier)));
    }
    Ok(Some(unseen))
}

/// The ids of the rows of a range that were last written before `since` and are not among `seen`.
fn unseen_ids(table: &Table, range: TimeRange, since: Timestamp, seen: &[String]) -> Result<Vec<String>, FdwError> {
    let (id, name, deleted_at, synced_at) = (table.id(), &table.name, table.deleted_at(), table.synced_at());
    let query = format!(
        "SELECT t.{id}::text FROM {name} t WHERE t.{deleted_at} IS NULL AND t.{synced_at} < {}
            AND {} AND NOT {}",
        timestamp::from_parameter_sql("$1"),
        is_within_sql(table),
        table.id_in_sql("t", "$4")
    );
    let [first, last] = bound_values(range);
    let values = [Some(&*since.parameter()), first.as_deref(), last.as_deref(), Some(&*tombstone::json_array(seen))];
    table.first_column(&query, &values)
}

/// Where a range is split into an earlier and a later part.
struct Split {
    /// The last millisecond of the earlier part.
    last_earlier: i64,
    /// How many of the table's rows are in the earlier part.
    rows_earlier: u64,
}

/// Splits a range at the end of the day up to which about half of its rows were created; `None` if all of them were
/// created on one day.
fn split_at_day(stored: &CountsByDay, range: TimeRange) -> Option<Split> {
    let (first, last) = (range.first.unwrap_or(i64::MIN), range.last.unwrap_or(i64::MAX));
    let days = stored.0.range(first.div_euclid(DAY_MILLISECONDS)..=last.div_euclid(DAY_MILLISECONDS));
    let half = days.clone().map(|(_, counts)| counts.live).sum::<i64>() / 2;
    let mut earlier = 0;
    let mut last_day = None;
    for (day, counts) in days {
        // The split is at the end of the day before at the latest, so that something is left on both sides.
        if last_day.is_some() && earlier + counts.live > half {
            break;
        }
        earlier += counts.live;
        last_day = Some(*day);
    }
    let end = last_day?.saturating_add(1).saturating_mul(DAY_MILLISECONDS).saturating_sub(1);
    let is_inside = first <= end && end < last;
    is_inside.then(|| Split { last_earlier: end, rows_earlier: u64::try_from(earlier).unwrap_or(0) })
}

/// Splits a range at the creation time of its middle row.
fn split_at_row(table: &Table, range: TimeRange, count: u64) -> Result<Option<Split>, FdwError> {
    let Some(created_at) = table.created_at() else { return Ok(None) };
    let (name, deleted_at, is_within) = (&table.name, table.deleted_at(), is_within_sql(table));
    let query = format!(
        "SELECT floor(date_part('epoch', t.{created_at}) * 1000)::int8
           FROM {name} t WHERE t.{deleted_at} IS NULL AND {is_within} ORDER BY t.{created_at} OFFSET $1::int8 LIMIT 1"
    );
    let [first, last] = bound_values(range);
    let values = [Some(&*(count / 2).to_string()), first.as_deref(), last.as_deref()];
    let middle = table.value(&query, &values)?.and_then(|at| at.parse().ok());
    // Something has to be left on both sides, or halving would not end.
    let middle = middle.filter(|middle| range.holds(Some(*middle)) && range.last != Some(*middle));
    let Some(last_earlier) = middle else { return Ok(None) };
    let rows_earlier = count_rows(table, TimeRange { last: Some(last_earlier), ..range })?;
    Ok(Some(Split { last_earlier, rows_earlier }))
}

/// The number of rows that the table has in a range.
fn count_rows(table: &Table, range: TimeRange) -> Result<u64, FdwError> {
    let (name, deleted_at, synced_at) = (&table.name, table.deleted_at(), table.synced_at());
    let query = format!(
        "SELECT count(*) FROM {name} t WHERE $1 IS NULL AND t.{deleted_at} IS NULL AND t.{synced_at} IS NOT NULL AND {}",
        is_within_sql(table)
    );
    let [first, last] = bound_values(range);
    let count = table.value(&query, &[None, first.as_deref(), last.as_deref()])?;
    Ok(count.and_then(|count| count.parse().ok()).unwrap_or(0))
}

/// The SQL condition that a row of the table is in a range, whose bounds are the parameters `$2` and `$3`. Its
/// statements are planned each time, so that an index on the creation time can be used.
fn is_within_sql(table: &Table) -> String {
    let created_at = table.created_at().unwrap_or("created_at");
    let time = |parameter: &str| format!("to_timestamp({parameter}::int8 / 1000.0::float8)");
    format!(
        "t.{created_at} >= coalesce({}, '-infinity') AND t.{created_at} < coalesce({}, 'infinity')",
        time("$2"),
        time("$3")
    )
}

/// The values of these two parameters in Unix milliseconds: the first one in the range, and the one after the last.
fn bound_values(range: TimeRange) -> [Option<String>; 2] {
    [range.first.map(|first| first.to_string()), range.last.map(|last| last.saturating_add(1).to_string())]
}
