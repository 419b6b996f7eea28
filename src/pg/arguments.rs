//! Reads the arguments of a function as Postgres passes them.

use pgrx::pg_sys;

use super::encoding::from_server;
use crate::error::FdwError;

/// The arguments of a call.
pub struct Arguments(pg_sys::FunctionCallInfo);

impl Arguments {
    /// # Safety
    /// Postgres must have made the call, which must not end before these arguments are dropped. Each argument must be asked
    /// for by a number that it has, counted from 0, and by its type.
    pub unsafe fn new(call: pg_sys::FunctionCallInfo) -> Self {
        Arguments(call)
    }

    /// The datum of an argument; `None` if it is NULL.
    fn datum(&self, number: usize) -> Option<pg_sys::Datum> {
        // SAFETY: `new` demands a call by Postgres that has the argument.
        unsafe { pgrx::pg_getarg_datum(self.0, number) }
    }

    /// A text; `None` if it is NULL.
    pub fn text(&self, number: usize) -> Option<String> {
        let datum = self.datum(number)?;
        // SAFETY: `new` demands that the argument is a text, and text_to_cstring returns a C string.
        Some(unsafe { from_server(pg_sys::text_to_cstring(datum.cast_mut_ptr())) })
    }

    /// A text that must not be NULL.
    pub fn required(&self, number: usize, name: &'static str) -> Result<String, FdwError> {
        self.text(number).ok_or(FdwError::Null(name))
    }

    /// The JSON text of a jsonb; `None` if it is NULL.
    pub fn jsonb(&self, number: usize) -> Option<String> {
        let datum = self.datum(number)?;
        // SAFETY: `new` demands that the argument is a jsonb, which jsonb_out turns into a C string.
        unsafe {
            let text = pgrx::fcinfo::direct_function_call_as_datum(pg_sys::jsonb_out, &[Some(datum)])?;
            Some(from_server(text.cast_mut_ptr()))
        }
    }
}
