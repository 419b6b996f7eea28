//! Clerk's API: the list of its endpoints, and how requests are authenticated and find their endpoint.

use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::http::request::Parts;

use crate::endpoint::{Endpoint, ids};
use crate::error::ClerkError;
use crate::fault::Distortions;
use crate::query::Query;
use crate::request::{Request, decode};
use crate::state::State;
use crate::{endpoint, memberships, organizations, resources, users, writes};

/// Every endpoint of Clerk's Backend API that the simulator answers with GET. A test compares this list with Clerk's
/// OpenAPI file. What it answers to other methods is in [`WRITES`](crate::WRITES).
pub const ENDPOINTS: &[Endpoint] = &all_endpoints();

const fn all_endpoints() -> [Endpoint; OWN.len() + resources::ROUTE_COUNT] {
    let mut all = [endpoint::INSTANCE; OWN.len() + resources::ROUTE_COUNT];
    let mut place = 0;
    while place < OWN.len() {
        all[place] = OWN[place];
        place += 1;
    }
    let mut group = 0;
    while group < resources::ROUTES.len() {
        let mut route = 0;
        while route < resources::ROUTES[group].len() {
            all[place] = resources::ROUTES[group][route].endpoint;
            place += 1;
            route += 1;
        }
        group += 1;
    }
    all
}

/// The endpoints that are not routes of `resources`.
const OWN: &[Endpoint] = &[
    endpoint::INSTANCE,
    endpoint::USERS,
    endpoint::USER_COUNT,
    endpoint::USER,
    endpoint::EMAIL_ADDRESS,
    endpoint::PHONE_NUMBER,
    endpoint::USER_MEMBERSHIPS,
    endpoint::ORGANIZATIONS,
    endpoint::ORGANIZATION,
    endpoint::ORGANIZATION_MEMBERSHIPS,
    endpoint::MEMBERSHIPS,
];

/// The index of the key that the request was sent with.
pub(crate) fn authenticate(head: &Parts, keys: &[String]) -> Result<usize, ClerkError> {
    let header = head.headers.get(AUTHORIZATION);
    let header = header.and_then(|value| value.to_str().ok());
    let (scheme, key) = header.and_then(|header| header.split_once(' ')).ok_or_else(ClerkError::no_key)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(ClerkError::no_key());
    }
    let mut keys = keys.iter();
    keys.position(|known| known == key.trim()).ok_or_else(ClerkError::wrong_key)
}

/// Answers a GET with the JSON of an endpoint.
pub(crate) fn answer(
    state: &State,
    head: &Parts,
    request: &Request,
    distortions: Distortions,
) -> Result<Vec<u8>, ClerkError> {
    let segments = segments(head);
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let read = |endpoint| Query::read(endpoint, &request.query, distortions);

    match segments.as_slice() {
        ["v1", _, ""] | ["v1", _, "", ..] => Err(ClerkError::no_such_route()),
        ["v1", "instance"] => {
            read(&endpoint::INSTANCE)?;
            serde_json::to_vec(&state.instance).map_err(ClerkError::bad_body)
        }
        ["v1", "users"] => users::list(state, &read(&endpoint::USERS)?),
        ["v1", "users", "count"] => users::count(state, &read(&endpoint::USER_COUNT)?),
        ["v1", "users", id] => {
            read(&endpoint::USER)?;
            users::get(state, id)
        }
        ["v1", "email_addresses", id] => users::email_address(state, id),
        ["v1", "phone_numbers", id] => users::phone_number(state, id),
        ["v1", "users", id, "organization_memberships"] => {
            memberships::of_user(state, &read(&endpoint::USER_MEMBERSHIPS)?, id)
        }
        ["v1", "organizations"] => Ok(organizations::list(state, &read(&endpoint::ORGANIZATIONS)?)),
        ["v1", "organizations", id] => organizations::get(state, &read(&endpoint::ORGANIZATION)?, id),
        ["v1", "organizations", id, "memberships"] => {
            memberships::of_organization(state, &read(&endpoint::ORGANIZATION_MEMBERSHIPS)?, id)
        }
        ["v1", "organization_memberships"] => Ok(memberships::list(state, &read(&endpoint::MEMBERSHIPS)?)),
        ["v1", path @ ..] => resources::answer(state, request, distortions, path),
        _ => Err(ClerkError::no_such_route()),
    }
}

/// Makes the change that a request with another method than GET asks for, and answers with the status and the JSON of
/// its endpoint. A request that is refused changes nothing.
pub(crate) fn change(
    state: &mut State,
    head: &Parts,
    request: &Request,
    body: &[u8],
) -> Result<(u16, Vec<u8>), ClerkError> {
    let segments = segments(head);
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let ["v1", path @ ..] = segments.as_slice() else { return Err(ClerkError::no_such_route()) };
    let method = head.method.as_str();
    if let Some((write, ids)) = writes::find(method, path) {
        let kind = head.headers.get(CONTENT_TYPE).map(|kind| String::from_utf8_lossy(kind.as_bytes()));
        if let Some(kind) = kind.filter(|kind| !body.is_empty() && !kind.starts_with("application/json")) {
            return Err(ClerkError::unsupported_content_type(&kind));
        }
        return write.answer(state, &ids, &request.query, body);
    }
    let mut allowed = writes::methods(path);
    if ENDPOINTS.iter().any(|endpoint| ids(endpoint.path, path).is_some()) {
        allowed.insert(0, "GET");
    }
    if allowed.is_empty() {
        return Err(ClerkError::no_such_route());
    }
    Err(ClerkError::method_not_allowed(method, &allowed))
}

/// The parts of the path. Each is decoded separately, so that an encoded slash stays inside its part.
fn segments(head: &Parts) -> Vec<String> {
    head.uri.path().split('/').skip(1).map(decode).collect()
}
