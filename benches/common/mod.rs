//! What the benchmarks share: the simulated Clerk, the Postgres beside it, and the same requests made raw.

use std::error::Error;
use std::time::{Duration, Instant};

use clerk_sim::{Config, RateLimit, Sim};
use futures_util::stream::{self, StreamExt};
use postgres::{Client, NoTls};

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

pub const KEY: &str = "sk_live_simulator";

/// The default of the server option `max_concurrency`.
pub const IN_FLIGHT: usize = 8;

/// Whether it is only to be seen that the benchmark runs.
pub fn is_smoke() -> bool {
    std::env::args().any(|argument| argument == "--smoke")
}

/// Starts a simulated Clerk, a small one with `--smoke`, and makes its tables in the Postgres that `make bench` started.
pub fn start() -> Result<Sim> {
    if is_smoke() { start_with(2_000, 50, 1_500) } else { start_with(100_000, 1_000, 50_000) }
}

/// The same with so many objects, in the place of the one before.
pub fn start_with(users: usize, organizations: usize, memberships: usize) -> Result<Sim> {
    println!(
        "{users} users, {organizations} organizations, {memberships} memberships; {IN_FLIGHT} requests in flight\n"
    );
    let sim = Sim::start(Config {
        users,
        organizations,
        memberships,
        rate_limit: RateLimit::Off,
        keys: vec![KEY.to_owned()],
        ..Config::default()
    })?;
    connect()?.batch_execute(&format!(
        "DROP EXTENSION IF EXISTS clerk_fdw CASCADE; DROP SCHEMA IF EXISTS clerk CASCADE;
         CREATE EXTENSION clerk_fdw;
         CREATE SERVER clerk FOREIGN DATA WRAPPER clerk_fdw OPTIONS (api_url '{}', rate_limit '1000');
         CREATE USER MAPPING FOR CURRENT_USER SERVER clerk OPTIONS (api_key '{KEY}');
         CREATE SCHEMA clerk;
         IMPORT FOREIGN SCHEMA clerk FROM SERVER clerk INTO clerk;",
        sim.url()
    ))?;
    Ok(sim)
}

pub fn connect() -> Result<Client> {
    let host = std::env::var("PGHOST").map_err(|_| "there is no Postgres: run `make bench`")?;
    let port = std::env::var("PGPORT").unwrap_or_else(|_| "5432".into());
    Ok(Client::connect(&format!("host={host} port={port} user=postgres dbname=postgres"), NoTls)?)
}

/// Runs a statement several times: how long it took, and what it asked of Clerk the last time.
pub fn run(sim: &Sim, client: &mut Client, sql: &str, times: usize) -> Result<(Duration, Vec<String>)> {
    let mut took = Vec::new();
    for _ in 0..times {
        sim.clear_requests();
        let started = Instant::now();
        client.batch_execute(sql)?;
        took.push(started.elapsed());
    }
    let targets = sim.requests().into_iter().map(|request| request.target).collect();
    Ok((middle(&mut took), targets))
}

/// How long requests take with nothing done to the answers, as many in flight.
pub fn raw(sim: &Sim, targets: &[String], times: usize) -> Result<Duration> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let http = reqwest::Client::builder().no_proxy().build()?;
    let base = format!("http://{}", sim.address());
    let mut took = Vec::new();
    for _ in 0..times {
        let started = Instant::now();
        runtime.block_on(async {
            let requests = targets.iter().map(|target| {
                let request = http.get(format!("{base}{target}")).bearer_auth(KEY);
                async move { request.send().await?.error_for_status()?.bytes().await }
            });
            let mut answers = stream::iter(requests).buffer_unordered(IN_FLIGHT);
            while let Some(answer) = answers.next().await {
                std::hint::black_box(answer?.len());
            }
            Ok::<_, reqwest::Error>(())
        })?;
        took.push(started.elapsed());
    }
    Ok(middle(&mut took))
}

/// The middle of several times; where there are several the first one opened the connections and does not count.
fn middle(times: &mut [Duration]) -> Duration {
    let first = usize::from(times.len() > 1);
    let counted = &mut times[first..];
    counted.sort();
    counted[counted.len() / 2]
}

pub fn shown(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds < 0.01 => format!("{:.2} ms", seconds * 1000.0),
        seconds if seconds < 0.2 => format!("{:.1} ms", seconds * 1000.0),
        seconds => format!("{seconds:.2} s"),
    }
}
