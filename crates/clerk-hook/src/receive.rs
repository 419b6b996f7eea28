//! The endpoint for deliveries: reads a delivery from its request and hands it to the database.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout_at};
use tracing::{error, info, warn};

use crate::database::{Database, Delivery};
use crate::failure::Failure;
use crate::metrics::Metrics;
use crate::slots::{Slot, Slots};

/// How long a body may take to arrive while other deliveries wait for its slot.
pub(crate) const PATIENCE: Duration = Duration::from_millis(250);

/// How many characters of an id are logged. Svix's ids have 31, but anybody can send a longer one.
const MAX_LOGGED_ID_CHARS: usize = 64;

/// What the endpoint needs to handle a delivery.
pub(crate) struct Receiver {
    pub database: Database,
    /// The first argument of `clerk_fdw.receive_webhook`.
    pub mirror: String,
    pub max_body_bytes: usize,
    /// How long a delivery may take from its headers to its answer.
    pub timeout: Duration,
    /// One slot for each body in memory.
    pub slots: Arc<Slots>,
    pub metrics: Arc<Metrics>,
}

pub(crate) fn router(receiver: Receiver) -> Router {
    Router::new().route("/webhooks/clerk", post(receive)).with_state(Arc::new(receiver))
}

async fn receive(State(receiver): State<Arc<Receiver>>, request: Request) -> Response {
    let start = Instant::now();
    let id = loggable(&header(request.headers(), "svix-id", "webhook-id").unwrap_or_default());
    let result = accept(&receiver, request, start).await;
    let took = start.elapsed();
    match result {
        Ok(answer) => {
            info!(id, answer, ?took, "taken");
            receiver.metrics.accepted(&answer, took);
            answer.into_response()
        }
        Err(failure) => {
            let status = failure.status();
            match status.is_server_error() {
                true => error!(id, status = status.as_u16(), ?took, "{failure}"),
                false => warn!(id, status = status.as_u16(), ?took, "{failure}"),
            }
            receiver.metrics.failed(status, took);
            failure.into_response()
        }
    }
}

/// Reads a delivery and hands it to the database. The headers are checked first, and the body is not read before there
/// is a slot for it.
async fn accept(receiver: &Arc<Receiver>, request: Request, start: Instant) -> Result<String, Failure> {
    let deadline = start + receiver.timeout;
    let headers = request.headers();
    let needed = |name, other| header(headers, name, other).ok_or(Failure::MissingHeader(name));
    let id = needed("svix-id", "webhook-id")?;
    let timestamp = needed("svix-timestamp", "webhook-timestamp")?;
    let signature = needed("svix-signature", "webhook-signature")?;
    let body = request.into_body();
    // This is the Content-Length. Hyper reads no more of the body than that.
    if body.size_hint().lower() > receiver.max_body_bytes as u64 {
        return Err(Failure::TooLarge);
    }
    // A delivery may wait for half of its time. The other half is left for the body and the database.
    let slot = timeout_at(start + receiver.timeout / 2, receiver.slots.acquire()).await.map_err(|_| Failure::Busy)?;
    let body = tokio::select! {
        read = timeout_at(deadline, read_body(body, receiver.max_body_bytes)) => read.unwrap_or(Err(Failure::SlowBody))?,
        () = slot.evicted() => return Err(Failure::SlowBody),
    };
    slot.protect();
    // Text in Postgres cannot contain a NUL, and neither can valid JSON.
    match String::from_utf8(body) {
        Ok(body) if !body.contains('\0') => {
            hand_over(receiver, Delivery { body, id, timestamp, signature }, slot, deadline).await
        }
        _ => Err(Failure::NotText),
    }
}

/// Reads a whole body, of at most `max` bytes.
async fn read_body(mut body: Body, max: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::with_capacity(body.size_hint().lower().min(max as u64) as usize);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failure::BrokenOff(error.to_string()))?;
        // A frame that is no data has trailers, which are not used.
        let Ok(data) = frame.into_data() else { continue };
        if data.len() > max - bytes.len() {
            return Err(Failure::TooLarge);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

/// The value of a header under either of its names. An empty value, or one that is not ASCII, counts as missing.
fn header(headers: &HeaderMap, name: &str, other: &str) -> Option<String> {
    let value = headers.get(name).or_else(|| headers.get(other))?.to_str().ok()?;
    (!value.is_empty()).then(|| value.to_owned())
}

/// The part of an id that is logged: cut, and without control characters, because anybody can send an id.
fn loggable(id: &str) -> String {
    id.chars().filter(|letter| !letter.is_control()).take(MAX_LOGGED_ID_CHARS).collect()
}

/// Hands a delivery to the database in a task of its own. If the sender disconnects, this future is dropped, but a
/// connection must not return to the pool in the middle of a statement.
async fn hand_over(
    receiver: &Arc<Receiver>,
    delivery: Delivery,
    slot: Slot,
    deadline: Instant,
) -> Result<String, Failure> {
    let receiver = Arc::clone(receiver);
    let task = tokio::spawn(async move {
        let answer = receiver.database.receive(&receiver.mirror, &delivery, deadline).await;
        // The body is in memory until here, even if the sender has disconnected, so the slot is held until here as
        // well.
        drop((delivery, slot));
        answer
    });
    task.await.unwrap_or_else(|error| Err(Failure::Failed(error.to_string())))
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = self.status();
        match self.retry_after() {
            Some(seconds) => (status, [("retry-after", seconds)], self.public_message()).into_response(),
            None => (status, self.public_message()).into_response(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_cut_and_has_no_control_characters() {
        assert_eq!(loggable("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk"), "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk");
        assert_eq!(loggable("a\u{1b}[31m\r\n\tb\u{85}\0"), "a[31mb");
        assert_eq!(loggable(&"é".repeat(65)), "é".repeat(64));
    }
}
