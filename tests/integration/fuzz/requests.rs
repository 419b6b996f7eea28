//! `clerk_fdw.request` asks for the path that it was given, below the base URL, or for nothing.

use clerk_sim::Config;

use super::{fuzz, user_error};
use crate::support::*;

const SEEDS: &[&str] = &[
    "/users",
    "/users/count",
    "/users/user_1/metadata",
    "/users/../organizations",
    "//evil.example/x",
    "/users/%2e%2e/x",
    "/users/%252e%252e%252fx",
    "/users/..%2f",
    "/users/a%5cb",
    "/users\\..\\x",
    "/users?limit=1",
    "/users#x",
    "/users/%0d%0aHost:x",
    "/users/ü a@b",
    "/users/100%",
    "/users/.%2e/",
    "https://evil.example/",
    "@evil.example/",
    "/;/x",
    "/users/%ff",
    "/a.b/..c/~d-e_f",
];

const WORDS: &[&str] =
    &["..", "%2e", "%2f", "%5c", "//", "/", "\\", "%25", "%00", "\r\n", "?", "#", "@", ":", "%c3%bc", "users"];

#[test]
fn paths() {
    let world = World::new(Config { users: 2, organizations: 1, memberships: 1, request_file: false, ..small() });
    fuzz(SEEDS, WORDS, |mutator, path| {
        world.requests();
        let query =
            ["{}", r#"{"limit": 1}"#, r#"{"query": "a&b#c", "user_id": ["1", "+2"]}"#, "[]"][mutator.random.usize(..4)];
        let statement = "SELECT clerk_fdw.request('clerk', 'GET', $1, $2::text::jsonb)::text";
        let result = world.client().query_one(statement, &[&path, &query]);
        let error = match &result {
            Ok(_) => None,
            Err(error) => Some(user_error(error)?),
        };
        let requests = world.requests();
        let [request] = &requests[..] else {
            return match (requests.len(), error) {
                (0, Some(error)) if ["22023", "HV000", "HV00R"].contains(&error.code().code()) => Ok(()),
                (many, error) => Err(format!("{many} requests, {error:?}")),
            };
        };
        let segments = |path: &str| path.split('/').count();
        let decoded = decoded(path);
        if request.method != "GET"
            || request.path != format!("/v1{decoded}")
            || segments(&request.path) != segments(path) + 1
        {
            return Err(format!("it asked for {} {:?}, by {:?}", request.method, request.path, request.target));
        }
        // Nothing is left that another server would resolve.
        let sent = request.target.split('?').next().unwrap_or_default();
        let is_dots = |segment: &str| matches!(&*self::decoded(segment), "" | "." | "..");
        if !sent.is_ascii() || sent.split('/').skip(1).any(is_dots) || sent.contains(['\\', '#', '\r', '\n']) {
            return Err(format!("it sent {:?}", request.target));
        }
        let expected = match query {
            r#"{"limit": 1}"# => vec![("limit", "1")],
            "{}" => vec![],
            _ => vec![("query", "a&b#c"), ("user_id", "1"), ("user_id", "+2")],
        };
        match request.query.iter().map(|(name, value)| (&**name, &**value)).eq(expected) {
            true => Ok(()),
            false => Err(format!("it asked with {:?}", request.query)),
        }
    });
}

/// A path whose percent-encoding is decoded once.
fn decoded(path: &str) -> String {
    let mut decoded = Vec::new();
    let bytes = path.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let digits = path.get(at + 1..at + 3).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| *byte == b'%') {
            Some(unit) => {
                decoded.push(unit);
                at += 3;
            }
            None => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
