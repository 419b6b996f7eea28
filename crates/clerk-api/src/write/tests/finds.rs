use serde_json::{Map, json};

use super::*;
use crate::catalog::{Answer, Field, FieldKind, OBJECTS};
use crate::write::{find_by_id, find_owner, find_unique};

#[test]
fn what_clerk_holds_unique_is_found_by_it() {
    let mut missing = Vec::new();
    for object in OBJECTS {
        let Some(insert) = object.writes.insert else { continue };
        let table = Table { writer: RowWriter::new(object, vec![attrs(object)]) };
        for set in object.writes.unique {
            let mut body: Map<_, _> = insert.keys().map(|key| (key.to_owned(), key.into())).collect();
            let is_used = |field: &&Field| {
                field.is_required || field.column_of(object).is_some_and(|column| set.contains(&column.name))
            };
            for field in insert.fields.iter().filter(is_used) {
                let value = match field.kind {
                    FieldKind::List { .. } => json!(["text"]),
                    FieldKind::Object => json!({}),
                    FieldKind::Choice(choices) => choices[0].into(),
                    FieldKind::Boolean => true.into(),
                    _ => "text".into(),
                };
                body.insert(field.name.to_owned(), value);
            }
            let new = table.new_object(&json!({"attrs": body})).map_err(|error| error.to_string());
            let new = new.unwrap_or_else(|error| panic!("{error}"));
            if find_unique(&new, object, set, &[]).is_empty() {
                missing.push(format!("{} {set:?}", object.name));
            }
            // Without one of the values there is no telling.
            let other = table.new_object(&json!({"attrs": {}}));
            assert!(other.is_err() || find_unique(&other.unwrap(), object, set, &[]).is_empty());
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn what_was_changed_is_found_again() {
    let mut missing = Vec::new();
    for object in OBJECTS {
        let updates = object.writes.updates.iter().map(|update| update.write());
        for write in updates.chain(&object.writes.insert) {
            let parents: Vec<_> = write
                .keys()
                .filter(|key| *key != object.id().name)
                .map(|key| (object.column(key, true).unwrap(), "parent_1".to_owned()))
                .collect();
            let id = sample_id(object);
            let fetch = find_by_id(object, &id, &parents, vec![Locator::Whole]);
            let fetch = fetch.or_else(|| find_owner(object, &id, vec![Locator::Whole]));
            if fetch.is_none() && write.answer == Answer::Other {
                missing.push(format!("{} {}", object.name, write.path));
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}

/// An id of the form that the endpoint for single objects takes.
fn sample_id(object: &crate::catalog::Object) -> String {
    let form = object.key_column(object.id().name).and_then(|key| key.id_form);
    form.map_or("id_1".to_owned(), |form| format!("{}_{}", form.prefixes[0], "0".repeat(form.length)))
}

fn attrs(object: &'static crate::catalog::Object) -> TableColumn {
    let column = object.columns.iter().find(|column| column.name == "attrs");
    TableColumn { name: "attrs".to_owned(), column, locator: Locator::Whole }
}
