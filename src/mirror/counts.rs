//! How many rows a mirror's tables have: kept, because counting costs what the table has and not what has changed.
//!
//! Whoever changes rows notes by how much in the same transaction, in a row of `clerk_fdw_internal.row_count` that
//! nobody else has locked, or in a new one: so nobody waits for a transaction that is open. Their sum is the count. What
//! an application inserts or deletes by itself nobody notes; a full sync counts, and finds it.

use pgrx::pg_sys;

use super::config::{Entry, Table};
use super::store;
use crate::error::FdwError;
use crate::spi;

/// Numbers of rows that came from Clerk, or how these numbers have changed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    pub live: i64,
    pub deleted: i64,
}

/// The counts as they were kept.
pub fn kept(mirror: &Entry, table: &Table) -> Result<Counts, FdwError> {
    Ok(of_row(store::row(KEPT, &[Some(&mirror.key()), Some(table.object.name)])?))
}

const KEPT: &str = "SELECT coalesce(sum(live), 0), coalesce(sum(deleted), 0) FROM clerk_fdw_internal.row_count
                     WHERE mirror = $1::int4 AND object = $2";

/// Notes by how much the counts have changed.
pub fn note(mirror: &Entry, table: &Table, change: Counts) -> Result<(), FdwError> {
    if change == Counts::default() {
        return Ok(());
    }
    let anew = "INSERT INTO clerk_fdw_internal.row_count (mirror, object, live, deleted)
                SELECT $1::int4, $2, $3::int8, $4::int8";
    let in_a_free_one = format!(
        "WITH free AS (
           SELECT c.slot FROM clerk_fdw_internal.row_count c WHERE c.mirror = $1::int4 AND c.object = $2
            ORDER BY c.slot LIMIT 1 FOR UPDATE SKIP LOCKED),
         noted AS (
           UPDATE clerk_fdw_internal.row_count c SET live = c.live + $3::int8, deleted = c.deleted + $4::int8
             FROM free WHERE c.mirror = $1::int4 AND c.object = $2 AND c.slot = free.slot RETURNING 1)
         {anew} WHERE NOT EXISTS (SELECT FROM noted)"
    );
    // A transaction with an older snapshot may not change a row that others have changed meanwhile.
    // SAFETY: reads a variable of this backend.
    let sees_the_latest = unsafe { pg_sys::XactIsoLevel } <= pg_sys::XACT_READ_COMMITTED as i32;
    let (live, deleted) = (change.live.to_string(), change.deleted.to_string());
    store::run(
        if sees_the_latest { &in_a_free_one } else { anew },
        &[Some(&mirror.key()), Some(table.object.name), Some(&live), Some(&deleted)],
    )
}

/// Counts the rows, sets the counts that were kept right, and gives them.
pub fn check(mirror: &Entry, table: &Table) -> Result<Counts, FdwError> {
    let (name, deleted_at, synced_at) = (&table.name, table.deleted_at(), table.synced_at());
    let exact = format!(
        "SELECT count(*) FILTER (WHERE t.{deleted_at} IS NULL), count(*) FILTER (WHERE t.{deleted_at} IS NOT NULL)
           FROM {name} t WHERE t.{synced_at} IS NOT NULL"
    );
    let key = mirror.key();
    let of_table = [Some(&*key), Some(table.object.name)];
    // Both are read in one snapshot: a change is in the rows and in the counts, or in neither.
    // SAFETY: the snapshot that is taken off again is the one that was put on; after an error, the end of the
    // (sub)transaction does so.
    let (exact, kept) = unsafe {
        pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
        let exact = table.sandboxed(|| spi::read(&exact, &[]))?;
        let kept = store::read(KEPT, &of_table)?;
        pg_sys::PopActiveSnapshot();
        (of_row(exact.into_iter().next()), of_row(kept.into_iter().next()))
    };
    // Those that nobody has locked become one, together with the difference.
    store::run(
        "WITH free AS (
           SELECT c.slot FROM clerk_fdw_internal.row_count c WHERE c.mirror = $1::int4 AND c.object = $2
              FOR UPDATE SKIP LOCKED),
         gone AS (
           DELETE FROM clerk_fdw_internal.row_count c USING free
            WHERE c.mirror = $1::int4 AND c.object = $2 AND c.slot = free.slot RETURNING c.live, c.deleted)
         INSERT INTO clerk_fdw_internal.row_count (mirror, object, live, deleted)
         SELECT $1::int4, $2, coalesce(sum(live), 0) + $3::int8, coalesce(sum(deleted), 0) + $4::int8 FROM gone",
        &[
            of_table[0],
            of_table[1],
            Some(&(exact.live - kept.live).to_string()),
            Some(&(exact.deleted - kept.deleted).to_string()),
        ],
    )?;
    Ok(exact)
}

fn of_row(row: Option<spi::Row>) -> Counts {
    let number = |text: &Option<String>| text.as_ref()?.parse().ok();
    let row = row.unwrap_or_default();
    let at = |index: usize| row.get(index).and_then(number).unwrap_or(0);
    Counts { live: at(0), deleted: at(1) }
}
