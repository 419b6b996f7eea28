//! The endpoints.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::{error, info, warn};

use crate::database::{Database, Delivery};
use crate::failure::Failure;
use crate::metrics::{self, Metrics};

/// How long requests in flight may take beyond their own timeout when the server is told to stop.
const GRACE: Duration = Duration::from_secs(1);

/// How a server is made.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it listens; port 0 is any free one.
    pub listen: SocketAddr,
    /// The database that has clerk_fdw.
    pub database: tokio_postgres::Config,
    /// The mirror that deliveries are for, the first argument of `clerk_fdw.receive_webhook`.
    pub mirror: String,
    /// The largest body that is read; a larger one is answered with 413.
    pub max_body_bytes: usize,
    /// How long a request may take from its headers to its answer.
    pub timeout: Duration,
    /// How many connections to the database there are at most.
    pub pool_size: NonZeroUsize,
}

impl Config {
    /// The defaults: 127.0.0.1:8787, 1 MiB, 10 s, which is less than the 15 s that Svix waits, and 8 connections.
    pub fn new(database: tokio_postgres::Config, mirror: impl Into<String>) -> Self {
        Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 8787)),
            database,
            mirror: mirror.into(),
            max_body_bytes: 1024 * 1024,
            timeout: Duration::from_secs(10),
            pool_size: NonZeroUsize::new(8).expect("8 is not 0"),
        }
    }
}

/// A server that listens.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    app: Arc<App>,
    max_body_bytes: usize,
}

struct App {
    database: Database,
    mirror: String,
    timeout: Duration,
    metrics: Metrics,
}

impl Server {
    /// Listens. The database is not asked for anything yet, and need not be there.
    ///
    /// # Errors
    /// If the address cannot be listened on.
    pub async fn bind(mut config: Config) -> io::Result<Server> {
        let listener = TcpListener::bind(config.listen).await?;
        let address = listener.local_addr()?;
        if config.database.get_application_name().is_none() {
            config.database.application_name("clerk-hook");
        }
        let app = App {
            database: Database::new(config.database, config.pool_size),
            mirror: config.mirror,
            timeout: config.timeout,
            metrics: Metrics::new(),
        };
        Ok(Server { listener, address, app: Arc::new(app), max_body_bytes: config.max_body_bytes })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests until `stop`, then finishes those that are in flight, for which it takes at most the timeout
    /// of a request and a second.
    ///
    /// # Errors
    /// If the network fails altogether.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let limit = self.app.timeout + GRACE;
        let router = Router::new()
            .route("/webhooks/clerk", post(receive).layer(DefaultBodyLimit::max(self.max_body_bytes)))
            .route("/healthz", get(|| async { "ok" }))
            .route("/readyz", get(ready))
            .route("/metrics", get(metrics))
            .with_state(self.app);
        let (stopping, stopped) = oneshot::channel();
        let serving = axum::serve(self.listener, router).with_graceful_shutdown(async move {
            stop.await;
            info!("stopping");
            let _ = stopping.send(());
        });
        tokio::select! {
            served = serving => served,
            () = async { let _ = stopped.await; sleep(limit).await } => {
                warn!("stopped with requests in flight");
                Ok(())
            }
        }
    }
}

async fn receive(State(app): State<Arc<App>>, request: Request) -> (StatusCode, String) {
    let start = Instant::now();
    let by = start + app.timeout;
    let id = header(request.headers(), "svix-id", "webhook-id").unwrap_or_default();
    let result = match timeout_at(by, read(request)).await {
        Ok(Ok(delivery)) => hand_over(&app, delivery, by).await,
        Ok(Err(failure)) => Err(failure),
        Err(_) => Err(Failure::SlowBody),
    };
    let took = start.elapsed();
    match result {
        Ok(answer) => {
            info!(id, answer, ?took, "taken");
            app.metrics.taken(&answer, took);
            (StatusCode::OK, answer)
        }
        Err(failure) => {
            let status = failure.status();
            match status.is_server_error() {
                true => error!(id, status = status.as_u16(), ?took, "{failure}"),
                false => warn!(id, status = status.as_u16(), ?took, "{failure}"),
            }
            app.metrics.failed(status, took);
            (status, failure.told())
        }
    }
}

/// Reads a delivery off a request, under either name that the scheme's headers have.
async fn read(request: Request) -> Result<Delivery, Failure> {
    let headers = request.headers();
    let needed = |name, other| header(headers, name, other).ok_or(Failure::MissingHeader(name));
    let id = needed("svix-id", "webhook-id")?;
    let timestamp = needed("svix-timestamp", "webhook-timestamp")?;
    let signature = needed("svix-signature", "webhook-signature")?;
    let body = Bytes::from_request(request, &()).await.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Failure::TooLarge,
        _ => Failure::BrokenOff(rejection.body_text()),
    })?;
    // Text in Postgres has no NUL, and JSON neither.
    match String::from_utf8(body.into()) {
        Ok(body) if !body.contains('\0') => Ok(Delivery { body, id, timestamp, signature }),
        _ => Err(Failure::NotText),
    }
}

/// A header's value; one that is empty or not ASCII is as good as none.
fn header(headers: &HeaderMap, name: &str, other: &str) -> Option<String> {
    let value = headers.get(name).or_else(|| headers.get(other))?.to_str().ok()?;
    (!value.is_empty()).then(|| value.to_owned())
}

/// Hands a delivery over in a task of its own: a sender who hangs up drops this future, and a connection must not
/// go back to the pool in the middle of a statement.
async fn hand_over(app: &Arc<App>, delivery: Delivery, by: Instant) -> Result<String, Failure> {
    let app = Arc::clone(app);
    let task = tokio::spawn(async move { app.database.receive(&app.mirror, &delivery, by).await });
    task.await.unwrap_or_else(|error| Err(Failure::Failed(error.to_string())))
}

async fn ready(State(app): State<Arc<App>>) -> (StatusCode, String) {
    match app.database.ready(Instant::now() + app.timeout).await {
        Ok(()) => (StatusCode::OK, "ok".to_owned()),
        Err(failure) => {
            warn!("not ready: {failure}");
            (failure.status(), failure.told())
        }
    }
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], app.metrics.text()).into_response()
}
