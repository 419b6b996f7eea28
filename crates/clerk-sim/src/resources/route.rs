//! Answers the endpoints that forms describe.

use hyper::Method;
use hyper::http::request::Parts;

use super::{
    Entry, Kind, access, billing, enterprise, instance_settings, invitations, kind, machines, organizations, roles,
    sessions,
};
use crate::endpoint::{Condition, Endpoint};
use crate::error::ClerkError;
use crate::fault::Distortions;
use crate::page::{self, SortKey};
use crate::query::Query;
use crate::request::Request;
use crate::state::State;
use crate::table::Row;

/// An endpoint and what it answers.
pub(crate) struct Route {
    pub(crate) endpoint: Endpoint,
    /// The name of the kind of its objects.
    pub(crate) kind: &'static str,
    /// What the first `{…}` of the path is, unless it is the object itself.
    pub(crate) parent: Parent,
    pub(crate) answer: Form,
    /// Fields that are computed when an object is sent.
    pub(crate) embed: Embed,
    /// The status for parameters that are refused.
    pub(crate) refusal: u16,
}

impl Route {
    /// A list that any object of the kind may be in.
    pub(crate) const fn list(kind: &'static str, endpoint: Endpoint, shape: Shape) -> Route {
        let answer = Form::List { shape, keeps: |_, _| true };
        Route { endpoint, kind, parent: Parent::None, answer, embed: no_embed, refusal: 422 }
    }

    /// One object by its id.
    pub(crate) const fn one(kind: &'static str, path: &'static str) -> Route {
        let answer = Form::One { finds: |ask, entry| entry.id() == ask.id };
        let endpoint = Endpoint { path, parameters: &[] };
        Route { endpoint, kind, parent: Parent::None, answer, embed: no_embed, refusal: 422 }
    }
}

/// What an object in the path is, without which the answer is 404.
#[derive(Clone, Copy)]
pub(crate) enum Parent {
    None,
    User,
    Organization,
    /// An object of the kind with this name.
    Entry(&'static str),
}

pub(crate) enum Form {
    /// The objects that the route keeps.
    List { shape: Shape, keeps: Keeps },
    /// The object that the route finds.
    One { finds: Keeps },
}

/// Whether an object belongs to an answer, apart from the conditions of the parameters.
pub(crate) type Keeps = fn(&Ask, &Entry) -> bool;

/// The name and the JSON text of a field that is computed.
pub(crate) type Embed = fn(&State, &Entry) -> Option<(&'static str, String)>;

#[derive(Clone, Copy)]
pub(crate) enum Shape {
    /// An array.
    Bare,
    /// An object with `total_count` and an array of this name.
    Counted(&'static str),
}

pub(crate) const COUNTED: Shape = Shape::Counted("data");

/// A request.
pub(crate) struct Ask<'a> {
    pub(crate) state: &'a State,
    pub(crate) query: &'a Query,
    /// The id of the parent; empty if there is none.
    pub(crate) parent: &'a str,
    /// The last id of the path.
    pub(crate) id: &'a str,
}

fn no_embed(_: &State, _: &Entry) -> Option<(&'static str, String)> {
    None
}

/// Every route. Of two that match the same path the first one answers, and the first one of a kind shows how its
/// objects look.
pub(crate) const ROUTES: &[&[Route]] = &[
    invitations::ROUTES,
    organizations::ROUTES,
    roles::ROUTES,
    sessions::ROUTES,
    access::ROUTES,
    instance_settings::ROUTES,
    enterprise::ROUTES,
    machines::ROUTES,
    billing::ROUTES,
];

/// How many routes there are.
pub(crate) const ROUTE_COUNT: usize = {
    let mut count = 0;
    let mut group = 0;
    while group < ROUTES.len() {
        count += ROUTES[group].len();
        group += 1;
    }
    count
};

/// Answers a path, without `/v1`, by the route that it belongs to.
pub(crate) fn answer(
    state: &State,
    head: &Parts,
    request: &Request,
    distortions: Distortions,
    path: &[&str],
) -> Result<Vec<u8>, ClerkError> {
    let mut routes = ROUTES.iter().copied().flatten();
    let found = routes.find_map(|route| Some((route, ids(route.endpoint.path, path)?)));
    let (route, ids) = found.ok_or_else(ClerkError::no_such_route)?;
    if head.method != Method::GET {
        return Err(ClerkError::method_not_allowed(&request.method));
    }
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

/// The parts of the path that stand for `{…}`; `None` if it is another path.
fn ids<'a>(template: &str, path: &[&'a str]) -> Option<Vec<&'a str>> {
    let template: Vec<&str> = template.split('/').skip(1).collect();
    if template.len() != path.len() {
        return None;
    }
    let mut ids = Vec::new();
    for (expected, given) in template.into_iter().zip(path) {
        if expected.starts_with('{') && !given.is_empty() {
            ids.push(*given);
        } else if expected != *given {
            return None;
        }
    }
    Some(ids)
}

impl Route {
    fn answer(&self, ask: &Ask) -> Result<Vec<u8>, ClerkError> {
        self.check_parent(ask)?;
        let entries = ask.state.entries(self.kind);
        let (shape, keeps) = match self.answer {
            Form::One { finds } => {
                let noun = kind(self.kind).map_or(self.kind, |kind| kind.noun);
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
                (kind(name).map_or(name, |kind| kind.noun), ask.state.entry(name, ask.parent).is_some())
            }
        };
        if known { Ok(()) } else { Err(ClerkError::not_found(noun, ask.parent)) }
    }

    /// An object as this endpoint shows it.
    pub(crate) fn shown(&self, state: &State, entry: &Entry) -> String {
        let Some((name, value)) = (self.embed)(state, entry) else { return entry.json.clone() };
        let mut out = Vec::new();
        page::write_unclosed(&entry.json, &mut out);
        out.extend_from_slice(format!(r#","{name}":{value}}}"#).as_bytes());
        String::from_utf8_lossy(&out).into_owned()
    }
}

impl Kind {
    /// An object as the first endpoint of its kind shows it.
    pub(crate) fn shown(&self, state: &State, entry: &Entry) -> String {
        let mut routes = ROUTES.iter().copied().flatten();
        let route = routes.find(|route| route.kind == self.name);
        route.map_or_else(|| entry.json.clone(), |route| route.shown(state, entry))
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
