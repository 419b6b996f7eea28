//! The objects other than users, organizations and memberships.
//!
//! They are described by forms instead of types: a [`Kind`] says how objects of one kind are generated, what they
//! belong to and which events tell of their changes; a [`Route`] says what an endpoint answers. The modules named after
//! subjects have the forms; `maker` has what generators draw from; `entry` are the rows of the tables, `route` answers
//! requests, and `changes` changes the objects.

mod access;
mod billing;
mod changes;
mod enterprise;
mod entry;
mod instance_settings;
mod invitations;
mod machines;
mod maker;
mod organizations;
mod roles;
mod route;
mod sessions;

use std::collections::BTreeMap;

use fake::rand::SeedableRng;
use fake::rand::rngs::StdRng;
use serde_json::{Map, Value};

pub(crate) use entry::Entry;
use maker::Maker;
pub(crate) use route::{ROUTE_COUNT, ROUTES, Route, answer};

use crate::Config;
use crate::generate::time;
use crate::state::State;
use crate::table::Table;

/// The tables by the names of their kinds.
pub(crate) type Tables = BTreeMap<&'static str, Table<Entry>>;

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
    fn event(
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
    fn new_status(&self) -> Option<&str> {
        let status = self.new?.text("status");
        let same = self.old.is_some_and(|old| old.is("status", status));
        (!same).then_some(status)
    }
}

/// For kinds whose changes no webhook tells of.
fn no_event(_: &Change) -> Option<&'static str> {
    None
}

/// The object as the API shows it.
fn same_data(_: &State, entry: &Entry, _: &str) -> serde_json::Result<String> {
    Ok(entry.json.clone())
}

/// Every kind. Those that others refer to come first, because they are generated in this order.
const KINDS: &[&[Kind]] = &[
    roles::KINDS,
    instance_settings::KINDS,
    access::KINDS,
    invitations::KINDS,
    organizations::KINDS,
    sessions::KINDS,
    enterprise::KINDS,
    machines::KINDS,
    billing::KINDS,
];

/// The kind with a name. Those of billing are also known with `billing_` before it, and subscriptions with who has
/// them before that.
pub(crate) fn kind(name: &str) -> Option<&'static Kind> {
    let name = match name {
        "user_billing_subscriptions" | "organization_billing_subscriptions" => "subscriptions",
        name => name.strip_prefix("billing_").unwrap_or(name),
    };
    KINDS.iter().copied().flatten().find(|kind| kind.name == name)
}

/// Generates the objects of every kind, for the users and organizations that there are. Each kind has a random
/// generator of its own, so that it stays the same when another one changes.
pub(crate) fn generate(state: &mut State, config: &Config) {
    state.others = config.others;
    for kind in KINDS.iter().copied().flatten() {
        let table = Table::new(entries(state, kind, config));
        state.tables.insert(kind.name, table);
    }
}

fn entries(state: &State, kind: &'static Kind, config: &Config) -> Vec<Entry> {
    let mut random = StdRng::seed_from_u64(config.seed ^ hash(kind.name));
    let count = match kind.amount {
        Amount::Many => config.others,
        Amount::Exactly(count) => count,
    };
    let mut times = time::creations(&mut random, count);
    // Some objects are created in the same millisecond, also where there are only a few.
    for place in (1..count).filter(|place| place % 7 == 2) {
        times[place] = times[place - 1];
    }
    let mut entries = Vec::new();
    for (index, at) in times.into_iter().enumerate() {
        let random = StdRng::seed_from_u64(config.seed ^ hash(kind.name).wrapping_add(index as u64 + 1));
        let mut maker = Maker { state, siblings: &entries, random, is_new: false, index, at, given: Map::new() };
        let made = (kind.make)(&mut maker);
        // What is made has an id and a time of creation, so that reading it cannot fail.
        entries.extend(made.and_then(|made| Entry::read(kind, made.to_string()).ok()));
    }
    entries
}

/// FNV-1a.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Whether an object is one of those that a name stands for: of the subscriptions of users or of organizations, only
/// the ones that have such a payer.
pub(crate) fn is_meant(name: &str, entry: &Entry) -> bool {
    match name {
        "user_billing_subscriptions" => entry.value("user_id").is_string(),
        "organization_billing_subscriptions" => entry.value("organization_id").is_string(),
        _ => true,
    }
}

impl State {
    pub(crate) fn table(&self, kind: &str) -> Option<&Table<Entry>> {
        self.tables.get(kind)
    }

    /// Every object of a kind, the oldest first.
    pub(crate) fn entries(&self, kind: &str) -> impl DoubleEndedIterator<Item = &Entry> {
        self.table(kind).into_iter().flat_map(Table::iter)
    }

    pub(crate) fn entry(&self, kind: &str, id: &str) -> Option<&Entry> {
        self.table(kind)?.get(id)
    }
}
