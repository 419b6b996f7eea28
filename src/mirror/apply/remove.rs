//! Removes the rows of objects that Clerk has deleted, softly or not, and records a tombstone for each.

use crate::error::FdwError;
use crate::mirror::apply::tombstone;
use crate::mirror::model::{DeleteMode, Mirror, Table};
use crate::mirror::row_counts::{self, Counts, CountsByDay};
use crate::mirror::timestamp::{self, Timestamp};
use crate::pg::spi::PlanPolicy;

/// Which rows of a table are removed: those that meet all conditions that are set.
#[derive(Default, Clone, Copy)]
pub struct RowFilter<'f> {
    /// A quoted column and the value that it must have.
    pub column: Option<(&'f str, &'f str)>,
    /// Only rows that a sync last wrote before this time. A row that no sync has written did not come from Clerk.
    pub written_before: Option<Timestamp>,
    /// Only rows with these ids.
    pub ids: Option<&'f [String]>,
    /// No rows with these ids.
    pub except_ids: Option<&'f [String]>,
}

/// Removes rows and returns their number. `deleted_at` is when Clerk deleted the objects; `None` if they have only now
/// been found to be deleted.
pub fn remove(
    mirror: &Mirror,
    table: &Table,
    filter: RowFilter,
    deleted_at: Option<Timestamp>,
) -> Result<u64, FdwError> {
    let (name, id) = (&table.name, table.id());
    let (deleted_column, synced_column) = (table.deleted_at(), table.synced_at());
    let is_soft = mirror.deletes == DeleteMode::Soft;
    let conditions: Vec<_> = [
        is_soft.then(|| format!("t.{deleted_column} IS NULL")),
        filter.column.map(|(column, _)| table.equals_sql("t", column, "$2")),
        filter.written_before.map(|_| format!("t.{synced_column} < {}", timestamp::from_parameter_sql("$3"))),
        filter.ids.map(|_| table.id_in_sql("t", "$4")),
        filter.except_ids.map(|_| format!("NOT {}", table.id_in_sql("t", "$5"))),
    ]
    .into_iter()
    .flatten()
    .collect();
    // Rows are locked in the order of their ids, as when pages are merged, so that two transactions do not deadlock.
    let locked = format!(
        "(SELECT t.{id}, {} AS day, t.{deleted_column} IS NULL AS is_live, t.{synced_column} IS NOT NULL AS is_counted \
            FROM {name} t WHERE {} ORDER BY t.{id} FOR UPDATE) locked",
        row_counts::day_sql(table, "t"),
        conditions.join(" AND ")
    );
    let command = match is_soft {
        true => format!(
            "UPDATE {name} gone SET {deleted_column} = coalesce({}, clock_timestamp()), {synced_column} = clock_timestamp() \
               FROM {locked}",
            timestamp::from_parameter_sql("$1")
        ),
        false => format!("DELETE FROM {name} gone USING {locked}"),
    };
    let statement = format!(
        "{command} WHERE gone.{id} = locked.{id} \
         RETURNING gone.{id}::text, locked.day, locked.is_live, locked.is_counted"
    );
    let (listed, excepted) = (filter.ids.map(tombstone::json_array), filter.except_ids.map(tombstone::json_array));
    let (at, written_before) = (deleted_at.map(Timestamp::parameter), filter.written_before.map(Timestamp::parameter));
    let values = [
        at.as_deref(),
        filter.column.map(|(_, value)| value),
        written_before.as_deref(),
        listed.as_deref(),
        excepted.as_deref(),
    ];
    let planned = if filter.ids.is_some() { PlanPolicy::EachTime } else { PlanPolicy::Once };
    let mut ids = Vec::new();
    let mut change = CountsByDay::default();
    for row in table.rows(&statement, &values, planned)? {
        let [Some(id), Some(day), is_live, is_counted] = &row[..] else { continue };
        let number = |flag: &Option<String>| i64::from(flag.as_deref() == Some("t"));
        let (live, counted) = (number(is_live), number(is_counted));
        let deleted = if is_soft { 1 } else { (live - 1) * counted };
        change.0.entry(day.parse().unwrap_or(0)).or_default().add(Counts { live: -live * counted, deleted });
        ids.push(id.clone());
    }
    row_counts::record_change(mirror, table, &change)?;
    tombstone::record(mirror, table, &ids, deleted_at)?;
    Ok(ids.len() as u64)
}

/// Removes the rows that cannot exist without a deleted object, such as the memberships of a user. Clerk sends events
/// of these deletions as well, but later: until then the rows would give rights that have ended.
pub fn remove_children(mirror: &Mirror, table: &Table, id: &str, at: Option<Timestamp>) -> Result<(), FdwError> {
    for child in mirror.children(table.object)? {
        let Some(parent) = child.object.parent(table.object).and_then(|parent| child.column(parent.name)) else {
            continue;
        };
        remove(mirror, &child, RowFilter { column: Some((parent, id)), ..RowFilter::default() }, at)?;
    }
    Ok(())
}
