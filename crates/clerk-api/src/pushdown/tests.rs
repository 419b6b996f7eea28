//! Tests which requests the conditions of a query lead to.

use super::*;
use crate::catalog::object;
use crate::query::{Fetch, OrderBy, Query};
use crate::time_range::TimeRange;
use BoundCondition::{Flag, Never, Placeholder, Texts, Times};
use Operator::{Above, AtMost, Equal, ILike, Is, Like};

/// A column, its operator and the values at run time.
type Bound = (&'static str, Operator, BoundCondition);

fn texts(values: &[&str]) -> BoundCondition {
    Texts(values.iter().map(|value| (*value).to_owned()).collect())
}

fn times(first: Option<i64>, last: Option<i64>) -> BoundCondition {
    Times(TimeRange { first, last })
}

fn classified(name: &str, conditions: &[Bound]) -> Classified {
    let object = object(name).unwrap();
    let condition = |(column, operator, bound): &Bound| Condition {
        column: object.column(column, true).unwrap(),
        operator: *operator,
        has_one_value: !matches!(bound, Texts(values) if values.len() != 1),
    };
    Classified::new(object, conditions.iter().map(condition).collect())
}

/// The first request, as EXPLAIN shows it; `none` if no row can satisfy the conditions.
fn request(name: &str, conditions: &[Bound]) -> String {
    let bound: Vec<_> = conditions.iter().map(|(_, _, bound)| bound.clone()).collect();
    match classified(name, conditions).bind(&bound, None, false) {
        Some(query) => Fetch { query, page_size: 10, ..Fetch::all(object(name).unwrap(), vec![]) }.describe(false),
        None => "none".to_owned(),
    }
}

#[test]
fn users_by_conditions() {
    const PAGE: &str = "order_by=created_at&limit=10";
    for (conditions, expected) in [
        (vec![("user_id", Equal, texts(&["a"]))], "GET /users/a".to_owned()),
        (
            vec![("user_id", Equal, texts(&["a", "b", "a"]))],
            format!("GET /users?user_id=a&{PAGE} (2 values of user_id, at most 100 per request)"),
        ),
        (vec![("user_id", Equal, texts(&["a", "b"])), ("user_id", Equal, texts(&["b"]))], "GET /users/b".to_owned()),
        (vec![("user_id", Equal, texts(&["a"])), ("user_id", Equal, texts(&["b"]))], "none".to_owned()),
        (vec![("user_id", Equal, texts(&["+a", "", " b"]))], "none".to_owned()),
        (vec![("user_id", Equal, Never)], "none".to_owned()),
        (vec![("user_id", Equal, Placeholder("{user_id}".to_owned()))], "GET /users/{user_id}".to_owned()),
        (vec![("email", Equal, texts(&["a@b"]))], format!("GET /users?email_address=a@b&{PAGE}")),
        (vec![("external_id", Equal, texts(&["-7"]))], format!("GET /users?external_id=+-7&{PAGE}")),
        (vec![("email", Like, texts(&["%@b%"]))], format!("GET /users?email_address_query=@b&{PAGE}")),
        (vec![("first_name", ILike, texts(&["%Ä%"]))], format!("GET /users?{PAGE}")),
        (
            vec![("first_name", Like, texts(&["a%"])), ("last_name", Like, texts(&["b%"]))],
            format!("GET /users?name_query=a&{PAGE}"),
        ),
        (vec![("banned", Is(true), Flag(true))], format!("GET /users?banned=true&{PAGE}")),
        (vec![("banned", Is(true), Flag(true)), ("banned", Is(false), Flag(false))], "none".to_owned()),
        (
            vec![("created_at", Above, times(Some(11), None)), ("created_at", AtMost, times(None, Some(20)))],
            format!("GET /users?created_at_after=10&created_at_before=21&{PAGE}"),
        ),
        (
            vec![("created_at", Above, times(Some(11), None)), ("created_at", AtMost, times(None, Some(10)))],
            "none".to_owned(),
        ),
        (
            vec![("last_active_at", AtMost, times(None, Some(0)))],
            format!("GET /users?last_active_at_before=86400001&{PAGE}"),
        ),
        (
            vec![("created_at", Equal, Placeholder("{at}".to_owned()))],
            format!("GET /users?created_at_after={{at}}&created_at_before={{at}}&{PAGE}"),
        ),
        (vec![("password_enabled", Is(true), Flag(true))], format!("GET /users?{PAGE}")),
    ] {
        assert_eq!(request("users", &conditions), expected, "{conditions:?}");
    }
}

#[test]
fn a_key_column_chooses_the_endpoint() {
    let parent = ("organization_id", Equal, texts(&["o"]));
    let page = "order_by=created_at&limit=10";
    for (conditions, expected) in [
        (vec![parent.clone()], format!("GET /organizations/o/memberships?{page}")),
        (
            vec![("role", Equal, texts(&["org:admin"])), parent.clone()],
            format!("GET /organizations/o/memberships?role=org:admin&{page}"),
        ),
        (vec![("role", Equal, texts(&["org:admin"]))], format!("GET /organization_memberships?{page}")),
        (vec![("user_id", Equal, texts(&["u"]))], "GET /users/u/organization_memberships?limit=10".to_owned()),
        (
            vec![("user_id", Equal, texts(&["u"])), parent.clone()],
            format!("GET /organizations/o/memberships?user_id=u&{page}"),
        ),
    ] {
        assert_eq!(request("organization_memberships", &conditions), expected, "{conditions:?}");
    }
}

#[test]
fn more_values_than_a_request_carries_are_left_to_postgres_below_a_parent() {
    let many: Vec<String> = (0..150).map(|n| format!("u{n}")).collect();
    let conditions = [("organization_id", Equal, texts(&["o"])), ("user_id", Equal, Texts(many))];
    let expected = "GET /organizations/o/memberships?order_by=created_at&limit=10";
    assert_eq!(request("organization_memberships", &conditions), expected);
    assert!(!classified("organization_memberships", &conditions).is_exact());
}

#[test]
fn exact_conditions_allow_limits_and_counts() {
    for (name, conditions, is_exact, is_countable, is_sorted) in [
        ("users", vec![], true, true, true),
        ("users", vec![("banned", Is(true), Flag(true))], true, true, true),
        ("users", vec![("email", Equal, texts(&["a@b"]))], false, true, true),
        ("users", vec![("user_id", Equal, texts(&["a"]))], true, false, false),
        ("users", vec![("locked", Is(true), Flag(true))], false, true, true),
        ("organization_memberships", vec![("organization_id", Equal, texts(&["o"]))], true, true, true),
        ("organization_memberships", vec![("user_id", Equal, texts(&["u"]))], true, true, false),
        ("organization_memberships", vec![("user_id", Equal, texts(&["u", "v"]))], true, false, false),
    ] {
        let classified = classified(name, &conditions);
        let found = (classified.is_exact(), classified.is_countable(), classified.is_one_sorted_list());
        assert_eq!(found, (is_exact, is_countable, is_sorted), "{name} {conditions:?}");
    }
}

#[test]
fn counts_have_the_filters_of_their_conditions() {
    let conditions = [("organization_id", Equal, texts(&["o"])), ("role", Equal, texts(&["org:admin"]))];
    let classified = classified("organization_memberships", &conditions);
    let bound: Vec<_> = conditions.iter().map(|(_, _, bound)| bound.clone()).collect();
    let query = classified.bind(&bound, None, true).unwrap();
    let Query::Count { parent: Some((key, value)), filters } = query else { panic!("{query:?} is no count") };
    assert_eq!((key.column, value.as_str()), ("organization_id", "o"));
    assert_eq!(filters, [("role", "org:admin".to_owned())]);
}

#[test]
fn placeholders_stand_for_one_value_or_several() {
    let users = object("users").unwrap();
    let condition = |has_one_value| Condition { column: users.id(), operator: Equal, has_one_value };
    for (conditions, expected) in [
        (vec![condition(true)], "GET /users/{id}"),
        (vec![condition(false)], "GET /users?user_id={id}&order_by=created_at&limit=500"),
        (vec![condition(false), condition(true)], "GET /users/{id}"),
    ] {
        let bound = vec![Placeholder("{id}".to_owned()); conditions.len()];
        let query = Classified::new(users, conditions).bind(&bound, None, false).unwrap();
        let described = Fetch { query, ..Fetch::all(users, vec![]) }.describe(true);
        assert!(described.starts_with(expected), "{described}");
    }
}

#[test]
fn the_order_is_kept() {
    let users = object("users").unwrap();
    let order = users.by_creation().map(OrderBy::descending);
    let query = Classified::new(users, vec![]).bind(&[], order, false);
    assert_eq!(query, Some(Query::List { filters: vec![], order }));
}

/// A value that Clerk does not take is left to Postgres, and counts nothing.
#[test]
fn one_of_clerks_own_values() {
    let invitations = object("organization_invitations").unwrap();
    let status = invitations.column("status", true).unwrap();
    let condition = Condition { column: status, operator: Equal, has_one_value: true };
    let classified = Classified::new(invitations, vec![condition]);
    let bind =
        |value: &str, is_count| classified.bind(&[BoundCondition::Texts(vec![value.to_owned()])], None, is_count);
    let filters = vec![("status", "pending".to_owned())];
    assert_eq!(bind("pending", false), Some(Query::List { filters: filters.clone(), order: None }));
    assert_eq!(bind("pending", true), Some(Query::Count { parent: None, filters }));
    assert_eq!(bind("+pending", false), Some(Query::all()));
    assert_eq!(bind("+pending", true), None);
}

/// A count has no objects that Postgres could check, so that no condition may be left out of its request.
#[test]
fn counts_leave_no_condition_out() {
    let connections = object("saml_connections").unwrap();
    let organization = connections.column("organization_id", true).unwrap();
    let condition = Condition { column: organization, operator: Equal, has_one_value: true };
    let classified = Classified::new(connections, vec![condition]);
    let bind = |value: &str| classified.bind(&[BoundCondition::Texts(vec![value.to_owned()])], None, true);
    assert!(classified.is_exact() && classified.is_countable());
    let filters = vec![("organization_id", "org_1".to_owned())];
    assert_eq!(bind("org_1"), Some(Query::Count { parent: None, filters }));
    assert_eq!((bind(""), bind(&"x".repeat(9000))), (None, None));
}

#[test]
fn a_request_takes_many_values_where_clerk_finds_one_of_several() {
    let per_request = |name: &str, column: &'static str, others: &[Bound]| {
        let object = object(name).unwrap();
        let condition = |column, operator, has_one_value| Condition {
            column: object.column(column, true).unwrap(),
            operator,
            has_one_value,
        };
        let others = others.iter().map(|(column, operator, _)| condition(*column, *operator, true));
        let conditions = others.chain([condition(column, Equal, false)]).collect();
        Classified::new(object, conditions).values_per_request()
    };
    for (name, column, expected) in [
        ("users", "user_id", Some(100)),
        ("users", "email", Some(100)),
        ("users", "first_name", None),
        ("users", "created_at", None),
        ("organizations", "organization_id", Some(100)),
        ("organization_memberships", "organization_id", Some(1)),
        ("organization_memberships", "user_id", Some(1)),
        ("organization_memberships", "role", None),
        ("sessions", "user_id", Some(1)),
    ] {
        assert_eq!(per_request(name, column, &[]), expected, "{name}.{column}");
    }
    let organization = [("organization_id", Equal, texts(&["org_1"]))];
    assert_eq!(per_request("organization_memberships", "user_id", &organization), Some(100));
}
