//! Fills tuple slots with rows.

use std::cell::Cell;
use std::panic::AssertUnwindSafe;

use clerk_api::Page;
use clerk_api::catalog::Object;
use pgrx::pg_sys::panic::CaughtError;
use pgrx::{PgSqlErrorCode, PgTryBuilder, pg_sys};

use crate::error::{FdwError, OrRaise};
use crate::fdw::convert::{ColumnConverter, Misfit};

/// Fills a slot with one object of a page. Errors name the object and the column, including those that input functions
/// raise.
///
/// # Safety
/// The slot must have a fixed descriptor, in which the attribute of each converter's number has the converter's type.
pub unsafe fn fill(
    slot: *mut pg_sys::TupleTableSlot,
    page: &Page,
    row: usize,
    converters: &[ColumnConverter],
    object: &'static Object,
) {
    // SAFETY: Postgres allocates as many values and flags as a fixed descriptor has attributes, and nothing else refers
    // to them while this function runs.
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
                let attribute = converter.number as usize - 1;
                (values[attribute], nulls[attribute]) = (datum, false);
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

/// Puts a count into every attribute of a slot.
///
/// # Safety
/// The slot must have a fixed descriptor, whose attributes are all of type bigint.
pub unsafe fn fill_count(slot: *mut pg_sys::TupleTableSlot, count: u64) {
    // SAFETY: Postgres allocates as many values and flags as a fixed descriptor has attributes, and the caller
    // guarantees that they are bigints.
    unsafe {
        for attribute in 0..(*(*slot).tts_tupleDescriptor).natts as usize {
            (*slot).tts_values.add(attribute).write((count as i64).into());
            (*slot).tts_isnull.add(attribute).write(false);
        }
    }
}

/// Whether an error is about a value, as the errors of input functions, of a domain's constraints and of limits of size
/// and depth are; a cancel or a lack of memory is not.
fn is_value_error(code: PgSqlErrorCode) -> bool {
    use PgSqlErrorCode::*;
    let class = |code: PgSqlErrorCode| code as i64 & 0xFFF;
    let value_error_classes = [
        ERRCODE_DATA_EXCEPTION,
        ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION,
        ERRCODE_PROGRAM_LIMIT_EXCEEDED,
        ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION,
    ];
    value_error_classes.into_iter().any(|example| class(example) == class(code))
}
