//! The values of a row as JSON, in the forms in which Clerk sends them: times in Unix milliseconds, arrays and booleans as
//! such.

use std::cell::UnsafeCell;

use clerk_api::catalog::Object;
use clerk_api::write::TableColumn;
use clerk_api::{Locator, extra_params};
use pgrx::{PgTupleDesc, pg_sys};

use crate::fdw::convert::{self, ColumnConverter};
use crate::pg::encoding::from_server;

/// The days from 1970-01-01, the epoch of Clerk's times, to 2000-01-01, the epoch of Postgres'.
const EPOCH_DAYS: i64 = 10_957;
const DAY_MS: i64 = 86_400_000;

/// Reads the values of a table's rows.
pub struct RowReader {
    /// The table's columns that are not computed by Postgres.
    pub converters: Vec<ColumnConverter>,
    /// How the values of each of them are written.
    outputs: Vec<Output>,
}

struct Output {
    base: pg_sys::Oid,
    /// The type's output function, in an UnsafeCell because it may keep its cache in it.
    function: Box<UnsafeCell<pg_sys::FmgrInfo>>,
}

/// A table's columns whose values are written: those that are not computed by Postgres.
fn written<'d>(descriptor: &'d PgTupleDesc<'_>) -> impl Iterator<Item = &'d pg_sys::FormData_pg_attribute> {
    descriptor.iter().filter(|attribute| !attribute.attisdropped && attribute.attgenerated == 0)
}

/// The columns of a table whose values a [`RowReader`] reads, in their order.
///
/// # Safety
/// The relation must be open.
pub unsafe fn columns(relation: pg_sys::Relation, object: &'static Object) -> Vec<TableColumn> {
    // SAFETY: the caller guarantees an open relation, whose descriptor is copied.
    let (oid, descriptor) = unsafe { ((*relation).rd_id, PgTupleDesc::from_pg_copy((*relation).rd_att)) };
    let column = |attribute: &pg_sys::FormData_pg_attribute| TableColumn {
        // SAFETY: attname is a NameData, which ends with a NUL.
        name: unsafe { from_server(attribute.attname.data.as_ptr()) },
        column: convert::catalog_column(oid, attribute.attnum, object),
        locator: convert::locator(oid, attribute.attnum, object),
    };
    written(&descriptor).map(column).collect()
}

impl RowReader {
    /// A reader for the rows of a table.
    ///
    /// # Safety
    /// The relation must be open, and `memory` must outlive the reader.
    pub unsafe fn new(relation: pg_sys::Relation, object: &'static Object, memory: pg_sys::MemoryContext) -> RowReader {
        let (mut converters, mut outputs) = (Vec::new(), Vec::new());
        // SAFETY: the caller guarantees an open relation, whose descriptor is copied, and memory that outlives the reader
        // and its converters. getTypeOutputInfo writes to both pointers, or raises an error for an oid that is no type.
        unsafe {
            let descriptor = PgTupleDesc::from_pg_copy((*relation).rd_att);
            for attribute in written(&descriptor) {
                converters.push(ColumnConverter::new((*relation).rd_id, attribute, object, memory));
                let (base, _) = convert::base_type_and_typmod(attribute.atttypid, attribute.atttypmod);
                let (mut function, mut is_varlena) = (pg_sys::InvalidOid, false);
                pg_sys::getTypeOutputInfo(base, &mut function, &mut is_varlena);
                let output = Box::new(UnsafeCell::new(pg_sys::FmgrInfo::default()));
                pg_sys::fmgr_info_cxt(function, output.get(), memory);
                outputs.push(Output { base, function: output });
            }
        }
        RowReader { converters, outputs }
    }

    /// Where the values of the columns are in an object.
    pub fn locators(&self) -> Vec<Locator> {
        self.converters.iter().map(|column| column.locator.clone()).collect()
    }

    /// The query parameters without which Clerk does not send all of these values.
    pub fn extra_params(&self) -> Vec<(&'static str, &'static str)> {
        extra_params(self.converters.iter().filter_map(|column| column.extra_param))
    }

    /// The JSON texts of a row's values; `None` for NULL.
    ///
    /// # Errors
    /// The name of a column whose value JSON cannot express, such as infinity.
    ///
    /// # Safety
    /// The slot must hold a row of the table.
    pub unsafe fn read(&self, slot: *mut pg_sys::TupleTableSlot) -> Result<Vec<Option<String>>, String> {
        // SAFETY: the caller guarantees a row of the table, whose descriptor has all columns of this reader. Once
        // slot_getsomeattrs_int has deformed it, as many values and flags are valid as the descriptor has attributes.
        unsafe {
            let attributes = (*(*slot).tts_tupleDescriptor).natts;
            if i32::from((*slot).tts_nvalid) < attributes {
                pg_sys::slot_getsomeattrs_int(slot, attributes);
            }
            let columns = self.converters.iter().zip(&self.outputs);
            let values = columns.map(|(column, output)| {
                let index = column.number as usize - 1;
                match *(*slot).tts_isnull.add(index) {
                    true => Ok(None),
                    false => {
                        let is_whole = column.locator == Locator::Whole;
                        let json = output.json(is_whole, *(*slot).tts_values.add(index));
                        json.map(Some).ok_or_else(|| column.name.clone())
                    }
                }
            });
            values.collect()
        }
    }
}

impl Output {
    /// A value as JSON; `None` if JSON cannot express it.
    ///
    /// # Safety
    /// The datum must be of the column's type.
    unsafe fn json(&self, is_whole: bool, datum: pg_sys::Datum) -> Option<String> {
        // SAFETY: the caller guarantees a value of the column's type, whose output function returns a C string and may
        // write to its FmgrInfo, to which no reference exists.
        let text = || unsafe { from_server(pg_sys::OutputFunctionCall(self.function.get(), datum)) };
        let finite = |microseconds: i64| match microseconds {
            i64::MIN | i64::MAX => None,
            finite => Some((finite.div_euclid(1000) + EPOCH_DAYS * DAY_MS).to_string()),
        };
        Some(match self.base {
            pg_sys::BOOLOID => (datum.value() & 1 != 0).to_string(),
            pg_sys::INT2OID | pg_sys::INT4OID | pg_sys::INT8OID | pg_sys::JSONOID | pg_sys::JSONBOID => text(),
            pg_sys::FLOAT4OID | pg_sys::FLOAT8OID | pg_sys::NUMERICOID => {
                let number = text();
                if serde_json::from_str::<serde_json::Number>(&number).is_err() {
                    return None;
                }
                number
            }
            pg_sys::TIMESTAMPOID | pg_sys::TIMESTAMPTZOID => finite(datum.value() as i64)?,
            pg_sys::DATEOID => match datum.value() as i32 {
                i32::MIN | i32::MAX => return None,
                days => ((i64::from(days) + EPOCH_DAYS) * DAY_MS).to_string(),
            },
            // SAFETY: get_element_type takes any oid.
            base if unsafe { pg_sys::get_element_type(base) } != pg_sys::InvalidOid => {
                // SAFETY: array_to_json takes one array, which tells its element type, and returns a text.
                unsafe {
                    let arguments = [Some(datum)];
                    let json = pgrx::fcinfo::direct_function_call_as_datum(pg_sys::array_to_json, &arguments);
                    json.map_or("null".to_owned(), |json| from_server(pg_sys::text_to_cstring(json.cast_mut_ptr())))
                }
            }
            // A table may declare the whole object as text.
            _ if is_whole => text(),
            _ => serde_json::Value::from(text()).to_string(),
        })
    }
}
