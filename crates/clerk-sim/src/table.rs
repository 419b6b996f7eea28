//! Tables of rows in the order of creation, which are found by id or by time.

use std::collections::HashMap;
use std::sync::Arc;

/// What every object of Clerk's has: an id and a time of creation.
pub(crate) trait Row {
    fn id(&self) -> &str;

    /// Unix milliseconds.
    fn created_at(&self) -> i64;

    /// The key by which tables are sorted. The id decides between objects of the same millisecond, so that paging is
    /// stable.
    fn key(&self) -> (i64, &str) {
        (self.created_at(), self.id())
    }
}

/// Rows sorted by creation, so that ranges of creation time and cursors are found by binary search.
pub(crate) struct Table<R> {
    rows: Vec<Arc<R>>,
    by_id: HashMap<String, Arc<R>>,
}

impl<R: Row> Table<R> {
    pub(crate) fn new(rows: Vec<R>) -> Self {
        let mut rows: Vec<Arc<R>> = rows.into_iter().map(Arc::new).collect();
        rows.sort_unstable_by(|a, b| a.key().cmp(&b.key()));
        let by_id = rows.iter().map(|row| (row.id().to_owned(), Arc::clone(row))).collect();
        Table { rows, by_id }
    }

    pub(crate) fn get(&self, id: &str) -> Option<&R> {
        self.by_id.get(id).map(Arc::as_ref)
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// One of `count` rows at equal distances over the whole table.
    pub(crate) fn spread(&self, place: usize, count: usize) -> Option<&R> {
        let place = place.checked_mul(self.rows.len())?.checked_div(count)?;
        self.rows.get(place).map(Arc::as_ref)
    }

    /// Every row, the oldest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &R> + ExactSizeIterator {
        self.rows.iter().map(Arc::as_ref)
    }

    /// The rows created after `after` and before `before`, both exclusive, the oldest first.
    pub(crate) fn created_between(&self, after: Option<i64>, before: Option<i64>) -> Vec<&R> {
        let start = after.map_or(0, |time| self.rows.partition_point(|row| row.created_at() <= time));
        let end = before.map_or(self.rows.len(), |time| self.rows.partition_point(|row| row.created_at() < time));
        let rows = self.rows.get(start..end).unwrap_or_default();
        rows.iter().map(Arc::as_ref).collect()
    }

    /// Adds a row, or replaces the row with the same id.
    pub(crate) fn put(&mut self, row: R) {
        self.remove(row.id());
        let row = Arc::new(row);
        let place = self.rows.partition_point(|other| other.key() < row.key());
        self.by_id.insert(row.id().to_owned(), Arc::clone(&row));
        self.rows.insert(place, row);
    }

    pub(crate) fn remove(&mut self, id: &str) -> Option<Arc<R>> {
        let row = self.by_id.remove(id)?;
        let place = self.rows.partition_point(|other| other.key() < row.key());
        Some(self.rows.remove(place))
    }
}
