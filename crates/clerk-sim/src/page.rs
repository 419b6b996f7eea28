//! Sorts rows and writes one page of them as JSON.

use std::cmp::Ordering;

use fastrand::Rng;

use crate::query::{Order, Query};
use crate::table::Row;

/// What rows are sorted by: a number or a text, after which rows without a value follow, as in Postgres. Rows with
/// equal keys are sorted by creation and id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SortKey<'a> {
    is_missing: bool,
    number: i64,
    text: &'a str,
}

pub(crate) fn number<'a>(value: Option<i64>) -> SortKey<'a> {
    SortKey { is_missing: value.is_none(), number: value.unwrap_or_default(), text: "" }
}

pub(crate) fn text(value: Option<&str>) -> SortKey<'_> {
    SortKey { is_missing: value.is_none(), number: 0, text: value.unwrap_or_default() }
}

/// A row with its sort key, and with a random number if ties are unstable.
struct KeyedRow<'a, R> {
    key: SortKey<'a>,
    tie_breaker: Option<u64>,
    row: &'a R,
}

/// Shuffles the rows that were created in the same millisecond, if ties are unstable. The rows are in the order of
/// creation.
pub(crate) fn shuffle_ties<'a, R: Row>(mut rows: Vec<&'a R>, query: &Query) -> Vec<&'a R> {
    if let Some(seed) = query.tie_seed() {
        let mut random = Rng::with_seed(seed);
        rows.chunk_by_mut(|one, other| one.created_at() == other.created_at()).for_each(|ties| random.shuffle(ties));
    }
    rows
}

/// The page of `rows` that the request asks for. `rows` are in the order of creation.
pub(crate) fn page<'a, R: Row>(
    rows: Vec<&'a R>,
    query: &Query,
    key: impl Fn(&'a R, &'static str) -> SortKey<'a>,
) -> Vec<&'a R> {
    let Order { field, descending } = query.order();
    let (offset, limit) = (query.offset(), query.limit());
    if field == "created_at" {
        let rows = shuffle_ties(rows, query);
        return if descending {
            rows.into_iter().rev().skip(offset).take(limit).collect()
        } else {
            rows.into_iter().skip(offset).take(limit).collect()
        };
    }

    let mut random = query.tie_seed().map(Rng::with_seed);
    let mut tie_breaker = || random.as_mut().map(|random| random.u64(..));
    // Each row's key is computed only once, because that may need a look-up.
    let mut keyed: Vec<KeyedRow<R>> =
        rows.into_iter().map(|row| KeyedRow { key: key(row, field), tie_breaker: tie_breaker(), row }).collect();
    let compare = |a: &KeyedRow<R>, b: &KeyedRow<R>| -> Ordering {
        let ascending = (a.key, a.tie_breaker, a.row.key()).cmp(&(b.key, b.tie_breaker, b.row.key()));
        if descending { ascending.reverse() } else { ascending }
    };
    // Only as many rows are sorted as the page needs, so that "the ten last active of 100,000" is fast.
    let end = offset.saturating_add(limit);
    if end < keyed.len() {
        keyed.select_nth_unstable_by(end, compare);
        keyed.truncate(end);
    }
    keyed.sort_unstable_by(compare);
    keyed.into_iter().skip(offset).map(|keyed| keyed.row).collect()
}

/// A JSON array of what `write` appends for each row.
pub(crate) fn array<R>(rows: &[&R], mut write: impl FnMut(&R, &mut Vec<u8>)) -> Vec<u8> {
    let mut json = Vec::with_capacity(rows.len() * 2048 + 2);
    json.push(b'[');
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            json.push(b',');
        }
        write(row, &mut json);
    }
    json.push(b']');
    json
}

/// `{"data":[…],"total_count":n}`
pub(crate) fn counted<R>(rows: &[&R], total: usize, write: impl FnMut(&R, &mut Vec<u8>)) -> Vec<u8> {
    counted_as("data", rows, total, write)
}

/// As [`counted`], with the rows in a member of another name.
pub(crate) fn counted_as<R>(member: &str, rows: &[&R], total: usize, write: impl FnMut(&R, &mut Vec<u8>)) -> Vec<u8> {
    let mut json = format!(r#"{{"{member}":"#).into_bytes();
    json.append(&mut array(rows, write));
    json.extend_from_slice(format!(r#","total_count":{total}}}"#).as_bytes());
    json
}

/// Appends the object `json` without its closing brace, so that fields can follow.
pub(crate) fn write_unclosed(json: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(json.strip_suffix('}').unwrap_or(json).as_bytes());
}
