//! Queries on Clerk: which objects of one kind to fetch, in which order, and which of their values.

use std::fmt;

use url::form_urlencoded::byte_serialize;

use crate::catalog::{KeyColumn, MAX_VALUES, Object, Paging, SortColumn};
use crate::checkpoint::Checkpoint;
use crate::decode::Locator;
use crate::time_range::TimeRange;

/// The largest page that Clerk returns, in objects.
pub const MAX_PAGE_SIZE: u32 = 500;

/// What to fetch, and how.
#[derive(Debug, Clone)]
pub struct Fetch {
    pub object: &'static Object,
    pub query: Query,
    /// The values that are needed of each object.
    pub columns: Vec<Locator>,
    /// Query parameters, with their values, without which Clerk does not send some of the columns.
    pub extra_params: Vec<(&'static str, &'static str)>,
    /// How many objects a page has.
    pub page_size: u32,
    /// How many objects will probably be enough, such as those of a LIMIT. The first page is no larger.
    pub limit_hint: Option<u32>,
    /// Where to resume a list that is read by offset: the checkpoint of the last page that was handed over before.
    pub resume_from: Option<Checkpoint>,
}

impl Fetch {
    /// Fetches all objects of the instance, in pages of the largest size.
    pub fn all(object: &'static Object, columns: Vec<Locator>) -> Self {
        Fetch {
            object,
            query: Query::all(),
            columns,
            extra_params: Vec::new(),
            page_size: MAX_PAGE_SIZE,
            limit_hint: None,
            resume_from: None,
        }
    }
}

/// The query parameters that columns need, without those that several columns share.
pub fn extra_params(
    params: impl IntoIterator<Item = (&'static str, &'static str)>,
) -> Vec<(&'static str, &'static str)> {
    let mut distinct = Vec::new();
    for param in params {
        if !distinct.contains(&param) {
            distinct.push(param);
        }
    }
    distinct
}

/// Which objects of one kind to fetch.
#[derive(Debug, Clone, PartialEq)]
pub enum Query {
    /// The objects of the instance's list that pass these filters, in this order if there is one.
    List { filters: Filters, order: Option<OrderBy> },
    /// The objects that have one of these values, which one parameter of the instance's list takes. The values are sent
    /// in batches: see [`batches`].
    Batches { parameter: &'static str, values: Vec<String>, filters: Filters },
    /// What the endpoint of a key column returns for each of these values. If it returns lists, the filters apply to
    /// each.
    Lookup { key: &'static KeyColumn, values: Vec<String>, filters: Filters, order: Option<OrderBy> },
    /// The number of objects in the instance's list or below one parent, but no objects: see
    /// [`crate::Page::total_count`]. The parent is a value of a key column whose endpoint returns a list.
    Count { parent: Option<(&'static KeyColumn, String)>, filters: Filters },
    /// Randomly chosen pages with `wanted` objects of the `total`.
    Sample { wanted: u64, total: u64 },
}

/// Query parameters that filter a list. A name may occur more than once.
pub type Filters = Vec<(&'static str, String)>;

impl Query {
    /// All objects of the instance, in any order.
    pub fn all() -> Query {
        Query::List { filters: Filters::new(), order: None }
    }

    /// The objects that were created within a range of time. For lists by cursor only.
    pub fn created_within(object: &Object, range: TimeRange) -> Query {
        Query::List { filters: created_within(object, range), order: None }
    }

    /// How many objects were created within a range of time. For lists by cursor only.
    pub fn count_created_within(object: &Object, range: TimeRange) -> Query {
        Query::Count { parent: None, filters: created_within(object, range) }
    }

    /// Whether the query reads or counts the list of all objects of the instance.
    pub(crate) fn needs_list(&self) -> bool {
        !matches!(self, Query::Lookup { .. } | Query::Count { parent: Some(_), .. })
    }

    /// Whether two of the query's lists may contain the same object. A user may have several of the requested email
    /// addresses, and each of them in upper or lower case; and an organization may be found both by its slug and by its
    /// id.
    pub(crate) fn may_overlap(&self, object: &Object) -> bool {
        match self {
            // An object may move to the other part meanwhile, and a server may put objects into both.
            Query::List { .. } => self.is_in_parts(object),
            Query::Batches { values, .. } => batches(values).nth(1).is_some(),
            Query::Lookup { key, values, .. } => key.is_single() && values.len() > 1,
            _ => false,
        }
    }

    /// Whether the query reads the object's list in two parts: see [`crate::catalog::List::apart`].
    pub(crate) fn is_in_parts(&self, object: &Object) -> bool {
        matches!(self, Query::List { filters, .. } if is_in_parts(object, filters))
    }
}

/// Whether the object's list is read in two parts: see [`crate::catalog::List::apart`].
pub(crate) fn is_in_parts(object: &Object, filters: &Filters) -> bool {
    let apart = object.list.and_then(|list| list.apart);
    apart.is_some_and(|(parameter, _)| filters.iter().all(|(name, _)| *name != parameter))
}

/// The filters for a range of creation time; none for a list that cannot be filtered so.
fn created_within(object: &Object, range: TimeRange) -> Filters {
    let paging = object.list.map(|list| list.paging);
    let Some(Paging::Cursor { created_after, created_before, .. }) = paging else { return Filters::new() };
    let TimeRange { first, last } = range.wider();
    let after = first.map(|after| (created_after, after.to_string()));
    let before = last.map(|before| (created_before, before.to_string()));
    after.into_iter().chain(before).collect()
}

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderBy {
    /// The name of the sort key in the parameter `order_by`.
    pub parameter: &'static str,
    pub is_descending: bool,
}

impl OrderBy {
    pub fn ascending(sort: &SortColumn) -> OrderBy {
        OrderBy { parameter: sort.parameter, is_descending: false }
    }

    pub fn descending(sort: &SortColumn) -> OrderBy {
        OrderBy { parameter: sort.parameter, is_descending: true }
    }

    /// The order that is used where the query has none: new objects come last, and no object changes its position.
    /// `None` if Clerk cannot sort the list by creation.
    pub fn oldest_first(object: &'static Object) -> Option<OrderBy> {
        object.listed().by_creation().map(OrderBy::ascending)
    }
}

impl fmt::Display for OrderBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_descending { "-" } else { "" })?;
        f.write_str(self.parameter)
    }
}

/// Splits the values of one parameter into batches that fit into one request: no more than Clerk accepts, and no more
/// than the length of a URL allows.
pub fn batches(values: &[String]) -> impl Iterator<Item = &[String]> {
    let mut remaining = values;
    std::iter::from_fn(move || {
        let mut room = Room::default();
        let fitting = remaining.iter().take_while(|value| room.take(value));
        // A value that is too long for any request is sent alone, and Clerk refuses it.
        let (batch, others) = remaining.split_at(fitting.count().max(1).min(remaining.len()));
        remaining = others;
        (!batch.is_empty()).then_some(batch)
    })
}

/// How many bytes of a URL the values may take. Servers commonly accept URLs of 8 KB, and the path and other parameters
/// need some of them.
const MAX_VALUES_LENGTH: usize = 6000;

/// How many bytes of a URL are reserved for a parameter's name with `=` and `&`.
const PARAMETER_NAME_LENGTH: usize = 16;

/// The room that one request has for values of one parameter.
#[derive(Debug, Default)]
pub struct Room {
    values: usize,
    length: usize,
}

impl Room {
    /// Takes the room of one more value. Returns false, and takes nothing, if there is not enough left.
    pub fn take(&mut self, value: &str) -> bool {
        let length =
            self.length + PARAMETER_NAME_LENGTH + byte_serialize(value.as_bytes()).map(str::len).sum::<usize>();
        let is_enough = self.values < MAX_VALUES && length <= MAX_VALUES_LENGTH;
        if is_enough {
            (self.values, self.length) = (self.values + 1, length);
        }
        is_enough
    }
}

/// Whether these values of one parameter fit into one request.
pub fn fit_one_request(values: &[String]) -> bool {
    batches(values).nth(1).is_none() && values.iter().all(|value| fits(value))
}

/// Whether a value is short enough for a request.
pub fn fits(value: &str) -> bool {
    byte_serialize(value.as_bytes()).map(str::len).sum::<usize>() <= MAX_VALUES_LENGTH - PARAMETER_NAME_LENGTH
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::object;

    #[test]
    fn batches_hold_a_hundred_values_or_what_a_url_can() {
        let sizes = |values: Vec<String>| batches(&values).map(<[String]>::len).collect::<Vec<_>>();
        assert_eq!(sizes((0..250).map(|n| format!("user_{n:027}")).collect()), [100, 100, 50]);
        assert_eq!(sizes(vec!["ü".repeat(300); 5]), [3, 2], "six bytes in a URL for each");
        assert_eq!(sizes(vec!["x".repeat(9000), "y".to_owned()]), [1, 1]);
        assert_eq!(sizes(vec![]), [] as [usize; 0]);
        assert!(fits("x") && !fits(&"x".repeat(9000)));
        assert!(!fit_one_request(&vec!["x".to_owned(); 101]));
    }

    #[test]
    fn created_within_excludes_the_bounds_that_clerk_excludes() {
        let users = object("users").unwrap();
        let range = TimeRange { first: Some(10), last: Some(20) };
        let Query::List { filters, .. } = Query::created_within(users, range) else { panic!("not a list") };
        assert_eq!(filters, [("created_at_after", "9".to_owned()), ("created_at_before", "21".to_owned())]);
        assert_eq!(Query::created_within(users, TimeRange::ALL), Query::all());
    }
}
