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
        let below = |mut path: Vec<String>| {
            path.insert(0, name.clone());
            path
        };
        match json::kind(value.get()) {
            "null" => return Err(vec![name.clone()]),
            "object" => {
                let is_object = before.is_some_and(|before| json::kind(before) == "object");
                match difference(before, value.get()).map_err(below)? {
                    Some(change) => changes.push((name, change)),
                    None if !is_object => changes.push((name, "{}".to_owned())),
                    None => {}
                }
            }
            _ => changes.push((name, value.get().to_owned())),
        }
    }
    Ok((!changes.is_empty()).then(|| object(changes.iter().map(|(name, value)| (*name, value.as_str())))))
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

/// An object that has only a value at the end of a path.
pub(super) fn nested(path: &[String], value: &str) -> String {
    path.iter().rev().fold(value.to_owned(), |value, name| object([(name.as_str(), value.as_str())]))
}

fn raw(text: String) -> Option<Box<RawValue>> {
    RawValue::from_string(text).ok()
}

#[cfg(test)]
mod tests {
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
    fn objects_are_combined_member_by_member() {
        assert_eq!(combined(r#"{"a":{"b":1},"c":1}"#, r#"{"a":{"d":2},"c":2}"#), r#"{"a":{"b":1,"d":2},"c":2}"#);
        assert_eq!(nested(&["a".to_owned(), "b".to_owned()], "1"), r#"{"a":{"b":1}}"#);
    }
}
