//! Reads and sets members of the objects that users consist of.

use serde::Serialize;

use crate::error::ClerkError;
use crate::object::{Fields, raw};

/// A field that is a text; empty if it is not.
pub(super) fn text(object: &Fields, field: &str) -> String {
    object.get(field).and_then(|value| serde_json::from_str(value.get()).ok()).unwrap_or_default()
}

/// Whether a field is true.
pub(super) fn is_true(object: &Fields, field: &str) -> bool {
    object.get(field).is_some_and(|value| value.get() == "true")
}

pub(super) fn set(object: &mut Fields, field: &str, value: impl Serialize) -> Result<(), ClerkError> {
    object.insert(field.to_owned(), raw(value)?);
    Ok(())
}
