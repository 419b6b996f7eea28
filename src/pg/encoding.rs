//! Texts between Rust, which knows UTF-8 alone, and databases of any encoding.

use std::ffi::{CStr, c_char};
use std::sync::OnceLock;

use pgrx::pg_sys;

const UTF8: i32 = pg_sys::pg_enc::PG_UTF8 as i32;

/// Whether the database's encoding is UTF-8, asked once: every text of every row needs to know. Before a backend has
/// connected to its database the answer is no, which does no harm afterwards: a conversion from UTF-8 to UTF-8 gives the
/// same text.
fn is_utf8() -> bool {
    static IS_UTF8: OnceLock<bool> = OnceLock::new();
    // SAFETY: reads what was set when the backend connected.
    *IS_UTF8.get_or_init(|| unsafe { pg_sys::GetDatabaseEncoding() == UTF8 })
}

/// A C string of the database as Rust has it.
///
/// # Safety
/// `text` is a C string in the database's encoding.
pub unsafe fn from_server(text: *const c_char) -> String {
    // SAFETY: the caller's; the conversion gives the same pointer where nothing is to be done, else a C string.
    unsafe {
        let length = CStr::from_ptr(text).count_bytes() as i32;
        let converted = if is_utf8() { text } else { pg_sys::pg_server_to_any(text, length, UTF8) };
        CStr::from_ptr(converted).to_string_lossy().into_owned()
    }
}

/// The bytes of a text in the database's encoding: the text's own, or converted ones in the current memory context.
/// Postgres raises an error for what the encoding cannot hold.
fn server_bytes(text: &str) -> (*const c_char, usize) {
    let given: *const c_char = text.as_ptr().cast();
    if is_utf8() || text.is_ascii() {
        return (given, text.len());
    }
    // SAFETY: as many bytes are there; what is given back is the same pointer or a C string.
    unsafe {
        let converted = pg_sys::pg_any_to_server(given, text.len() as i32, UTF8).cast_const();
        if converted == given { (given, text.len()) } else { (converted, CStr::from_ptr(converted).count_bytes()) }
    }
}

/// A value of type text in the current memory context.
pub fn to_text(text: &str) -> pg_sys::Datum {
    let (bytes, length) = server_bytes(text);
    // SAFETY: as many bytes are there, and they are copied.
    unsafe { pg_sys::cstring_to_text_with_len(bytes, length as i32) }.into()
}

/// A C string in the current memory context. It ends at the first NUL, of which pages have none: they are replaced
/// when a page comes in.
pub fn to_c_string(text: &str) -> *mut c_char {
    let (bytes, length) = server_bytes(text);
    // SAFETY: the copy has room for the bytes and the end.
    unsafe {
        let copy: *mut c_char = pg_sys::palloc(length + 1).cast();
        copy.copy_from_nonoverlapping(bytes, length);
        copy.add(length).write(0);
        copy
    }
}

/// A text for an error message, which pgrx hands over as it is: where the database's encoding is not UTF-8, other
/// characters than ASCII are escaped.
pub fn for_message(text: String) -> String {
    if text.is_ascii() || is_utf8() {
        return text;
    }
    let escaped = |character: char| match character.is_ascii() {
        true => character.to_string(),
        false => character.escape_unicode().to_string(),
    };
    text.chars().map(escaped).collect()
}
