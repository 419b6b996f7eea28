//! The server: how it is made, and its life.

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
use crate::front::{self, Limits};
use crate::metrics::Metrics;
use crate::places::Places;
use crate::receive::{self, Receiver};

/// How long requests in flight may take beyond their own timeout when the server is told to stop.
const GRACE: Duration = Duration::from_secs(1);

/// Deliveries in memory for each connection to the database, unless the configuration has another number.
const DELIVERIES: usize = 8;

/// Connections to the address for administration.
const ADMIN_CONNECTIONS: usize = 16;

/// How a server is made.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it listens for deliveries; port 0 is any free one.
    pub listen: SocketAddr,
    /// Where it listens for whoever runs it: `/healthz`, `/readyz` and `/metrics`. `None` is nowhere.
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
    /// How many connections there are from senders at most. Above it, the one that has been without a request for
    /// longest is closed; where all have one, new connections wait in the kernel's backlog.
    pub max_connections: NonZeroUsize,
    /// How many deliveries are in memory at most; `None` for eight for each connection to the database. Others wait
    /// for half of `timeout`, and are then answered with 503. A body that is slow to arrive gives way to them.
    pub max_deliveries: Option<NonZeroUsize>,
    /// How many connections to the database there are at most for deliveries. `/readyz` has one of its own.
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

/// A server that listens.
pub struct Server {
    deliveries: Door,
    admin: Option<Door>,
    /// How long a request may take.
    timeout: Duration,
}

/// A listener and what is behind it.
struct Door {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
    limits: Limits,
}

impl Server {
    /// Listens. The database is not asked for anything yet, and need not be there.
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
                let alone = Database::new(config.database.clone(), NonZeroUsize::MIN);
                let router = admin::router(Readiness::new(alone, config.timeout), Arc::clone(&metrics));
                Some(Door::bind(address, router, Limits { connections: ADMIN_CONNECTIONS, ..limits }).await?)
            }
            None => None,
        };
        let deliveries = match config.max_deliveries {
            Some(number) => number.get(),
            None => config.pool_size.get().saturating_mul(DELIVERIES),
        };
        let router = receive::router(Receiver {
            database: Database::new(config.database, config.pool_size),
            mirror: config.mirror,
            max_body_bytes: config.max_body_bytes,
            timeout: config.timeout,
            places: Places::new(deliveries, receive::PATIENCE),
            metrics,
        });
        let deliveries = Door::bind(config.listen, router, limits).await?;
        Ok(Server { deliveries, admin, timeout: config.timeout })
    }

    /// Where it listens for deliveries.
    pub fn address(&self) -> SocketAddr {
        self.deliveries.address
    }

    /// Where it listens for whoever runs it, if it does.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(|door| door.address)
    }

    /// Answers requests until `stop`, then finishes those that are in flight, for which it takes at most the timeout
    /// of a request and a second.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let limit = self.timeout + GRACE;
        // It is closed, rather than sent anything, when the server is told to stop.
        let (stopping, stopped) = watch::channel(());
        let admin = async {
            if let Some(door) = self.admin {
                door.serve(stopped.clone()).await;
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

impl Door {
    async fn bind(address: SocketAddr, router: Router, limits: Limits) -> io::Result<Door> {
        let listening = async {
            let listener = TcpListener::bind(address).await?;
            let address = listener.local_addr()?;
            Ok(Door { listener, address, router, limits })
        };
        let explained = |error: io::Error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"));
        listening.await.map_err(explained)
    }

    async fn serve(self, mut stopped: watch::Receiver<()>) {
        let stop = async move { drop(stopped.changed().await) };
        front::serve(self.listener, self.router, self.limits, stop).await;
    }
}
