//! The endpoints `/organizations` and `/organizations/{organization_id}`.

use std::collections::HashSet;

use crate::entry::Entry;
use crate::error::ClerkError;
use crate::object::Organization;
use crate::page;
use crate::query::Query;
use crate::state::State;
use crate::table::Row;

pub(crate) fn list(state: &State, query: &Query) -> Vec<u8> {
    let ids = query.include_exclude("organization_id");
    let users = query.include_exclude("user_id");
    let part = query.text("query").map(str::to_lowercase);

    let mut rows: Vec<&Organization> = if ids.include.is_empty() {
        state.organizations.iter().collect()
    } else {
        let named = ids.include.iter();
        let mut rows: Vec<_> = named.filter_map(|id| state.organizations.get(id)).collect();
        rows.sort_unstable_by(|a, b| a.key().cmp(&b.key()));
        rows.dedup_by(|a, b| a.id == b.id);
        rows
    };
    if !ids.exclude.is_empty() {
        rows.retain(|organization| !ids.exclude.contains(&organization.id));
    }
    let joined = |users: &[String]| -> HashSet<&str> {
        users
            .iter()
            .flat_map(|id| state.memberships_of(id))
            .map(|membership| membership.organization_id.as_str())
            .collect()
    };
    if !users.include.is_empty() {
        let included = joined(&users.include);
        rows.retain(|organization| included.contains(organization.id.as_str()));
    }
    if !users.exclude.is_empty() {
        let excluded = joined(&users.exclude);
        rows.retain(|organization| !excluded.contains(organization.id.as_str()));
    }
    if let (Some(part), Some(exact)) = (&part, query.text("query")) {
        rows.retain(|organization| {
            organization.id == exact
                || organization.name.to_lowercase().contains(part)
                || organization.slug.to_lowercase().contains(part)
        });
    }

    let total = rows.len();
    let page = page::page(rows, query, |organization, field| match field {
        "name" => page::text(Some(&organization.name)),
        _ => {
            let count = state.members_count(&organization.id);
            page::number(i64::try_from(count).ok())
        }
    });
    let extras = Extras::requested(query);
    page::counted(&page, total, |organization, out| {
        write(state, organization, extras, out);
    })
}

pub(crate) fn get(state: &State, query: &Query, id_or_slug: &str) -> Result<Vec<u8>, ClerkError> {
    let organization = state.organization(id_or_slug);
    let organization = organization.ok_or_else(|| ClerkError::not_found("organization", id_or_slug))?;
    let mut out = Vec::new();
    write(state, organization, Extras::requested(query), &mut out);
    Ok(out)
}

/// Fields of an organization that are only sent on request.
#[derive(Clone, Copy)]
pub(crate) struct Extras {
    members_count: bool,
    missing_admin: bool,
}

impl Extras {
    pub(crate) const NONE: Extras = Extras { members_count: false, missing_admin: false };
    pub(crate) const ALL: Extras = Extras { members_count: true, missing_admin: true };

    fn requested(query: &Query) -> Extras {
        Extras {
            members_count: query.boolean("include_members_count") == Some(true),
            missing_admin: query.boolean("include_missing_member_with_elevated_permissions") == Some(true),
        }
    }
}

/// Writes the current state of an organization.
pub(crate) fn write(state: &State, organization: &Organization, extras: Extras, out: &mut Vec<u8>) {
    page::write_unclosed(&organization.json, out);
    if extras.members_count {
        let count = state.members_count(&organization.id);
        let invitations = state.entries("organization_invitations");
        let is_pending = |entry: &Entry| entry.is("organization_id", &organization.id) && entry.is("status", "pending");
        let pending = invitations.filter(|entry| is_pending(entry)).count();
        let counts = format!(r#","members_count":{count},"pending_invitations_count":{pending}"#);
        out.extend_from_slice(counts.as_bytes());
    }
    if extras.missing_admin {
        let mut members = state.members_of(&organization.id);
        let missing = !members.any(|membership| membership.role == "org:admin");
        let field = format!(r#","missing_member_with_elevated_permissions":{missing}"#);
        out.extend_from_slice(field.as_bytes());
    }
    out.push(b'}');
}
