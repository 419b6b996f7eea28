//! The objects of the simulated Clerk instance, and how they are found.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use fake::rand::SeedableRng;
use fake::rand::rngs::StdRng;
use tokio::runtime::Handle;

use crate::config::Config;
use crate::dispatcher::Dispatcher;
use crate::entry::{Entry, Tables};
use crate::generate;
use crate::instance::{Instance, generated_id};
use crate::object::{Membership, Organization, User};
use crate::table::Table;

/// Users, organizations, memberships and all other objects, and the clock by which they change.
///
/// The clock starts at 1 November 2026, 00:00 UTC, and advances by one second with every change, so that every run of a
/// test sees the same times.
///
/// Fields can be any value that serializes as a JSON object: `json!({"first_name": "Ada"})`, or a
/// [`RawValue`](serde_json::value::RawValue) if the exact text matters. They replace the object's own fields. Fields
/// that Clerk does not know are kept.
///
/// Every change causes the events that Clerk would send to webhooks. Deleting a user or an organization also causes one
/// for each of its memberships, and for those of its other objects whose deletion Clerk tells of.
pub struct State {
    pub(crate) instance: Instance,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) users: Table<User>,
    pub(crate) organizations: Table<Organization>,
    pub(crate) memberships: Table<Membership>,
    /// The objects of all other kinds, which `resources` generates.
    pub(crate) tables: Tables,
    /// How many users the API may create, at most.
    pub(crate) user_quota: Option<usize>,
    /// About how many objects there are at first of each other kind.
    pub(crate) others: usize,
    /// From the id of a user or an organization to the ids of its memberships.
    by_user: IdIndex,
    by_organization: IdIndex,
    /// From each email address, phone number, wallet, username and external id, in lower case, to the ids of the users
    /// who have it.
    by_identifier: IdIndex,
    pub(crate) clock: i64,
    pub(crate) random: StdRng,
}

/// An index from a key, such as a user's id, to the ids of other objects.
type IdIndex = HashMap<String, BTreeSet<String>>;

impl State {
    /// Generates the instance with its users, organizations and memberships. The same seed and sizes lead to the same
    /// instance, to the byte.
    pub(crate) fn generate(config: &Config, runtime: Handle) -> State {
        let mut random = StdRng::seed_from_u64(config.seed);
        let id = config.instance.clone().unwrap_or_else(|| generated_id(config.seed));
        let generated = generate::instance(&mut random, config);
        let mut state = State {
            instance: Instance::new(id, &config.keys),
            dispatcher: Dispatcher::new(config.receiver.clone(), runtime),
            users: Table::new(generated.users),
            organizations: Table::new(generated.organizations),
            memberships: Table::new(generated.memberships),
            tables: Tables::new(),
            user_quota: config.user_quota,
            others: config.others,
            by_user: IdIndex::new(),
            by_organization: IdIndex::new(),
            by_identifier: IdIndex::new(),
            clock: generate::END,
            random,
        };
        for user in state.users.iter() {
            for identifier in user.identifiers() {
                link(&mut state.by_identifier, &identifier, &user.id);
            }
        }
        for membership in state.memberships.iter() {
            link(&mut state.by_user, &membership.user_id, &membership.id);
            link(&mut state.by_organization, &membership.organization_id, &membership.id);
        }
        state
    }

    /// Changes the id of the instance that the keys belong to. It keeps the same objects.
    pub fn set_instance(&mut self, id: impl Into<String>) {
        self.instance.id = id.into();
    }

    pub(crate) fn organization(&self, id_or_slug: &str) -> Option<&Organization> {
        self.organizations.get(id_or_slug).or_else(|| {
            let mut all = self.organizations.iter();
            all.find(|organization| organization.slug == id_or_slug)
        })
    }

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

    /// The memberships of a user, in no particular order.
    pub(crate) fn memberships_of(&self, user_id: &str) -> impl Iterator<Item = &Membership> {
        let ids = self.by_user.get(user_id).into_iter().flatten();
        ids.filter_map(|id| self.memberships.get(id))
    }

    /// The memberships in an organization, in no particular order.
    pub(crate) fn members_of(&self, organization_id: &str) -> impl Iterator<Item = &Membership> {
        let ids = self.by_organization.get(organization_id);
        let ids = ids.into_iter().flatten();
        ids.filter_map(|id| self.memberships.get(id))
    }

    pub(crate) fn members_count(&self, organization_id: &str) -> usize {
        self.by_organization.get(organization_id).map_or(0, BTreeSet::len)
    }

    /// The users who have an email address, a phone number, a wallet, a username or an external id, given in lower
    /// case.
    pub(crate) fn users_identified_by(&self, identifier: &str) -> impl Iterator<Item = &User> {
        let ids = self.by_identifier.get(identifier).into_iter().flatten();
        ids.filter_map(|id| self.users.get(id))
    }

    pub(crate) fn put_user(&mut self, user: User) {
        self.remove_user(&user.id);
        for identifier in user.identifiers() {
            link(&mut self.by_identifier, &identifier, &user.id);
        }
        self.users.put(user);
    }

    pub(crate) fn remove_user(&mut self, id: &str) -> Option<Arc<User>> {
        let user = self.users.remove(id)?;
        for identifier in user.identifiers() {
            unlink(&mut self.by_identifier, &identifier, id);
        }
        Some(user)
    }

    /// Adds a membership to the indexes, by which memberships are counted.
    pub(crate) fn index_membership(&mut self, membership: &Membership) {
        link(&mut self.by_user, &membership.user_id, &membership.id);
        link(&mut self.by_organization, &membership.organization_id, &membership.id);
    }

    /// Removes a user's memberships from the user's index and returns their ids.
    pub(crate) fn take_memberships_of(&mut self, user_id: &str) -> BTreeSet<String> {
        self.by_user.remove(user_id).unwrap_or_default()
    }

    /// Removes an organization's memberships from the organization's index and returns their ids.
    pub(crate) fn take_members_of(&mut self, organization_id: &str) -> BTreeSet<String> {
        self.by_organization.remove(organization_id).unwrap_or_default()
    }

    pub(crate) fn remove_membership(&mut self, id: &str) -> Option<Arc<Membership>> {
        let membership = self.memberships.remove(id)?;
        unlink(&mut self.by_user, &membership.user_id, id);
        unlink(&mut self.by_organization, &membership.organization_id, id);
        Some(membership)
    }
}

fn link(links: &mut IdIndex, from: &str, to: &str) {
    links.entry(from.to_owned()).or_default().insert(to.to_owned());
}

fn unlink(links: &mut IdIndex, from: &str, to: &str) {
    if let Some(ids) = links.get_mut(from) {
        ids.remove(to);
    }
}
