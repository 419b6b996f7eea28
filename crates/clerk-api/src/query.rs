//! What is asked of Clerk: which objects of a kind, in which order, with which of their values.

use std::fmt;

use url::form_urlencoded::byte_serialize;

use crate::catalog::{KeyColumn, Lookup, MAX_VALUES, Object, Paging, SortColumn};
use crate::checkpoint::Checkpoint;
use crate::decode::Locator;
use crate::time_range::TimeRange;

/// As many objects as Clerk puts in one page.
pub const MAX_PAGE_SIZE: u32 = 500;

/// What to fetch, and how.
#[derive(Debug, Clone)]
pub struct Fetch {
    pub object: &'static Object,
    pub query: Query,
    /// The values that each page shall find.
    pub columns: Vec<Locator>,
    /// Query parameters without which Clerk does not send some of the values.
    pub extra_params: Vec<(&'static str, &'static str)>,
    /// Objects in a page.
    pub page_size: u32,
    /// How many objects are likely to be enough: the first page is no larger.
    pub limit_hint: Option<u32>,
    /// Where a list that is read by offset goes on: the checkpoint of the last page that an earlier reading handed
    /// over.
    pub resume_from: Option<Checkpoint>,
}

impl Fetch {
    /// All objects of the instance, in pages as large as they can be.
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

/// Which of an object's list to fetch.
#[derive(Debug, Clone, PartialEq)]
pub enum Query {
    /// What these parameters leave of the instance's list, in this order if it matters.
    List { filters: Filters, order: Option<OrderBy> },
    /// As `List`, once for each hundred values of one parameter.
    Batches { parameter: &'static str, values: Vec<String>, filters: Filters },
    /// What the endpoint of a key column finds for each of these values; the parameters filter each of its lists.
    Lookup { key: &'static KeyColumn, values: Vec<String>, filters: Filters, order: Option<OrderBy> },
    /// No object, only how many there are, in the instance's list or below one parent, which is a value of a key column
    /// that lists: see [`crate::Page::total_count`].
    Count { parent: Option<(&'static KeyColumn, String)>, filters: Filters },
    /// Pages picked at random, enough of them for so many objects of that total.
    Sample { wanted: u64, total: u64 },
}

/// Query parameters; a name may repeat.
pub type Filters = Vec<(&'static str, String)>;

impl Query {
    /// All objects of the instance, in whatever order.
    pub fn all() -> Query {
        Query::List { filters: Filters::new(), order: None }
    }

    /// The objects that were created within a range of time, of a list that is read by ranges.
    pub fn created_within(object: &Object, range: TimeRange) -> Query {
        Query::List { filters: created_within(object, range), order: None }
    }

    /// How many objects were created within a range of time, of a list that is read by ranges.
    pub fn count_created_within(object: &Object, range: TimeRange) -> Query {
        Query::Count { parent: None, filters: created_within(object, range) }
    }

    /// Whether two of its lists may hold the same object: a user has several addresses, each of which finds them, in
    /// either case of its letters; and an organization is found by its slug and by its id where a slug is asked for.
    pub(crate) fn may_overlap(&self) -> bool {
        match self {
            Query::Batches { values, .. } => batches(values).nth(1).is_some(),
            Query::Lookup { key, values, .. } => key.lookup == Lookup::Get && values.len() > 1,
            _ => false,
        }
    }
}

/// The parameters for a range of creation time. Of a list that takes none they are empty.
fn created_within(object: &Object, range: TimeRange) -> Filters {
    let paging = object.list.map(|list| list.paging);
    let Some(Paging::Cursor { created_after, created_before, .. }) = paging else { return Filters::new() };
    let TimeRange { first, last } = range.wider();
    let after = first.map(|after| (created_after, after.to_string()));
    let before = last.map(|before| (created_before, before.to_string()));
    after.into_iter().chain(before).collect()
}

/// An order that the pages shall come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderBy {
    /// What `order_by` calls it.
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

    /// The order of every list whose order does not matter: new objects come last, and none changes its place. `None`
    /// where Clerk does not sort by the time of creation.
    pub fn oldest_first(object: &Object) -> Option<OrderBy> {
        object.by_creation().map(OrderBy::ascending)
    }
}

impl fmt::Display for OrderBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_descending { "-" } else { "" })?;
        f.write_str(self.parameter)
    }
}

/// Values of one parameter in groups that one request can carry: as many as Clerk takes, and no more than the length
/// of a URL allows.
pub fn batches(values: &[String]) -> impl Iterator<Item = &[String]> {
    let mut rest = values;
    std::iter::from_fn(move || {
        let mut length = 0;
        let fitting = rest.iter().take(MAX_VALUES).take_while(|value| {
            length += PARAMETER_NAME_LENGTH + byte_serialize(value.as_bytes()).map(str::len).sum::<usize>();
            length <= MAX_VALUES_LENGTH
        });
        // A value that is too long by itself is sent alone, for Clerk to refuse.
        let (batch, others) = rest.split_at(fitting.count().max(1).min(rest.len()));
        rest = others;
        (!batch.is_empty()).then_some(batch)
    })
}

/// Servers take URLs of 8 KB; the path and other parameters need some of it.
const MAX_VALUES_LENGTH: usize = 6000;

/// Room for a parameter's name with `=` and `&`.
const PARAMETER_NAME_LENGTH: usize = 16;

/// Whether one request can carry these values of one parameter.
pub fn fit_one_request(values: &[String]) -> bool {
    batches(values).nth(1).is_none() && values.iter().all(|value| fits(value))
}

/// Whether a request can carry a value.
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
