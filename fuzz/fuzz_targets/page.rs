//! A page has the rows and values that a parser of whole documents finds in the same body, or is refused for a reason.
//!
//! The first line names the object, after `single` for the answer of an endpoint that is no list. The rest is the body.
#![no_main]

use clerk_api::catalog::{Object, Paging, Source, object};
use clerk_api::{Locator, fuzzing};
use clerk_fuzz::{at, repeats_members, storable};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let Some(end) = data.iter().position(|byte| *byte == b'\n') else { return };
    let (Ok(first), body) = (std::str::from_utf8(&data[..end]), &data[end + 1..]) else { return };
    let (is_single, name) = first.strip_prefix("single ").map_or((false, first), |name| (true, name));
    let Some(object) = object(name) else { return };
    let mut columns: Vec<Locator> = object.columns.iter().map(|column| column.source.into()).collect();
    let paths = ["public_metadata.plan", "email_addresses.0.id", "id.0", "data"];
    columns.extend(paths.map(|path| Locator::Path(path.split('.').map(str::to_owned).collect())));

    let page = fuzzing::page(object, body.to_vec(), &columns, is_single);
    let body = String::from_utf8(storable(body));
    let document = body.as_deref().ok().and_then(|body| serde_json::from_str::<Value>(body).ok());
    let page = match (page, document.as_ref().map(|document| owners(object, document, is_single))) {
        (Ok(page), Some(Some(owners))) => {
            check(object, &columns, &page, &owners, body.is_ok_and(|body| body.contains('\\')));
            page
        }
        (Ok(page), Some(None)) => panic!("{page:?} is no page"),
        (Err(problem), Some(Some(_))) => {
            assert!(body.is_ok_and(|body| repeats_members(body.as_bytes())), "{problem}");
            return;
        }
        // A page is not parsed where nothing asks for a value, so that a number beyond all bounds can be there.
        (Ok(page), None) => page,
        (Err(problem), _) => {
            assert!(!problem.is_empty());
            return;
        }
    };
    assert_eq!(page.is_empty(), page.len() == 0);
});

/// The objects of a document; `None` if it is not what was asked for.
fn owners<'d>(object: &Object, document: &'d Value, is_single: bool) -> Option<Vec<&'d Value>> {
    let owners: Vec<&Value> = match document {
        single if is_single => vec![single],
        Value::Array(owners) => owners.iter().collect(),
        Value::Object(members) => {
            let lists = object.list.into_iter().chain(object.key_columns.iter().map(|key| key.list));
            let mut lists = lists.filter(|list| list.paging != Paging::Single);
            let member = lists.next().map_or("data", |list| list.member);
            members.get("total_count").filter(|count| !count.is_null()).is_none_or(Value::is_u64).then_some(())?;
            members.get(member)?.as_array()?.iter().collect()
        }
        _ => return None,
    };
    let id = |object: &Object| object.columns.iter().find(|column| column.role == Some(clerk_api::catalog::Role::Id));
    let listed = object.elements.map_or(Some(object), |elements| clerk_api::catalog::object(elements.of))?;
    let id_path = path(id(listed)?.source)?;
    let is_owner = |owner: &&Value| {
        let has_elements = object.elements.is_none_or(|elements| match &owner[elements.member] {
            Value::Null => true,
            Value::Array(elements) => elements.iter().all(Value::is_object),
            _ => false,
        });
        owner.is_object() && has_elements && at(owner, &id_path).is_some_and(Value::is_string)
    };
    owners.iter().all(is_owner).then_some(owners)
}

fn path(source: Source) -> Option<Vec<String>> {
    match Locator::from(source) {
        Locator::Path(path) => Some(path),
        _ => None,
    }
}

fn check(object: &Object, columns: &[Locator], page: &clerk_api::Page, owners: &[&Value], has_escapes: bool) {
    let mut rows: Vec<(&Value, &Value)> = Vec::new();
    for owner in owners {
        match object.elements {
            None => rows.push((owner, owner)),
            Some(elements) => {
                rows.extend(owner[elements.member].as_array().into_iter().flatten().map(|row| (row, *owner)));
            }
        }
    }
    assert_eq!(page.len(), rows.len(), "rows");
    let created_at = object.columns.iter().find(|column| column.role == Some(clerk_api::catalog::Role::CreatedAt));
    for (number, (row, owner)) in rows.into_iter().enumerate() {
        if let Some(time) = created_at.filter(|_| object.elements.is_none()) {
            let time = path(time.source).and_then(|path| at(row, &path)).and_then(Value::as_i64);
            assert_eq!(fuzzing::created_at(page, number), time, "the time of creation of row {number}");
        }
        for (index, column) in columns.iter().enumerate() {
            let expected = match column {
                Locator::Whole => Some(row.clone()),
                Locator::Path(path) => at(row, path).cloned(),
                Locator::Owner(member) => owner.get(member).cloned(),
                // Ids are compared as they are written, and only ids that are texts without escapes are ids.
                Locator::Primary { .. } | Locator::IsPrimary { .. } if has_escapes => continue,
                Locator::Primary { id, list, value } => {
                    let Some(id) = row.get(id).filter(|id| id.is_string()) else { continue };
                    let elements = row[list].as_array().into_iter().flatten();
                    let mut elements = elements.filter(|element| element.get("id") == Some(id));
                    elements.next().and_then(|element| element.get(value)).cloned()
                }
                Locator::IsPrimary { id } => {
                    let (Some(Value::String(own)), Some(Value::String(primary))) = (row.get("id"), owner.get(id))
                    else {
                        continue;
                    };
                    Some((own == primary).into())
                }
                // It comes from the request, and there is none here.
                Locator::Key => None,
            };
            let value = page.value(number, index);
            let value = value.map(|value| serde_json::from_str::<Value>(value).expect("a value is JSON"));
            assert_eq!(value, expected.filter(|expected| !expected.is_null()), "{column:?} of row {number}");
        }
    }
}
