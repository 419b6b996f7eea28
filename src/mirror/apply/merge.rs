//! Merges pages of Clerk's objects into a mirror's table.

use clerk_api::catalog::Column;
use clerk_api::{Fetch, Locator, Page, extra_params};
use pgrx::pg_sys;

use crate::error::FdwError;
use crate::fdw::convert::{self, ColumnConverter};
use crate::fdw::exec::rows;
use crate::mirror::apply::tombstone;
use crate::mirror::lock;
use crate::mirror::model::{ColumnMapping, Mirror, Table};
use crate::mirror::row_counts::{self, CountsByDay};
use crate::mirror::timestamp::{self, Timestamp};
use crate::pg::encoding::to_c_string;
use crate::pg::memory::child_context;
use crate::pg::spi::{self, PlanPolicy};
use crate::pg::subtransaction::{Failure, MAX_ATTEMPTS, in_subtransaction};
use crate::pg::tuples;

/// The name under which the statements here refer to the page.
const PAGE_RELATION: &str = "clerk_page";

/// What merging a page did to the table, or would do.
#[derive(Default, Clone, Copy)]
pub struct Merged {
    pub inserted: u64,
    pub updated: u64,
    pub unchanged: u64,
    /// Rows of the table that are not deleted and that Clerk still has. Only dry runs count them.
    pub retained: u64,
}

/// Merges pages into one table.
pub struct Merge<'t> {
    table: &'t Table,
    mirror: &'t Mirror,
    /// The columns of the catalogue that the table's columns need.
    columns: Vec<&'static Column>,
    /// Objects whose deletion was recorded after this time stay deleted. `None` if a merge may restore every object.
    since: Option<Timestamp>,
    /// When the objects were deleted, if the page holds their last states.
    deleted_at: Option<Timestamp>,
    statement: String,
    is_dry: bool,
}

/// The parameters of the statement.
const SINCE: &str = "$1";
const DELETED_AT: &str = "$2";

impl<'t> Merge<'t> {
    /// `since` is when reading began: an object whose deletion was recorded later stays deleted.
    pub fn new(mirror: &'t Mirror, table: &'t Table, since: Option<Timestamp>, is_dry: bool) -> Self {
        let statement = if is_dry { dry_run_sql(table) } else { upsert_sql(table) };
        Merge { table, mirror, columns: required_columns(table), since, deleted_at: None, statement, is_dry }
    }

    /// Merges states of objects from before they were deleted.
    pub fn for_deleted(mirror: &'t Mirror, table: &'t Table, deleted_at: Timestamp) -> Self {
        Merge { deleted_at: Some(deleted_at), ..Merge::new(mirror, table, None, false) }
    }

    /// Where the values that the merge needs lie in an object.
    pub fn locators(&self) -> Vec<Locator> {
        self.columns.iter().map(|column| column.source.into()).collect()
    }

    /// Extends a fetch by the values that the merge needs.
    pub fn fetch(&self, fetch: Fetch) -> Fetch {
        let extra_params = extra_params(self.columns.iter().filter_map(|column| column.extra_param));
        Fetch { columns: self.locators(), extra_params, ..fetch }
    }

    /// Merges a page. If the table refuses it because of some of its objects, halving the page finds these, and each is
    /// passed to `on_refused`. Objects that another transaction is changing come last. They are merged one at a time,
    /// each after a `commit` that releases all locks, so that a transaction that stays open delays only this sync.
    pub fn page(
        &self,
        page: &Page,
        commit: impl Fn(),
        mut on_refused: impl FnMut(&str, Failure),
    ) -> Result<Merged, Failure> {
        let mut total = Merged::default();
        let mut busy = Vec::new();
        let mut attempts = 1;
        let mut groups: Vec<Vec<usize>> = vec![(0..page.len()).collect()];
        let mut waits_for_locks = false;
        while let Some(group) = groups.pop() {
            let result = in_subtransaction(|| {
                let lock = |object: &usize| match (self.is_dry, page.id(*object)) {
                    (true, _) => true,
                    (false, id) if waits_for_locks => {
                        lock::object(self.mirror, self.table, &id);
                        true
                    }
                    (false, id) => lock::try_object(self.mirror, self.table, &id),
                };
                let (free, busy): (Vec<usize>, Vec<usize>) = group.iter().partition(|object| lock(object));
                Ok((self.objects(page, &free)?, busy))
            });
            match result {
                Ok((merged, busy_objects)) => {
                    attempts = 1;
                    total.add(merged);
                    busy.extend(busy_objects);
                }
                // An application is changing the same rows in another order. The subtransaction that failed has
                // released its locks, so the other transaction can finish, and this group is tried again.
                Err(failure) if failure.is_deadlock() && attempts < MAX_ATTEMPTS => {
                    attempts += 1;
                    groups.push(group);
                }
                Err(failure) if failure.is_row_error() && group.len() > 1 => {
                    let (first, second) = group.split_at(group.len() / 2);
                    groups.extend([second.to_vec(), first.to_vec()]);
                }
                Err(failure) if failure.is_row_error() => on_refused(&page.id(group[0]), failure),
                Err(failure) => return Err(failure),
            }
            if groups.is_empty()
                && let Some(object) = busy.pop()
            {
                commit();
                waits_for_locks = true;
                groups.push(vec![object]);
            }
        }
        Ok(total)
    }

    /// Merges some objects of a page in the current transaction.
    pub fn objects(&self, page: &Page, objects: &[usize]) -> Result<Merged, FdwError> {
        let count = objects.len() as u64;
        let mut existing = objects.to_vec();
        if let Some(since) = self.since {
            let ids: Vec<_> = existing.iter().map(|object| page.id(*object).into_owned()).collect();
            let deleted_ids = tombstone::recorded_since(self.mirror, self.table, &ids, since)?;
            existing.retain(|object| !deleted_ids.iter().any(|id| *id == page.id(*object)));
        }
        let (since, deleted_at) = (self.since.map(Timestamp::parameter), self.deleted_at.map(Timestamp::parameter));
        // A whole page is planned each time: while a table fills up, the best plan changes.
        let planned = if existing.len() > 1 { PlanPolicy::EachTime } else { PlanPolicy::Once };
        let row = self.table.sandboxed(|| {
            spi::connected(|| {
                // SAFETY: `connected` has just opened the SPI connection, which makes its memory context the current
                // one.
                let store = unsafe { self.register_relation(page, &existing)? };
                let values = [since.as_deref(), deleted_at.as_deref()];
                let rows = spi::execute_prepared(&self.statement, &values, planned, false)?;
                // SAFETY: the statement has ended, and no other one names the relation before the connection is closed.
                // Without this, Postgres would warn of the temporary file of a page that did not fit in memory.
                unsafe { pg_sys::tuplestore_end(store) };
                Ok(rows.into_iter().next().unwrap_or_default())
            })
        })?;
        let number = |index: usize| row.get(index).and_then(|text| text.as_ref()?.parse().ok()).unwrap_or(0);
        let (inserted, updated) = (number(0), number(1));
        let unchanged = count.saturating_sub(inserted + updated);
        if self.is_dry {
            return Ok(Merged { inserted, updated, unchanged, retained: number(2) });
        }
        if let Some(Some(change)) = row.get(2) {
            row_counts::record_change(self.mirror, self.table, &CountsByDay::parse(change))?;
        }
        Ok(Merged { inserted, updated, unchanged, retained: 0 })
    }

    /// Registers some objects of a page as a relation of the current SPI connection, and returns the tuplestore that
    /// holds them.
    ///
    /// # Safety
    /// An SPI connection is open, and its memory context is the current one.
    unsafe fn register_relation(
        &self,
        page: &Page,
        objects: &[usize],
    ) -> Result<*mut pg_sys::Tuplestorestate, FdwError> {
        /// The memory in KB that a page may use before the tuplestore writes it to disk. 64 MB hold any usual page of
        /// at most 500 objects.
        const MEMORY_KB: i32 = 64 * 1024;
        // SAFETY: the caller guarantees that an SPI connection is open and that its memory context is the current one,
        // so the descriptor, the slot, the tuplestore and what the converters allocate live until the connection is
        // closed. If the statement fails, the (sub)transaction's resource owner closes the tuplestore's file. The
        // descriptor has an attribute of the converter's type for each converter, and the slot was made for that
        // descriptor, so `fill` writes within the slot's arrays. tuplestore_puttupleslot copies the row before the
        // object's context is reset.
        unsafe {
            let descriptor = pg_sys::CreateTemplateTupleDesc(self.columns.len() as i32);
            let mut converters = Vec::new();
            for (index, column) in self.columns.iter().enumerate() {
                let number = index as i16 + 1;
                let oid = convert::type_oid(column.kind);
                pg_sys::TupleDescInitEntry(descriptor, number, to_c_string(column.name), oid, -1, 0);
                converters.push(ColumnConverter::of_column(number, column, pg_sys::CurrentMemoryContext));
            }
            let store = pg_sys::tuplestore_begin_heap(false, false, MEMORY_KB);
            let slot = pg_sys::MakeSingleTupleTableSlot(descriptor, &raw const pg_sys::TTSOpsVirtual);
            // The memory that converting an object needs is reused for the next object.
            let object_memory = child_context(pg_sys::CurrentMemoryContext, c"clerk_fdw object");
            for object in objects {
                let memory = pg_sys::MemoryContextSwitchTo(object_memory);
                rows::fill(slot, page, *object, &converters, self.table.object);
                pg_sys::MemoryContextSwitchTo(memory);
                pg_sys::ExecStoreVirtualTuple(slot);
                pg_sys::tuplestore_puttupleslot(store, slot);
                tuples::clear(slot);
                pg_sys::MemoryContextReset(object_memory);
            }
            spi::name_relation(PAGE_RELATION, descriptor, store, objects.len() as f64)?;
            Ok(store)
        }
    }

    /// The row of an object as JSON, if the table has one.
    pub fn row_json(table: &Table, id: &str) -> Result<Option<String>, FdwError> {
        let query =
            format!("SELECT to_jsonb(t)::text FROM {} t WHERE {}", table.name, table.equals_sql("t", table.id(), "$1"));
        table.value(&query, &[Some(id)])
    }
}

impl Merged {
    pub fn add(&mut self, other: Merged) {
        self.inserted += other.inserted;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
        self.retained += other.retained;
    }
}

/// The columns of the catalogue that a table's columns need.
fn required_columns(table: &Table) -> Vec<&'static Column> {
    table
        .object
        .columns
        .iter()
        .filter(|column| column.name == table.object.id().name || table.uses_column(column.name))
        .collect()
}

/// The query for the values that the page's objects have in the table's columns.
fn source_sql(table: &Table) -> String {
    let deleted_at = timestamp::from_parameter_sql(DELETED_AT);
    let values = table.columns.iter().map(|mapping| {
        let value = match &*mapping.expression {
            "synced_at" => "clock_timestamp()",
            "deleted_at" => &deleted_at,
            expression => expression,
        };
        format!("({value})::{} AS {}", mapping.data_type, mapping.column)
    });
    format!("SELECT {} FROM {PAGE_RELATION}", values.collect::<Vec<_>>().join(", "))
}

/// The value that a column of the row `t` gets from the state `new`.
fn merged_value_sql(mapping: &ColumnMapping, new: &str) -> String {
    let column = &mapping.column;
    match mapping.is_merged {
        true => format!(
            "CASE WHEN jsonb_typeof(t.{column}) = 'object' AND jsonb_typeof({new}.{column}) = 'object' \
             THEN t.{column} || {new}.{column} ELSE {new}.{column} END"
        ),
        false => format!("{new}.{column}"),
    }
}

/// The condition that the row `t` is replaced by the state `new`. It never is by an older state, nor if its deletion
/// was recorded after reading began.
fn should_replace_sql(table: &Table, new: &str) -> String {
    let since = format!("coalesce({}, 'infinity')", timestamp::from_parameter_sql(SINCE));
    let differs =
        table.columns.iter().filter(|mapping| !matches!(&*mapping.expression, "synced_at" | "deleted_at")).map(
            |mapping| {
                let cast = if mapping.is_comparable { "" } else { "::text" };
                format!("t.{}{cast} IS DISTINCT FROM ({}){cast}", mapping.column, merged_value_sql(mapping, new))
            },
        );
    let differs: Vec<_> = differs.collect();
    let not_older = table.updated_at().map_or(String::new(), |updated_at| {
        format!("(t.{updated_at} IS NULL OR {new}.{updated_at} >= t.{updated_at}) AND ")
    });
    let (deleted_at, synced_at) = (table.deleted_at(), table.synced_at());
    format!(
        "{not_older}(t.{deleted_at} IS NULL OR t.{synced_at} IS NULL OR t.{synced_at} < {since}) \
         AND (t.{deleted_at} IS NOT NULL OR t.{synced_at} IS NULL OR {})",
        differs.join(" OR ")
    )
}

/// The statement that inserts and updates rows. It leaves out rows that would not change, because even an INSERT that
/// ends in ON CONFLICT without an update fires triggers and consumes sequence values.
fn upsert_sql(table: &Table) -> String {
    let source = source_sql(table);
    let columns: Vec<_> = table.columns.iter().map(|mapping| &*mapping.column).collect();
    let set: Vec<_> = table
        .columns
        .iter()
        .filter(|mapping| mapping.column != table.id())
        .map(|mapping| format!("{} = {}", mapping.column, merged_value_sql(mapping, "excluded")))
        .collect();
    let (name, id) = (&table.name, table.id());
    let (deleted_at, synced_at) = (table.deleted_at(), table.synced_at());
    let list = columns.join(", ");
    // A returned row of a partitioned table has no xmax that would show whether the statement has inserted it. The
    // statement's snapshot still shows only the rows that existed before, so the row is looked up there, which costs a
    // little more.
    let is_new = match table.is_partitioned {
        true => format!("NOT EXISTS (SELECT FROM {name} old WHERE old.{id} = t.{id})"),
        false => "t.xmax = 0".to_owned(),
    };
    // How a row is counted: its day of creation, and whether it is deleted. Null for a row that did not exist before,
    // or did not come from Clerk.
    let state =
        |row: &str| format!("ARRAY[{}, ({row}.{deleted_at} IS NOT NULL)::int]", row_counts::day_sql(table, row));
    let old_state = format!(
        "CASE WHEN NOT ({is_new}) THEN \
           (SELECT {} FROM {name} old WHERE old.{id} = t.{id} AND old.{synced_at} IS NOT NULL) END",
        state("old")
    );
    let changes = "
        SELECT jsonb_agg(jsonb_build_array(c.day, c.live, c.deleted)) FROM (
          SELECT s.state[1] AS day, coalesce(sum(s.n) FILTER (WHERE s.state[2] = 0), 0) AS live,
                 coalesce(sum(s.n) FILTER (WHERE s.state[2] = 1), 0) AS deleted
            FROM merged CROSS JOIN LATERAL (VALUES (merged.state, 1), (merged.old_state, -1)) s(state, n)
           WHERE s.state IS NOT NULL GROUP BY 1) c
         WHERE c.live <> 0 OR c.deleted <> 0";
    format!(
        "WITH merged AS (INSERT INTO {name} AS t ({list}) \
           SELECT {list} FROM ({source}) new WHERE NOT EXISTS \
             (SELECT FROM {name} t WHERE t.{id} = new.{id} AND NOT ({})) \
           ORDER BY new.{id} ON CONFLICT ({id}) DO UPDATE SET {} WHERE {} \
           RETURNING {is_new} AS is_new, {} AS state, {old_state} AS old_state) \
         SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new), ({changes}) FROM merged",
        should_replace_sql(table, "new"),
        set.join(", "),
        should_replace_sql(table, "excluded"),
        state("t"),
    )
}

/// The query for what the upsert would do, and for how many of the rows that are not deleted Clerk still has.
fn dry_run_sql(table: &Table) -> String {
    let (source, id) = (source_sql(table), table.id());
    let row_exists = "t.clerk_fdw_there IS NOT NULL";
    format!(
        "SELECT count(*) FILTER (WHERE NOT ({row_exists})), \
         count(*) FILTER (WHERE {row_exists} AND {}), \
         count(*) FILTER (WHERE {row_exists} AND t.{deleted} IS NULL) \
         FROM ({source}) new LEFT JOIN (SELECT *, true AS clerk_fdw_there FROM {}) t \
         ON t.{id} = new.{id}",
        should_replace_sql(table, "new"),
        table.name,
        deleted = table.deleted_at(),
    )
}
