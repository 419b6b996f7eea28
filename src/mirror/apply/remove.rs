//! Rows whose objects Clerk has no more: softly or not, each with a tombstone.

use crate::error::FdwError;
use crate::mirror::apply::tombstone;
use crate::mirror::model::{Deletes, Mirror, Table};
use crate::mirror::moment::{self, Moment};
use crate::mirror::row_counts::{self, ByDay, Counts};
use crate::pg::spi::Planned;

/// Which rows of a table go: those for which all holds that is said.
#[derive(Default, Clone, Copy)]
pub struct RowFilter<'w> {
    /// A column, quoted, and its value.
    pub with: Option<(&'w str, &'w str)>,
    /// They were last written before that. What no sync has written is not Clerk's.
    pub older_than: Option<Moment>,
    pub among: Option<&'w [String]>,
    pub except: Option<&'w [String]>,
}

/// Deletes rows; `at` is when Clerk deleted the objects, `None` if they were found to be gone just now.
pub fn remove(mirror: &Mirror, table: &Table, which: RowFilter, at: Option<Moment>) -> Result<u64, FdwError> {
    let (name, id) = (&table.name, table.id());
    let (deleted_at, synced_at) = (table.deleted_at(), table.synced_at());
    let is_soft = mirror.deletes == Deletes::Soft;
    let conditions: Vec<_> = [
        is_soft.then(|| format!("t.{deleted_at} IS NULL")),
        which.with.map(|(column, _)| table.is("t", column, "$2")),
        which.older_than.map(|_| format!("t.{synced_at} < {}", moment::time("$3"))),
        which.among.map(|_| table.is_among("t", "$4")),
        which.except.map(|_| format!("NOT {}", table.is_among("t", "$5"))),
    ]
    .into_iter()
    .flatten()
    .collect();
    // In the order of ids, as pages are merged, so that nobody waits for each other.
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
            moment::time("$1")
        ),
        false => format!("DELETE FROM {name} gone USING {locked}"),
    };
    let statement = format!(
        "{gone} WHERE gone.{id} = locked.{id} \
         RETURNING gone.{id}::text, locked.day, locked.is_live, locked.is_counted"
    );
    let (among, except) = (which.among.map(tombstone::json), which.except.map(tombstone::json));
    let (at_text, older_than) = (at.map(Moment::parameter), which.older_than.map(Moment::parameter));
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

/// Removes what cannot be without an object that is gone, such as the memberships of a user. Clerk tells of these
/// deletions as well, but later: until then they would give rights that have ended.
pub fn what_belongs_to(mirror: &Mirror, table: &Table, id: &str, at: Option<Moment>) -> Result<(), FdwError> {
    for child in mirror.children(table.object)? {
        let Some(parent) = child.object.parent(table.object).and_then(|parent| child.column(parent.name)) else {
            continue;
        };
        remove(mirror, &child, RowFilter { with: Some((parent, id)), ..RowFilter::default() }, at)?;
    }
    Ok(())
}
