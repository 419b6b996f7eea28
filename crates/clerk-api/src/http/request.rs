//! A request before it is sent. Ids are encoded, so that no id can change the structure of the URL.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::form_urlencoded;

use crate::catalog::{Method, Write};

/// The characters of a path segment that are percent-encoded: all but those that RFC 3986 calls unreserved.
pub(super) const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A method, a path below the API's base URL, query parameters and a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    method: Method,
    path: Path,
    /// The value for which objects are requested, such as an id.
    key: Option<String>,
    params: Vec<(Cow<'static, str>, String)>,
    body: Option<Body>,
    is_repeatable: bool,
}

/// A path, percent-encoded as it is sent, and as people read it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Path {
    encoded: Cow<'static, str>,
    readable: Cow<'static, str>,
}

/// The JSON text of a body. It may hold a password, so that nothing but the connection to Clerk gets to see it.
#[derive(Clone, PartialEq, Eq)]
struct Body(String);

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl Request {
    /// A request for a path that holds no data, such as `/users`.
    pub fn new(path: &'static str) -> Self {
        let path = Path { encoded: path.into(), readable: path.into() };
        Request { method: Method::Get, path, key: None, params: Vec::new(), body: None, is_repeatable: true }
    }

    /// An endpoint as messages name it, with the names of its placeholders in the place of values.
    pub fn to_endpoint(write: &Write) -> Self {
        Request { method: write.method, ..Request::new(write.path) }
    }

    /// A request to an endpoint that changes something, with the values of the path's placeholders and a body. `None` if
    /// no URL can name one of the values.
    pub fn write(write: &Write, keys: &[String], body: Option<String>) -> Option<Self> {
        Request::below(write.method, write.path, keys, body, write.is_repeatable)
    }

    /// A request for a path with as many placeholders as there are keys.
    pub(crate) fn below(
        method: Method,
        template: &'static str,
        keys: &[String],
        body: Option<String>,
        is_repeatable: bool,
    ) -> Option<Self> {
        let (mut encoded, mut readable, mut rest, mut keys) = (String::new(), String::new(), template, keys.iter());
        while let Some((before, after)) = placeholder(rest) {
            let key = keys.next().filter(|key| is_segment(key))?;
            encoded += before;
            encoded.extend(utf8_percent_encode(key, SEGMENT));
            readable += before;
            readable += key;
            rest = after;
        }
        let path = Path { encoded: (encoded + rest).into(), readable: (readable + rest).into() };
        Some(Request { method, path, body: body.map(Body), is_repeatable, ..Request::new("") })
    }

    /// A request that somebody wrote: see [`super::arbitrary`].
    pub(super) fn arbitrary(
        method: Method,
        encoded: String,
        readable: String,
        params: Vec<(String, String)>,
        body: Option<String>,
    ) -> Self {
        Request {
            method,
            path: Path { encoded: encoded.into(), readable: readable.into() },
            key: None,
            params: params.into_iter().map(|(name, value)| (name.into(), value)).collect(),
            body: body.map(Body),
            is_repeatable: method.is_idempotent(),
        }
    }

    /// A request for a path with one placeholder in braces, which is a segment, such as in `/users/{user_id}`, or the
    /// value of a parameter, such as in `/sessions?user_id={user_id}`.
    ///
    /// `None` if no URL can name that key: an empty segment or a dot segment would lead to another path (`/users/..` is
    /// `/`), and an empty parameter would not count. No object has such an id.
    pub fn with_key(template: &'static str, key: &str) -> Option<Self> {
        let (path, parameter) = match template.split_once('?') {
            Some((path, query)) => (path, Some(query.split_once('=')?.0)),
            None => (template, None),
        };
        let Some(name) = parameter else {
            let (before, after) = placeholder(path)?;
            let readable = format!("{before}{key}{after}").into();
            let encoded = format!("{before}{}{after}", utf8_percent_encode(key, SEGMENT)).into();
            let path = Path { encoded, readable };
            return is_segment(key).then(|| Request { path, key: Some(key.to_owned()), ..Request::new("") });
        };
        let request = Request { key: Some(key.to_owned()), ..Request::new(path) };
        (!key.is_empty()).then(|| request.param(name, key))
    }

    pub fn method(&self) -> Method {
        self.method
    }

    /// Whether the same request may be sent again if its answer was lost.
    pub(crate) fn is_repeatable(&self) -> bool {
        self.is_repeatable
    }

    pub(crate) fn body(&self) -> Option<&str> {
        self.body.as_ref().map(|body| body.0.as_str())
    }

    /// The key of [`Self::with_key`].
    pub(crate) fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// The same request with one more query parameter. A name that is added twice is sent twice.
    pub fn param(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.params.push((name.into(), value.to_string()));
        self
    }

    /// The same request with more query parameters.
    pub fn params<'f>(self, params: impl IntoIterator<Item = &'f (&'static str, String)>) -> Self {
        params.into_iter().fold(self, |request, (name, value)| request.param(name, value))
    }

    /// The same request with query parameters that the catalogue names.
    pub(crate) fn extra_params(self, params: &[(&'static str, &'static str)]) -> Self {
        params.iter().fold(self, |request, (name, value)| request.param(name, value))
    }

    /// The same request, with one more query parameter if there is a value for it.
    pub fn maybe(self, name: &'static str, value: Option<impl fmt::Display>) -> Self {
        match value {
            Some(value) => self.param(name, value),
            None => self,
        }
    }

    /// The path and query that follow the base URL, percent-encoded.
    pub(crate) fn target(&self) -> String {
        let path = &self.path.encoded;
        if self.params.is_empty() {
            return path.clone().into_owned();
        }
        format!("{path}?{}", form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.params).finish())
    }

    /// The path without percent-encoding, for people to read.
    pub(crate) fn readable_path(&self) -> &str {
        &self.path.readable
    }

    /// The request without percent-encoding, for people to read. It shows the first five parameters and how many there
    /// are.
    pub fn readable(&self) -> String {
        const SHOWN: usize = 5;
        let mut text = format!("{} {}", self.method.name(), self.readable_path());
        for (index, (name, value)) in self.params.iter().take(SHOWN).enumerate() {
            text += if index == 0 { "?" } else { "&" };
            text += &format!("{name}={value}");
        }
        if let Some((name, _)) = self.params.get(SHOWN) {
            text += &format!("&{name}=... ({} in all)", self.params.len());
        }
        text
    }
}

/// Whether a value can be a segment of a path: an empty one and dot segments lead to another path.
fn is_segment(value: &str) -> bool {
    !matches!(value, "" | "." | "..")
}

/// The parts of a template before and after its first placeholder.
fn placeholder(template: &str) -> Option<(&str, &str)> {
    let (before, rest) = template.split_once('{')?;
    let (_, after) = rest.split_once('}')?;
    Some((before, after))
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method.name(), self.target())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_stays_one_segment() {
        let path = |id| Request::with_key("/users/{user_id}/memberships", id).map(|request| request.target());
        assert_eq!(path("user_1").as_deref(), Some("/users/user_1/memberships"));
        assert_eq!(
            path("../organizations?x=1#y%2f").as_deref(),
            Some("/users/..%2Forganizations%3Fx%3D1%23y%252f/memberships")
        );
        assert_eq!(path("a\n\t b").as_deref(), Some("/users/a%0A%09%20b/memberships"));
        assert_eq!(path("ü").as_deref(), Some("/users/%C3%BC/memberships"));
        for nobody in ["", ".", ".."] {
            assert_eq!(path(nobody), None);
        }
    }

    #[test]
    fn a_key_can_be_a_parameter() {
        let request = |key| Request::with_key("/sessions?user_id={user_id}", key);
        let sessions = request("../a&b=c").unwrap().param("limit", 5);
        assert_eq!(sessions.target(), "/sessions?user_id=..%2Fa%26b%3Dc&limit=5");
        assert_eq!(sessions.readable(), "GET /sessions?user_id=../a&b=c&limit=5");
        assert_eq!(sessions.key(), Some("../a&b=c"));
        assert_eq!(request("..").unwrap().target(), "/sessions?user_id=..");
        assert_eq!(request(""), None, "Clerk would ignore the parameter");
    }

    #[test]
    fn parameters_are_encoded_and_may_repeat() {
        let request = Request::new("/users").param("user_id", "+a&b").param("user_id", "c d");
        assert_eq!(request.to_string(), "GET /users?user_id=%2Ba%26b&user_id=c+d");
        assert_eq!(request.readable(), "GET /users?user_id=+a&b&user_id=c d");
    }
}
