//! Requests whose path somebody wrote. They must stay within the API: below its base URL, at the host of the base URL.

use percent_encoding::{percent_decode_str, utf8_percent_encode};
use serde_json::Value;

use super::request::{Request, SEGMENT};
use crate::catalog::Method;
use crate::decode::json;

/// The longest path, in bytes.
const MAX_PATH: usize = 2000;

impl Request {
    /// A request to any path of the API, with query parameters from a JSON object and a JSON body. A parameter whose value
    /// is an array is sent once for each element, and one that is null is not sent.
    ///
    /// # Errors
    /// Why the path would leave the API, or a parameter cannot be sent.
    pub fn to_path(method: Method, path: &str, query: &Value, body: Option<String>) -> Result<Request, String> {
        let (encoded, readable) = checked_path(path)?;
        if method == Method::Get && body.is_some() {
            return Err("a GET has no body".to_owned());
        }
        if body.as_deref().is_some_and(json::is_too_deep) {
            return Err(format!("the body is nested deeper than {} levels", json::MAX_DEPTH));
        }
        Ok(Request::arbitrary(method, encoded, readable, params(query)?, body))
    }
}

/// The path as it is sent and as people read it.
fn checked_path(path: &str) -> Result<(String, String), String> {
    let Some(rest) = path.strip_prefix('/') else { return Err("the path does not begin with /".to_owned()) };
    if path.len() > MAX_PATH {
        return Err(format!("the path is longer than {MAX_PATH} bytes"));
    }
    for (character, name) in
        [('?', "a query, which is an argument of its own"), ('#', "a fragment"), ('\\', "a backslash")]
    {
        if path.contains(character) {
            return Err(format!("the path has {name}"));
        }
    }
    let segments = rest.split('/').map(checked_segment).collect::<Result<Vec<_>, _>>()?;
    let encoded = segments.iter().map(|segment| format!("/{}", utf8_percent_encode(segment, SEGMENT)));
    Ok((encoded.collect(), format!("/{}", segments.join("/"))))
}

/// One segment of a path, decoded. A server or a proxy on the way may decode it more often than once, so no number of
/// decodings may make another path of it.
fn checked_segment(segment: &str) -> Result<String, String> {
    let decode = |text: &str| {
        let decoded = percent_decode_str(text).decode_utf8();
        decoded.map(|decoded| decoded.into_owned()).map_err(|_| "the path is not UTF-8 when it is decoded".to_owned())
    };
    let once = decode(segment)?;
    let mut decoded = once.clone();
    loop {
        if decoded.is_empty() {
            return Err("the path has an empty segment".to_owned());
        }
        if matches!(decoded.as_str(), "." | "..") {
            return Err("the path has a dot segment, which would leave it".to_owned());
        }
        if decoded.contains(['/', '\\', '?', '#', ';']) || decoded.chars().any(char::is_control) {
            return Err("the path has an encoded character that would change it".to_owned());
        }
        let next = decode(&decoded)?;
        if next == decoded {
            return Ok(once);
        }
        decoded = next;
    }
}

/// The query parameters that a JSON object names.
fn params(query: &Value) -> Result<Vec<(String, String)>, String> {
    let members = match query {
        Value::Null => return Ok(Vec::new()),
        Value::Object(members) => members,
        _ => return Err("the query is not a JSON object".to_owned()),
    };
    let text = |name: &str, value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        _ => Err(format!("the query's {name} is neither a text, a number, a boolean nor an array of them")),
    };
    let mut params = Vec::new();
    for (name, value) in members {
        match value {
            Value::Null => {}
            Value::Array(values) => {
                for value in values {
                    params.push((name.clone(), text(name, value)?));
                }
            }
            value => params.push((name.clone(), text(name, value)?)),
        }
    }
    Ok(params)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn target(path: &str) -> Result<String, String> {
        Request::to_path(Method::Get, path, &Value::Null, None).map(|request| request.target())
    }

    #[test]
    fn paths_of_the_api_are_sent_as_they_are() {
        for path in ["/users", "/users/user_1/metadata", "/billing/plans", "/a.b/..c/~d-e_f"] {
            assert_eq!(target(path).as_deref(), Ok(path));
        }
        assert_eq!(target("/users/ü a@b").as_deref(), Ok("/users/%C3%BC%20a%40b"));
        assert_eq!(target("/users/%C3%BC%20a").as_deref(), Ok("/users/%C3%BC%20a"));
        assert_eq!(target("/users/100%").as_deref(), Ok("/users/100%25"));
    }

    #[test]
    fn no_path_leaves_the_api() {
        let attacks = [
            "",
            "users",
            "//evil.example/x",
            "/",
            "/users/",
            "/users//x",
            "https://evil.example/",
            "@evil.example/",
            "/..",
            "/users/../organizations",
            "/users/./x",
            "/%2e%2e/x",
            "/%2E./x",
            "/.%2e",
            "/%252e%252e/x",
            "/%25252e%25252e/x",
            "/users/..%2forganizations",
            "/users/%2e%2e%2forganizations",
            "/users/a%2fb",
            "/users/a%252fb",
            "/users\\..\\x",
            "/users/%5c..%5cx",
            "/users/%255cx",
            "/users?x=1",
            "/users%3fx=1",
            "/users#x",
            "/users%23x",
            "/users/\r\nHost: evil",
            "/users/%0d%0aHost:%20evil",
            "/users/%00",
            "/users/\u{7f}",
            "/users/%250a",
            "/users/%ff",
            "/users/\u{85}",
            "/users/..;/x",
            "/users/%3b",
        ];
        for attack in attacks {
            assert!(target(attack).is_err(), "{attack:?} became {:?}", target(attack));
        }
        assert!(target(&format!("/{}", "x".repeat(3000))).is_err());
    }

    #[test]
    fn parameters_are_texts_numbers_booleans_and_arrays_of_them() {
        let request = |query| Request::to_path(Method::Get, "/users", &query, None).map(|request| request.target());
        assert_eq!(
            request(json!({"limit": 5, "query": "a&b", "banned": true, "user_id": ["1", "2"], "offset": null}))
                .as_deref(),
            Ok("/users?banned=true&limit=5&query=a%26b&user_id=1&user_id=2")
        );
        assert!(request(json!([1])).is_err());
        assert!(request(json!({"a": {"b": 1}})).is_err());
        assert!(request(json!({"a": [[1]]})).is_err());
        assert!(Request::to_path(Method::Get, "/users", &Value::Null, Some("{}".to_owned())).is_err());
    }
}
