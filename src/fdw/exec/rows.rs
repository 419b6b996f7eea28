//! From one object of a page to one row of a table.

use std::cell::Cell;
use std::panic::AssertUnwindSafe;

use clerk_api::Page;
use clerk_api::catalog::Object;
use pgrx::pg_sys::panic::CaughtError;
use pgrx::{PgSqlErrorCode, PgTryBuilder, pg_sys};

use crate::error::{FdwError, OrRaise};
use crate::fdw::convert::{ColumnConverter, Misfit};

/// Empties a slot.
///
/// # Safety
/// The slot was made by Postgres, with its operations.
pub unsafe fn clear(slot: *mut pg_sys::TupleTableSlot) {
    // SAFETY: every slot has operations, of which the caller has not changed any.
    unsafe {
        if let Some(clear) = (*(*slot).tts_ops).clear {
            pg_sys::ffi::pg_guard_ffi_boundary(|| clear(slot));
        }
    }
}

/// Converts one object into the slot. Errors name the object and the column, those of input functions as well.
///
/// # Safety
/// The slot has the row type of the table that the converters were made for.
pub unsafe fn fill(
    slot: *mut pg_sys::TupleTableSlot,
    page: &Page,
    row: usize,
    converters: &[ColumnConverter],
    object: &'static Object,
) {
    // SAFETY: a slot has as many values and flags as its descriptor has attributes.
    let (values, nulls) = unsafe {
        let attributes = (*(*slot).tts_tupleDescriptor).natts as usize;
        (
            std::slice::from_raw_parts_mut((*slot).tts_values, attributes),
            std::slice::from_raw_parts_mut((*slot).tts_isnull, attributes),
        )
    };
    nulls.fill(true);
    let current = Cell::new(0);
    PgTryBuilder::new(AssertUnwindSafe(|| {
        for (index, converter) in converters.iter().enumerate() {
            current.set(index);
            if let Some(datum) = converter.convert(page.value(row, index))? {
                let place = converter.number as usize - 1;
                (values[place], nulls[place]) = (datum, false);
            }
        }
        Ok(())
    }))
    .catch_others(|caught| match &caught {
        CaughtError::PostgresError(report) if is_value_error(report.sql_error_code()) => Err(Misfit {
            problem: format!("cannot take its value: {}", report.message()),
            code: report.sql_error_code(),
        }),
        _ => caught.rethrow(),
    })
    .execute()
    .map_err(|Misfit { problem, code }| {
        let converter = &converters[current.get()];
        let (column, wanted) = (converter.name.clone(), converter.type_name());
        FdwError::Value { object: object.name, id: page.id(row).into_owned(), column, wanted, problem, code }
    })
    .or_raise();
}

/// Puts a count into every attribute of the slot.
///
/// # Safety
/// Every attribute of the slot is a bigint.
pub unsafe fn fill_count(slot: *mut pg_sys::TupleTableSlot, count: u64) {
    // SAFETY: a slot has as many values and flags as its descriptor has attributes.
    unsafe {
        for attribute in 0..(*(*slot).tts_tupleDescriptor).natts as usize {
            (*slot).tts_values.add(attribute).write((count as i64).into());
            (*slot).tts_isnull.add(attribute).write(false);
        }
    }
}

/// Whether an error comes from a value (what input functions complain of, a domain's conditions, limits of size and
/// depth), not from a cancel or a lack of memory.
fn is_value_error(code: PgSqlErrorCode) -> bool {
    use PgSqlErrorCode::*;
    let class = |code: PgSqlErrorCode| code as i64 & 0xFFF;
    let about_values = [
        ERRCODE_DATA_EXCEPTION,
        ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION,
        ERRCODE_PROGRAM_LIMIT_EXCEEDED,
        ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION,
    ];
    about_values.into_iter().any(|about| class(about) == class(code))
}
