//! Finds the values that a query uses in the body of an answer, without building a tree of JSON.

mod elements;
pub mod json;
mod objects;
mod page;
mod projection;

pub(crate) use page::DecodeError;
pub use page::Page;
pub use projection::Locator;
pub(crate) use projection::Projection;

/// The first bytes of a body, short enough for an error message.
pub(crate) fn beginning(body: &[u8]) -> String {
    const SHOWN: usize = 80;
    let text = String::from_utf8_lossy(&body[..body.len().min(SHOWN * 4)]);
    text.trim_start().chars().take(SHOWN).collect()
}
