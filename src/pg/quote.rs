//! Names and texts as they stand in SQL.

use pgrx::pg_sys;

use super::encoding::{from_server, to_c_string};

/// A name as it stands in SQL, quoted where that is needed.
pub fn quote_identifier(name: &str) -> String {
    // SAFETY: takes and gives C strings.
    unsafe { from_server(pg_sys::quote_identifier(to_c_string(name))) }
}

/// A text as it stands in SQL.
pub fn quote_literal(text: &str) -> String {
    // SAFETY: takes and gives C strings.
    unsafe { from_server(pg_sys::quote_literal_cstr(to_c_string(text))) }
}
