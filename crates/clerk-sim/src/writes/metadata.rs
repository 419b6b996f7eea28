//! How metadata is merged. It is merged as text, because a `serde_json::Value` cannot hold everything that metadata may
//! contain.

use serde_json::value::RawValue;

use super::given::{Given, Patch};
use crate::error::ClerkError;
use crate::object::{Fields, raw};

/// How deep objects may be nested.
const MAX_DEPTH: usize = 64;

/// Sets the metadata fields of an object to what they are after merging what is given with what there is.
pub(super) fn merge(json: &str, given: &Given, names: &[&str]) -> Result<Patch, ClerkError> {
    let old: Fields = serde_json::from_str(json)?;
    let mut patch = Patch::default();
    for name in names {
        if let Some(new) = given.raw(name) {
            patch.set(name, merged(old.get(*name).map(AsRef::as_ref), new, name, MAX_DEPTH)?)?;
        }
    }
    Ok(patch)
}

/// Objects are merged at every level, a null removes its key, and everything else replaces what there was.
fn merged(old: Option<&RawValue>, new: &RawValue, name: &str, depth: usize) -> Result<Box<RawValue>, ClerkError> {
    if !new.get().starts_with('{') {
        return Ok(new.to_owned());
    }
    let depth = depth.checked_sub(1).ok_or_else(|| ClerkError::invalid_value(name, "it is nested too deeply"))?;
    let mut fields = match old {
        Some(old) if old.get().starts_with('{') => serde_json::from_str(old.get())?,
        _ => Fields::new(),
    };
    for (key, value) in serde_json::from_str::<Fields>(new.get())? {
        if value.get() == "null" {
            fields.shift_remove(&key);
        } else {
            let value = merged(fields.get(&key).map(AsRef::as_ref), &value, name, depth)?;
            fields.insert(key, value);
        }
    }
    Ok(raw(fields)?)
}
