//! What Clerk is asked for a LIKE or ILIKE pattern never leaves out a row that matches in Postgres.
//!
//! The lines are the pattern, the column's value and the user's other name.
#![no_main]

use clerk_api::Query;
use clerk_api::catalog::object;
use clerk_api::pushdown::{BoundCondition, Classified, Condition, Operator};
use clerk_fuzz::{contains, like, lines, lower};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some([pattern, value, other]) = lines(data) else { return };
    let users = object("users").expect("the catalogue has users");
    for (name, operator) in [
        ("username", Operator::Like),
        ("username", Operator::ILike),
        ("first_name", Operator::Like),
        ("last_name", Operator::ILike),
    ] {
        let column = users.column(name, true).expect("users have names");
        let classified = Classified::new(users, vec![Condition { column, operator, has_one_value: true }]);
        let Some(query) = classified.bind(&[BoundCondition::Texts(vec![pattern.to_owned()])], None, false) else {
            panic!("a pattern excludes all rows");
        };
        let Query::List { filters, order: None } = query else { panic!("{query:?} is no list") };
        let matches = match operator {
            Operator::Like => like(value, pattern),
            _ => like(&lower(value), &lower(pattern)),
        };
        if matches.is_none() {
            assert!(filters.is_empty(), "{pattern:?} is an error in Postgres");
        }
        let searched = match name {
            "username" => value.to_owned(),
            "first_name" => format!("{value} {other}").trim().to_owned(),
            _ => format!("{other} {value}").trim().to_owned(),
        };
        for (parameter, part) in filters {
            assert!(!part.is_empty() && part.trim() == part, "{parameter}={part:?}");
            assert!(pattern.len() >= part.len(), "{pattern:?} does not contain {part:?}");
            if matches == Some(true) {
                assert!(contains(&searched, &part), "{operator:?} {pattern:?}: {part:?} is not in {searched:?}");
            }
        }
    }
});
