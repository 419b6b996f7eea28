//! What the fuzz targets share: what they hold results against, written a second time and as simply as possible.
//!
//! An input of several parts is text with one part in each line, so that seeds and findings can be read and edited.

use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use url::Url;

/// The lines of an input, at most `N`: the last one has what is left, and lines that are not there are empty. `None` if
/// the input is not UTF-8.
pub fn lines<const N: usize>(data: &[u8]) -> Option<[&str; N]> {
    let mut lines = std::str::from_utf8(data).ok()?.splitn(N, '\n');
    Some(std::array::from_fn(|_| lines.next().unwrap_or_default()))
}

/// A body without the escapes that Postgres cannot store.
pub fn storable(body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    clerk_api::json::replace_unstorable_escapes(&mut body);
    body
}

/// The value that a path of keys leads to in a document.
pub fn at<'v>(value: &'v Value, path: &[String]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, key| match value {
        Value::Object(members) => members.get(key),
        Value::Array(elements) => elements.get(key.parse::<usize>().ok()?),
        _ => None,
    })
}

/// Whether a text matches a LIKE pattern, as Postgres defines it; `None` for a pattern that ends with a backslash, which
/// is an error in Postgres if it gets that far.
pub fn like(text: &str, pattern: &str) -> Option<bool> {
    enum Part {
        Literal(char),
        One,
        Any,
    }
    let mut parts = Vec::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        parts.push(match character {
            '\\' => Part::Literal(characters.next()?),
            '_' => Part::One,
            '%' => Part::Any,
            literal => Part::Literal(literal),
        });
    }
    let text: Vec<char> = text.chars().collect();
    // The positions in the text that can be reached with the parts so far.
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for part in parts {
        let before = reached.clone();
        for at in 0..=text.len() {
            reached[at] = match part {
                Part::Any => before[at] || (at > 0 && reached[at - 1]),
                Part::One => at > 0 && before[at - 1],
                Part::Literal(literal) => at > 0 && before[at - 1] && text[at - 1] == literal,
            };
        }
    }
    Some(reached[text.len()])
}

/// A text in lower case, one character for one, as Postgres has it for ILIKE.
pub fn lower(text: &str) -> String {
    let single = |character: char| {
        let mut lower = character.to_lowercase();
        lower.next().filter(|_| lower.next().is_none()).unwrap_or(character)
    };
    text.chars().map(single).collect()
}

/// Whether Clerk finds a text in a value: it ignores case.
pub fn contains(value: &str, part: &str) -> bool {
    value.to_lowercase().contains(&part.to_lowercase())
}

/// The base URLs that paths are tried below.
pub const BASES: &[&str] = &["https://api.clerk.com/v1", "http://127.0.0.1:8080", "https://proxy.example/clerk/v1.0"];

/// Checks that what follows a base URL stays at its host and below its path, and has so many segments. Returns the URL.
pub fn check_target(base: &str, target: &str, segments: usize) -> Url {
    let parse = |text: &str| Url::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
    assert!(target.starts_with('/') && !target.starts_with("//"), "{target:?}");
    assert!(target.bytes().all(|byte| byte.is_ascii_graphic()), "{target:?} has characters that no URL has");
    let (base_url, url) = (parse(base), parse(&format!("{base}{target}")));
    let origin = |url: &Url| (url.scheme().to_owned(), url.host().map(|host| host.to_owned()), url.port());
    assert_eq!(origin(&base_url), origin(&url), "{target:?} leads to another host");
    assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none(), "{target:?}");
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    assert_eq!(url.path(), format!("{}{path}", base_url.path().trim_end_matches('/')), "{target:?} is another path");
    assert_eq!(url.query(), query, "{target:?} has another query");
    assert_eq!(path.split('/').count() - 1, segments, "{target:?} has another number of segments");
    url
}

/// The names of the members of a JSON object as they are written: one that is there twice comes twice.
pub fn names(object: &str) -> Vec<String> {
    struct Names;
    impl<'de> Visitor<'de> for Names {
        type Value = Vec<String>;
        fn expecting(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
            formatter.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Vec<String>, A::Error> {
            let mut names = Vec::new();
            while let Some((name, IgnoredAny)) = members.next_entry()? {
                names.push(name);
            }
            Ok(names)
        }
    }
    serde_json::Deserializer::from_str(object).deserialize_map(Names).expect("a JSON object")
}

/// Whether a text is a JSON object in which a member comes twice. A parser of whole documents takes the last one, and others
/// may refuse it.
pub fn repeats_members(text: &[u8]) -> bool {
    let is_object = text.trim_ascii_start().starts_with(b"{");
    let mut names = std::str::from_utf8(text).ok().filter(|_| is_object).map(names).unwrap_or_default();
    let members = names.len();
    names.sort();
    names.dedup();
    names.len() < members
}

/// Decodes percent-encoding once.
pub fn decoded(text: &str) -> Vec<u8> {
    percent_encoding::percent_decode_str(text).collect()
}
