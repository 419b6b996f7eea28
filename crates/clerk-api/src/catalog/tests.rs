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
            assert!(key.path.contains(&format!("{{{}}}", key.column)), "{}", key.path);
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
    for object in OBJECTS.iter().copied().chain([&INSTANCE]) {
        assert_eq!(object.columns.iter().filter(|column| column.role == Some(Role::Id)).count(), 1, "{}", object.name);
        for column in object.columns {
            if let Some(Role::Parent(parent)) = column.role {
                assert!(super::object(parent).is_some(), "{}.{} has no parent {parent}", object.name, column.name);
            }
        }
        if let Some(List { paging: Paging::Cursor { .. }, .. }) = object.list {
            assert!(object.by_creation().is_some(), "{} is read by cursor and not sorted by creation", object.name);
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
    assert!(object_of_event("session.created").is_none());
}
