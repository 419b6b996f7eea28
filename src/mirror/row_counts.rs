//! The row counts of a mirror's tables. They are stored, because the cost of counting grows with the size of the table,
//! not with the number of changes.
//!
//! Every transaction that changes rows also records by how much it changes the counts. It does so in rows of
//! `clerk_fdw_internal.row_count` that no other transaction has locked, or in new rows, so no transaction waits for
//! another one that is still open. The sum of these rows is the count. There is one count for each day of creation;
//! [`compare`](crate::mirror::sync) uses them to find where Clerk has other objects than the table. Nobody records the
//! rows that an application inserts or deletes on its own. A full sync counts all rows, and so corrects the stored
//! counts.

use std::collections::BTreeMap;

use pgrx::pg_sys;

use crate::error::FdwError;
use crate::mirror::model::{Entry, Table};
use crate::mirror::store;
use crate::pg::spi::{self, Row};

/// Numbers of rows that came from Clerk, or by how much these numbers have changed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    pub live: i64,
    pub deleted: i64,
}

impl Counts {
    pub fn add(&mut self, other: Counts) {
        self.live += other.live;
        self.deleted += other.deleted;
    }
}

/// Row counts by the day of creation, in days since 1970.
#[derive(Default)]
pub struct CountsByDay(pub BTreeMap<i64, Counts>);

/// The length of a day: the bounds of creation times are in milliseconds, as Clerk's are.
pub const DAY_MILLISECONDS: i64 = 86_400_000;

/// The SQL expression for the day on which the object of a row was created; 0 if the table has no exact creation time.
pub fn day_sql(table: &Table, row: &str) -> String {
    match table.created_at() {
        Some(created_at) => format!(
            "CASE WHEN isfinite({row}.{created_at}) \
             THEN floor(extract(epoch FROM {row}.{created_at}) / 86400)::int8 ELSE 0 END"
        ),
        None => "0::int8".to_owned(),
    }
}

impl CountsByDay {
    /// Parses a JSON array with an array for each day: the day, the live rows and the deleted rows.
    pub fn parse(json: &str) -> CountsByDay {
        let days: Vec<(i64, i64, i64)> = serde_json::from_str(json).unwrap_or_default();
        CountsByDay(days.into_iter().map(|(day, live, deleted)| (day, Counts { live, deleted })).collect())
    }

    fn from_rows(rows: &[Row]) -> CountsByDay {
        let number = |row: &Row, index: usize| row.get(index)?.as_ref()?.parse().ok();
        let counts = |row: &Row| Some((number(row, 0)?, Counts { live: number(row, 1)?, deleted: number(row, 2)? }));
        CountsByDay(rows.iter().filter_map(counts).collect())
    }

    fn to_json(&self) -> String {
        let days = self.0.iter().filter(|(_, counts)| **counts != Counts::default());
        let days: Vec<_> = days.map(|(day, Counts { live, deleted })| (day, live, deleted)).collect();
        serde_json::to_string(&days).unwrap_or_default()
    }

    pub fn total(&self) -> Counts {
        self.0.values().fold(Counts::default(), |mut total, counts| {
            total.add(*counts);
            total
        })
    }

    /// How many rows are not deleted. The count may be wrong if an application has changed the table on its own; a sum
    /// below 0 is returned as 0.
    pub fn live(&self) -> u64 {
        u64::try_from(self.total().live).unwrap_or(0)
    }

    /// The differences between these counts and others.
    fn minus(mut self, other: CountsByDay) -> CountsByDay {
        for (day, Counts { live, deleted }) in other.0 {
            self.0.entry(day).or_default().add(Counts { live: -live, deleted: -deleted });
        }
        self
    }
}

/// The stored counts.
pub fn stored(mirror: &Entry, table: &Table) -> Result<CountsByDay, FdwError> {
    Ok(CountsByDay::from_rows(&store::rows(STORED_COUNTS, &[Some(&mirror.key()), Some(table.object.name)])?))
}

const STORED_COUNTS: &str = "SELECT c.day, sum(c.live), sum(c.deleted) FROM clerk_fdw_internal.row_count c
                     WHERE c.mirror = $1::int4 AND c.object = $2 GROUP BY c.day";

/// The changes of the counts, which a statement takes as its parameter `$3`.
const CHANGES_CTE: &str = "changed AS (
  SELECT (c.value ->> 0)::int8 AS day, (c.value ->> 1)::int8 AS live, (c.value ->> 2)::int8 AS deleted
    FROM jsonb_array_elements($3::jsonb) c(value))";

/// Records by how much the counts have changed.
pub fn record_change(mirror: &Entry, table: &Table, change: &CountsByDay) -> Result<(), FdwError> {
    if change.0.values().all(|counts| *counts == Counts::default()) {
        return Ok(());
    }
    let insert = "INSERT INTO clerk_fdw_internal.row_count (mirror, object, day, live, deleted)
                SELECT $1::int4, $2, changed.day, changed.live, changed.deleted FROM changed";
    // A transaction that keeps one snapshot cannot update a row that others have changed since (a serialization
    // failure), so it inserts new rows instead.
    // SAFETY: XactIsoLevel is an int that Postgres sets at the start of a transaction, and only this thread of the
    // backend reads or writes it.
    let sees_latest_commits = unsafe { pg_sys::XactIsoLevel } <= pg_sys::XACT_READ_COMMITTED as i32;
    let statement = match sees_latest_commits {
        true => format!(
            "WITH {CHANGES_CTE},
             free AS (
               SELECT one.day, one.slot FROM changed CROSS JOIN LATERAL (
                 SELECT c.day, c.slot FROM clerk_fdw_internal.row_count c
                  WHERE c.mirror = $1::int4 AND c.object = $2 AND c.day = changed.day
                  ORDER BY c.slot LIMIT 1 FOR UPDATE SKIP LOCKED) one),
             noted AS (
               UPDATE clerk_fdw_internal.row_count c
                  SET live = c.live + changed.live, deleted = c.deleted + changed.deleted
                 FROM free JOIN changed ON changed.day = free.day
                WHERE c.mirror = $1::int4 AND c.object = $2 AND c.day = free.day AND c.slot = free.slot
               RETURNING c.day)
             {insert} WHERE NOT EXISTS (SELECT FROM noted WHERE noted.day = changed.day)"
        ),
        false => format!("WITH {CHANGES_CTE} {insert}"),
    };
    store::run(&statement, &[Some(&mirror.key()), Some(table.object.name), Some(&change.to_json())])
}

/// Counts the rows that came from Clerk.
pub fn count_rows(table: &Table) -> Result<CountsByDay, FdwError> {
    let (name, deleted_at, synced_at) = (&table.name, table.deleted_at(), table.synced_at());
    let count = format!(
        "SELECT {}, count(*) FILTER (WHERE t.{deleted_at} IS NULL), count(*) FILTER (WHERE t.{deleted_at} IS NOT NULL)
           FROM {name} t WHERE t.{synced_at} IS NOT NULL GROUP BY 1",
        day_sql(table, "t")
    );
    Ok(CountsByDay::from_rows(&table.sandboxed(|| spi::read(&count, &[]))?))
}

/// Counts the rows, corrects the stored counts, and returns the counts by day.
pub fn recount(mirror: &Entry, table: &Table) -> Result<Counts, FdwError> {
    let key = mirror.key();
    let key_values = [Some(&*key), Some(table.object.name)];
    // The rows and the stored counts are read in one snapshot: a change is visible in both or in neither.
    // SAFETY: the call runs in a transaction, which GetTransactionSnapshot needs. PopActiveSnapshot removes the
    // snapshot that PushActiveSnapshot pushed, because the statements between them pop what they push. If one of them
    // fails, the abort of the (sub)transaction pops it.
    let (counted, stored) = unsafe {
        pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
        let counted = count_rows(table)?;
        let stored = CountsByDay::from_rows(&store::rows_in_active_snapshot(STORED_COUNTS, &key_values)?);
        pg_sys::PopActiveSnapshot();
        (counted, stored)
    };
    let total = counted.total();
    // The stored rows that no other transaction has locked are merged into one row for each day, together with the
    // correction.
    store::run(
        &format!(
            "WITH {CHANGES_CTE},
             free AS (
               SELECT c.day, c.slot FROM clerk_fdw_internal.row_count c WHERE c.mirror = $1::int4 AND c.object = $2
                  FOR UPDATE SKIP LOCKED),
             gone AS (
               DELETE FROM clerk_fdw_internal.row_count c USING free
                WHERE c.mirror = $1::int4 AND c.object = $2 AND c.day = free.day AND c.slot = free.slot
               RETURNING c.day, c.live, c.deleted)
             INSERT INTO clerk_fdw_internal.row_count (mirror, object, day, live, deleted)
             SELECT $1::int4, $2, every.day, sum(every.live), sum(every.deleted)
               FROM (TABLE gone UNION ALL TABLE changed) every GROUP BY every.day
             HAVING sum(every.live) <> 0 OR sum(every.deleted) <> 0"
        ),
        &[key_values[0], key_values[1], Some(&counted.minus(stored).to_json())],
    )?;
    Ok(total)
}
