//! Turns a query into requests to Clerk. Pagination sends these requests, and EXPLAIN shows the first of them.

use crate::catalog::{List, MAX_VALUES, Object, Paging};
use crate::http::Request;
use crate::query::{Fetch, Filters, OrderBy, Query, batches, is_in_parts};
use crate::time_range::TimeRange;

/// One of the lists or single objects that a query reads.
pub(crate) enum Listing {
    /// The object that has an id, if there is one.
    Single(Request),
    /// The only object of its kind, which always exists.
    Only(Request),
    Whole(WholeListing),
    ByOffset(OffsetListing),
    ByCursor(CursorListing),
}

/// A list that Clerk returns in one answer.
pub(crate) struct WholeListing {
    pub(crate) request: Request,
    pub(crate) parent: Option<Parent>,
}

/// A list that is read by offset, and whose pages may contain the total.
pub(crate) struct OffsetListing {
    request: Request,
    /// The largest page that Clerk returns, in objects.
    pub(crate) max_page_size: u32,
    /// `None` where the list cannot be sorted.
    pub(crate) order: Option<OrderBy>,
    /// The order in which new objects come last and no object changes its position, if the list can be sorted so.
    stable_order: Option<OrderBy>,
    /// The request for the number of objects, for a list whose pages do not contain it.
    pub(crate) count: Option<Request>,
    pub(crate) parent: Option<Parent>,
}

/// The parent of a list, such as the organization whose memberships are listed.
pub(crate) struct Parent {
    /// The request for the parent itself.
    pub(crate) request: Request,
    /// The parent's id.
    pub(crate) id: String,
}

impl Parent {
    /// `None` when no URL can name that id.
    fn new(template: &'static str, id: &str) -> Option<Self> {
        Request::with_key(template, id).map(|request| Parent { request, id: id.to_owned() })
    }
}

impl OffsetListing {
    /// The request for one page.
    pub(crate) fn page(&self, offset: u64, limit: u64) -> Request {
        let request = self.request.clone().maybe("order_by", self.order).param("limit", limit);
        request.maybe("offset", (offset > 0).then_some(offset))
    }

    /// Whether the list is sorted by creation, ascending or descending.
    pub(crate) fn is_by_creation(&self) -> bool {
        self.order.is_some_and(|order| self.stable_order.is_some_and(|stable| stable.parameter == order.parameter))
    }

    pub(crate) fn is_descending(&self) -> bool {
        self.order.is_some_and(|order| order.is_descending)
    }

    /// The request without a page's parameters, for error messages.
    pub(crate) fn request(&self) -> Request {
        self.request.clone()
    }
}

/// A list that is read by cursor, within ranges of creation time. Its pages do not contain the total.
pub(crate) struct CursorListing {
    path: &'static str,
    cursor: &'static str,
    count: &'static str,
    created_after: &'static str,
    created_before: &'static str,
    /// The name of the time of creation in the parameter `order_by`.
    created_at: &'static str,
    filters: Filters,
    /// The order of creation that the pages must have, or `None` if their order does not matter.
    pub(crate) order: Option<OrderBy>,
    /// The list is filtered by values that objects have to equal, such as ids or email addresses. Such a list is short,
    /// and a page that is not full ends it.
    pub(crate) is_lookup: bool,
}

impl CursorListing {
    pub(crate) fn is_descending(&self) -> bool {
        self.order.is_some_and(|order| order.is_descending)
    }

    /// The request for a page of a range. With `behind`, the page begins after the object of that id.
    pub(crate) fn page(&self, range: TimeRange, is_descending: bool, limit: u32, behind: Option<&str>) -> Request {
        let order = OrderBy { parameter: self.created_at, is_descending };
        let request = self.within(Request::new(self.path), range).params(&self.filters);
        request.param("order_by", order).param("limit", limit).maybe(self.cursor, behind)
    }

    /// The request for the number of objects in a range.
    pub(crate) fn count(&self, range: TimeRange) -> Request {
        self.within(Request::new(self.count), range).params(&self.filters)
    }

    /// The request without parameters, for error messages.
    pub(crate) fn request(&self) -> Request {
        Request::new(self.path)
    }

    fn within(&self, request: Request, range: TimeRange) -> Request {
        let TimeRange { first, last } = range.wider();
        request.maybe(self.created_after, first).maybe(self.created_before, last)
    }

    /// Removes the bounds on the time of creation from the filters and returns them, because pagination adds bounds of
    /// its own to each request.
    pub(crate) fn take_range(&mut self) -> TimeRange {
        let mut range = TimeRange::ALL;
        let (after, before) = (self.created_after, self.created_before);
        self.filters.retain(|(name, value)| match value.parse::<i64>() {
            Ok(bound) if *name == after => {
                range = range.intersect(TimeRange { first: Some(bound.saturating_add(1)), last: None });
                false
            }
            Ok(bound) if *name == before => {
                range = range.intersect(TimeRange { first: None, last: Some(bound.saturating_sub(1)) });
                false
            }
            _ => true,
        });
        range
    }
}

/// The request for the number of objects.
pub(crate) enum Counting {
    /// An endpoint that answers with the count alone.
    Endpoint(Request),
    /// A page of a list that contains the total. The list may be below a parent.
    Page { request: Request, parent: Option<Parent> },
}

impl Query {
    /// The lists that the query reads. Empty for a query that counts or samples objects.
    pub(crate) fn listings(&self, object: &'static Object) -> Vec<Listing> {
        match self {
            Query::List { filters, order } => {
                let apart = object.list.and_then(|list| list.apart).filter(|_| is_in_parts(object, filters));
                let apart = apart.map(|(parameter, value)| {
                    let filters = filters.iter().cloned().chain([(parameter, value.to_owned())]).collect();
                    list(object, filters, None)
                });
                [list(object, filters.clone(), *order)].into_iter().chain(apart).flatten().collect()
            }
            Query::Batches { parameter, values, filters } => {
                let batch = |values: &[String]| {
                    let values = values.iter().map(|value| (*parameter, value.clone()));
                    list(object, filters.iter().cloned().chain(values).collect(), None)
                };
                batches(values).filter_map(batch).collect()
            }
            Query::Lookup { key, values, filters, order } => values
                .iter()
                // Such values are left out: no object has an id that no URL can name, that Clerk does not take, or that is
                // the name of another endpoint.
                .filter(|value| key.takes(value))
                .filter_map(|value| Some((Request::with_key(key.list.path, value)?, value)))
                .filter(|(request, _)| !key.is_single() || !is_other_endpoint(object, request))
                .map(|(request, value)| {
                    let request = request.extra_params(key.list.params).params(filters);
                    let parent = key.parent.and_then(|parent| Parent::new(parent, value));
                    match key.list.paging {
                        Paging::Single => Listing::Single(request),
                        Paging::Whole => Listing::Whole(WholeListing { request, parent }),
                        Paging::Offset { .. } | Paging::Cursor { .. } => {
                            let stable_order = OrderBy::oldest_first(object).filter(|_| key.is_sortable);
                            Listing::ByOffset(OffsetListing {
                                request,
                                max_page_size: key.list.max_page_size,
                                order: if key.is_sortable { order.or(stable_order) } else { None },
                                stable_order,
                                count: None,
                                parent,
                            })
                        }
                    }
                })
                .collect(),
            Query::Count { .. } | Query::Sample { .. } => Vec::new(),
        }
    }

    /// The request of a query that counts. `None` if no URL can name the parent: such a parent does not exist, and the
    /// count is 0.
    pub(crate) fn counting(&self, object: &'static Object) -> Option<Counting> {
        let Query::Count { parent, filters } = self else { return None };
        let (list, request, parent) = match (parent, object.list) {
            (None, Some(List { paging: Paging::Cursor { count, .. }, .. })) => {
                return Some(Counting::Endpoint(Request::new(count).params(filters)));
            }
            (None, list) => (list?, Request::new(list?.path), None),
            (Some((key, value)), _) => {
                if !key.takes(value) {
                    return None;
                }
                let parent = key.parent.and_then(|parent| Parent::new(parent, value));
                (key.list, Request::with_key(key.list.path, value)?, parent)
            }
        };
        let limit = (list.paging != Paging::Whole).then_some(1);
        let request = request.extra_params(list.params).params(filters).maybe("limit", limit);
        Some(Counting::Page { request, parent })
    }
}

fn list(object: &'static Object, filters: Filters, order: Option<OrderBy>) -> Option<Listing> {
    let List { path, paging, params, max_page_size, .. } = object.list?;
    let stable_order = OrderBy::oldest_first(object);
    let request = Request::new(path).extra_params(params).params(&filters);
    let by_offset = |count| {
        let (request, order) = (request.clone(), order.or(stable_order));
        Listing::ByOffset(OffsetListing { request, max_page_size, order, stable_order, count, parent: None })
    };
    Some(match paging {
        Paging::Single => Listing::Only(request),
        Paging::Whole => Listing::Whole(WholeListing { request, parent: None }),
        Paging::Offset { .. } => by_offset(None),
        Paging::Cursor { cursor, count, created_after, created_before } => {
            // Clerk's cursor works only in the order of creation.
            let is_by_creation = |stable: &OrderBy| order.is_none_or(|order| order.parameter == stable.parameter);
            let Some(OrderBy { parameter: created_at, .. }) = stable_order.filter(is_by_creation) else {
                return Some(by_offset(Some(Request::new(count).params(&filters))));
            };
            let is_value = |name: &str| object.columns.iter().any(|column| column.is_found_by(name));
            let is_lookup = filters.iter().any(|(name, _)| is_value(name));
            Listing::ByCursor(CursorListing {
                path,
                cursor,
                count,
                created_after,
                created_before,
                created_at,
                filters,
                order,
                is_lookup,
            })
        }
    })
}

/// Whether a request for one object by its id would reach another endpoint below the same path. Clerk's ids have a
/// prefix, but a query can compare them with any text, such as `count`.
fn is_other_endpoint(object: &Object, request: &Request) -> bool {
    match object.list.map(|list| list.paging) {
        Some(Paging::Cursor { count, .. }) => request.target() == count,
        _ => false,
    }
}

impl Fetch {
    /// The first request, for people to read, and how many more there are for other values. `more_values` says that the
    /// query may have more values than are known yet.
    pub fn describe(&self, more_values: bool) -> String {
        let limit = self.limit_hint.map_or(self.page_size, |limit| limit.min(self.page_size));
        let with_extra = |request: Request| request.extra_params(&self.extra_params).readable();
        if let Query::Count { .. } = self.query {
            return match self.query.counting(self.object) {
                Some(Counting::Endpoint(request) | Counting::Page { request, .. }) => request.readable(),
                None => "nothing: no object can have that id".to_owned(),
            };
        }
        // Where there are several values, the request for the first one is shown.
        let (query, more) = match &self.query {
            Query::Batches { parameter, values, filters } => {
                let count = if more_values { String::new() } else { format!("{} ", values.len()) };
                let first = values.iter().take(1).cloned().collect();
                let query = Query::Batches { parameter, values: first, filters: filters.clone() };
                (query, format!(" ({count}values of {parameter}, at most {MAX_VALUES} per request)"))
            }
            Query::Lookup { key, values, filters, order } => {
                let first = values.iter().take(1).cloned().collect();
                let more = match values.len() {
                    _ if more_values => " (one request per value)".to_owned(),
                    0 | 1 => String::new(),
                    count => format!(" (one request per value, {count} values)"),
                };
                (Query::Lookup { key, values: first, filters: filters.clone(), order: *order }, more)
            }
            Query::List { filters, .. } if is_in_parts(self.object, filters) => {
                let apart = self.object.list.and_then(|list| list.apart);
                let more = apart.map(|(name, value)| format!(" (and the list with {name}={value})"));
                (self.query.clone(), more.unwrap_or_default())
            }
            other => (other.clone(), String::new()),
        };
        let request = match query.listings(self.object).into_iter().next() {
            Some(Listing::Single(request) | Listing::Only(request) | Listing::Whole(WholeListing { request, .. })) => {
                with_extra(request)
            }
            Some(Listing::ByOffset(list)) => with_extra(list.page(0, limit.min(list.max_page_size).into())),
            Some(Listing::ByCursor(mut list)) => {
                let range = list.take_range();
                with_extra(list.page(range, list.is_descending(), limit, None))
            }
            None => "nothing: no object can have that id".to_owned(),
        };
        request + &more
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::object;

    fn described(name: &str, query: Query) -> String {
        Fetch { query, ..Fetch::all(object(name).unwrap(), Vec::new()) }.describe(false)
    }

    #[test]
    fn the_first_request_is_described() {
        let values = || vec!["a".to_owned(), "b".to_owned()];
        let filters = || vec![("created_at_after", "9".to_owned()), ("banned", "true".to_owned())];
        let users = object("users").unwrap();
        for (name, query, expected) in [
            ("users", Query::all(), "GET /users?order_by=created_at&limit=500"),
            (
                "users",
                Query::List { filters: filters(), order: None },
                "GET /users?created_at_after=9&banned=true&order_by=created_at&limit=500",
            ),
            (
                "users",
                Query::List { filters: vec![], order: users.by_update().map(OrderBy::descending) },
                "GET /users?order_by=-updated_at&limit=500",
            ),
            (
                "users",
                Query::Batches { parameter: "user_id", values: values(), filters: vec![] },
                "GET /users?user_id=a&order_by=created_at&limit=500 (2 values of user_id, at most 100 per request)",
            ),
            (
                "invitations",
                Query::all(),
                "GET /invitations?paginated=true&order_by=created_at&limit=500 (and the list with status=revoked)",
            ),
            (
                "invitations",
                Query::List { filters: vec![("status", "pending".to_owned())], order: None },
                "GET /invitations?paginated=true&status=pending&order_by=created_at&limit=500",
            ),
            ("domains", Query::all(), "GET /domains"),
            (
                "api_keys",
                Query::Lookup {
                    key: &object("api_keys").unwrap().key_columns[1],
                    values: vec![format!("org_{:027}", 1)],
                    filters: vec![],
                    order: None,
                },
                "GET /api_keys?subject=org_000000000000000000000000001&include_invalid=true&limit=100",
            ),
            (
                "users",
                Query::Count { parent: None, filters: filters() },
                "GET /users/count?created_at_after=9&banned=true",
            ),
            (
                "organization_memberships",
                Query::Lookup {
                    key: &object("organization_memberships").unwrap().key_columns[0],
                    values: values(),
                    filters: vec![],
                    order: None,
                },
                "GET /organizations/a/memberships?order_by=created_at&limit=500 (one request per value, 2 values)",
            ),
        ] {
            assert_eq!(described(name, query), expected);
        }
    }

    #[test]
    fn an_id_that_names_another_endpoint_is_not_requested() {
        let users = object("users").unwrap();
        let lookup = |id: &str| Query::Lookup {
            key: users.get_by_id().unwrap(),
            values: vec![id.to_owned()],
            filters: vec![],
            order: None,
        };
        assert!(lookup("count").listings(users).is_empty());
        assert_eq!(lookup("counter").listings(users).len(), 1);
    }

    #[test]
    fn the_range_is_taken_from_the_parameters() {
        let param = |name, value: i64| (name, value.to_string());
        let filters = vec![
            param("created_at_after", 9),
            ("banned", "true".to_owned()),
            param("created_at_before", 30),
            param("created_at_before", 21),
        ];
        let query = Query::List { filters, order: None };
        let Some(Listing::ByCursor(mut list)) = query.listings(object("users").unwrap()).pop() else {
            panic!("users are read by cursor")
        };
        assert_eq!(list.take_range(), TimeRange { first: Some(10), last: Some(20) });
        assert_eq!(list.filters, [("banned", "true".to_owned())]);
    }
}
