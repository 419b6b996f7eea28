//! Bodies of answers, which may be larger than anybody wants to hold.

use reqwest::Response;
use tokio::sync::Semaphore;

use super::Failure;
use crate::http::Problem;

/// More than any page can sensibly have; past it reading on would only fill the memory.
const LARGEST: usize = 64 * 1024 * 1024;

/// As much of an error's body as anybody looks at.
const MAX_ERROR_BYTES: usize = 64 * 1024;

/// What nearly every page stays below.
const USUAL: usize = 4 * 1024 * 1024;

/// How many bodies may grow beyond [`USUAL`] at once.
const UNUSUAL_AT_ONCE: usize = 2;

/// The room that a body begins with: what the answer says of its length may be untrue.
const FIRST: usize = 64 * 1024;

/// Room for the bodies that one client has on their way.
///
/// Up to [`USUAL`] each request has room of its own; those that need more do so two at a time, and the others wait. With
/// the 32 requests that the settings allow at once these are 32 × 4 MiB and 2 × 60 MiB, less than 256 MiB. A budget of
/// bytes for all would be less simple: requests that hold a part of it each and wait for the rest would wait for each
/// other.
pub(super) struct Bodies {
    unusual: Semaphore,
}

impl Default for Bodies {
    fn default() -> Self {
        Bodies { unusual: Semaphore::new(UNUSUAL_AT_ONCE) }
    }
}

impl Bodies {
    /// All of a body, uncompressed.
    pub(super) async fn read(&self, mut response: Response) -> Result<Vec<u8>, Failure> {
        let mut body = room(&response);
        let mut unusual = None;
        while let Some(chunk) = response.chunk().await.map_err(Failure::network)? {
            let length = body.len() + chunk.len();
            if length > LARGEST {
                return Err(Failure::Refused {
                    status: response.status().as_u16(),
                    problem: Problem {
                        message: format!("a body of more than {LARGEST} bytes; a smaller page_size may help"),
                        ..Problem::default()
                    },
                });
            }
            if length > USUAL && unusual.is_none() {
                unusual = self.unusual.acquire().await.ok();
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// As much of an error's body as is of use, or came.
pub(super) async fn beginning_of(mut response: Response) -> Vec<u8> {
    let mut body = room(&response);
    while let Ok(Some(chunk)) = response.chunk().await {
        let left = MAX_ERROR_BYTES - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(left)]);
        if body.len() == MAX_ERROR_BYTES {
            break;
        }
    }
    body
}

fn room(response: &Response) -> Vec<u8> {
    let expected = response.content_length().unwrap_or(0).min(FIRST as u64);
    Vec::with_capacity(expected as usize)
}
