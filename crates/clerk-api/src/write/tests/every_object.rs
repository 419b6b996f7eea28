use std::collections::HashSet;

use serde_json::{Map, json};

use super::*;
use crate::catalog::{Column, Field, FieldKind, Kind, OBJECTS, Object, Source, Update, Write};

/// No message may quote a value.
const MARKER: &str = "SECRETMARKER";

/// A value of a kind. Another number makes another value, where there is one.
fn sample(kind: FieldKind, number: usize) -> Value {
    match kind {
        FieldKind::Text { min, .. } => format!("{number}").repeat(min.max(1)).into(),
        FieldKind::Choice(choices) => choices[number % choices.len()].into(),
        FieldKind::Id(form) => {
            format!("{}_{}", form.prefixes[0], format!("{}", number % 10).repeat(form.length)).into()
        }
        FieldKind::Time => format!("2024-01-02T03:04:05.{:03}Z", number % 1000).into(),
        FieldKind::Integer { min, max } => (min.max(1) + number as i64).min(max).into(),
        FieldKind::Number { min } => (min + 1.5 + number as f64).into(),
        FieldKind::Boolean => number.is_multiple_of(2).into(),
        FieldKind::Object => json!({"member": number}),
        FieldKind::Members(fields) => {
            fields.iter().map(|field| (field.name.to_owned(), sample(field.kind, number))).collect::<Map<_, _>>().into()
        }
        FieldKind::List { of, min, .. } => vec![sample(*of, number); min.max(1)].into(),
        FieldKind::Any => number.into(),
    }
}

/// A value in the form of the column that shows it.
fn in_column(field: &Field, column: &Column, value: &Value) -> Value {
    match (field.kind, column.kind) {
        (FieldKind::Time, Kind::Time) => {
            let text = value.as_str().unwrap();
            chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis().into()
        }
        (FieldKind::List { .. }, Kind::Text | Kind::Phone) => value[0].clone(),
        _ => value.clone(),
    }
}

fn whole_table(object: &'static Object) -> Table {
    let columns = object.columns.iter().map(|column| TableColumn {
        name: column.name.to_owned(),
        column: Some(column),
        locator: column.source.into(),
    });
    Table { writer: RowWriter::new(object, columns.collect()) }
}

fn attrs_table(object: &'static Object) -> Table {
    let attrs = TableColumn {
        name: "attrs".to_owned(),
        column: object.columns.iter().find(|column| column.source == Source::Whole),
        locator: Locator::Whole,
    };
    Table { writer: RowWriter::new(object, vec![attrs]) }
}

/// The path with keys that are the names of their columns.
fn path(write: &Write) -> String {
    write.path.replace(['{', '}'], "")
}

fn inserts() -> impl Iterator<Item = (&'static Object, &'static Write)> {
    OBJECTS.iter().filter_map(|object| Some((*object, object.writes.insert.as_ref()?)))
}

fn updates() -> impl Iterator<Item = (&'static Object, &'static Update)> {
    OBJECTS.iter().flat_map(|object| object.writes.updates.iter().map(|update| (*object, update)))
}

fn keys(write: &Write) -> Map<String, Value> {
    write.keys().map(|key| (key.to_owned(), key.into())).collect()
}

fn body(request: &Request) -> Value {
    request.body().map_or(Value::Null, |body| serde_json::from_str(body).unwrap())
}

#[test]
fn a_body_in_attrs_is_sent_as_it_is() {
    for (object, write) in inserts() {
        let given: Map<_, _> =
            write.fields.iter().map(|field| (field.name.to_owned(), sample(field.kind, 1))).collect();
        let mut attrs = given.clone();
        attrs.extend(keys(write));
        let new = attrs_table(object).new_object(&json!({"attrs": attrs})).unwrap_or_else(|error| panic!("{error}"));
        let request = new.request().unwrap();
        assert_eq!(request.to_string(), format!("{} {}", write.method.name(), path(write)));
        let expected = if write.fields.is_empty() { Value::Null } else { given.into() };
        // A field that is a key as well has the key's value.
        let mut expected = expected;
        for key in write.keys().filter(|key| write.field(key).is_some()) {
            expected[key] = key.into();
        }
        assert_eq!(body(&request), expected, "{}", object.name);
    }
}

#[test]
fn columns_are_sent_in_the_form_of_their_fields() {
    for (object, write) in inserts() {
        let table = whole_table(object);
        let (mut row, mut expected, mut others) = (keys(write), Map::new(), Map::new());
        for field in write.fields {
            let value = sample(field.kind, 1);
            match field.column_of(object) {
                Some(column) => {
                    row.entry(column.name).or_insert(in_column(field, column, &value));
                    let shown = row[column.name].clone();
                    expected.insert(field.name.to_owned(), if shown == column.name { shown } else { value });
                }
                None => drop(others.insert(field.name.to_owned(), value)),
            }
        }
        if !others.is_empty() {
            row.insert("attrs".to_owned(), others.clone().into());
            expected.extend(others);
        }
        let new = table.new_object(&row.into()).unwrap_or_else(|error| panic!("{error}"));
        let expected = if write.fields.is_empty() { Value::Null } else { expected.into() };
        assert_eq!(body(&new.request().unwrap()), expected, "{}", object.name);
    }
}

#[test]
fn what_is_required_must_be_there() {
    for (object, write) in inserts() {
        let required: Vec<_> = write.fields.iter().filter(|field| field.is_required).map(|field| field.name).collect();
        let mut attrs: Map<_, _> =
            write.fields.iter().map(|field| (field.name.to_owned(), sample(field.kind, 1))).collect();
        attrs.extend(keys(write));
        for missing in required.into_iter().chain(write.keys()) {
            let mut attrs = attrs.clone();
            attrs.remove(missing);
            let error = attrs_table(object).new_object(&json!({"attrs": attrs})).map(|_| ()).unwrap_err();
            assert_eq!(error, WriteError::Missing { object: object.name, field: missing });
        }
    }
}

#[test]
fn a_changed_column_is_the_only_one_that_is_sent() {
    for (object, update) in updates() {
        let (Update::Fields(write) | Update::Merge(write)) = update else { continue };
        let table = whole_table(object);
        for field in write.fields {
            let Some(column) = field.column_of(object) else { continue };
            let (before, after) = (sample(field.kind, 0), sample(field.kind, 1));
            if before == after {
                continue;
            }
            let mut old = keys(write);
            for required in write.fields.iter().filter(|field| field.is_required) {
                let value = sample(required.kind, 7);
                old.insert(required.column_of(object).unwrap().name.to_owned(), value);
            }
            old.insert(column.name.to_owned(), in_column(field, column, &before));
            let mut new = old.clone();
            new.insert(column.name.to_owned(), in_column(field, column, &after));
            let (old, new) = (table.row(&old.into()), table.row(&new.into()));
            assert!(table.writer.is_updatable(column.name));
            assert!(table.writer.update(&old, &old).unwrap().is_empty());
            let sent = table.writer.update(&old, &new).unwrap_or_else(|error| panic!("{error}"));
            let [(endpoint, request)] = &sent[..] else { panic!("{} {}: {sent:?}", object.name, field.name) };
            assert_eq!(*endpoint, write);
            assert_eq!(request.to_string(), format!("{} {}", write.method.name(), path(write)));
            let body = body(request);
            let names: HashSet<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
            let required = write.fields.iter().filter(|field| field.is_required).map(|field| field.name);
            assert_eq!(names, required.chain([field.name]).collect(), "{}", object.name);
            assert_eq!(body[field.name], after);
        }
    }
}

#[test]
fn a_changed_member_of_attrs_is_the_only_one_that_is_sent() {
    for (object, update) in updates() {
        let (Update::Fields(write) | Update::Merge(write)) = update else { continue };
        let mut whole = Map::new();
        for column in object.columns {
            match column.source {
                Source::Member(name) => drop(whole.insert(name.to_owned(), column.name.into())),
                Source::Path([first, second]) => {
                    let inner = whole.entry(*first).or_insert(json!({}));
                    inner[second] = column.name.into();
                }
                _ => {}
            }
        }
        whole.extend(write.fields.iter().map(|field| (field.name.to_owned(), sample(field.kind, 0))));
        let table = attrs_table(object);
        if table.writer.check_operation(Operation::Update).is_err() {
            continue;
        }
        for field in write.fields {
            let after = sample(field.kind, 1);
            if whole[field.name] == after {
                continue;
            }
            let mut changed = whole.clone();
            changed.insert(field.name.to_owned(), after.clone());
            let mut only = Map::new();
            only.insert(field.name.to_owned(), after.clone());
            for new in [changed, only] {
                let sent =
                    table.writer.update(&table.row(&json!({"attrs": whole})), &table.row(&json!({"attrs": new})));
                let sent = sent.unwrap_or_else(|error| panic!("{error}"));
                let [(_, request)] = &sent[..] else { panic!("{} {}: {sent:?}", object.name, field.name) };
                let body = body(request);
                assert_eq!(body[field.name], after);
                let is_wanted = |name: &str| name == field.name || write.field(name).unwrap().is_required;
                assert!(body.as_object().unwrap().keys().all(|name| is_wanted(name)), "{}: {body}", object.name);
            }
        }
    }
}

#[test]
fn states_are_reached_by_requests_of_their_own() {
    for (object, update) in updates() {
        let Update::Action { column, value, write } = update else { continue };
        let table = whole_table(object);
        let old = keys(write);
        let mut new = old.clone();
        new.insert((*column).to_owned(), serde_json::from_str(value).unwrap());
        let sent = table.writer.update(&table.row(&old.clone().into()), &table.row(&new.into())).unwrap();
        let [(endpoint, request)] = &sent[..] else { panic!("{}: {sent:?}", object.name) };
        assert_eq!(*endpoint, write);
        assert_eq!(request.to_string(), format!("{} {}", write.method.name(), path(write)));
        assert_eq!(request.body(), (!write.fields.is_empty()).then_some("{}"));
        let mut wrong = old.clone();
        wrong.insert((*column).to_owned(), MARKER.into());
        let error = table.writer.update(&table.row(&old.into()), &table.row(&wrong.into())).unwrap_err();
        assert!(matches!(error, WriteError::NotReachable { .. }), "{error}");
        assert!(!error.to_string().contains(MARKER));
    }
}

#[test]
fn rows_are_deleted_by_their_keys() {
    for object in OBJECTS {
        let Some(write) = &object.writes.delete else { continue };
        let table = whole_table(object);
        table.writer.check_operation(Operation::Delete).unwrap();
        let row = keys(write);
        let expected = format!("{} {}", write.method.name(), path(write));
        let body = if write.fields.is_empty() { "" } else { " {}" };
        assert_eq!(table.delete(row.clone().into()), Ok(expected + body));
        for key in write.keys() {
            for nobody in ["", ".", ".."] {
                let mut row = row.clone();
                row.insert(key.to_owned(), nobody.into());
                assert!(table.delete(row.into()).is_err(), "{} {key}", object.name);
            }
        }
    }
}

#[test]
fn operations_that_clerk_does_not_have_are_refused() {
    for object in OBJECTS {
        let table = whole_table(object);
        for operation in [Operation::Insert, Operation::Update, Operation::Delete] {
            let result = table.writer.check_operation(operation);
            assert_eq!(result.is_ok(), Operation::of(object).contains(&operation), "{}: {result:?}", object.name);
        }
    }
}

/// Values of all kinds with the marker in them, and some that are too long or too large.
fn marked() -> Vec<Value> {
    vec![
        json!(MARKER),
        json!(MARKER.repeat(100)),
        json!([MARKER]),
        json!([[MARKER]]),
        json!({"x": MARKER}),
        json!({"x": null, "y": MARKER}),
        json!([{"x": MARKER}, MARKER]),
        json!(null),
        json!(1e300),
        json!(-7_654_321),
        json!(true),
    ]
}

#[test]
fn no_message_has_a_value() {
    let check = |error: WriteError| {
        let texts = [error.to_string(), format!("{error:?}")];
        for text in texts {
            assert!(!text.contains(MARKER) && !text.contains("7654321") && !text.contains("e300"), "{text}");
        }
    };
    let mut refused = 0;
    for (object, write) in inserts() {
        let (whole, attrs) = (whole_table(object), attrs_table(object));
        for value in marked() {
            for name in write.fields.iter().map(|field| field.name).chain(write.keys()).chain(["unknown"]) {
                if let Err(error) = attrs.new_object(&json!({"attrs": {name: value}})) {
                    check(error);
                    refused += 1;
                }
            }
            for column in object.columns {
                whole.new_object(&json!({column.name: value})).map(|_| ()).map_err(check).ok();
            }
        }
    }
    for object in OBJECTS.iter().filter(|object| !object.writes.updates.is_empty()) {
        let table = whole_table(object);
        let fields = object.writes.updates.iter().flat_map(|update| update.write().fields);
        let names: Vec<_> = fields.map(|field| field.name).chain(["unknown"]).collect();
        for value in marked() {
            let rows = names.iter().map(|name| json!({"attrs": {*name: value}}));
            for row in rows.chain(object.columns.iter().map(|column| json!({column.name: value}))) {
                for (old, new) in [(&json!({}), &row), (&row, &json!({}))] {
                    if let Err(error) = table.writer.update(&table.row(old), &table.row(new)) {
                        check(error);
                        refused += 1;
                    }
                }
            }
        }
    }
    assert!(refused > 1000, "{refused}");
}

/// What the code that turns rows into requests relies on.
#[test]
fn fields_are_unambiguous() {
    for object in OBJECTS {
        let mut seen = HashSet::new();
        for update in object.writes.updates {
            for field in update.write().fields {
                if matches!(update, Update::Action { .. }) {
                    continue;
                }
                // Otherwise a changed field would be sent to two endpoints.
                assert!(seen.insert(field.name), "{}.{}", object.name, field.name);
                // Clerk merges objects, of which null is none.
                if matches!(update, Update::Merge(_)) {
                    assert!(field.kind == FieldKind::Object && !field.is_nullable, "{}.{}", object.name, field.name);
                }
            }
        }
        // What required fields have now must be known.
        for update in object.writes.updates {
            for field in update.write().fields.iter().filter(|field| field.is_required) {
                assert!(field.column_of(object).is_some(), "{}.{}", object.name, field.name);
            }
        }
    }
}
