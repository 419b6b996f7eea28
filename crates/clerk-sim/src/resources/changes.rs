//! Changes of objects of any kind, and the events that they cause.

use fake::rand::rngs::StdRng;
use fake::rand::{Rng, SeedableRng};
use serde::Serialize;
use serde_json::{Value, json};

use super::kind::{Change, Kind};
use super::maker::Maker;
use super::registry::{KINDS, kind_named};
use crate::changes::{ChangeError, default_updated_at, not_found, read_fields, require_free, set_updated_at};
use crate::entry::Entry;
use crate::object::Fields;
use crate::state::State;
use crate::table::Row;

impl State {
    /// Adds an object and returns its id.
    ///
    /// `object` is the name of its kind: `users`, `organizations`, `organization_memberships` (or `memberships`),
    /// `invitations`, `organization_invitations`, `organization_domains`, `organization_roles`,
    /// `organization_permissions`, `role_sets`, `sessions`, `waitlist_entries`, `allowlist_identifiers`,
    /// `blocklist_identifiers`, `domains`, `redirect_urls`, `jwt_templates`, `oauth_applications`, `saml_connections`,
    /// `enterprise_connections`, `directories`, `machines`, `api_keys`, `m2m_tokens`, `organization_settings`, and of
    /// billing `plans`, `prices`, `subscriptions`, `subscription_items`, `statements` and `payment_attempts`, also with
    /// `billing_` before them. `user_billing_subscriptions` and `organization_billing_subscriptions` are the
    /// subscriptions of users and those of organizations.
    ///
    /// The object is generated, and the fields replace its own. What it belongs to is among the fields: `user_id`,
    /// `organization_id`, `subject`, `statement_id` and so on. Where that is left out, it belongs to one of those that
    /// there are; a membership needs both `user_id` and `organization_id`. Without `created_at`, the object is created
    /// at the clock's time.
    ///
    /// # Errors
    /// [`ChangeError::UnknownObject`], [`ChangeError::NotFound`] if there is nothing that it could belong to,
    /// [`ChangeError::WrongId`] if the id is taken, and [`ChangeError::Invalid`].
    pub fn create(&mut self, object: &str, fields: impl Serialize) -> Result<String, ChangeError> {
        match object {
            "users" => return self.create_user(fields),
            "organizations" => return self.create_organization(fields),
            "organization_memberships" | "memberships" => {
                let mut fields = read_fields(fields)?;
                let mut id_of = |name: &str| -> Result<String, ChangeError> {
                    let id = fields.shift_remove(name);
                    Ok(serde_json::from_str(id.as_ref().map_or("null", |id| id.get()))?)
                };
                let (user, organization) = (id_of("user_id")?, id_of("organization_id")?);
                return self.create_membership(&user, &organization, fields);
            }
            _ => {}
        }
        let kind = known(object)?;
        let now = self.tick();
        let mut fields = read_fields(fields)?;
        default_updated_at(&mut fields);
        let entry = self.made(kind, &fields, now)?;
        let entry = entry.patched(kind.hidden, fields)?;
        require_free(self.entry(kind.name, entry.id()).is_some(), entry.id())?;
        let id = entry.id().to_owned();
        self.tell(kind, None, Some(&entry))?;
        self.put_entry(kind, entry);
        Ok(id)
    }

    /// Changes fields of an object, and its `updated_at`. `object` is as in [`State::create`].
    ///
    /// # Errors
    /// [`ChangeError::UnknownObject`], [`ChangeError::NotFound`], or [`ChangeError::Invalid`] if the result has no id
    /// or no time of creation.
    pub fn update(&mut self, object: &str, id: &str, fields: impl Serialize) -> Result<(), ChangeError> {
        match object {
            "users" => return self.update_user(id, fields),
            "organizations" => return self.update_organization(id, fields),
            "organization_memberships" | "memberships" => return self.update_membership(id, fields),
            _ => {}
        }
        let kind = known(object)?;
        let now = self.tick();
        let mut fields = read_fields(fields)?;
        let old = self.entry(kind.name, id).ok_or_else(|| not_found(kind.noun, id))?;
        if old.value("updated_at").is_i64() {
            set_updated_at(&mut fields, now)?;
        }
        let new = old.patched(kind.hidden, fields)?;
        require_free(new.id() != id, new.id())?;
        let event = (kind.event)(&Change { old: Some(old), new: Some(&new) });
        self.put_entry(kind, new);
        if let (Some(event), Some(new)) = (event, self.entry(kind.name, id)) {
            let data = (kind.event_data)(self, new, event)?;
            self.emit(event, data);
        }
        Ok(())
    }

    /// Deletes an object and what belongs to it. `object` is as in [`State::create`].
    ///
    /// # Errors
    /// [`ChangeError::UnknownObject`] or [`ChangeError::NotFound`].
    pub fn delete(&mut self, object: &str, id: &str) -> Result<(), ChangeError> {
        match object {
            "users" => return self.delete_user(id),
            "organizations" => return self.delete_organization(id),
            "organization_memberships" | "memberships" => return self.delete_membership(id),
            _ => {}
        }
        let kind = known(object)?;
        self.tick();
        if self.entry(kind.name, id).is_none() {
            return Err(not_found(kind.noun, id));
        }
        self.remove_entry(kind, id)
    }

    /// Deletes the objects that belong to a user, an organization or another object.
    pub(crate) fn delete_belongings(&mut self, owner: &str) -> Result<(), ChangeError> {
        for kind in KINDS.iter().copied().flatten() {
            let belongs = |entry: &&Entry| kind.owners.iter().any(|field| entry.is(field, owner));
            let ids: Vec<String> = self.entries(kind.name).filter(belongs).map(|entry| entry.id().to_owned()).collect();
            for id in ids {
                self.remove_entry(kind, &id)?;
            }
        }
        Ok(())
    }

    /// Generates an object with the fields that are given, as far as it depends on them.
    fn made(&mut self, kind: &'static Kind, fields: &Fields, now: i64) -> Result<Entry, ChangeError> {
        let random = StdRng::seed_from_u64(self.random.random());
        let given = fields
            .iter()
            .map(|(name, raw)| (name.clone(), serde_json::from_str(raw.get()).unwrap_or_default()))
            .collect();
        let index = self.table(kind.name).map_or(0, |table| table.len());
        let mut maker = Maker { state: self, siblings: &[], random, is_new: true, index, at: now, given };
        if let Some(created) = maker.given.get("created_at").and_then(Value::as_i64) {
            maker.at = created;
        }
        let made = (kind.make)(&mut maker).ok_or_else(|| {
            let owners = ["user_id", "organization_id", "subject", "payer_id", "statement_id"];
            let owner = owners.into_iter().find_map(|field| maker.given_text(field));
            not_found("owner", owner.unwrap_or_default())
        })?;
        Ok(Entry::read(kind.hidden, made.to_string())?)
    }

    fn put_entry(&mut self, kind: &Kind, entry: Entry) {
        if let Some(table) = self.tables.get_mut(kind.name) {
            table.put(entry);
        }
    }

    fn remove_entry(&mut self, kind: &'static Kind, id: &str) -> Result<(), ChangeError> {
        // What belongs to it is deleted first, as with users and organizations.
        self.delete_belongings(id)?;
        let Some(entry) = self.tables.get_mut(kind.name).and_then(|table| table.remove(id)) else {
            return Ok(());
        };
        self.tell(kind, Some(&entry), None)
    }

    /// Emits the event that tells of a change, if there is one.
    fn tell(&mut self, kind: &Kind, old: Option<&Entry>, new: Option<&Entry>) -> Result<(), ChangeError> {
        let Some(event) = (kind.event)(&Change { old, new }) else { return Ok(()) };
        let data = match (old, new) {
            (_, Some(new)) => (kind.event_data)(self, new, event)?,
            (Some(old), None) => json!({ "object": old.value("object"), "id": old.id(), "deleted": true }).to_string(),
            (None, None) => return Ok(()),
        };
        self.emit(event, data);
        Ok(())
    }
}

fn known(object: &str) -> Result<&'static Kind, ChangeError> {
    kind_named(object).ok_or_else(|| ChangeError::UnknownObject(object.to_owned()))
}
