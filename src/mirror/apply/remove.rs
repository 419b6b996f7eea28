//! Removes the rows of objects that Clerk has deleted, softly or not, and records a tombstone for each.

use crate::error::FdwError;
use crate::mirror::apply::tombstone;
use crate::mirror::model::{Deletes, Mirror, Table};
use crate::mirror::row_counts::{self, ByDay, Counts};
use crate::mirror::timestamp::{self, Timestamp};
use crate::pg::spi::Planned;

/// Which rows of a table are removed: those that meet all conditions that are set.
#[derive(Default, Clone, Copy)]
pub struct RowFilter<'w> {
    /// A quoted column and the value that it must have.
    pub with: Option<(&'w str, &'w str)>,
    /// Only rows that a sync last wrote before this time. A row that no sync has written did not come from Clerk.
    pub older_than: Option<Timestamp>,
    pub among: Option<&'w [String]>,
    pub except: Option<&'w [String]>,
}

/// Removes rows and returns their number. `deleted_at` is when Clerk deleted the objects; `None` if they have only now
/// been found to be deleted.
pub fn remove(mirror: &Mirror, table: &Table, which: RowFilter, at: Option<Timestamp>) -> Result<u64, FdwError> {
    let (name, id) = (&table.name, table.id());
    let (deleted_at, synced_at) = (table.deleted_at(), table.synced_at());
    let is_soft = mirror.deletes == Deletes::Soft;
    let conditions: Vec<_> = [
        is_soft.then(|| format!("t.{deleted_at} IS NULL")),
        which.with.map(|(column, _)| table.is("t", column, "$2")),
        which.older_than.map(|_| format!("t.{synced_at} < {}", timestamp::from_parameter_sql("$3"))),
        which.among.map(|_| table.is_among("t", "$4")),
        which.except.map(|_| format!("NOT {}", table.is_among("t", "$5"))),
    ]
    .into_iter()
    .flatten()
    .collect();
    // Rows are locked in the order of their ids, as when pages are merged, so that two transactions do not deadlock.
    let locked = format!(
        "(SELECT t.{id}, {} AS day, t.{deleted_at} IS NULL AS is_live, t.{synced_at} IS NOT NULL AS is_counted \
            FROM {name} t WHERE {} ORDER BY t.{id} FOR UPDATE) locked",
        row_counts::day(table, "t"),
        conditions.join(" AND ")
    );
    let gone = match is_soft {
        true => format!(
            "UPDATE {name} gone SET {deleted_at} = coalesce({}, clock_timestamp()), {synced_at} = clock_timestamp() \
               FROM {locked}",
            timestamp::from_parameter_sql("$1")
        ),
        false => format!("DELETE FROM {name} gone USING {locked}"),
    };
    let statement = format!(
        "{gone} WHERE gone.{id} = locked.{id} \
         RETURNING gone.{id}::text, locked.day, locked.is_live, locked.is_counted"
    );
    let (among, except) = (which.among.map(tombstone::json), which.except.map(tombstone::json));
    let (at_text, older_than) = (at.map(Timestamp::parameter), which.older_than.map(Timestamp::parameter));
    let values = [
        at_text.as_deref(),
        which.with.map(|(_, value)| value),
        older_than.as_deref(),
        among.as_deref(),
        except.as_deref(),
    ];
    let planned = if which.among.is_some() { Planned::EachTime } else { Planned::Once };
    let mut ids = Vec::new();
    let mut change = ByDay::default();
    for row in table.rows(&statement, &values, planned)? {
        let [Some(id), Some(day), is_live, is_counted] = &row[..] else { continue };
        let was = |flag: &Option<String>| i64::from(flag.as_deref() == Some("t"));
        let (live, counted) = (was(is_live), was(is_counted));
        let deleted = if is_soft { 1 } else { (live - 1) * counted };
        change.0.entry(day.parse().unwrap_or(0)).or_default().add(Counts { live: -live * counted, deleted });
        ids.push(id.clone());
    }
    row_counts::note(mirror, table, &change)?;
    tombstone::record(mirror, table, &ids, at)?;
    Ok(ids.len() as u64)
}

/// Removes the rows that cannot exist without a deleted object, such as the memberships of a user. Clerk sends events
/// of these deletions as well, but later: until then the rows would give rights that have ended.
pub fn what_belongs_to(mirror: &Mirror, table: &Table, id: &str, at: Option<Timestamp>) -> Result<(), FdwError> {
    for child in mirror.children(table.object)? {
        let Some(parent) = child.object.parent(table.object).and_then(|parent| child.column(parent.name)) else {
            continue;
        };
        remove(mirror, &child, RowFilter { with: Some((parent, id)), ..RowFilter::default() }, at)?;
    }
    Ok(())
}
