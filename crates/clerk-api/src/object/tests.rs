//! The catalogue against itself; `tests/catalogue.rs` holds it against Clerk's own description.

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
        for key in object.keys {
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
fn the_first_release_named_columns_so() {
    let users = object("users").unwrap();
    assert_eq!(users.column("id", true).unwrap().name, "user_id");
    assert_eq!(users.column("phone_numbers", true).unwrap().name, "phone_number");
    assert!(users.column("phone_numbers", false).is_none(), "as jsonb it is the field of that name");
    assert!(users.column("gender", true).is_none());
    assert!(object("nothing").is_none());
}

#[test]
fn an_id_that_names_another_endpoint_is_nobodys() {
    let users = object("users").unwrap();
    let request = |id| Request::with_id(users.keys[0].path, id).unwrap();
    assert!(users.has_endpoint(&request("count")));
    assert!(!users.has_endpoint(&request("counter")));
}
