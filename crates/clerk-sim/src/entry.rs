//! The objects other than users, organizations and memberships, as the JSON text that Clerk would send, and their
//! tables.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::object::{self, Fields};
use crate::table::{Row, Table};

/// The tables by the names of their kinds.
pub(crate) type Tables = BTreeMap<&'static str, Table<Entry>>;

/// An object other than a user, an organization or a membership.
pub(crate) struct Entry {
    id: String,
    created_at: i64,
    /// The object with the fields that are hidden from requests.
    whole: String,
    /// The object as Clerk sends it.
    pub(crate) json: String,
    /// The fields, hidden ones included, that filters, sort orders and events read. A value that `Value` cannot
    /// represent, such as a text with half a surrogate pair, counts as null.
    values: Map<String, Value>,
}

impl Entry {
    /// Reads an object from its text, which includes the fields that are to be hidden from requests.
    pub(crate) fn read(hidden: &[&str], whole: String) -> serde_json::Result<Entry> {
        let mut fields: Fields = serde_json::from_str(&whole)?;
        let values = fields
            .iter()
            .map(|(name, raw)| (name.clone(), serde_json::from_str(raw.get()).unwrap_or_default()))
            .collect();
        let required = |name: &str| fields.get(name).map_or("null", |raw| raw.get());
        let id = serde_json::from_str(required("id"))?;
        let created_at = serde_json::from_str(required("created_at"))?;
        fields.retain(|name, _| !hidden.contains(&name.as_str()));
        Ok(Entry { id, created_at, json: serde_json::to_string(&fields)?, whole, values })
    }

    /// The object with some of its fields replaced.
    pub(crate) fn patched(&self, hidden: &[&str], patch: Fields) -> serde_json::Result<Entry> {
        Entry::read(hidden, object::patched(&self.whole, patch)?)
    }

    pub(crate) fn value(&self, field: &str) -> &Value {
        self.values.get(field).unwrap_or(&Value::Null)
    }

    /// A field that is a text; empty if it is not.
    pub(crate) fn text(&self, field: &str) -> &str {
        self.value(field).as_str().unwrap_or_default()
    }

    /// Whether a field is true.
    pub(crate) fn is_true(&self, field: &str) -> bool {
        self.value(field) == true
    }

    /// Whether a field has this text.
    pub(crate) fn is(&self, field: &str, text: &str) -> bool {
        self.value(field) == text
    }
}

impl Row for Entry {
    fn id(&self) -> &str {
        &self.id
    }

    fn created_at(&self) -> i64 {
        self.created_at
    }
}
