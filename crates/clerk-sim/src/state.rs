//! The objects of the simulated Clerk instance, and the changes that can be made to them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use fake::rand::SeedableRng;
use fake::rand::rngs::StdRng;
use serde::Serialize;
use tokio::runtime::Handle;

use crate::Config;
use crate::dispatcher::Dispatcher;
use crate::generate::{self, id};
use crate::instance::Instance;
use crate::object::{self, Fields, Membership, Organization, User, raw};
use crate::table::Table;
use crate::webhook::Delivery;
use crate::{event, identification, schema};

/// Why a change was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// There is no object of this kind with this id.
    #[error("no {kind} has the id {id}")]
    NotFound {
        /// `user`, `organization` or `membership`.
        kind: &'static str,
        /// The id that was looked for.
        id: String,
    },
    /// The id of an object cannot be changed, and a new object cannot have the id of another one.
    #[error("the id {0} is taken, or is not this object's")]
    WrongId(String),
    /// The fields are not a JSON object, or the resulting object is not one of Clerk's.
    #[error("not an object of Clerk's: {0}")]
    Invalid(#[from] serde_json::Error),
}

/// Users, organizations and memberships, and the clock by which they change.
///
/// The clock starts at 1 November 2026, 00:00 UTC, and advances by one second with every change, so that every run of a
/// test sees the same times.
///
/// Fields can be any value that serializes as a JSON object: `json!({"first_name": "Ada"})`, or a
/// [`RawValue`](serde_json::value::RawValue) if the exact text matters. They replace the object's own fields. Fields
/// that Clerk does not know are kept.
///
/// Every change causes the events that Clerk would send to webhooks. Deleting a user or an organization also causes one
/// for each of its memberships.
pub struct State {
    pub(crate) instance: Instance,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) users: Table<User>,
    pub(crate) organizations: Table<Organization>,
    pub(crate) memberships: Table<Membership>,
    /// From the id of a user or an organization to the ids of its memberships.
    by_user: IdIndex,
    by_organization: IdIndex,
    /// From each email address, phone number, wallet, username and external id, in lower case, to the ids of the users
    /// who have it.
    by_identifier: IdIndex,
    clock: i64,
    random: StdRng,
}

/// An index from a key, such as a user's id, to the ids of other objects.
type IdIndex = HashMap<String, BTreeSet<String>>;

impl State {
    /// Generates the instance. The same seed and sizes lead to the same instance, to the byte.
    pub(crate) fn generate(config: &Config, runtime: Handle) -> State {
        let mut random = StdRng::seed_from_u64(config.seed);
        let generated = generate::instance(&mut random, config);
        let mut state = State {
            instance: Instance::new(config),
            dispatcher: Dispatcher::new(config.receiver.clone(), runtime),
            users: Table::new(generated.users),
            organizations: Table::new(generated.organizations),
            memberships: Table::new(generated.memberships),
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

    /// Adds a user and returns its id.
    ///
    /// In addition to the fields of Clerk's user object, `email_address`, `phone_number` and `web3_wallet` are accepted
    /// as in Clerk's own "create a user": a text or an array of texts, the first of which becomes the primary one.
    /// Without `created_at`, the user is created at the clock's time.
    ///
    /// # Errors
    /// [`ChangeError::WrongId`] if the id is taken, [`ChangeError::Invalid`] if the result is not a user.
    pub fn create_user(&mut self, fields: impl Serialize) -> Result<String, ChangeError> {
        let now = self.tick();
        let mut fields = read_fields(fields)?;
        let id = id::new("user_", &mut self.random, now);
        let empty = raw(Empty {})?;
        let blank = serde_json::to_string(&schema::User::blank(&id, now, &empty))?;
        identification::expand(&mut fields, &mut self.random, now)?;
        default_updated_at(&mut fields);

        let user = User::read(object::patched(&blank, fields)?)?;
        require_free(self.users.get(&user.id).is_some(), &user.id)?;
        let id = user.id.clone();
        self.emit("user.created", user.json.clone());
        self.put_user(user);
        Ok(id)
    }

    /// Changes fields of a user, and its `updated_at`.
    ///
    /// # Errors
    /// [`ChangeError::NotFound`], or [`ChangeError::Invalid`] if the result is not a user.
    pub fn update_user(&mut self, id: &str, fields: impl Serialize) -> Result<(), ChangeError> {
        let now = self.tick();
        let mut fields = read_fields(fields)?;
        identification::expand(&mut fields, &mut self.random, now)?;
        set_updated_at(&mut fields, now)?;
        let user = self.users.get(id).ok_or_else(|| not_found("user", id))?;
        let user = User::read(object::patched(&user.json, fields)?)?;
        require_free(user.id != id, &user.id)?;
        self.emit("user.updated", user.json.clone());
        self.put_user(user);
        Ok(())
    }

    /// Deletes a user and, as Clerk does, its memberships.
    ///
    /// # Errors
    /// [`ChangeError::NotFound`].
    pub fn delete_user(&mut self, id: &str) -> Result<(), ChangeError> {
        self.tick();
        if self.users.get(id).is_none() {
            return Err(not_found("user", id));
        }
        // The memberships are removed first, because their events contain the user.
        for membership in self.by_user.remove(id).unwrap_or_default() {
            self.remove_membership(&membership);
        }
        if let Some(user) = self.remove_user(id) {
            self.emit("user.deleted", event::deleted_user(&user));
        }
        Ok(())
    }

    /// Adds an organization and returns its id. Without a name it is called "New organization".
    ///
    /// # Errors
    /// [`ChangeError::WrongId`] if the id is taken, [`ChangeError::Invalid`] if the result is not an organization.
    pub fn create_organization(&mut self, fields: impl Serialize) -> Result<String, ChangeError> {
        let now = self.tick();
        let mut fields = read_fields(fields)?;
        let id = id::new("org_", &mut self.random, now);
        let empty = raw(Empty {})?;
        let slug = id.to_lowercase().replace('_', "-");
        let blank = serde_json::to_string(&schema::Organization {
            object: "organization",
            id: &id,
            name: "New organization",
            slug: &slug,
            image_url: "https://img.clerk.com/default-organization",
            has_image: false,
            max_allowed_memberships: 5,
            admin_delete_enabled: true,
            public_metadata: &empty,
            private_metadata: &empty,
            created_by: None,
            created_at: now,
            updated_at: now,
            last_active_at: None,
            role_set_key: None,
        })?;
        default_updated_at(&mut fields);

        let organization = Organization::read(object::patched(&blank, fields)?)?;
        let is_taken = self.organizations.get(&organization.id).is_some();
        require_free(is_taken, &organization.id)?;
        let id = organization.id.clone();
        self.organizations.put(organization);
        self.emit("organization.created", event::organization(self, &id));
        Ok(id)
    }

    /// Changes fields of an organization, and its `updated_at`.
    ///
    /// # Errors
    /// [`ChangeError::NotFound`], or [`ChangeError::Invalid`] if the result is not an organization.
    pub fn update_organization(&mut self, id: &str, fields: impl Serialize) -> Result<(), ChangeError> {
        let now = self.tick();
        let mut fields = read_fields(fields)?;
        set_updated_at(&mut fields, now)?;
        let organization = self.organizations.get(id);
        let organization = organization.ok_or_else(|| not_found("organization", id))?;
        let organization = Organization::read(object::patched(&organization.json, fields)?)?;
        require_free(organization.id != id, &organization.id)?;
        self.organizations.put(organization);
        self.emit("organization.updated", event::organization(self, id));
        Ok(())
    }

    /// Deletes an organization and, as Clerk does, its memberships.
    ///
    /// # Errors
    /// [`ChangeError::NotFound`].
    pub fn delete_organization(&mut self, id: &str) -> Result<(), ChangeError> {
        self.tick();
        if self.organizations.get(id).is_none() {
            return Err(not_found("organization", id));
        }
        for membership in self.by_organization.remove(id).unwrap_or_default() {
            self.remove_membership(&membership);
        }
        if let Some(organization) = self.organizations.remove(id) {
            self.emit("organization.deleted", event::deleted_organization(&organization));
        }
        Ok(())
    }

    /// Makes a user a member of an organization and returns the membership's id. Without a `role` among the fields
    /// it is `org:member`.
    ///
    /// # Errors
    /// [`ChangeError::NotFound`] if there is no such user or organization, [`ChangeError::WrongId`] if the id is
    /// taken, [`ChangeError::Invalid`] if the result is not a membership.
    pub fn create_membership(
        &mut self,
        user_id: &str,
        organization_id: &str,
        fields: impl Serialize,
    ) -> Result<String, ChangeError> {
        let now = self.tick();
        let user = self.users.get(user_id);
        user.ok_or_else(|| not_found("user", user_id))?;
        let organization = self.organizations.get(organization_id);
        organization.ok_or_else(|| not_found("organization", organization_id))?;

        let mut fields = read_fields(fields)?;
        let id = id::new("orgmem_", &mut self.random, now);
        let empty = raw(Empty {})?;
        let (role_name, permissions) = schema::role("org:member");
        let blank = serde_json::to_string(&schema::Membership {
            object: "organization_membership",
            id: &id,
            role: "org:member",
            role_name: &role_name,
            permissions,
            public_metadata: &empty,
            private_metadata: &empty,
            created_at: now,
            updated_at: now,
        })?;
        expand_role(&mut fields)?;
        default_updated_at(&mut fields);

        let membership =
            Membership::read(object::patched(&blank, fields)?, user_id.to_owned(), organization_id.to_owned())?;
        let is_taken = self.memberships.get(&membership.id).is_some();
        require_free(is_taken, &membership.id)?;
        let id = membership.id.clone();
        link(&mut self.by_user, user_id, &id);
        link(&mut self.by_organization, organization_id, &id);
        self.emit("organizationMembership.created", event::membership(self, &membership));
        self.memberships.put(membership);
        Ok(id)
    }

    /// Changes fields of a membership, and its `updated_at`. A new `role` brings its name and permissions along.
    ///
    /// # Errors
    /// [`ChangeError::NotFound`], or [`ChangeError::Invalid`] if the result is not a membership.
    pub fn update_membership(&mut self, id: &str, fields: impl Serialize) -> Result<(), ChangeError> {
        let now = self.tick();
        let mut fields = read_fields(fields)?;
        expand_role(&mut fields)?;
        set_updated_at(&mut fields, now)?;
        let old = self.memberships.get(id);
        let old = old.ok_or_else(|| not_found("membership", id))?;
        let membership =
            Membership::read(object::patched(&old.json, fields)?, old.user_id.clone(), old.organization_id.clone())?;
        require_free(membership.id != id, &membership.id)?;
        self.emit("organizationMembership.updated", event::membership(self, &membership));
        self.memberships.put(membership);
        Ok(())
    }

    /// Deletes a membership.
    ///
    /// # Errors
    /// [`ChangeError::NotFound`].
    pub fn delete_membership(&mut self, id: &str) -> Result<(), ChangeError> {
        self.tick();
        if self.remove_membership(id) { Ok(()) } else { Err(not_found("membership", id)) }
    }

    pub(crate) fn organization(&self, id_or_slug: &str) -> Option<&Organization> {
        self.organizations.get(id_or_slug).or_else(|| {
            let mut all = self.organizations.iter();
            all.find(|organization| organization.slug == id_or_slug)
        })
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

    fn tick(&mut self) -> i64 {
        self.clock += 1000;
        self.clock
    }

    /// Emits a webhook event for a change that was just made.
    fn emit(&mut self, kind: &str, data: String) {
        self.dispatcher.dispatch(Delivery::new(&self.instance.id, kind, &data, self.clock));
    }

    fn put_user(&mut self, user: User) {
        self.remove_user(&user.id);
        for identifier in user.identifiers() {
            link(&mut self.by_identifier, &identifier, &user.id);
        }
        self.users.put(user);
    }

    fn remove_user(&mut self, id: &str) -> Option<Arc<User>> {
        let user = self.users.remove(id)?;
        for identifier in user.identifiers() {
            unlink(&mut self.by_identifier, &identifier, id);
        }
        Some(user)
    }

    fn remove_membership(&mut self, id: &str) -> bool {
        let Some(membership) = self.memberships.remove(id) else {
            return false;
        };
        unlink(&mut self.by_user, &membership.user_id, id);
        unlink(&mut self.by_organization, &membership.organization_id, id);
        self.emit("organizationMembership.deleted", event::membership(self, &membership));
        true
    }
}

/// `{}`
#[derive(Serialize)]
struct Empty {}

fn read_fields(fields: impl Serialize) -> serde_json::Result<Fields> {
    serde_json::from_str(&serde_json::to_string(&fields)?)
}

/// Sets `updated_at` to the given `created_at`, unless it is given as well.
fn default_updated_at(fields: &mut Fields) {
    if let Some(created) = fields.get("created_at").cloned() {
        fields.entry("updated_at".to_owned()).or_insert(created);
    }
}

fn set_updated_at(fields: &mut Fields, now: i64) -> serde_json::Result<()> {
    let now = raw(now)?;
    fields.entry("updated_at".to_owned()).or_insert(now);
    Ok(())
}

fn expand_role(fields: &mut Fields) -> serde_json::Result<()> {
    let Some(role) = fields.get("role") else {
        return Ok(());
    };
    let role: String = serde_json::from_str(role.get())?;
    let (name, permissions) = schema::role(&role);
    let (name, permissions) = (raw(name)?, raw(permissions)?);
    fields.entry("role_name".to_owned()).or_insert(name);
    fields.entry("permissions".to_owned()).or_insert(permissions);
    Ok(())
}

fn link(links: &mut IdIndex, from: &str, to: &str) {
    links.entry(from.to_owned()).or_default().insert(to.to_owned());
}

fn unlink(links: &mut IdIndex, from: &str, to: &str) {
    if let Some(ids) = links.get_mut(from) {
        ids.remove(to);
    }
}

fn require_free(is_taken: bool, id: &str) -> Result<(), ChangeError> {
    if is_taken {
        return Err(ChangeError::WrongId(id.to_owned()));
    }
    Ok(())
}

fn not_found(kind: &'static str, id: &str) -> ChangeError {
    ChangeError::NotFound { kind, id: id.to_owned() }
}
