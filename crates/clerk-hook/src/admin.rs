//! The endpoints for administration, which have an address of their own: liveness, readiness and metrics.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tracing::warn;

use crate::database::Database;
use crate::metrics::{self, Metrics};

/// How long an answer of `/readyz` is reused, so that frequent requests query the database only once in this time.
const CACHE_TIME: Duration = Duration::from_secs(1);

/// Whether the database answers.
pub(crate) struct Readiness {
    /// A pool of its own, so that deliveries do not wait for readiness checks, nor the checks for deliveries.
    database: Database,
    timeout: Duration,
    last: Mutex<Option<CachedAnswer>>,
}

/// A status and the text of the body.
type Answer = (StatusCode, String);

/// The answer that the last check of the database led to.
struct CachedAnswer {
    since: Instant,
    answer: Answer,
}

impl Readiness {
    pub(crate) fn new(database: Database, timeout: Duration) -> Self {
        Readiness { database, timeout, last: Mutex::new(None) }
    }

    /// The last answer if it is recent, or else a new one. Concurrent requests wait for the same answer.
    async fn answer(&self) -> Answer {
        let mut last = self.last.lock().await;
        if let Some(cached) = &*last
            && cached.since.elapsed() < CACHE_TIME
        {
            return cached.answer.clone();
        }
        let answer = match self.database.ready(Instant::now() + self.timeout).await {
            Ok(()) => (StatusCode::OK, "ok".to_owned()),
            Err(failure) => {
                warn!("not ready: {failure}");
                (failure.status(), failure.public_message())
            }
        };
        *last = Some(CachedAnswer { since: Instant::now(), answer: answer.clone() });
        answer
    }
}

pub(crate) fn router(readiness: Readiness, metrics: Arc<Metrics>) -> Router {
    let ready = get(async |State(readiness): State<Arc<Readiness>>| readiness.answer().await);
    Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/readyz", ready.with_state(Arc::new(readiness)))
        .route("/metrics", get(text).with_state(metrics))
}

async fn text(State(metrics): State<Arc<Metrics>>) -> Response {
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], metrics.text()).into_response()
}
