//! Returns JSON text as a jsonb, so that no number in it is rounded on the way.

use pgrx::callconv::{BoxRet, FcInfo};
use pgrx::pgrx_sql_entity_graph::metadata::{ArgumentError, Returns, ReturnsError, SqlMapping, SqlTranslatable};
use pgrx::{IntoDatum, pg_sys};

use super::encoding::{from_server, to_c_string};

/// JSON text that a function returns as a jsonb.
pub struct JsonbText(pub String);

impl IntoDatum for JsonbText {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        let text = to_c_string(&self.0);
        // SAFETY: jsonb_in takes one C string, and returns a jsonb or raises an error.
        unsafe { pgrx::fcinfo::direct_function_call_as_datum(pg_sys::jsonb_in, &[Some(text.into())]) }
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::JSONBOID
    }
}

// SAFETY: the datum is of the type that `SqlTranslatable` says.
unsafe impl BoxRet for JsonbText {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> pgrx::datum::Datum<'fcx> {
        match self.into_datum() {
            // SAFETY: the datum was just made for this call, and is not null.
            Some(datum) => unsafe { fcinfo.return_raw_datum(datum) },
            None => fcinfo.return_null(),
        }
    }
}

// SAFETY: jsonb is the type of the datum that `into_datum` makes.
unsafe impl SqlTranslatable for JsonbText {
    fn argument_sql() -> Result<SqlMapping, ArgumentError> {
        Ok(SqlMapping::literal("jsonb"))
    }

    fn return_sql() -> Result<Returns, ReturnsError> {
        Ok(Returns::One(SqlMapping::literal("jsonb")))
    }
}

/// The JSON text of a jsonb argument of a function; `None` if it is NULL.
///
/// # Safety
/// The call must be one that Postgres makes of a function whose argument of this number, counted from 0, is a jsonb.
pub unsafe fn argument(call: pg_sys::FunctionCallInfo, number: usize) -> Option<String> {
    // SAFETY: the caller guarantees an argument of type jsonb, which jsonb_out turns into a C string.
    unsafe {
        let datum = pgrx::pg_getarg_datum(call, number)?;
        let text = pgrx::fcinfo::direct_function_call_as_datum(pg_sys::jsonb_out, &[Some(datum)])?;
        Some(from_server(text.cast_mut_ptr()))
    }
}
