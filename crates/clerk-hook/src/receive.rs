//! A delivery's way from its request to the database.

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
use crate::places::{Place, Places};

/// How long a body may take to arrive while other deliveries wait for its place.
pub(crate) const PATIENCE: Duration = Duration::from_millis(250);

/// How much of an id is logged. Svix's have 31 letters; this one may be anybody's.
const SHOWN: usize = 64;

/// What takes deliveries.
pub(crate) struct Receiver {
    pub database: Database,
    /// The first argument of `clerk_fdw.receive_webhook`.
    pub mirror: String,
    pub max_body_bytes: usize,
    /// How long a delivery may take from its headers to its answer.
    pub timeout: Duration,
    /// A place for each body that is in memory.
    pub places: Arc<Places>,
    pub metrics: Arc<Metrics>,
}

pub(crate) fn router(receiver: Receiver) -> Router {
    Router::new().route("/webhooks/clerk", post(receive)).with_state(Arc::new(receiver))
}

async fn receive(State(receiver): State<Arc<Receiver>>, request: Request) -> Response {
    let start = Instant::now();
    let id = shown(&header(request.headers(), "svix-id", "webhook-id").unwrap_or_default());
    let result = take(&receiver, request, start).await;
    let took = start.elapsed();
    match result {
        Ok(answer) => {
            info!(id, answer, ?took, "taken");
            receiver.metrics.taken(&answer, took);
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

/// Takes a delivery in. What its headers tell is looked at first; nothing of its body is read before there is a place
/// for it.
async fn take(receiver: &Arc<Receiver>, request: Request, start: Instant) -> Result<String, Failure> {
    let by = start + receiver.timeout;
    let headers = request.headers();
    let needed = |name, other| header(headers, name, other).ok_or(Failure::MissingHeader(name));
    let id = needed("svix-id", "webhook-id")?;
    let timestamp = needed("svix-timestamp", "webhook-timestamp")?;
    let signature = needed("svix-signature", "webhook-signature")?;
    let body = request.into_body();
    // What Content-Length says; hyper lets no more come than that.
    if body.size_hint().lower() > receiver.max_body_bytes as u64 {
        return Err(Failure::TooLarge);
    }
    // The other half of its time is left for the database.
    let place = timeout_at(start + receiver.timeout / 2, receiver.places.take()).await.map_err(|_| Failure::Busy)?;
    let body = tokio::select! {
        read = timeout_at(by, read(body, receiver.max_body_bytes)) => read.unwrap_or(Err(Failure::SlowBody))?,
        () = place.sent_away() => return Err(Failure::SlowBody),
    };
    place.served();
    // Text in Postgres has no NUL, and JSON neither.
    match String::from_utf8(body) {
        Ok(body) if !body.contains('\0') => {
            hand_over(receiver, Delivery { body, id, timestamp, signature }, place, by).await
        }
        _ => Err(Failure::NotText),
    }
}

/// All of a body, unless it has more than so many bytes.
async fn read(mut body: Body, most: usize) -> Result<Vec<u8>, Failure> {
    let mut read = Vec::with_capacity(body.size_hint().lower().min(most as u64) as usize);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failure::BrokenOff(error.to_string()))?;
        // Trailers are nobody's.
        let Ok(data) = frame.into_data() else { continue };
        if data.len() > most - read.len() {
            return Err(Failure::TooLarge);
        }
        read.extend_from_slice(&data);
    }
    Ok(read)
}

/// A header's value; one that is empty or not ASCII is as good as none.
fn header(headers: &HeaderMap, name: &str, other: &str) -> Option<String> {
    let value = headers.get(name).or_else(|| headers.get(other))?.to_str().ok()?;
    (!value.is_empty()).then(|| value.to_owned())
}

/// What of an id goes into the log, which anybody can write into this way.
fn shown(id: &str) -> String {
    id.chars().filter(|letter| !letter.is_control()).take(SHOWN).collect()
}

/// Hands a delivery over in a task of its own: a sender who hangs up drops this future, and a connection must not
/// go back to the pool in the middle of a statement.
async fn hand_over(receiver: &Arc<Receiver>, delivery: Delivery, place: Place, by: Instant) -> Result<String, Failure> {
    let receiver = Arc::clone(receiver);
    let task = tokio::spawn(async move {
        let answer = receiver.database.receive(&receiver.mirror, &delivery, by).await;
        // The body stays in memory until now, whoever still waits for the answer.
        drop((delivery, place));
        answer
    });
    task.await.unwrap_or_else(|error| Err(Failure::Failed(error.to_string())))
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = self.status();
        match self.retry_after() {
            Some(seconds) => (status, [("retry-after", seconds)], self.told()).into_response(),
            None => (status, self.told()).into_response(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_cut_and_has_no_control_characters() {
        assert_eq!(shown("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk"), "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk");
        assert_eq!(shown("a\u{1b}[31m\r\n\tb\u{85}\0"), "a[31mb");
        assert_eq!(shown(&"é".repeat(65)), "é".repeat(64));
    }
}
