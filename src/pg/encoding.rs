//! Converts text between Rust, whose strings are UTF-8, and databases of any encoding.

use std::ffi::{CStr, c_char};
use std::sync::OnceLock;

use pgrx::pg_sys;

const UTF8: i32 = pg_sys::pg_enc::PG_UTF8 as i32;

/// Whether the database's encoding is UTF-8. The answer is kept, because it is needed for every text of every row. If
/// the first call comes before the backend has connected to its database, the answer that is kept is no. That is
/// harmless: a conversion from UTF-8 to UTF-8 leaves the text as it is.
fn is_utf8() -> bool {
    static IS_UTF8: OnceLock<bool> = OnceLock::new();
    // SAFETY: GetDatabaseEncoding only reads a static variable, which is SQL_ASCII until the backend has connected.
    *IS_UTF8.get_or_init(|| unsafe { pg_sys::GetDatabaseEncoding() == UTF8 })
}

/// Copies a C string in the database's encoding to a Rust string.
///
/// # Safety
/// `text` must be a C string in the database's encoding.
pub unsafe fn from_server(text: *const c_char) -> String {
    // SAFETY: the caller guarantees that `text` is a C string. pg_server_to_any returns the same pointer if there is
    // nothing to convert, and else a C string.
    unsafe {
        let length = CStr::from_ptr(text).count_bytes() as i32;
        let converted = if is_utf8() { text } else { pg_sys::pg_server_to_any(text, length, UTF8) };
        CStr::from_ptr(converted).to_string_lossy().into_owned()
    }
}

/// A text's bytes in the database's encoding, without a final NUL.
struct ServerBytes {
    bytes: *const c_char,
    length: usize,
}

/// The address and the length of a text's bytes in the database's encoding. They are the text's own bytes if there is
/// nothing to convert, and else in the current memory context. Postgres raises an error for a character that the
/// encoding does not have.
fn server_bytes(text: &str) -> ServerBytes {
    let original: *const c_char = text.as_ptr().cast();
    if is_utf8() || text.is_ascii() {
        return ServerBytes { bytes: original, length: text.len() };
    }
    // SAFETY: the pointer and the length are those of one str. pg_any_to_server returns the same pointer if there is
    // nothing to convert, and else a C string.
    unsafe {
        let converted = pg_sys::pg_any_to_server(original, text.len() as i32, UTF8).cast_const();
        let is_converted = converted != original;
        let length = if is_converted { CStr::from_ptr(converted).count_bytes() } else { text.len() };
        ServerBytes { bytes: converted, length }
    }
}

/// Converts a text to a datum of type text in the current memory context.
pub fn to_text(text: &str) -> pg_sys::Datum {
    let ServerBytes { bytes, length } = server_bytes(text);
    // SAFETY: server_bytes returns the address of `length` bytes, and cstring_to_text_with_len copies them.
    unsafe { pg_sys::cstring_to_text_with_len(bytes, length as i32) }.into()
}

/// A C string in the current memory context. It would end at the first NUL character of the text. Clerk's values have
/// none, because NUL characters are replaced when a page is received.
pub fn to_c_string(text: &str) -> *mut c_char {
    let ServerBytes { bytes, length } = server_bytes(text);
    // SAFETY: server_bytes returns the address of `length` bytes, and palloc returns room for them and the final NUL.
    unsafe {
        let copy: *mut c_char = pg_sys::palloc(length + 1).cast();
        copy.copy_from_nonoverlapping(bytes, length);
        copy.add(length).write(0);
        copy
    }
}

/// A text for an error message. pgrx passes messages to Postgres without converting them, so if the database's encoding
/// is not UTF-8, all characters other than ASCII are escaped.
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
