//! What the fuzz targets in `fuzz/` reach besides the public interface. Only `cargo fuzz` compiles this module.

use std::time::{Duration, SystemTime};

use reqwest::header::HeaderValue;

use crate::catalog::Object;
use crate::decode::{Locator, Page, Projection};
use crate::http::{Problem, Request};

/// Decodes a list, or a single object, and returns the page of its rows.
///
/// # Errors
/// Why the body is not what was expected.
pub fn page(object: &'static Object, body: Vec<u8>, columns: &[Locator], is_single: bool) -> Result<Page, String> {
    let projection = Projection::new(object, columns);
    let page = if is_single { Page::single(body, &projection) } else { Page::list(body, &projection) };
    page.map(Page::into_rows).map_err(|malformed| malformed.problem)
}

/// When an object of a page was created.
pub fn created_at(page: &Page, object: usize) -> Option<i64> {
    page.created_at(object)
}

/// The wait that a `Retry-After` header asks for.
pub fn retry_after(header: &[u8], now: SystemTime) -> Option<Duration> {
    crate::http::retry_after(&HeaderValue::from_bytes(header).ok()?, now)
}

/// Clerk's description of an error.
pub fn problem(body: &[u8]) -> Problem {
    Problem::parse(body)
}

/// The body of a request.
pub fn body(request: &Request) -> Option<&str> {
    request.body()
}
