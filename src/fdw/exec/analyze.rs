//! Implements ANALYZE: asks Clerk for the number of objects and for a random sample of them.

use std::ffi::c_int;

use clerk_api::{Fetch, Query, extra_params};
use pgrx::{PgMemoryContexts, PgTupleDesc, pg_guard, pg_sys};

use crate::error::{FdwError, OrRaise};
use crate::fdw::convert::ColumnConverter;
use crate::fdw::exec::rows::fill;
use crate::options;
use crate::remote::io_thread::Pages;
use crate::remote::server::Server;

/// The callback AnalyzeForeignTable: says whether the table can be analyzed, and with which function. `pages` is the
/// table's size on disk; it has none, but Postgres requires a positive number.
///
/// # Safety
/// Only Postgres may call this, with the arguments of that callback.
#[pg_guard]
pub unsafe extern "C-unwind" fn analyze_foreign_table(
    relation: pg_sys::Relation,
    function: *mut pg_sys::AcquireSampleRowsFunc,
    pages: *mut pg_sys::BlockNumber,
) -> bool {
    // SAFETY: Postgres passes an open relation, and valid pointers to write both results to.
    unsafe {
        // Objects that Clerk lists only below a parent cannot be sampled. Postgres warns that it skips the table.
        if options::table((*relation).rd_id).or_raise().object.list.is_none() {
            return false;
        }
        *function = Some(acquire_sample_rows);
        *pages = 1;
    }
    true
}

/// The AcquireSampleRowsFunc of ANALYZE: writes up to `max_rows` random rows to `rows`, returns how many they are, and
/// estimates the number of all rows.
///
/// # Safety
/// Only Postgres may call this, with the arguments of that callback.
#[pg_guard]
unsafe extern "C-unwind" fn acquire_sample_rows(
    relation: pg_sys::Relation,
    _level: c_int,
    rows: *mut pg_sys::HeapTuple,
    max_rows: c_int,
    total_rows: *mut f64,
    total_dead_rows: *mut f64,
) -> c_int {
    // SAFETY: Postgres passes an open foreign table of this extension, room for `max_rows` tuples in `rows`, and valid
    // pointers for both totals. The current memory context outlives the converters, which are dropped on return, and
    // the slot has the descriptor that the converters were made from. A tuple is written to the first `max_rows` places
    // only, and one that is replaced was written there before.
    unsafe {
        let table = options::table((*relation).rd_id).or_raise();
        let server = Server::new(table.server);
        let (client, _) = server.connect(pg_sys::GetUserId()).or_raise();
        let clerk_error = |error| FdwError::Clerk { error, server: server.name.clone() };
        let descriptor = PgTupleDesc::from_pg_copy((*relation).rd_att);
        let memory = pg_sys::CurrentMemoryContext;
        let converters: Vec<_> = descriptor
            .iter()
            .filter(|attribute| !attribute.attisdropped)
            .map(|attribute| ColumnConverter::new((*relation).rd_id, attribute, table.object, memory))
            .collect();
        let list = Fetch {
            columns: converters.iter().map(|converter| converter.locator.clone()).collect(),
            extra_params: extra_params(converters.iter().filter_map(|converter| converter.extra_param)),
            page_size: table.page_size,
            ..Fetch::all(table.object, Vec::new())
        };
        let total = match table.object.is_countable() {
            true => {
                let count = Fetch { query: Query::Count { parent: None, filters: Vec::new() }, ..list.clone() };
                let mut pages = Pages::start(count, client.clone()).or_raise();
                pages.next().map_err(&clerk_error).or_raise().and_then(|page| page.total_count())
            }
            false => None,
        };

        // What Clerk does not count is read as a whole.
        let query = match total {
            Some(total) => Query::Sample { wanted: max_rows.max(0) as u64, total },
            None => Query::all(),
        };
        let sample = Fetch { query, ..list };
        let slot = pg_sys::MakeSingleTupleTableSlot((*relation).rd_att, &raw const pg_sys::TTSOpsVirtual);
        let mut row_memory = PgMemoryContexts::new("clerk_fdw row of a sample");
        let mut sampled: c_int = 0;
        let mut read: u64 = 0;
        let mut pages = Pages::start(sample, client).or_raise();
        'pages: while let Some(page) = pages.next().map_err(&clerk_error).or_raise() {
            for row in 0..page.len() {
                read += 1;
                // Once there are enough rows, each further row of a table that is read as a whole replaces one of them,
                // or is left out, so that all rows are equally likely to be in the sample.
                let place = match (sampled < max_rows, total) {
                    (true, _) => sampled as u64,
                    (false, Some(_)) => break 'pages,
                    (false, None) => fastrand::u64(0..read),
                };
                if place >= max_rows.max(0) as u64 {
                    continue;
                }
                row_memory.switch_to(|_| fill(slot, &page, row, &converters, table.object));
                let tuple = pg_sys::heap_form_tuple((*relation).rd_att, (*slot).tts_values, (*slot).tts_isnull);
                let place = rows.add(place as usize);
                if sampled == max_rows {
                    pg_sys::heap_freetuple(place.read());
                } else {
                    sampled += 1;
                }
                place.write(tuple);
                row_memory.reset();
            }
        }
        *total_rows = total.unwrap_or(read) as f64;
        *total_dead_rows = 0.0;
        pg_sys::ExecDropSingleTupleTableSlot(slot);
        sampled
    }
}
