//! What whoever runs the server asks it, on an address of its own.

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

/// How long an answer of the database's is true: however often somebody asks, it is asked once in this time.
const FRESH: Duration = Duration::from_secs(1);

/// Whether the database answers.
pub(crate) struct Readiness {
    /// A connection that no delivery waits for, nor is kept from by deliveries.
    database: Database,
    timeout: Duration,
    last: Mutex<Option<(Instant, (StatusCode, String))>>,
}

impl Readiness {
    pub(crate) fn new(database: Database, timeout: Duration) -> Self {
        Readiness { database, timeout, last: Mutex::new(None) }
    }

    /// What the database said last, or says now. Those who ask at the same time get the same answer.
    async fn answer(&self) -> (StatusCode, String) {
        let mut last = self.last.lock().await;
        if let Some((when, answer)) = &*last
            && when.elapsed() < FRESH
        {
            return answer.clone();
        }
        let answer = match self.database.ready(Instant::now() + self.timeout).await {
            Ok(()) => (StatusCode::OK, "ok".to_owned()),
            Err(failure) => {
                warn!("not ready: {failure}");
                (failure.status(), failure.told())
            }
        };
        *last = Some((Instant::now(), answer.clone()));
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
