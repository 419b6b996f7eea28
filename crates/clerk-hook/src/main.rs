//! The program `clerk-hook`: reads the options and runs the server until SIGINT or SIGTERM.

#![forbid(unsafe_code)]

use std::net::{AddrParseError, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use std::{fs, io};

use clap::Parser;
use clerk_hook::{Config, Server, parse_database};
use tokio::signal::unix::{SignalKind, signal};
use tracing::level_filters::LevelFilter;
use tracing::{error, info};

/// Takes Clerk's webhooks in over HTTP and hands them to clerk_fdw in the database
///
/// POST /webhooks/clerk takes a delivery. It is for the public, behind a proxy that speaks TLS. On an address of their
/// own, GET /healthz says whether the program runs, GET /readyz whether the database answers, and GET /metrics has
/// numbers for Prometheus.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// The address and port to listen on for deliveries
    #[arg(long, env = "CLERK_HOOK_LISTEN", default_value = "127.0.0.1:8787")]
    listen: SocketAddr,

    /// The address and port for /healthz, /readyz and /metrics, or off
    #[arg(long, env = "CLERK_HOOK_ADMIN_LISTEN", default_value = "127.0.0.1:8788", value_parser = admin)]
    admin_listen: Admin,

    /// The database, as postgres://user:password@host/database; a process list shows options, but not the environment
    ///
    /// Its sslmode is disable, prefer or require, and the certificate is always verified where there is one. Without
    /// an sslmode it is require, except for a database on this machine (a Unix socket, localhost, 127.0.0.0/8, ::1).
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: String,

    /// A file that contains the password for the database, in place of one in its URL
    #[arg(long, env = "CLERK_HOOK_PASSWORD_FILE")]
    password_file: Option<PathBuf>,

    /// The mirror that deliveries are for
    #[arg(long, env = "CLERK_HOOK_MIRROR")]
    mirror: String,

    /// The largest body to read
    #[arg(long, env = "CLERK_HOOK_MAX_BODY_BYTES", default_value = "1048576")]
    max_body_bytes: NonZeroUsize,

    /// How long a request may take from its headers to its answer
    #[arg(long, env = "CLERK_HOOK_TIMEOUT_MS", default_value = "10000", value_parser = clap::value_parser!(u64).range(1..=A_DAY))]
    timeout_ms: u64,

    /// How long a connection may take to send a request's headers, or be without a request
    #[arg(long, env = "CLERK_HOOK_HEADER_TIMEOUT_MS", default_value = "5000", value_parser = clap::value_parser!(u64).range(1..=A_DAY))]
    header_timeout_ms: u64,

    /// How many connections from senders there are at most
    ///
    /// Above it, the one that has been without a request for longest is closed; where all have one, new connections
    /// wait in the kernel's backlog.
    #[arg(long, env = "CLERK_HOOK_MAX_CONNECTIONS", default_value = "512")]
    max_connections: NonZeroUsize,

    /// How many deliveries are in memory at most [default: 8 times the pool's size]
    ///
    /// Others wait for half the time that a request may take, and are then answered with 503 and Retry-After.
    #[arg(long, env = "CLERK_HOOK_MAX_DELIVERIES")]
    max_deliveries: Option<NonZeroUsize>,

    /// How many connections to the database there are at most; /readyz has one more
    #[arg(long, env = "CLERK_HOOK_POOL_SIZE", default_value = "8")]
    pool_size: NonZeroUsize,

    /// How much to log: off, error, warn, info, debug or trace
    #[arg(long, env = "CLERK_HOOK_LOG_LEVEL", default_value = "info")]
    log_level: LevelFilter,
}

/// One day in milliseconds, the upper limit of timeouts: a longer one is most likely a mistake in the unit.
const A_DAY: u64 = 24 * 60 * 60 * 1000;

/// The address for administration, or `None` for `off`.
#[derive(Clone)]
struct Admin(Option<SocketAddr>);

fn admin(text: &str) -> Result<Admin, AddrParseError> {
    match text {
        "off" => Ok(Admin(None)),
        address => address.parse().map(|address| Admin(Some(address))),
    }
}

impl Options {
    /// The server's configuration. The error does not quote the database's URL, which may contain a password.
    fn config(self) -> Result<Config, String> {
        let mut database = parse_database(&self.database_url).map_err(|_| {
            "the database's URL cannot be read: it is postgres://user:password@host/database, with what is special in \
             the password percent-encoded, and its sslmode is disable, prefer or require (all of which verify the \
             certificate where there is one)"
        })?;
        if let Some(file) = &self.password_file {
            let password = fs::read_to_string(file)
                .map_err(|error| format!("cannot read the password file {}: {error}", file.display()))?;
            // Editors and `echo` end a file with a newline.
            database.password(password.trim_end_matches(['\r', '\n']));
        }
        Ok(Config {
            listen: self.listen,
            admin_listen: self.admin_listen.0,
            max_body_bytes: self.max_body_bytes.get(),
            timeout: Duration::from_millis(self.timeout_ms),
            header_timeout: Duration::from_millis(self.header_timeout_ms),
            max_connections: self.max_connections,
            max_deliveries: self.max_deliveries,
            pool_size: self.pool_size,
            ..Config::new(database, self.mirror)
        })
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    // If writing to the standard error fails, the subscriber would report that on the standard error, and panic if that
    // is closed.
    let log = tracing_subscriber::fmt().log_internal_errors(false);
    log.with_max_level(options.log_level).with_writer(io::stderr).init();
    let config = match options.config() {
        Ok(config) => config,
        Err(problem) => {
            error!("{problem}");
            return ExitCode::from(2);
        }
    };
    match serve(config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            error!("{problem}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(config: Config) -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let server = Server::bind(config).await?;
    info!("listening on {}", server.address());
    if let Some(address) = server.admin_address() {
        info!("listening for administration on {address}");
    }
    server
        .run(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        })
        .await;
    Ok(())
}
