//! Finding values in JSON text gives what a parser of whole documents gives.
#![no_main]

use clerk_api::json;
use clerk_fuzz::{at, storable};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let replaced = storable(data);
    assert_eq!(replaced.len(), data.len());
    assert_eq!(storable(&replaced), replaced, "what was replaced once needs no more");
    let original = serde_json::from_slice::<Value>(data).ok();
    // The texts of members have no space around them, and nor has a body that is one.
    let (data, replaced) = (data.trim_ascii(), replaced.trim_ascii());
    let Ok(text) = std::str::from_utf8(replaced) else { return };
    let Ok(document) = serde_json::from_str::<Value>(text) else {
        assert!(original.is_none(), "{text:?} was JSON before");
        return;
    };
    assert!(is_storable(&document), "{text:?} has a NUL");
    if original.is_some_and(|original| is_storable(&original)) {
        assert_eq!(replaced, data, "there was nothing to replace");
    }
    assert_eq!(json::is_too_deep(text), depth(&document) > json::MAX_DEPTH);
    let mut left = 200;
    walk(&document, &mut Vec::new(), &mut left, &mut |path| {
        let found = json::find(text, path);
        let expected = at(&document, path);
        let parsed = found.map(|found| serde_json::from_str::<Value>(found).expect("a part of JSON is JSON"));
        assert_eq!(parsed.as_ref(), expected, "{path:?} in {text:?}");
        if let (Some(found), Some(expected)) = (found, expected) {
            assert_eq!(json::string(found).as_deref(), expected.as_str(), "{found:?}");
            assert_eq!(json::kind(found), kind(expected), "{found:?}");
        }
    });
});

fn is_storable(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.contains('\0'),
        Value::Array(elements) => elements.iter().all(is_storable),
        Value::Object(members) => members.iter().all(|(name, value)| !name.contains('\0') && is_storable(value)),
        _ => true,
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(elements) => 1 + elements.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "string",
        Value::Object(_) => "object",
        Value::Array(_) => "array",
        Value::Bool(_) => "boolean",
        Value::Null => "null",
        Value::Number(_) => "number",
    }
}

/// Calls `look` with the path of every value, and with some that lead nowhere.
fn walk(value: &Value, path: &mut Vec<String>, left: &mut u32, look: &mut impl FnMut(&[String])) {
    if *left == 0 {
        return;
    }
    *left -= 1;
    look(path);
    let keys: Vec<String> = match value {
        Value::Object(members) => members.keys().cloned().chain(["0".to_owned(), "nowhere".to_owned()]).collect(),
        Value::Array(elements) => (0..=elements.len().min(20)).map(|index| index.to_string()).collect(),
        _ => vec!["0".to_owned()],
    };
    for key in keys {
        let child = at(value, std::slice::from_ref(&key)).cloned();
        path.push(key);
        match child {
            Some(child) => walk(&child, path, left, look),
            None => look(path),
        }
        path.pop();
    }
}
