//! The program `clerk-sim`: runs the simulator until SIGINT or SIGTERM.

#![forbid(unsafe_code)]

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use clap::Parser;
use clerk_sim::webhook::Receiver;
use clerk_sim::{Config, RateLimit, Sim};
use tokio::signal::unix::{SignalKind, signal};

/// A Clerk that runs on this machine
#[derive(Parser)]
#[command(
    version,
    after_help = "If CLERK_SIM_REQUEST_LOG names a file, every request to the API is appended to it as a line of JSON, \
                  with its method, its target as it was received, and its body without secrets."
)]
struct Options {
    /// The port to listen on; 0 is any free one
    #[arg(long, default_value_t = 0)]
    port: u16,

    /// Decides all that is made up
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// The id of the instance [default: one that the seed decides]
    #[arg(long, value_name = "ID")]
    instance: Option<String>,

    /// How many users there are
    #[arg(long, default_value_t = 1000)]
    users: usize,

    /// How many organizations there are
    #[arg(long, default_value_t = 50)]
    organizations: usize,

    /// How many memberships there are
    #[arg(long, default_value_t = 1500)]
    memberships: usize,

    /// About how many objects there are of each other kind, such as invitations
    #[arg(long, default_value_t = 25)]
    others: usize,

    /// Leave out the metadata that holds half a surrogate pair, which Clerk's Python client cannot read
    #[arg(long)]
    no_lone_surrogates: bool,

    /// How many users there may be before no more can be created [default: any number]
    #[arg(long, value_name = "USERS")]
    user_quota: Option<usize>,

    /// Sleep so many milliseconds before every answer
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,

    /// Requests that a key may make in 10 seconds [default: 1000 with sk_live_…, else 100]
    #[arg(long, value_name = "REQUESTS", conflicts_with = "no_rate_limit")]
    rate_limit: Option<u32>,

    /// Let a key make as many requests as it likes
    #[arg(long)]
    no_rate_limit: bool,

    /// A secret key to accept; may be given several times [default: sk_test_simulator]
    #[arg(long = "key", value_name = "KEY")]
    keys: Vec<String>,

    /// POST webhooks to this URL
    #[arg(long, value_name = "URL", requires = "webhook_secret")]
    webhook_url: Option<String>,

    /// The secret to sign webhooks with, whsec_ and base64
    #[arg(long, value_name = "SECRET", requires = "webhook_url")]
    webhook_secret: Option<String>,

    /// Write the base URL to this file once requests are answered
    #[arg(long, value_name = "PATH")]
    url_file: Option<PathBuf>,
}

impl Options {
    fn config(&self) -> io::Result<Config> {
        let mut config = Config {
            listen: SocketAddr::from(([127, 0, 0, 1], self.port)),
            seed: self.seed,
            instance: self.instance.clone(),
            users: self.users,
            organizations: self.organizations,
            memberships: self.memberships,
            others: self.others,
            lone_surrogates: !self.no_lone_surrogates,
            user_quota: self.user_quota,
            latency: Duration::from_millis(self.latency_ms),
            rate_limit: match self.rate_limit {
                _ if self.no_rate_limit => RateLimit::Off,
                Some(requests) => RateLimit::Requests(requests),
                None => RateLimit::ByKey,
            },
            ..Config::default()
        };
        if !self.keys.is_empty() {
            config.keys.clone_from(&self.keys);
        }
        if let (Some(url), Some(secret)) = (&self.webhook_url, &self.webhook_secret) {
            config.receiver = Some(Receiver::new(url, secret)?);
        }
        Ok(config)
    }
}

fn main() -> io::Result<()> {
    let options = Options::parse();
    let sim = Sim::start(options.config()?)?;
    println!(
        "Clerk simulator on {} (key {}, {} users, {} organizations, {} memberships)",
        sim.url(),
        sim.key(),
        options.users,
        options.organizations,
        options.memberships,
    );
    if let Some(path) = &options.url_file {
        write_whole(path, &sim.url())?;
    }
    wait_for_signal()
}

/// Writes a file under another name and renames it, so that nobody who waits for the file reads it half-written.
fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".part");
    let mut file = fs::File::create(&unfinished)?;
    writeln!(file, "{text}")?;
    fs::rename(unfinished, path)
}

/// Waits for SIGINT or SIGTERM.
fn wait_for_signal() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        Ok(())
    })
}
