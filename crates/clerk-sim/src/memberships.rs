//! The endpoints `/organization_memberships` and the memberships of one organization or one user.

use std::collections::HashSet;

use crate::error::ClerkError;
use crate::object::Membership;
use crate::organizations::{self, Extras};
use crate::page;
use crate::query::Query;
use crate::state::State;
use crate::table::Row;
use crate::users::{self, Filter};

pub(crate) fn list(state: &State, query: &Query) -> Vec<u8> {
    answer(state, query, state.memberships.iter().collect())
}

pub(crate) fn of_user(state: &State, query: &Query, user_id: &str) -> Result<Vec<u8>, ClerkError> {
    if state.users.get(user_id).is_none() {
        return Err(ClerkError::not_found("user", user_id));
    }
    let rows = by_creation(state.memberships_of(user_id));
    Ok(answer(state, query, rows))
}

pub(crate) fn of_organization(state: &State, query: &Query, organization_id: &str) -> Result<Vec<u8>, ClerkError> {
    if state.organizations.get(organization_id).is_none() {
        return Err(ClerkError::not_found("organization", organization_id));
    }
    let mut rows = by_creation(state.members_of(organization_id));

    let users = query.include_exclude("user_id");
    if !users.include.is_empty() {
        let included: HashSet<&String> = users.include.iter().collect();
        rows.retain(|membership| included.contains(&membership.user_id));
    }
    if !users.exclude.is_empty() {
        rows.retain(|membership| !users.exclude.contains(&membership.user_id));
    }
    if let Some(roles) = query.list("role") {
        rows.retain(|membership| roles.contains(&membership.role));
    }
    // In Clerk's description, these filters are about the users, including the time of creation.
    let filter = Filter::new(query);
    if !filter.is_empty() || !filter.created_any_time() {
        rows.retain(|membership| {
            let user = state.users.get(&membership.user_id);
            user.is_some_and(|user| filter.created_within(user) && filter.matches(user))
        });
    }
    Ok(answer(state, query, rows))
}

fn by_creation<'a>(rows: impl Iterator<Item = &'a Membership>) -> Vec<&'a Membership> {
    let mut rows: Vec<&Membership> = rows.collect();
    rows.sort_unstable_by(|a, b| a.key().cmp(&b.key()));
    rows
}

fn answer(state: &State, query: &Query, rows: Vec<&Membership>) -> Vec<u8> {
    let total = rows.len();
    let page = page::page(rows, query, |membership, field| {
        let user = state.users.get(&membership.user_id);
        user.map_or(page::text(None), |user| users::sort_key(user, field))
    });
    page::counted(&page, total, |membership, out| {
        write(state, membership, Extras::NONE, out);
    })
}

/// Writes a membership with the current state of its organization and its user.
pub(crate) fn write(state: &State, membership: &Membership, extras: Extras, out: &mut Vec<u8>) {
    page::write_unclosed(&membership.json, out);
    if let Some(organization) = state.organizations.get(&membership.organization_id) {
        out.extend_from_slice(br#","organization":"#);
        organizations::write(state, organization, extras, out);
    }
    if let Some(user) = state.users.get(&membership.user_id) {
        out.extend_from_slice(br#","public_user_data":"#);
        // Serializing plain strings and booleans into memory cannot fail.
        let _ = serde_json::to_writer(&mut *out, &user.public_data());
    }
    out.push(b'}');
}
