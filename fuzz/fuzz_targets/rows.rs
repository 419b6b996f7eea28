//! The body that a written row becomes is JSON of the members that the row has, each of the kind that Clerk takes, whatever
//! the values are. No value adds members.
//!
//! The first line is an object's name. Each other line is a column's name, its old and its new value as JSON, with tabs
//! between them; a column without values is NULL.
#![no_main]

use clerk_api::catalog::{Field, FieldKind, Write, object};
use clerk_api::write::{RowWriter, TableColumn};
use clerk_api::{Locator, Request, fuzzing};
use clerk_fuzz::{BASES, check_target};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &str| {
    let mut lines = data.lines();
    let Some(object) = lines.next().and_then(object) else { return };
    let (mut columns, mut old, mut new) = (Vec::new(), Vec::new(), Vec::new());
    for line in lines.take(40) {
        let mut parts = line.splitn(3, '\t');
        let name = parts.next().unwrap_or_default();
        let column = object.column(name, true);
        let locator = match column {
            Some(column) => column.source.into(),
            None => Locator::Path(name.split('.').map(str::to_owned).collect()),
        };
        columns.push(TableColumn { name: name.to_owned(), column, locator });
        // A value that Postgres has is JSON when it comes here, and NULL is none.
        let mut value =
            || parts.next().filter(|text| serde_json::from_str::<Value>(text).is_ok_and(|value| !value.is_null()));
        old.push(value().map(str::to_owned));
        new.push(value().map(str::to_owned));
    }
    let writer = RowWriter::new(object, columns);
    if let (Ok(made), Some(write)) = (writer.insert(&new), &object.writes.insert)
        && let Some(request) = made.request()
    {
        check(&request, write);
    }
    for (write, request) in writer.update(&old, &new).unwrap_or_default() {
        check(&request, write);
    }
});

fn check(request: &Request, write: &Write) {
    let shown = request.to_string();
    let (_, target) = shown.split_once(' ').expect("a method and a target");
    for base in BASES {
        check_target(base, target, write.path.split('/').count() - 1);
    }
    let Some(body) = fuzzing::body(request) else { return };
    let members = match serde_json::from_str::<Value>(body) {
        Ok(members) => members,
        // A column's path may have more names than the levels that serde_json reads, which are 128.
        Err(error) if error.to_string().starts_with("recursion limit exceeded") => return,
        Err(error) => panic!("{body:?} is no JSON: {error}"),
    };
    let members = members.as_object().unwrap_or_else(|| panic!("{body:?} is no object"));
    // As many as are written: none that comes twice.
    let names = clerk_fuzz::names(body);
    assert_eq!(names.len(), members.len(), "a member comes twice in {body}");
    for (name, value) in members {
        let field = write.fields.iter().find(|field| field.name == name);
        let field = field.unwrap_or_else(|| panic!("{} takes no {name}: {body}", write.path));
        let is_fine = (value.is_null() && field.is_nullable) || fits(&field.kind, value);
        // Members that are merged are not as a whole what they are part of.
        assert!(is_fine || shown.contains("/metadata"), "{name} is {value}");
    }
}

fn fits(kind: &FieldKind, value: &Value) -> bool {
    let is_member = |fields: &[Field], name: &str, value: &Value| {
        let mut fields = fields.iter().filter(|field| field.name == name);
        fields.any(|field| (value.is_null() && field.is_nullable) || fits(&field.kind, value))
    };
    match kind {
        FieldKind::Any => true,
        FieldKind::Boolean => value.is_boolean(),
        FieldKind::Text { .. } | FieldKind::Choice(_) | FieldKind::Id(_) | FieldKind::Time => value.is_string(),
        FieldKind::Integer { min, max } => value.as_i64().is_some_and(|number| (*min..=*max).contains(&number)),
        FieldKind::Number { min } => value.as_f64().is_some_and(|number| number >= *min),
        FieldKind::Object => value.is_object(),
        FieldKind::Members(fields) => {
            value.as_object().is_some_and(|members| members.iter().all(|(name, value)| is_member(fields, name, value)))
        }
        FieldKind::List { of, min, max } => value.as_array().is_some_and(|elements| {
            (*min..=*max).contains(&elements.len()) && elements.iter().all(|element| fits(of, element))
        }),
    }
}
