//! What is said of a kind of objects: how they are generated, what they belong to, and which events tell of their
//! changes.

use serde_json::Value;

use super::maker::Maker;
use crate::entry::Entry;
use crate::state::State;

/// A kind of objects.
pub(crate) struct Kind {
    /// The name of its table, such as `invitations`.
    pub(crate) name: &'static str,
    /// What errors call one of them, such as `invitation`.
    pub(crate) noun: &'static str,
    /// Fields that filters, sort orders and events need and that Clerk does not send.
    pub(crate) hidden: &'static [&'static str],
    /// Fields with the id of what an object belongs to, with which it is deleted.
    pub(crate) owners: &'static [&'static str],
    pub(crate) amount: Amount,
    /// Makes an object; `None` if there is nothing that it could belong to.
    pub(crate) make: fn(&mut Maker) -> Option<Value>,
    /// The event that tells of a change; `None` if Clerk's webhooks have none.
    pub(crate) event: fn(&Change) -> Option<&'static str>,
    /// The `data` of the events, other than that of a deletion.
    pub(crate) event_data: fn(&State, &Entry, &str) -> serde_json::Result<String>,
}

/// How many objects of a kind are generated.
pub(crate) enum Amount {
    /// As many as are configured.
    Many,
    /// Always so many.
    Exactly(usize),
}

/// A change of an object.
pub(crate) struct Change<'a> {
    /// The object before, unless it is new.
    pub(crate) old: Option<&'a Entry>,
    /// The object afterwards, unless it was deleted.
    pub(crate) new: Option<&'a Entry>,
}

impl Change<'_> {
    /// The event of a kind that has one for each of the three changes.
    pub(crate) fn event(
        &self,
        created: &'static str,
        updated: &'static str,
        deleted: Option<&'static str>,
    ) -> Option<&'static str> {
        match (self.old, self.new) {
            (None, _) => Some(created),
            (Some(_), Some(_)) => Some(updated),
            (Some(_), None) => deleted,
        }
    }

    /// The status that the object has from now on; `None` if it had it before or was deleted.
    pub(crate) fn new_status(&self) -> Option<&str> {
        let status = self.new?.text("status");
        let same = self.old.is_some_and(|old| old.is("status", status));
        (!same).then_some(status)
    }
}

/// For kinds whose changes no webhook tells of.
pub(crate) fn no_event(_: &Change) -> Option<&'static str> {
    None
}

/// The object as the API shows it.
pub(crate) fn same_data(_: &State, entry: &Entry, _: &str) -> serde_json::Result<String> {
    Ok(entry.json.clone())
}
