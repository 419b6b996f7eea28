//! Requests to any path stay below the base URL, however often somebody decodes the path, and carry the parameters.
//!
//! The lines are the method, the path, the query as JSON and the body.
#![no_main]

use clerk_api::Request;
use clerk_api::catalog::Method;
use clerk_fuzz::{BASES, check_target, decoded, lines};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let Some([method, path, query, body]) = lines(data) else { return };
    let method = Method::named(method).unwrap_or(Method::Get);
    let query: Value = serde_json::from_str(query).unwrap_or_default();
    let body = (!body.is_empty()).then(|| body.to_owned());
    let request = match Request::to_path(method, path, &query, body.clone()) {
        Ok(request) => request,
        Err(problem) => {
            let is_plain =
                |segment: &str| !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_alphanumeric());
            let is_fine = path.len() < 2000 && path.strip_prefix('/').is_some_and(|path| path.split('/').all(is_plain));
            assert!(!is_fine || !query.is_null() || body.is_some(), "{path:?} is refused: {problem}");
            return;
        }
    };
    assert!(body.is_none() || method != Method::Get, "a GET has a body");
    let shown = request.to_string();
    let target =
        shown.strip_prefix(method.name()).and_then(|rest| rest.strip_prefix(' ')).expect("a method and a target");
    for base in BASES {
        let url = check_target(base, target, path.split('/').count() - 1);
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        assert_eq!(pairs, expected(&query), "{query}");
    }
    let (path_sent, _) = target.split_once('?').unwrap_or((target, ""));
    for (sent, given) in path_sent.split('/').zip(path.split('/')).skip(1) {
        let mut text = decoded(sent);
        assert_eq!(text, decoded(given), "{given:?} is sent as {sent:?}");
        // Whoever decodes the segment again gets no other path.
        for _ in 0..=sent.len() {
            let decoded = String::from_utf8(text).expect("a segment is UTF-8");
            assert!(!matches!(&*decoded, "" | "." | ".."), "{given:?}");
            assert!(!decoded.contains(['/', '\\', '?', '#']) && !decoded.chars().any(char::is_control), "{given:?}");
            text = clerk_fuzz::decoded(&decoded);
            if text == decoded.as_bytes() {
                break;
            }
        }
    }
});

/// The parameters that a query stands for.
fn expected(query: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let members = query.as_object().into_iter().flatten();
    let pairs = members.flat_map(|(name, value)| match value {
        Value::Null => Vec::new(),
        Value::Array(values) => values.iter().map(|value| (name.clone(), text(value))).collect(),
        value => vec![(name.clone(), text(value))],
    });
    pairs.collect()
}
