//! The fields that a request gives, and those that a change is to set.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::time;
use crate::error::ClerkError;
use crate::object::{Fields, raw};

/// The known fields of a body, each of which has a value of its kind or, where that is allowed, null.
pub(super) struct Given(pub(super) Fields);

impl Given {
    /// The text of a value; `None` if it is null or left out.
    pub(super) fn raw(&self, name: &str) -> Option<&RawValue> {
        self.0.get(name).map(AsRef::as_ref).filter(|value| value.get() != "null")
    }

    fn value<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_str(self.raw(name)?.get()).ok()
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.value(name)
    }

    /// A text that is required, and so there.
    pub(super) fn required(&self, name: &str) -> String {
        self.value(name).unwrap_or_default()
    }

    pub(super) fn texts(&self, name: &str) -> Option<Vec<String>> {
        self.value(name)
    }

    pub(super) fn integer(&self, name: &str) -> Option<i64> {
        self.value(name)
    }

    pub(super) fn boolean(&self, name: &str) -> Option<bool> {
        self.value(name)
    }

    pub(super) fn is_true(&self, name: &str) -> bool {
        self.value(name) == Some(true)
    }

    /// A time in Unix milliseconds.
    pub(super) fn time(&self, name: &str) -> Option<i64> {
        time::milliseconds(&self.text(name)?)
    }

    /// Whether the field is given, null or not.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

/// The fields of an object that a change sets.
#[derive(Default, Serialize)]
pub(super) struct Patch(Fields);

impl Patch {
    pub(super) fn set(&mut self, name: &str, value: impl Serialize) -> Result<(), ClerkError> {
        self.0.insert(name.to_owned(), raw(value)?);
        Ok(())
    }

    /// Sets the fields that are given to what is given.
    pub(super) fn copy(&mut self, given: &Given, names: &[&str]) {
        for name in names {
            if let Some(value) = given.0.get(*name) {
                self.0.insert((*name).to_owned(), value.clone());
            }
        }
    }

    /// As [`Patch::copy`], where null means that nothing is given.
    pub(super) fn copy_values(&mut self, given: &Given, names: &[&str]) {
        for name in names {
            if let Some(value) = given.raw(name) {
                self.0.insert((*name).to_owned(), value.to_owned());
            }
        }
    }

    /// As [`Patch::copy_values`], with a value for what is not given.
    pub(super) fn copy_or(&mut self, given: &Given, name: &str, otherwise: impl Serialize) -> Result<(), ClerkError> {
        match given.raw(name) {
            Some(value) => self.set(name, value),
            None => self.set(name, otherwise),
        }
    }
}
