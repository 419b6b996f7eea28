//! The endpoints `/users`, `/users/count` and `/users/{user_id}`, and their filters.

use std::collections::HashSet;

use crate::error::ClerkError;
use crate::object::{Fields, User};
use crate::page::{self, SortKey};
use crate::query::{IncludeExclude, Query};
use crate::state::State;
use crate::table::Row;

pub(crate) fn list(state: &State, query: &Query) -> Result<Vec<u8>, ClerkError> {
    let cursor = cursor(state, query)?;
    let mut rows = page::shuffle_ties(select(state, query)?, query);
    if let Some(cursor) = cursor {
        let place = match rows.iter().position(|user| query.tie_seed().is_some() && user.id == cursor.id) {
            Some(place) => place + 1,
            None => rows.partition_point(|user| user.key() <= cursor.key()),
        };
        if query.order().descending {
            rows.truncate(place);
            // The cursor itself may have been filtered out.
            if rows.last().is_some_and(|user| user.id == cursor.id) {
                rows.pop();
            }
        } else {
            rows.drain(..place);
        }
    }
    let page = page::page(rows, query, sort_key);
    Ok(page::array(&page, |user, out| {
        out.extend_from_slice(user.json.as_bytes());
    }))
}

pub(crate) fn count(state: &State, query: &Query) -> Result<Vec<u8>, ClerkError> {
    let total = select(state, query)?.len();
    Ok(format!(r#"{{"object":"total_count","total_count":{total}}}"#).into_bytes())
}

pub(crate) fn get(state: &State, id: &str) -> Result<Vec<u8>, ClerkError> {
    let user = state.users.get(id);
    let user = user.ok_or_else(|| ClerkError::not_found("user", id))?;
    Ok(user.json.clone().into_bytes())
}

/// An email address of any user.
pub(crate) fn email_address(state: &State, id: &str) -> Result<Vec<u8>, ClerkError> {
    let user = state.users.iter().find(|user| user.email_ids().contains(&id));
    part(user, "email_addresses", id).ok_or_else(|| ClerkError::not_found("email address", id))
}

/// A phone number of any user.
pub(crate) fn phone_number(state: &State, id: &str) -> Result<Vec<u8>, ClerkError> {
    let user = state.users.iter().find(|user| user.phone_ids().contains(&id));
    part(user, "phone_numbers", id).ok_or_else(|| ClerkError::not_found("phone number", id))
}

/// The object with this id in an array of a user.
fn part(user: Option<&User>, array: &str, id: &str) -> Option<Vec<u8>> {
    let objects = user?.objects(array).ok()?;
    let is_meant = |object: &&Fields| object.get("id").is_some_and(|raw| raw.get().trim_matches('"') == id);
    serde_json::to_vec(objects.iter().find(is_meant)?).ok()
}

/// The user behind whom the page begins.
fn cursor<'a>(state: &'a State, query: &Query) -> Result<Option<&'a User>, ClerkError> {
    let Some(id) = query.text("starting_after") else {
        return Ok(None);
    };
    if query.order().field != "created_at" {
        return Err(ClerkError::invalid_value("order_by", "starting_after requires ordering by created_at"));
    }
    if query.offset() != 0 {
        return Err(ClerkError::not_together("offset", "starting_after"));
    }
    let user = state.users.get(id);
    user.map(Some).ok_or_else(|| ClerkError::missing_resource("starting_after"))
}

/// The users that match the request's filters, the oldest first.
fn select<'a>(state: &'a State, query: &Query) -> Result<Vec<&'a User>, ClerkError> {
    let accounts = accounts(query)?;
    let ids = query.include_exclude("user_id");
    let organizations = query.include_exclude("organization_id");
    let filter = Filter::new(query);
    let TimeBounds { after, before } = filter.created;

    // Users who are requested by id, by an identifier or by an organization are looked up. Otherwise all users are
    // searched.
    let named = if !ids.include.is_empty() {
        let users = ids.include.iter().filter_map(|id| state.users.get(id));
        Some(by_creation(users))
    } else if let Some(identifiers) = filter.identifiers() {
        let identifiers = identifiers.iter();
        let users = identifiers.flat_map(|identifier| state.users_identified_by(identifier));
        Some(by_creation(users))
    } else if !organizations.include.is_empty() {
        let members = organizations.include.iter();
        let members = members.flat_map(|id| state.members_of(id));
        let users = members.filter_map(|membership| state.users.get(&membership.user_id));
        Some(by_creation(users))
    } else {
        None
    };
    let mut rows = match named {
        Some(mut rows) => {
            rows.retain(|user| filter.created_within(user));
            rows
        }
        None => state.users.created_between(after, before),
    };

    let members = |ids: &[String]| -> HashSet<&'a str> {
        ids.iter().flat_map(|id| state.members_of(id)).map(|membership| membership.user_id.as_str()).collect()
    };
    if !organizations.include.is_empty() {
        let included = members(&organizations.include);
        rows.retain(|user| included.contains(user.id.as_str()));
    }
    if !ids.exclude.is_empty() {
        rows.retain(|user| !ids.exclude.contains(&user.id));
    }
    if !organizations.exclude.is_empty() {
        let excluded = members(&organizations.exclude);
        rows.retain(|user| !excluded.contains(user.id.as_str()));
    }
    if let Some(AccountFilter { provider, user_ids }) = accounts {
        rows.retain(|user| {
            user.external_accounts
                .iter()
                .any(|account| account.provider == provider && user_ids.contains(&account.provider_user_id))
        });
    }
    if !filter.is_empty() {
        rows.retain(|user| filter.matches(user));
    }
    Ok(rows)
}

fn by_creation<'a>(rows: impl Iterator<Item = &'a User>) -> Vec<&'a User> {
    let mut rows: Vec<&User> = rows.collect();
    rows.sort_unstable_by(|a, b| a.key().cmp(&b.key()));
    rows.dedup_by(|a, b| a.id == b.id);
    rows
}

/// A condition on the external accounts of a user.
struct AccountFilter<'q> {
    provider: &'q str,
    /// The ids of users at the provider.
    user_ids: &'q [String],
}

/// The condition on external accounts, if there is one. Clerk takes the two parameters only together.
fn accounts(query: &Query) -> Result<Option<AccountFilter<'_>>, ClerkError> {
    match (query.text("provider"), query.list("provider_user_id")) {
        (Some(provider), Some(user_ids)) => Ok(Some(AccountFilter { provider, user_ids })),
        (Some(_), None) => Err(ClerkError::missing("provider_user_id", "provider")),
        (None, Some(_)) => Err(ClerkError::missing("provider", "provider_user_id")),
        (None, None) => Ok(None),
    }
}

/// The conditions on a user that the lists of users and of an organization's members share.
pub(crate) struct Filter {
    emails: Option<HashSet<String>>,
    phones: Option<HashSet<String>>,
    usernames: Option<HashSet<String>>,
    wallets: Option<HashSet<String>>,
    external_ids: IncludeExclude,
    /// In lower case, like the values that it is compared with.
    query: Option<String>,
    email_query: Option<String>,
    phone_query: Option<String>,
    username_query: Option<String>,
    name_query: Option<String>,
    banned: Option<bool>,
    active: TimeBounds,
    active_since: Option<i64>,
    signed_in: TimeBounds,
    /// The bounds on the time of creation, which [`Filter::matches`] does not check.
    created: TimeBounds,
}

/// Bounds on a time, both exclusive, in Unix milliseconds.
#[derive(Clone, Copy, PartialEq, Eq)]
struct TimeBounds {
    after: Option<i64>,
    before: Option<i64>,
}

impl TimeBounds {
    const NONE: TimeBounds = TimeBounds { after: None, before: None };

    fn read(query: &Query, after: &str, before: &str) -> TimeBounds {
        TimeBounds { after: query.integer(after), before: query.integer(before) }
    }

    fn contains(self, time: Option<i64>) -> bool {
        self.after.is_none_or(|after| time.is_some_and(|time| time > after))
            && self.before.is_none_or(|before| time.is_some_and(|time| time < before))
    }
}

impl Filter {
    pub(crate) fn new(query: &Query) -> Filter {
        let set = |name| query.list(name).map(|values| values.iter().map(|value| value.to_lowercase()).collect());
        let lower = |name| query.text(name).map(str::to_lowercase);
        Filter {
            emails: set("email_address"),
            phones: set("phone_number"),
            usernames: set("username"),
            wallets: set("web3_wallet"),
            external_ids: query.include_exclude("external_id"),
            query: lower("query"),
            email_query: lower("email_address_query"),
            phone_query: lower("phone_number_query"),
            username_query: lower("username_query"),
            name_query: lower("name_query"),
            banned: query.boolean("banned"),
            active: TimeBounds::read(query, "last_active_at_after", "last_active_at_before"),
            active_since: query.integer("last_active_at_since"),
            signed_in: TimeBounds::read(query, "last_sign_in_at_after", "last_sign_in_at_before"),
            created: TimeBounds::read(query, "created_at_after", "created_at_before"),
        }
    }

    /// Values in lower case, of which every user has one for whom [`Filter::matches`]; `None` if the filter has no
    /// exact values.
    fn identifiers(&self) -> Option<Vec<String>> {
        let sets = [&self.emails, &self.phones, &self.usernames, &self.wallets];
        let external_ids = &self.external_ids.include;
        match sets.into_iter().flatten().next() {
            Some(values) => Some(values.iter().cloned().collect()),
            None if external_ids.is_empty() => None,
            None => Some(external_ids.iter().map(|id| id.to_lowercase()).collect()),
        }
    }

    /// Whether [`Filter::matches`] is true for all users.
    pub(crate) fn is_empty(&self) -> bool {
        self.emails.is_none()
            && self.phones.is_none()
            && self.usernames.is_none()
            && self.wallets.is_none()
            && self.external_ids.include.is_empty()
            && self.external_ids.exclude.is_empty()
            && self.query.is_none()
            && self.email_query.is_none()
            && self.phone_query.is_none()
            && self.username_query.is_none()
            && self.name_query.is_none()
            && self.banned.is_none()
            && self.active == TimeBounds::NONE
            && self.active_since.is_none()
            && self.signed_in == TimeBounds::NONE
    }

    pub(crate) fn created_within(&self, user: &User) -> bool {
        self.created.contains(Some(user.created_at))
    }

    /// Whether there are no bounds on the time of creation.
    pub(crate) fn created_any_time(&self) -> bool {
        self.created == TimeBounds::NONE
    }

    pub(crate) fn matches(&self, user: &User) -> bool {
        let IncludeExclude { include, exclude } = &self.external_ids;
        let external_id = user.external_id.as_ref();
        one_of(&self.emails, user.emails())
            && one_of(&self.phones, user.phones())
            && one_of(&self.usernames, user.username.as_deref().into_iter())
            && one_of(&self.wallets, user.wallets())
            && (include.is_empty() || external_id.is_some_and(|id| include.contains(id)))
            && external_id.is_none_or(|id| !exclude.contains(id))
            && part_of(&self.email_query, user.emails())
            && part_of(&self.phone_query, user.phones())
            && part_of(&self.username_query, user.username.as_deref().into_iter())
            && self.name_matches(user)
            && self.anything_matches(user)
            && self.banned.is_none_or(|banned| banned == user.banned)
            && self.active.contains(user.last_active_at)
            && self.active_since.is_none_or(|since| user.last_active_at.is_some_and(|active| active >= since))
            && self.signed_in.contains(user.last_sign_in_at)
    }

    fn name_matches(&self, user: &User) -> bool {
        self.name_query.as_ref().is_none_or(|part| name(user).contains(part))
    }

    fn anything_matches(&self, user: &User) -> bool {
        let texts = user
            .emails()
            .chain(user.phones())
            .chain(user.wallets())
            .chain(user.username.as_deref())
            .chain([user.id.as_str()]);
        self.query.as_ref().is_none_or(|part| name(user).contains(part)) || part_of(&self.query, texts)
    }
}

/// First and last name in lower case.
fn name(user: &User) -> String {
    let first = user.first_name.as_deref().unwrap_or_default();
    let last = user.last_name.as_deref().unwrap_or_default();
    format!("{first} {last}").trim().to_lowercase()
}

fn one_of<'a>(wanted: &Option<HashSet<String>>, mut values: impl Iterator<Item = &'a str>) -> bool {
    wanted.as_ref().is_none_or(|wanted| values.any(|value| wanted.contains(&value.to_lowercase())))
}

fn part_of<'a>(part: &Option<String>, mut values: impl Iterator<Item = &'a str>) -> bool {
    part.as_ref().is_none_or(|part| values.any(|value| value.to_lowercase().contains(part)))
}

/// The sort key of a user, or of a membership by its user.
pub(crate) fn sort_key<'a>(user: &'a User, field: &'static str) -> SortKey<'a> {
    match field {
        "updated_at" => page::number(Some(user.updated_at)),
        "last_active_at" => page::number(user.last_active_at),
        "last_sign_in_at" => page::number(user.last_sign_in_at),
        "email_address" => page::text(user.primary_email()),
        "phone_number" => page::text(user.primary_phone()),
        "web3wallet" => page::text(user.primary_wallet()),
        "first_name" => page::text(user.first_name.as_deref()),
        "last_name" => page::text(user.last_name.as_deref()),
        "username" => page::text(user.username.as_deref()),
        _ => page::number(Some(user.created_at)),
    }
}
