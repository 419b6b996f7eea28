//! What ANALYZE looks at: how many objects Clerk counts, and as many of them as Postgres wants for its statistics.

use std::ffi::c_int;

use clerk_api::{Fetch, Query};
use pgrx::{PgMemoryContexts, PgTupleDesc, pg_guard, pg_sys};

use crate::error::{FdwError, OrRaise};
use crate::fdw::convert::ColumnConverter;
use crate::fdw::exec::rows::fill;
use crate::options;
use crate::remote::io_thread::Pages;
use crate::remote::server::Server;

/// Postgres asks whether the table can be analyzed, and by whom; `pages` is its size on disk, which it has none of.
#[pg_guard]
pub unsafe extern "C-unwind" fn analyze_foreign_table(
    relation: pg_sys::Relation,
    function: *mut pg_sys::AcquireSampleRowsFunc,
    pages: *mut pg_sys::BlockNumber,
) -> bool {
    // SAFETY: Postgres passes an open relation, and places for both answers.
    unsafe {
        // What can only be listed below a parent has no sample; Postgres warns that it skips the table.
        if options::table((*relation).rd_id).or_raise().object.list.is_none() {
            return false;
        }
        *function = Some(acquire_sample_rows);
        *pages = 1;
    }
    true
}

/// Postgres wants up to `wanted` rows, picked at random, and how many there are in all.
#[pg_guard]
unsafe extern "C-unwind" fn acquire_sample_rows(
    relation: pg_sys::Relation,
    _level: c_int,
    rows: *mut pg_sys::HeapTuple,
    wanted: c_int,
    total_rows: *mut f64,
    total_dead_rows: *mut f64,
) -> c_int {
    // SAFETY: the relation is an open foreign table of ours; `rows` has room for as many tuples as are wanted.
    unsafe {
        let table = options::table((*relation).rd_id).or_raise();
        let server = Server::new(table.server);
        let (client, _) = server.connect(pg_sys::GetUserId()).or_raise();
        let failed = |error| FdwError::Clerk { error, server: server.name.clone() };
        let descriptor = PgTupleDesc::from_pg_copy((*relation).rd_att);
        let memory = pg_sys::CurrentMemoryContext;
        let converters: Vec<_> = descriptor
            .iter()
            .filter(|attribute| !attribute.attisdropped)
            .map(|attribute| ColumnConverter::new((*relation).rd_id, attribute, table.object, memory))
            .collect();
        let whole = Fetch {
            columns: converters.iter().map(|converter| converter.locator.clone()).collect(),
            extra_params: converters.iter().filter_map(|converter| converter.extra_param).collect(),
            page_size: table.page_size,
            ..Fetch::all(table.object, Vec::new())
        };
        let count = Fetch { query: Query::Count { parent: None, filters: Vec::new() }, ..whole.clone() };
        let mut pages = Pages::start(count, client.clone()).or_raise();
        let total = pages.next().map_err(&failed).or_raise().and_then(|page| page.total_count()).unwrap_or(0);
        *total_rows = total as f64;
        *total_dead_rows = 0.0;

        let query = Query::Sample { wanted: wanted.max(0) as u64, total };
        let sample = Fetch { query, ..whole };
        let slot = pg_sys::MakeSingleTupleTableSlot((*relation).rd_att, &raw const pg_sys::TTSOpsVirtual);
        let mut row_memory = PgMemoryContexts::new("clerk_fdw row of a sample");
        let mut taken = 0;
        let mut pages = Pages::start(sample, client).or_raise();
        'pages: while let Some(page) = pages.next().map_err(&failed).or_raise() {
            for row in 0..page.len() {
                if taken == wanted {
                    break 'pages;
                }
                row_memory.switch_to(|_| fill(slot, &page, row, &converters, table.object));
                let tuple = pg_sys::heap_form_tuple((*relation).rd_att, (*slot).tts_values, (*slot).tts_isnull);
                rows.add(taken as usize).write(tuple);
                taken += 1;
                row_memory.reset();
            }
        }
        pg_sys::ExecDropSingleTupleTableSlot(slot);
        taken
    }
}
