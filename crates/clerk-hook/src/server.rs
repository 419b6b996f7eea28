//! The server's configuration, its start and its shutdown.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::{info, warn};

use crate::admin::{self, Readiness};
use crate::database::Database;
use crate::listener::{self, Limits};
use crate::metrics::Metrics;
use crate::receive::{self, Receiver};
use crate::slots::Slots;

/// How long requests in flight may take beyond their own timeout when the server stops.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(1);

/// How many deliveries may be in memory for each connection to the database, unless the configuration says otherwise.
/// With eight, a connection always has a next delivery, and eight connections hold 64 bodies of at most 1 MiB.
const DELIVERIES_PER_CONNECTION: usize = 8;

/// How many connections there may be to the address for administration, where only probes and Prometheus connect.
const ADMIN_CONNECTIONS: usize = 16;

/// The configuration of a server.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it listens for deliveries; port 0 is any free one.
    pub listen: SocketAddr,
    /// Where it listens for administration: `/healthz`, `/readyz` and `/metrics`. `None` is nowhere.
    pub admin_listen: Option<SocketAddr>,
    /// The database that has clerk_fdw; see [`parse_database`](crate::parse_database).
    pub database: tokio_postgres::Config,
    /// The mirror that deliveries are for, the first argument of `clerk_fdw.receive_webhook`.
    pub mirror: String,
    /// The largest body that is read, in bytes; a larger one is answered with 413.
    pub max_body_bytes: usize,
    /// How long a request may take from its headers to its answer.
    pub timeout: Duration,
    /// How long a connection may take to send a request's headers, and how long it may be without a request.
    pub header_timeout: Duration,
    /// How many connections from senders there may be. If there are more, the one that has been without a request for
    /// longest is closed; if all have a request, new connections wait in the kernel's backlog.
    pub max_connections: NonZeroUsize,
    /// How many deliveries may be in memory; `None` for eight for each connection to the database. Others wait for half
    /// of `timeout`, and are then answered with 503. While they wait, a body that arrives slowly is dropped.
    pub max_deliveries: Option<NonZeroUsize>,
    /// How many connections to the database there may be for deliveries. `/readyz` has one of its own.
    pub pool_size: NonZeroUsize,
}

impl Config {
    /// The defaults: 127.0.0.1:8787, and :8788 for administration; 1 MiB; 10 s, which is less than the 15 s that Svix
    /// waits, 5 s of them for headers; 512 connections from senders and 8 to the database.
    pub fn new(database: tokio_postgres::Config, mirror: impl Into<String>) -> Self {
        const CONNECTIONS: NonZeroUsize = NonZeroUsize::new(512).unwrap();
        const POOL: NonZeroUsize = NonZeroUsize::new(8).unwrap();
        Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 8787)),
            admin_listen: Some(SocketAddr::from(([127, 0, 0, 1], 8788))),
            database,
            mirror: mirror.into(),
            max_body_bytes: 1024 * 1024,
            timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(5),
            max_connections: CONNECTIONS,
            max_deliveries: None,
            pool_size: POOL,
        }
    }
}

/// A server that is bound to its addresses.
pub struct Server {
    deliveries: Endpoint,
    admin: Option<Endpoint>,
    /// How long a request may take.
    timeout: Duration,
}

/// A listener, and the router and limits for its connections.
struct Endpoint {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
    limits: Limits,
}

impl Server {
    /// Binds the addresses. The server does not connect to the database yet, which need not be reachable.
    ///
    /// # Errors
    /// If an address cannot be listened on.
    pub async fn bind(mut config: Config) -> io::Result<Server> {
        if config.database.get_application_name().is_none() {
            config.database.application_name("clerk-hook");
        }
        let metrics = Arc::new(Metrics::new());
        let limits = Limits { connections: config.max_connections.get(), header_timeout: config.header_timeout };
        let admin = match config.admin_listen {
            Some(address) => {
                let own_pool = Database::new(config.database.clone(), NonZeroUsize::MIN);
                let router = admin::router(Readiness::new(own_pool, config.timeout), Arc::clone(&metrics));
                Some(Endpoint::bind(address, router, Limits { connections: ADMIN_CONNECTIONS, ..limits }).await?)
            }
            None => None,
        };
        let deliveries = match config.max_deliveries {
            Some(number) => number.get(),
            None => config.pool_size.get().saturating_mul(DELIVERIES_PER_CONNECTION),
        };
        let router = receive::router(Receiver {
            database: Database::new(config.database, config.pool_size),
            mirror: config.mirror,
            max_body_bytes: config.max_body_bytes,
            timeout: config.timeout,
            slots: Slots::new(deliveries, receive::PATIENCE),
            metrics,
        });
        let deliveries = Endpoint::bind(config.listen, router, limits).await?;
        Ok(Server { deliveries, admin, timeout: config.timeout })
    }

    /// Where it listens for deliveries.
    pub fn address(&self) -> SocketAddr {
        self.deliveries.address
    }

    /// Where it listens for administration, if it does.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(|endpoint| endpoint.address)
    }

    /// Answers requests until `stop` completes, and then finishes those that are in flight. That takes at most one
    /// second longer than the timeout of a request.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let limit = self.timeout + SHUTDOWN_GRACE;
        // Nothing is sent on this channel: dropping its sender tells both endpoints to stop.
        let (stopping, stopped) = watch::channel(());
        let admin = async {
            if let Some(endpoint) = self.admin {
                endpoint.serve(stopped.clone()).await;
            }
        };
        let serving = async { tokio::join!(self.deliveries.serve(stopped.clone()), admin) };
        let stop = async move {
            stop.await;
            info!("stopping");
            drop(stopping);
            sleep(limit).await;
        };
        tokio::select! {
            _ = serving => {}
            () = stop => warn!("stopped with requests in flight"),
        }
    }
}

impl Endpoint {
    async fn bind(address: SocketAddr, router: Router, limits: Limits) -> io::Result<Endpoint> {
        let listening = async {
            let listener = TcpListener::bind(address).await?;
            let address = listener.local_addr()?;
            Ok(Endpoint { listener, address, router, limits })
        };
        let with_address =
            |error: io::Error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"));
        listening.await.map_err(with_address)
    }

    async fn serve(self, mut stopped: watch::Receiver<()>) {
        let stop = async move { drop(stopped.changed().await) };
        listener::serve(self.listener, self.router, self.limits, stop).await;
    }
}
