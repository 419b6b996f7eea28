//! What several tests compare and how.

use std::collections::BTreeSet;

use clerk_sim::Object;
use postgres::error::DbError;

/// Their ids, in alphabetical order.
pub fn ids(objects: &[Object]) -> Vec<String> {
    sorted(objects.iter().map(|object| object.id.clone()).collect())
}

/// The same ids, each once, in whatever order.
#[track_caller]
pub fn assert_same_ids(found: Vec<String>, all: &[String], context: &str) {
    let (rows, found) = (found.len(), found.into_iter().collect::<BTreeSet<_>>());
    let missing = all.iter().filter(|id| !found.contains(*id)).count();
    let foreign = found.iter().filter(|id| !all.contains(id)).count();
    let twice = rows - found.len();
    assert!(
        (missing, foreign, twice) == (0, 0, 0),
        "{context}: of {} objects {missing} are missing, {twice} come again, {foreign} come from nowhere",
        all.len()
    );
}

pub fn sorted<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort();
    list
}

/// All of an error that a client gets to see, as one text.
pub fn error_text(error: &DbError) -> String {
    let parts = [Some(error.message()), error.detail(), error.hint(), error.where_()];
    parts.into_iter().flatten().collect::<Vec<_>>().join("\n")
}
