//! The server as a program.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use clerk_hook::{Config, Server};
use tokio::signal::unix::{SignalKind, signal};
use tracing::level_filters::LevelFilter;
use tracing::{error, info};

/// Takes Clerk's webhooks in over HTTP and hands them to clerk_fdw in the database
///
/// POST /webhooks/clerk takes a delivery. GET /healthz says whether the program runs, GET /readyz whether the database
/// answers, and GET /metrics has numbers for Prometheus; only the first is for the public.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// The address and port to listen on
    #[arg(long, env = "CLERK_HOOK_LISTEN", default_value = "127.0.0.1:8787")]
    listen: SocketAddr,

    /// The database, as postgres://user:password@host/database?sslmode=require; a process list shows options, but not
    /// the environment
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: String,

    /// The mirror that deliveries are for
    #[arg(long, env = "CLERK_HOOK_MIRROR")]
    mirror: String,

    /// The largest body to read
    #[arg(long, env = "CLERK_HOOK_MAX_BODY_BYTES", default_value = "1048576")]
    max_body_bytes: NonZeroUsize,

    /// How long a request may take
    #[arg(long, env = "CLERK_HOOK_TIMEOUT_MS", default_value = "10000", value_parser = clap::value_parser!(u64).range(1..))]
    timeout_ms: u64,

    /// How many connections to the database there are at most
    #[arg(long, env = "CLERK_HOOK_POOL_SIZE", default_value = "8")]
    pool_size: NonZeroUsize,

    /// How much to log: off, error, warn, info, debug or trace
    #[arg(long, env = "CLERK_HOOK_LOG_LEVEL", default_value = "info")]
    log_level: LevelFilter,
}

impl Options {
    /// What is wrong with a URL is not quoted: it holds a password.
    fn config(self) -> Result<Config, &'static str> {
        let database = self.database_url.parse().map_err(|_| {
            "the database's URL cannot be read: it is postgres://user:password@host/database, with what is special in \
             the password percent-encoded, and its sslmode is disable, prefer or require (all of which verify the \
             certificate where there is one)"
        })?;
        Ok(Config {
            listen: self.listen,
            max_body_bytes: self.max_body_bytes.get(),
            timeout: Duration::from_millis(self.timeout_ms),
            pool_size: self.pool_size,
            ..Config::new(database, self.mirror)
        })
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    // It would complain on the standard error about the standard error, and panic where that is closed.
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
    server
        .run(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        })
        .await
}
