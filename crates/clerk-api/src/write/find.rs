//! Looks for a row as it is at Clerk: by its id, by what Clerk holds unique, or by the object that contains it.

use super::insert::NewObject;
use crate::catalog::{Column, Object};
use crate::decode::Locator;
use crate::pushdown::{BoundCondition, Classified, Condition, Operator};
use crate::query::{Fetch, Query};

/// The fetch of the object with an id, or of a list that has it. Parents are columns whose values are known besides.
/// `None` if Clerk cannot be asked for it.
pub fn find_by_id(
    object: &'static Object,
    id: &str,
    parents: &[(&'static Column, String)],
    columns: Vec<Locator>,
) -> Option<Fetch> {
    let by_id = vec![(object.id(), id.to_owned())];
    // What is not asked for by its id is in the list of its parent.
    let has_key = object.key_columns.iter().any(|key| key.column == object.id().name);
    let equal = if has_key || parents.is_empty() { by_id } else { parents.to_vec() };
    find(object, &equal, columns)
}

/// The fetch of the object that contains rows, such as the user to whom email addresses belong.
pub fn find_owner(object: &'static Object, id: &str, columns: Vec<Locator>) -> Option<Fetch> {
    let owner = object.listed();
    find(owner, &[(owner.id(), id.to_owned())], columns)
}

/// The fetches of objects that may have the same values as a new one in the columns that Clerk holds unique: one, or one for
/// each of the values that a column stands for. None if the new one does not have them all.
pub fn find_unique(new: &NewObject, object: &'static Object, set: &[&str], columns: &[Locator]) -> Vec<Fetch> {
    let mut rows: Vec<Vec<(&'static Column, String)>> = vec![Vec::new()];
    for name in set {
        let Some(column) = object.column(name, true) else { return Vec::new() };
        let with = |row: &Vec<(&'static Column, String)>, text: String| [row.clone(), vec![(column, text)]].concat();
        let values = new.texts(name);
        rows = rows.iter().flat_map(|row| values.iter().map(|text| with(row, text.clone()))).collect();
    }
    rows.iter().filter_map(|equal| find(object, equal, columns.to_vec())).collect()
}

fn find(object: &'static Object, equal: &[(&'static Column, String)], columns: Vec<Locator>) -> Option<Fetch> {
    let condition =
        |(column, _): &(&'static Column, _)| Condition { column, operator: Operator::Equal, has_one_value: true };
    let classified = Classified::new(object, equal.iter().map(condition).collect());
    if !classified.missing_keys().is_empty() {
        return None;
    }
    let bound: Vec<_> = equal.iter().map(|(_, value)| BoundCondition::Texts(vec![value.clone()])).collect();
    let query: Query = classified.bind(&bound, None, false)?;
    Some(Fetch { query, ..Fetch::all(object, columns) })
}
