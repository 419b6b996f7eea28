//! Answers the endpoints that routes describe.

use super::registry::{ROUTES, kind_named};
use super::route::{Ask, Form, Parent, Route, Shape};
use crate::endpoint::{Condition, ids};
use crate::entry::Entry;
use crate::error::ClerkError;
use crate::fault::Distortions;
use crate::page::{self, SortKey};
use crate::query::Query;
use crate::request::Request;
use crate::state::State;

/// Answers a path, without `/v1`, by the route that it belongs to.
pub(crate) fn answer(
    state: &State,
    request: &Request,
    distortions: Distortions,
    path: &[&str],
) -> Result<Vec<u8>, ClerkError> {
    let mut routes = ROUTES.iter().copied().flatten();
    let found = routes.find_map(|route| Some((route, ids(route.endpoint.path, path)?)));
    let (route, ids) = found.ok_or_else(ClerkError::no_such_route)?;
    let answer = Query::read(&route.endpoint, &request.query, distortions).and_then(|query| {
        let has_parent = !matches!(route.parent, Parent::None);
        let parent = ids.first().copied().filter(|_| has_parent).unwrap_or_default();
        let ask = Ask { state, query: &query, parent, id: ids.last().copied().unwrap_or_default() };
        route.answer(&ask)
    });
    answer.map_err(|mut error| {
        if error.status == 422 {
            error.status = route.refusal;
        }
        error
    })
}

impl Route {
    fn answer(&self, ask: &Ask) -> Result<Vec<u8>, ClerkError> {
        self.check_parent(ask)?;
        let entries = ask.state.entries(self.kind);
        let (shape, keeps) = match self.answer {
            Form::One { finds } => {
                let noun = kind_named(self.kind).map_or(self.kind, |kind| kind.noun);
                let mut found = entries.filter(|entry| finds(ask, entry));
                let entry = found.next().ok_or_else(|| ClerkError::not_found(noun, ask.id))?;
                return Ok(self.shown(ask.state, entry).into_bytes());
            }
            Form::List { shape, keeps } => (shape, keeps),
        };
        let rows: Vec<&Entry> = entries.filter(|entry| keeps(ask, entry) && fulfils(ask.query, entry)).collect();
        let total = rows.len();
        let page = page::page(rows, ask.query, |entry, field| sort_key(entry, field));
        let write = |entry: &Entry, out: &mut Vec<u8>| out.extend_from_slice(self.shown(ask.state, entry).as_bytes());
        Ok(match shape {
            Shape::Bare => page::array(&page, write),
            Shape::Counted(member) => page::counted_as(member, &page, total, write),
        })
    }

    fn check_parent(&self, ask: &Ask) -> Result<(), ClerkError> {
        let (noun, known) = match self.parent {
            Parent::None => return Ok(()),
            Parent::User => ("user", ask.state.users.get(ask.parent).is_some()),
            Parent::Organization => ("organization", ask.state.organizations.get(ask.parent).is_some()),
            Parent::Entry(name) => {
                (kind_named(name).map_or(name, |kind| kind.noun), ask.state.entry(name, ask.parent).is_some())
            }
        };
        if known { Ok(()) } else { Err(ClerkError::not_found(noun, ask.parent)) }
    }
}

/// Whether an object fulfils the conditions of all parameters.
fn fulfils(query: &Query, entry: &Entry) -> bool {
    query.conditions().all(|(parameter, condition)| match condition {
        Condition::Is(field) => {
            if let Some(truth) = query.boolean(parameter) {
                return entry.is_true(field) == truth;
            }
            let text = entry.text(field);
            if let Some(wanted) = query.text(parameter) {
                return text == wanted;
            }
            if let Some(wanted) = query.list(parameter) {
                return wanted.iter().any(|wanted| wanted == text);
            }
            let values = query.include_exclude(parameter);
            (values.include.is_empty() || values.include.iter().any(|value| value == text))
                && !values.exclude.iter().any(|value| value == text)
        }
        Condition::Matches { part, exactly } => {
            let wanted = query.text(parameter).unwrap_or_default();
            let lower = wanted.to_lowercase();
            exactly.iter().any(|field| entry.is(field, wanted))
                || part.iter().any(|field| entry.text(field).to_lowercase().contains(&lower))
        }
    })
}

fn sort_key<'a>(entry: &'a Entry, field: &str) -> SortKey<'a> {
    let value = entry.value(field);
    match value.as_i64() {
        Some(number) => page::number(Some(number)),
        None => page::text(value.as_str()),
    }
}
