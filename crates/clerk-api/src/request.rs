//! One GET request, before it is sent: ids are data, never a part of the URL's structure.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::form_urlencoded;

/// What RFC 3986 lets stand as it is; everything else in a path segment is percent-encoded.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A path below the API's base URL and its query parameters, both already encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    path: String,
    query: String,
}

impl Request {
    /// A request for a path that holds no data, such as `/users`.
    pub fn new(path: &str) -> Self {
        Request { path: path.to_owned(), query: String::new() }
    }

    /// A request for a path with one placeholder in braces, such as `/users/{user_id}`.
    ///
    /// `None` when no URL can name that id: an empty segment and the dot segments would turn into
    /// another path (`/users/..` is `/`), and no object has such an id.
    pub fn with_id(template: &str, id: &str) -> Option<Self> {
        if matches!(id, "" | "." | "..") {
            return None;
        }
        let (before, rest) = template.split_once('{')?;
        let (_, after) = rest.split_once('}')?;
        let id = utf8_percent_encode(id, SEGMENT);
        Some(Request { path: format!("{before}{id}{after}"), query: String::new() })
    }

    /// The same request with one more query parameter; a name given twice is sent twice.
    pub fn param(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.query = form_urlencoded::Serializer::new(self.query).append_pair(name, &value.to_string()).finish();
        self
    }

    /// The same request with more query parameters.
    pub fn params<'f>(self, params: impl IntoIterator<Item = &'f (&'static str, String)>) -> Self {
        params.into_iter().fold(self, |request, (name, value)| request.param(name, value))
    }

    /// The same request with one more query parameter where there is a value for it.
    pub fn maybe(self, name: &str, value: Option<impl fmt::Display>) -> Self {
        match value {
            Some(value) => self.param(name, value),
            None => self,
        }
    }

    /// What follows the base URL.
    pub(crate) fn target(&self) -> Cow<'_, str> {
        match self.query.as_str() {
            "" => Cow::Borrowed(&self.path),
            query => Cow::Owned(format!("{}?{query}", self.path)),
        }
    }
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
        let path = |id| Request::with_id("/users/{user_id}/memberships", id).map(|r| r.path);
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
    fn parameters_are_encoded_and_may_repeat() {
        let request = Request::new("/users").param("user_id", "+a&b").param("user_id", "c d");
        assert_eq!(request.to_string(), "GET /users?user_id=%2Ba%26b&user_id=c+d");
    }
}
