//! Quotes names and texts for SQL statements.

use pgrx::pg_sys;

use super::encoding::{from_server, to_c_string};

/// A name as an SQL identifier, quoted if that is necessary.
pub fn quote_identifier(name: &str) -> String {
    // SAFETY: to_c_string returns a C string, and quote_identifier takes one and returns one.
    unsafe { from_server(pg_sys::quote_identifier(to_c_string(name))) }
}

/// A text as an SQL literal.
pub fn quote_literal(text: &str) -> String {
    // SAFETY: to_c_string returns a C string, and quote_literal_cstr takes one and returns one.
    unsafe { from_server(pg_sys::quote_literal_cstr(to_c_string(text))) }
}
