//! Finds where Clerk and a table differ by counting. Clerk's lists do not report deletions, but both sides can count
//! the objects that were created in a range of time. Halving the range finds the few pages that are worth reading.

use clerk_api::{Fetch, Page, Query, TimeRange};

use super::page::merge_page;
use crate::error::FdwError;
use crate::mirror::apply::merge::Merge;
use crate::mirror::apply::tombstone;
use crate::mirror::model::Table;
use crate::mirror::row_counts;
use crate::mirror::row_counts::{ByDay, DAY};
use crate::mirror::sync::deletes;
use crate::mirror::sync::log::Step;
use crate::mirror::sync::session::Sync;
use crate::mirror::timestamp::{self, Timestamp};
use crate::pg::subtransaction::Failure;

/// With fewer pages than this, reading all of them takes about as many requests as comparing counts does.
const MIN_PAGES: u64 = 8;

/// The most requests for counts that a comparison makes. It also makes at most a quarter as many as reading all pages
/// would, but always up to MIN_PAGES. If these are not enough, the differences are so many that reading everything is
/// the better way.
const MAX_COUNTS: u64 = 200;

/// Whether comparing counts is likely to cost less than reading everything.
pub fn is_worth_it(sync: &Sync, table: &Table, clerk: u64) -> bool {
    let is_counted = table.object.is_read_by_range() && table.created_at().is_some();
    is_counted && clerk / u64::from(sync.mirror.server.page_size()) >= MIN_PAGES
}

/// Reads the ranges in which the counts differ, and deletes the rows of objects that Clerk has deleted. `refused` is
/// the number of objects that only Clerk has because the table refused them.
pub fn compare(
    sync: &Sync,
    step: &mut Step,
    merge: &Merge,
    table: &Table,
    since: Timestamp,
    (clerk, kept, lacking): (u64, ByDay, u64),
) -> Result<Option<Option<FdwError>>, Failure> {
    if lacking > 0 {
        // It is not known when the refused objects were created, and so not by how many the counts of a range should
        // differ.
        return Ok(None);
    }
    let take = |step: &mut Step, page: &Page| merge_page(sync, step, merge, page);
    let inserted = step.merged.inserted;
    let Some(gone) = read_differences(sync, step, merge, table, since, (clerk, &kept), take)? else { return Ok(None) };
    if gone.is_empty() {
        if step.merged.inserted == inserted {
            // Only the stored counts differ from Clerk's: something else has changed the table.
            sync.commit(|| row_counts::check(sync.mirror, table))?;
        }
        return Ok(Some(None));
    }
    if let Some(accident) = deletes::exceeds_threshold(sync, table, gone.len() as u64, kept.live()) {
        return Ok(Some(Some(accident)));
    }
    deletes::delete(sync, step, table, &gone, since)?;
    Ok(Some(None))
}

/// Reads the ranges of creation time in which Clerk and the table have different numbers of objects. Returns the ids of
/// the rows that the pages of these ranges should have contained; `None` if the ranges are too many.
pub fn read_differences(
    sync: &Sync,
    step: &mut Step,
    merge: &Merge,
    table: &Table,
    since: Timestamp,
    (clerk, kept): (u64, &ByDay),
    mut take: impl FnMut(&mut Step, &Page) -> Result<(), Failure>,
) -> Result<Option<Vec<String>>, Failure> {
    let page_size = u64::from(sync.mirror.server.page_size());
    let mut budget = MAX_COUNTS.min(clerk / page_size / 4).max(MIN_PAGES);
    let mut gone = Vec::new();
    let live = kept.live();
    let mut ranges = vec![(TimeRange::ALL, clerk, live)];
    while let Some((range, clerk, local)) = ranges.pop() {
        if clerk == local {
            continue;
        }
        let middle = match clerk.max(local) > page_size {
            true => match day_in_the_middle(kept, range) {
                None => sync.in_subtransaction(|| middle(table, range, local))?,
                day => day,
            },
            false => None,
        };
        let Some((middle, local_earlier)) = middle else {
            let query = Query::created_within(table.object, range);
            let mut pages = sync.start(merge.fetch(Fetch { query, ..sync.whole(table) }))?;
            let mut seen = Vec::new();
            while let Some(page) = sync.next(step, &mut pages)? {
                take(step, &page)?;
                seen.extend((0..page.len()).map(|object| page.id(object).into_owned()));
            }
            gone.extend(sync.in_subtransaction(|| not_among(table, range, since, &seen))?);
            continue;
        };
        let Some(left) = budget.checked_sub(1) else { return Ok(None) };
        budget = left;
        let earlier = TimeRange { last: Some(middle), ..range };
        let later = TimeRange { first: Some(middle + 1), ..range };
        let clerk_earlier = sync.count_created_within(step, table, earlier)?.unwrap_or(0).min(clerk);
        ranges.push((earlier, clerk_earlier, local_earlier));
        ranges.push((later, clerk - clerk_earlier, local.saturating_sub(local_earlier)));
    }
    Ok(Some(gone))
}

/// The ids of the rows of a range that were last written before `since` and are not among `seen`.
fn not_among(table: &Table, range: TimeRange, since: Timestamp, seen: &[String]) -> Result<Vec<String>, FdwError> {
    let (id, name, deleted_at, synced_at) = (table.id(), &table.name, table.deleted_at(), table.synced_at());
    let query = format!(
        "SELECT t.{id}::text FROM {name} t WHERE t.{deleted_at} IS NULL AND t.{synced_at} < {}
            AND {} AND NOT {}",
        timestamp::from_parameter_sql("$1"),
        within(table),
        table.is_among("t", "$4")
    );
    let [first, last] = bounds(range);
    let values = [Some(&*since.parameter()), first.as_deref(), last.as_deref(), Some(&*tombstone::json(seen))];
    table.first_column(&query, &values)
}

/// Splits a range at the end of the day up to which about half of its rows were created; `None` if all of them were
/// created on one day.
fn day_in_the_middle(kept: &ByDay, range: TimeRange) -> Option<(i64, u64)> {
    let (first, last) = (range.first.unwrap_or(i64::MIN), range.last.unwrap_or(i64::MAX));
    let days = kept.0.range(first.div_euclid(DAY)..=last.div_euclid(DAY));
    let half = days.clone().map(|(_, counts)| counts.live).sum::<i64>() / 2;
    let mut earlier = 0;
    let mut before = None;
    for (day, counts) in days {
        // The split is at the end of the day before at the latest, so that something is left on both sides.
        if before.is_some() && earlier + counts.live > half {
            break;
        }
        earlier += counts.live;
        before = Some((*day, earlier));
    }
    let (day, earlier) = before?;
    let end = day.saturating_add(1).saturating_mul(DAY).saturating_sub(1);
    (first <= end && end < last).then_some((end, u64::try_from(earlier).unwrap_or(0)))
}

/// Splits a range at the creation time of its middle row.
fn middle(table: &Table, range: TimeRange, count: u64) -> Result<Option<(i64, u64)>, FdwError> {
    let Some(created_at) = table.created_at() else { return Ok(None) };
    let (name, deleted_at, within) = (&table.name, table.deleted_at(), within(table));
    let query = format!(
        "SELECT floor(date_part('epoch', t.{created_at}) * 1000)::int8
           FROM {name} t WHERE t.{deleted_at} IS NULL AND {within} ORDER BY t.{created_at} OFFSET $1::int8 LIMIT 1"
    );
    let [first, last] = bounds(range);
    let values = [Some(&*(count / 2).to_string()), first.as_deref(), last.as_deref()];
    let middle = table.value(&query, &values)?.and_then(|at| at.parse().ok());
    // Something has to be left on both sides, or halving would not end.
    let middle = middle.filter(|middle| range.holds(Some(*middle)) && range.last != Some(*middle));
    middle.map(|middle| Ok((middle, held(table, TimeRange { last: Some(middle), ..range })?))).transpose()
}

/// The number of rows that the table has in a range.
fn held(table: &Table, range: TimeRange) -> Result<u64, FdwError> {
    let (name, deleted_at, synced_at) = (&table.name, table.deleted_at(), table.synced_at());
    let query = format!(
        "SELECT count(*) FROM {name} t WHERE $1 IS NULL AND t.{deleted_at} IS NULL AND t.{synced_at} IS NOT NULL AND {}",
        within(table)
    );
    let [first, last] = bounds(range);
    let count = table.value(&query, &[None, first.as_deref(), last.as_deref()])?;
    Ok(count.and_then(|count| count.parse().ok()).unwrap_or(0))
}

/// The SQL condition that a row of the table is in a range, whose bounds are the parameters `$2` and `$3`. Its
/// statements are planned each time, so that an index on the creation time can be used.
fn within(table: &Table) -> String {
    let created_at = table.created_at().unwrap_or("created_at");
    let time = |parameter: &str| format!("to_timestamp({parameter}::int8 / 1000.0::float8)");
    format!(
        "t.{created_at} >= coalesce({}, '-infinity') AND t.{created_at} < coalesce({}, 'infinity')",
        time("$2"),
        time("$3")
    )
}

/// The values of these two parameters in Unix milliseconds: the first one in the range, and the one after the last.
fn bounds(range: TimeRange) -> [Option<String>; 2] {
    [range.first.map(|first| first.to_string()), range.last.map(|last| last.saturating_add(1).to_string())]
}
