//! A GET request before it is sent. Ids are encoded, so that no id can change the structure of the URL.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::form_urlencoded;

/// The characters of a path segment that are percent-encoded: all but those that RFC 3986 calls unreserved.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A path below the API's base URL and its query parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The path, with a placeholder in braces where the key belongs if it is a segment of the path.
    template: &'static str,
    /// The value for which objects are requested, such as an id.
    key: Option<String>,
    params: Vec<(&'static str, String)>,
}

impl Request {
    /// A request for a path that holds no data, such as `/users`.
    pub fn new(path: &'static str) -> Self {
        Request { template: path, key: None, params: Vec::new() }
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
        placeholder(template)?;
        let is_usable = if parameter.is_some() { !key.is_empty() } else { !matches!(key, "" | "." | "..") };
        let params = parameter.map(|name| (name, key.to_owned())).into_iter().collect();
        is_usable.then(|| Request { template: path, key: Some(key.to_owned()), params })
    }

    /// The key of [`Self::with_key`].
    pub(crate) fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// The same request with one more query parameter. A name that is added twice is sent twice.
    pub fn param(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.params.push((name, value.to_string()));
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
        let path = self.path(|id| utf8_percent_encode(id, SEGMENT).to_string());
        if self.params.is_empty() {
            return path;
        }
        format!("{path}?{}", form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.params).finish())
    }

    /// The path without percent-encoding, for people to read.
    pub(crate) fn readable_path(&self) -> String {
        self.path(str::to_owned)
    }

    /// The request without percent-encoding, for people to read. It shows the first five parameters and how many there
    /// are.
    pub fn readable(&self) -> String {
        const SHOWN: usize = 5;
        let mut text = format!("GET {}", self.readable_path());
        for (index, (name, value)) in self.params.iter().take(SHOWN).enumerate() {
            text += if index == 0 { "?" } else { "&" };
            text += &format!("{name}={value}");
        }
        if let Some((name, _)) = self.params.get(SHOWN) {
            text += &format!("&{name}=... ({} in all)", self.params.len());
        }
        text
    }

    fn path(&self, encoded: impl Fn(&str) -> String) -> String {
        match (&self.key, placeholder(self.template)) {
            (Some(key), Some((before, after))) => format!("{before}{}{after}", encoded(key)),
            _ => self.template.to_owned(),
        }
    }
}

/// The parts of a template before and after its placeholder.
fn placeholder(template: &str) -> Option<(&str, &str)> {
    let (before, rest) = template.split_once('{')?;
    let (_, after) = rest.split_once('}')?;
    Some((before, after))
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GET {}", self.target())
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
