//! JSON objects as lists of members whose values stay the text that they were, so that no number is rounded.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::decode::json;

/// The members of an object by their names. Of members with the same name the last one counts, as in jsonb.
pub(super) type Members = BTreeMap<String, Box<RawValue>>;

/// The members of a JSON object; `None` for any other JSON.
pub(super) fn members(text: &str) -> Option<Members> {
    serde_json::from_str(text).ok()
}

/// The JSON text of an object with these members.
pub(super) fn object<'m>(members: impl IntoIterator<Item = (&'m str, &'m str)>) -> String {
    let members = members.into_iter().map(|(name, value)| format!("{}:{value}", string(name)));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

/// A text as JSON.
pub(super) fn string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The object that makes one of the other when it is merged into it: the members that differ, and null for those that
/// are to go. `None` if nothing differs.
///
/// # Errors
/// The path of a member that is to be null, which a merge would remove.
pub(super) fn difference(old: Option<&str>, new: &str) -> Result<Option<String>, Vec<String>> {
    let (old, Some(new)) = (old.and_then(members).unwrap_or_default(), members(new)) else { return Ok(None) };
    let mut changes: Vec<(&str, String)> =
        old.keys().filter(|name| !new.contains_key(*name)).map(|name| (name.as_str(), "null".to_owned())).collect();
    for (name, value) in &new {
        let before = old.get(name).map(|value| value.get());
        if before == Some(value.get()) {
            continue;
        }
        if json::kind(value.get()) == "null" {
            return Err(vec![name.clone()]);
        }
        let below = |path: Vec<String>| [vec![name.clone()], path].concat();
        if let Some(change) = change(before, value.get()).map_err(below)? {
            changes.push((name, change));
        }
    }
    Ok((!changes.is_empty()).then(|| object(changes.iter().map(|(name, value)| (*name, value.as_str())))))
}

/// The value that makes one of the other when it is merged into it: for an object its [`difference`]. `None` if nothing
/// differs.
///
/// # Errors
/// As there.
pub(super) fn change(old: Option<&str>, new: &str) -> Result<Option<String>, Vec<String>> {
    if json::kind(new) != "object" {
        return Ok((old != Some(new)).then(|| new.to_owned()));
    }
    let was_object = old.is_some_and(|old| json::kind(old) == "object");
    let difference = difference(old, new)?;
    Ok(if was_object { difference } else { difference.or_else(|| Some("{}".to_owned())) })
}

/// An object with the members of both. Where both have an object of the same name, these are combined as well;
/// otherwise the second one counts.
pub(super) fn combined(first: &str, second: &str) -> String {
    let (Some(mut first), Some(second)) = (members(first), members(second)) else { return second.to_owned() };
    for (name, value) in second {
        let value = match first.get(&name) {
            Some(before) => raw(combined(before.get(), value.get())).unwrap_or(value),
            None => value,
        };
        first.insert(name, value);
    }
    object(first.iter().map(|(name, value)| (name.as_str(), value.get())))
}

/// A value with another one at the end of a path in it. What is on the path and no object becomes one.
pub(super) fn replaced(value: Option<&str>, path: &[String], new: &str) -> String {
    let Some((name, below)) = path.split_first() else { return new.to_owned() };
    let mut members = value.and_then(members).unwrap_or_default();
    let inner = replaced(members.get(name).map(|inner| inner.get()), below, new);
    if let Some(inner) = raw(inner) {
        members.insert(name.clone(), inner);
    }
    object(members.iter().map(|(name, value)| (name.as_str(), value.get())))
}

/// An object that has only a value at the end of a path.
pub(super) fn nested(path: &[String], value: &str) -> String {
    path.iter().rev().fold(value.to_owned(), |value, name| object([(name.as_str(), value.as_str())]))
}

fn raw(text: String) -> Option<Box<RawValue>> {
    RawValue::from_string(text).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_difference_makes_one_object_of_another() {
        let difference = |old, new| difference(Some(old), new);
        assert_eq!(difference(r#"{"a": 1}"#, r#"{"a": 1}"#), Ok(None));
        assert_eq!(difference("null", r#"{"a": 1}"#), Ok(Some(r#"{"a":1}"#.to_owned())));
        assert_eq!(
            difference(r#"{"a": 1, "b": {"c": 2, "d": 3}, "e": [1]}"#, r#"{"b": {"c": 2, "d": 4}, "e": [2], "f": {}}"#),
            Ok(Some(r#"{"a":null,"b":{"d":4},"e":[2],"f":{}}"#.to_owned()))
        );
        assert_eq!(difference(r#"{"a": {"b": 1}}"#, r#"{"a": {}}"#), Ok(Some(r#"{"a":{"b":null}}"#.to_owned())));
        assert_eq!(difference("{}", r#"{"a": {"b": null}}"#), Err(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(
            difference(r#"{"a": null}"#, r#"{"a": null, "n": 12345678901234567890123.10}"#),
            Ok(Some(r#"{"n":12345678901234567890123.10}"#.to_owned())),
            "no number is rounded"
        );
    }

    #[test]
    fn an_empty_object_is_a_change_of_what_is_none() {
        assert_eq!(change(None, "{}"), Ok(Some("{}".to_owned())));
        assert_eq!(change(Some("1"), "{}"), Ok(Some("{}".to_owned())));
        assert_eq!(change(Some("{}"), "{}"), Ok(None));
        assert_eq!(change(Some(r#"{"a":1}"#), "{}"), Ok(Some(r#"{"a":null}"#.to_owned())));
        assert_eq!(change(Some("[1]"), "[1]"), Ok(None));
    }

    #[test]
    fn a_value_is_replaced_within_another() {
        let replaced = |value, path: &[&str], new| {
            let path: Vec<_> = path.iter().map(|name| (*name).to_owned()).collect();
            replaced(value, &path, new)
        };
        assert_eq!(replaced(None, &["a", "b"], "1"), r#"{"a":{"b":1}}"#);
        assert_eq!(replaced(Some(r#"{"a":{"b":{"x":1},"c":2}}"#), &["a", "b"], "{}"), r#"{"a":{"b":{},"c":2}}"#);
        assert_eq!(replaced(Some("null"), &["a"], "null"), r#"{"a":null}"#);
        assert_eq!(replaced(Some("[1]"), &[], "2"), "2");
    }

    /// Clerk's merge: members of objects one by one, and null removes a member.
    fn merged(old: &Value, patch: &Value) -> Value {
        let Value::Object(patch) = patch else { return patch.clone() };
        let mut merged = old.as_object().cloned().unwrap_or_default();
        for (name, value) in patch {
            if value.is_null() {
                merged.remove(name);
            } else {
                let value = self::merged(merged.get(name).unwrap_or(&Value::Null), value);
                merged.insert(name.clone(), value);
            }
        }
        Value::Object(merged)
    }

    /// A value with few names and texts, so that two of them have some in common. Null is nowhere but in arrays.
    fn random(random: &mut fastrand::Rng, depth: usize) -> Value {
        match random.u8(..if depth == 0 { 4 } else { 7 }) {
            0 => random.bool().into(),
            1 => random.i64(..3).into(),
            2 => (f64::from(random.i16(..)) / 8.0).into(),
            3 => ["", "a", "\"\\", "ü\n", "null"][random.usize(..5)].into(),
            4 => json!([null, random.u8(..2), {"a": null}]),
            _ => random_object(random, depth - 1),
        }
    }

    fn random_object(random: &mut fastrand::Rng, depth: usize) -> Value {
        let names = ["a", "b", "c", "", "ü", "a\"b"];
        let count = random.usize(..4);
        Value::Object((0..count).map(|_| (names[random.usize(..6)].into(), self::random(random, depth))).collect())
    }

    #[test]
    fn merging_a_difference_makes_one_object_of_the_other() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..20_000 {
            let (old, new) = (random_object(&mut random, 3), random_object(&mut random, 3));
            let change = difference(Some(&old.to_string()), &new.to_string()).unwrap();
            let patch = change.map_or(json!({}), |change| serde_json::from_str(&change).unwrap());
            assert_eq!(merged(&old, &patch), new, "{old} and {patch}");
            assert_eq!(difference(Some(&new.to_string()), &new.to_string()), Ok(None));
        }
    }

    #[test]
    fn no_difference_has_a_null_that_the_other_object_has() {
        let mut random = fastrand::Rng::with_seed(8);
        for _ in 0..2_000 {
            let (old, mut new) = (random_object(&mut random, 2), random_object(&mut random, 2));
            new["x"] = json!({"y": null});
            assert_eq!(
                difference(Some(&old.to_string()), &new.to_string()).unwrap_err().last().map(String::as_str),
                Some("y")
            );
        }
    }

    #[test]
    fn objects_are_combined_member_by_member() {
        assert_eq!(combined(r#"{"a":{"b":1},"c":1}"#, r#"{"a":{"d":2},"c":2}"#), r#"{"a":{"b":1,"d":2},"c":2}"#);
        assert_eq!(nested(&["a".to_owned(), "b".to_owned()], "1"), r#"{"a":{"b":1}}"#);
    }
}
