//! Reads the bodies of answers and bounds how much memory they take.

use reqwest::Response;
use tokio::sync::Semaphore;

use super::failure::Failure;
use crate::http::Problem;

/// The largest body that is read. No page of 500 objects is that large unless something is wrong, and a server that
/// sends more must not fill the memory.
const MAX_PAGE_BYTES: usize = 64 * 1024 * 1024;

/// How much of an error's body is read. Clerk's errors have a few hundred bytes, and messages quote even less.
const MAX_ERROR_BYTES: usize = 64 * 1024;

/// A size that nearly no page exceeds: 500 objects of 8 KiB each.
const COMMON_BYTES: usize = 4 * 1024 * 1024;

/// How many bodies may be larger than [`COMMON_BYTES`] at once.
const MAX_LARGE_BODIES: usize = 2;

/// The largest buffer that is allocated before data arrives, because the Content-Length of an answer may be wrong.
const MAX_INITIAL_CAPACITY: usize = 64 * 1024;

/// Bounds the memory for the bodies that one client receives at the same time.
///
/// Each body may have [`COMMON_BYTES`]. Only [`MAX_LARGE_BODIES`] of them may be larger at once; the others wait. With
/// the 32 requests in flight that the settings allow, this is 32 × 4 MiB and 2 × 60 MiB, less than 256 MiB. A common
/// budget of bytes would not be as simple: requests that each hold a part of it and wait for more would wait for each
/// other forever.
pub(super) struct Bodies {
    large_bodies: Semaphore,
}

impl Default for Bodies {
    fn default() -> Self {
        Bodies { large_bodies: Semaphore::new(MAX_LARGE_BODIES) }
    }
}

impl Bodies {
    /// Reads a whole body, uncompressed.
    pub(super) async fn read(&self, mut response: Response) -> Result<Vec<u8>, Failure> {
        let mut body = empty_buffer(&response);
        let mut permit = None;
        while let Some(chunk) = response.chunk().await.map_err(Failure::network)? {
            let length = body.len() + chunk.len();
            if length > MAX_PAGE_BYTES {
                return Err(Failure::Refused {
                    status: response.status().as_u16(),
                    problem: Problem {
                        message: format!("a body of more than {MAX_PAGE_BYTES} bytes; a smaller page_size may help"),
                        ..Problem::default()
                    },
                });
            }
            if length > COMMON_BYTES && permit.is_none() {
                permit = self.large_bodies.acquire().await.ok();
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// Reads the body of an error: up to [`MAX_ERROR_BYTES`] of it, or what arrived before the connection broke.
pub(super) async fn read_error_body(mut response: Response) -> Vec<u8> {
    let mut body = empty_buffer(&response);
    while let Ok(Some(chunk)) = response.chunk().await {
        let remaining = MAX_ERROR_BYTES - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(remaining)]);
        if body.len() == MAX_ERROR_BYTES {
            break;
        }
    }
    body
}

fn empty_buffer(response: &Response) -> Vec<u8> {
    let expected = response.content_length().unwrap_or(0).min(MAX_INITIAL_CAPACITY as u64);
    Vec::with_capacity(expected as usize)
}
