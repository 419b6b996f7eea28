//! Where Clerk and a table differ, found by counting: deletions leave no trace in the order of changes, but both sides
//! can count what was created in a stretch of time. Halving the stretch finds the few pages that are worth reading.

use clerk_api::object::Paging;
use clerk_api::{From, Read};

use super::config::Table;
use super::deletes;
use super::incremental::merge_page;
use super::merge::Merge;
use super::run::Step;
use super::sync::Sync;
use crate::attempt::Failure;
use crate::error::FdwError;

/// With fewer pages than this, reading them all takes no longer.
const FEWEST_PAGES: u64 = 8;

/// With more counts than this, or than a quarter of what all pages are, reading them all is the better way.
const MOST_COUNTS: u64 = 200;

/// Times of creation, both ends included, in Unix milliseconds.
#[derive(Clone, Copy)]
struct Stretch {
    first: i64,
    last: i64,
}

/// Whether comparing counts is likely to cost less than reading everything.
pub fn is_worth_it(sync: &Sync, table: &Table, clerk: u64) -> bool {
    let is_counted = matches!(table.object.paging, Paging::Cursor { .. }) && table.column("created_at").is_some();
    is_counted && clerk / u64::from(sync.mirror.server.page_size()) >= FEWEST_PAGES
}

/// Reads where the counts differ, and deletes what Clerk has no more. `None` if they differ in so many places that
/// everything is to be read; else the reason why nothing was deleted, if it was not.
pub fn compare(
    sync: &Sync,
    step: &mut Step,
    merge: &Merge,
    table: &Table,
    since: &str,
    (clerk, live): (u64, u64),
) -> Result<Option<Option<FdwError>>, Failure> {
    let page_size = u64::from(sync.mirror.server.page_size());
    let mut budget = MOST_COUNTS.min(clerk / page_size / 4).max(FEWEST_PAGES);
    let mut gone = Vec::new();
    let mut stretches = vec![(Stretch { first: i64::MIN, last: i64::MAX }, clerk, live)];
    while let Some((stretch, clerk, local)) = stretches.pop() {
        if clerk == local {
            continue;
        }
        let middle = match clerk.max(local) > page_size {
            true => sync.attempt(|| middle(table, stretch))?,
            false => None,
        };
        let Some(middle) = middle.filter(|middle| stretch.first <= *middle && *middle < stretch.last) else {
            gone.extend(read(sync, step, merge, table, stretch, since)?);
            continue;
        };
        let Some(left) = budget.checked_sub(1) else { return Ok(None) };
        budget = left;
        let earlier = Stretch { last: middle, ..stretch };
        let later = Stretch { first: middle + 1, ..stretch };
        let clerk_earlier = sync.count(step, table, filters(earlier))?.unwrap_or(0).min(clerk);
        let local_earlier = sync.attempt(|| held(table, earlier))?;
        stretches.push((earlier, clerk_earlier, local_earlier));
        stretches.push((later, clerk - clerk_earlier, local.saturating_sub(local_earlier)));
    }
    if gone.is_empty() {
        return Ok(Some(None));
    }
    if let Some(accident) = deletes::accident(sync, table, gone.len() as u64, live) {
        return Ok(Some(Some(accident)));
    }
    let old = format!("t.{} < {since}", table.synced_at());
    deletes::delete(sync, step, table, &gone, &old)?;
    Ok(Some(None))
}

/// Reads a stretch, and gives the ids of the rows that it should have held.
fn read(
    sync: &Sync,
    step: &mut Step,
    merge: &Merge,
    table: &Table,
    stretch: Stretch,
    since: &str,
) -> Result<Vec<String>, Failure> {
    let from = From::List { filters: filters(stretch), order: None };
    let mut pages = sync.start(merge.ask(Read { from, ..sync.whole(table) }))?;
    let mut seen = Vec::new();
    while let Some(page) = sync.next(step, &mut pages)? {
        merge_page(sync, step, merge, &page)?;
        seen.extend((0..page.len()).map(|object| page.id(object).into_owned()));
    }
    let (id, name, deleted_at, synced_at) = (table.id(), &table.name, table.deleted_at(), table.synced_at());
    let query = format!(
        "SELECT t.{id} FROM {name} t WHERE t.{deleted_at} IS NULL AND t.{synced_at} < {since}
            AND {} AND NOT ({})",
        within(table, stretch),
        deletes::among(table, &seen)
    );
    sync.attempt(|| table.first_column(&query, &[]))
}

/// The moment before and in which half of the table's rows of a stretch were created.
fn middle(table: &Table, stretch: Stretch) -> Result<Option<i64>, FdwError> {
    let Some(created_at) = table.column("created_at") else { return Ok(None) };
    let count = held(table, stretch)?;
    let (name, deleted_at, within) = (&table.name, table.deleted_at(), within(table, stretch));
    let query = format!(
        "SELECT floor(date_part('epoch', t.{created_at}) * 1000)::int8
           FROM {name} t WHERE t.{deleted_at} IS NULL AND {within} ORDER BY t.{created_at} OFFSET {} LIMIT 1",
        count / 2
    );
    Ok(table.value(&query, &[])?.and_then(|at| at.parse().ok()))
}

/// How many rows of a stretch the table has.
fn held(table: &Table, stretch: Stretch) -> Result<u64, FdwError> {
    let (name, deleted_at, synced_at) = (&table.name, table.deleted_at(), table.synced_at());
    let query = format!(
        "SELECT count(*) FROM {name} t WHERE t.{deleted_at} IS NULL AND t.{synced_at} IS NOT NULL AND {}",
        within(table, stretch)
    );
    Ok(table.value(&query, &[])?.and_then(|count| count.parse().ok()).unwrap_or(0))
}

/// Clerk's parameters for a stretch, whose bounds exclude.
fn filters(stretch: Stretch) -> clerk_api::Filters {
    let after = (stretch.first > i64::MIN).then(|| ("created_at_after", (stretch.first - 1).to_string()));
    let before = (stretch.last < i64::MAX).then(|| ("created_at_before", (stretch.last + 1).to_string()));
    after.into_iter().chain(before).collect()
}

/// The condition on the table's rows for a stretch.
fn within(table: &Table, stretch: Stretch) -> String {
    let created_at = table.column("created_at").unwrap_or("created_at");
    let bound = |operator: &str, at: i64| format!("t.{created_at} {operator} to_timestamp({at} / 1000.0::float8)");
    let first = (stretch.first > i64::MIN).then(|| bound(">=", stretch.first));
    let last = (stretch.last < i64::MAX).then(|| bound("<", stretch.last + 1));
    let both: Vec<_> = first.into_iter().chain(last).collect();
    if both.is_empty() { "true".to_owned() } else { both.join(" AND ") }
}
