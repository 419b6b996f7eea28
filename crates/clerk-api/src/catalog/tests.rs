//! Tests that the catalogue is consistent in itself; `tests/catalogue.rs` compares it with Clerk's OpenAPI description.

use super::*;

#[test]
fn names_are_unique_and_keys_name_columns() {
    for object in OBJECTS {
        let mut names: Vec<_> = object
            .columns
            .iter()
            .flat_map(|column| {
                [column.name]
                    .into_iter()
                    .chain(column.aliases.iter().copied())
                    .chain(column.scalar_aliases.iter().copied())
            })
            .collect();
        names.sort_unstable();
        let before = names.len();
        names.dedup();
        assert_eq!(names.len(), before, "{} has a name twice", object.name);
        for key in object.key_columns {
            let column = object.column(key.column, true).expect(key.column);
            assert_eq!(column.name, key.column);
            assert!(key.list.path.contains(&format!("{{{}}}", key.column)), "{}", key.list.path);
            for (column, _) in key.filters {
                assert!(object.column(column, true).is_some(), "{} has no column {column}", object.name);
            }
        }
        for column in object.columns {
            assert!(column.description.ends_with('.'), "{}.{}", object.name, column.name);
        }
    }
}

#[test]
fn names_of_the_first_release_are_aliases() {
    let users = object("users").unwrap();
    assert_eq!(users.column("id", true).unwrap().name, "user_id");
    assert_eq!(users.column("phone_numbers", true).unwrap().name, "phone_number");
    assert!(users.column("phone_numbers", false).is_none(), "as jsonb it is the field of that name");
    assert!(users.column("gender", true).is_none());
    assert!(object("nothing").is_none());
}

#[test]
fn every_object_is_complete() {
    for object in OBJECTS.iter().copied() {
        assert_eq!(object.columns.iter().filter(|column| column.role == Some(Role::Id)).count(), 1, "{}", object.name);
        for column in object.columns {
            if let Some(Role::Parent(parent)) = column.role {
                assert!(super::object(parent).is_some(), "{}.{} has no parent {parent}", object.name, column.name);
            }
        }
        let listed = object.listed();
        assert_eq!(listed.name, object.elements.map_or(object.name, |elements| elements.of));
        if let Some(List { paging: Paging::Cursor { .. }, .. }) = object.list {
            assert!(listed.by_creation().is_some(), "{} is read by cursor and not sorted by creation", object.name);
        }
        if let Some((parameter, value)) = object.list.and_then(|list| list.apart) {
            let filters = object.columns.iter().flat_map(|column| column.filters);
            let takes = |op| matches!(op, FilterOp::One { values } if values.contains(&value));
            let mut filter = filters.filter(|filter| filter.parameter == parameter);
            assert!(filter.any(|filter| takes(filter.op)), "{}: no column asks for {value}", object.name);
        }
        assert!(object.list.is_some() || !object.key_columns.is_empty(), "{} cannot be read at all", object.name);
        assert!(object.list.is_some() || object.mirroring == Mirroring::Never, "{} cannot be mirrored", object.name);
        for key in object.key_columns {
            assert!(object.column(key.column, true).is_some(), "{} has no column {}", object.name, key.column);
        }
    }
}

#[test]
fn events_are_named_once() {
    let mut types: Vec<_> = OBJECTS.iter().flat_map(|object| object.events).map(|event| event.type_).collect();
    types.sort_unstable();
    let before = types.len();
    types.dedup();
    assert_eq!(types.len(), before);
    let (object, change) = object_of_event("organizationMembership.deleted").unwrap();
    assert_eq!((object.name, change), ("organization_memberships", Change::Delete));
    assert!(object_of_event("email.created").is_none());
}

#[test]
fn objects_have_one_name_each() {
    let mut names: Vec<_> = OBJECTS.iter().flat_map(|object| object.aliases.iter().chain([&object.name])).collect();
    let before = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), before);
    assert_eq!(object("users/billing/subscription").unwrap().name, "user_billing_subscriptions");
}

#[test]
fn secrets_are_not_public() {
    let directories = object("directories").unwrap();
    let public: Vec<_> = directories.public_columns().map(|column| column.name).collect();
    assert!(directories.column("api_key", true).unwrap().is_secret);
    assert!(!public.contains(&"api_key") && !public.contains(&"attrs"), "{public:?}");
    assert!(object("users").unwrap().public_columns().any(|column| column.name == "attrs"));
}
