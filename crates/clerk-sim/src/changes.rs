//! The changes that can be made to the objects, and the events that they cause.

use serde::Serialize;

use crate::error::ClerkError;
use crate::generate::id;
use crate::object::{self, Fields, Membership, Organization, User, raw};
use crate::state::State;
use crate::webhook::Delivery;
use crate::{event, identification, schema};

/// Why a change was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// There is no object of this kind with this id.
    #[error("no {kind} has the id {id}")]
    NotFound {
        /// Such as `user` or `invitation`; `owner` for that to which a new object is to belong.
        kind: &'static str,
        /// The id that was looked for.
        id: String,
    },
    /// There are no objects of this name.
    #[error("there are no objects called {0}")]
    UnknownObject(String),
    /// The id of an object cannot be changed, and a new object cannot have the id of another one.
    #[error("the id {0} is taken, or is not this object's")]
    WrongId(String),
    /// The fields are not a JSON object, or the resulting object is not one of Clerk's.
    #[error("not an object of Clerk's: {0}")]
    Invalid(#[from] serde_json::Error),
}

impl From<ChangeError> for ClerkError {
    fn from(error: ChangeError) -> ClerkError {
        match error {
            ChangeError::NotFound { kind, id } => ClerkError::not_found(kind, &id),
            ChangeError::UnknownObject(_) => ClerkError::no_such_route(),
            other => ClerkError::bad_body(other),
        }
    }
}

impl State {
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

    /// Deletes a user and, as Clerk does, its memberships and what else belongs to it.
    ///
    /// # Errors
    /// [`ChangeError::NotFound`].
    pub fn delete_user(&mut self, id: &str) -> Result<(), ChangeError> {
        self.tick();
        if self.users.get(id).is_none() {
            return Err(not_found("user", id));
        }
        // The memberships are removed first, because their events contain the user.
        for membership in self.take_memberships_of(id) {
            self.end_membership(&membership);
        }
        self.delete_belongings(id)?;
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

    /// Deletes an organization and, as Clerk does, its memberships and what else belongs to it.
    ///
    /// # Errors
    /// [`ChangeError::NotFound`].
    pub fn delete_organization(&mut self, id: &str) -> Result<(), ChangeError> {
        self.tick();
        if self.organizations.get(id).is_none() {
            return Err(not_found("organization", id));
        }
        for membership in self.take_members_of(id) {
            self.end_membership(&membership);
        }
        self.delete_belongings(id)?;
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
        self.index_membership(&membership);
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
        if self.end_membership(id) { Ok(()) } else { Err(not_found("membership", id)) }
    }

    pub(crate) fn tick(&mut self) -> i64 {
        self.clock += 1000;
        self.clock
    }

    /// Emits a webhook event for a change that was just made.
    pub(crate) fn emit(&mut self, kind: &str, data: String) {
        self.dispatcher.dispatch(Delivery::new(&self.instance.id, kind, &data, self.clock));
    }

    /// Removes a membership and emits its event. False if there is none of that id.
    fn end_membership(&mut self, id: &str) -> bool {
        let Some(membership) = self.remove_membership(id) else {
            return false;
        };
        self.emit("organizationMembership.deleted", event::membership(self, &membership));
        true
    }
}

/// `{}`
#[derive(Serialize)]
struct Empty {}

pub(crate) fn read_fields(fields: impl Serialize) -> serde_json::Result<Fields> {
    serde_json::from_str(&serde_json::to_string(&fields)?)
}

/// Sets `updated_at` to the given `created_at`, unless it is given as well.
pub(crate) fn default_updated_at(fields: &mut Fields) {
    if let Some(created) = fields.get("created_at").cloned() {
        fields.entry("updated_at".to_owned()).or_insert(created);
    }
}

pub(crate) fn set_updated_at(fields: &mut Fields, now: i64) -> serde_json::Result<()> {
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

pub(crate) fn require_free(is_taken: bool, id: &str) -> Result<(), ChangeError> {
    if is_taken {
        return Err(ChangeError::WrongId(id.to_owned()));
    }
    Ok(())
}

pub(crate) fn not_found(kind: &'static str, id: &str) -> ChangeError {
    ChangeError::NotFound { kind, id: id.to_owned() }
}
