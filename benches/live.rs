//! Reading Clerk live, beside what bounds it: the same pages read raw, and `COPY` of the same objects.
//!
//! Run by `make bench`, which starts the Postgres. Everything is measured in one run on one machine; the ratios say
//! more than the seconds.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use clerk_api::json::replace_unstorable_escapes;
use clerk_sim::{Config, Object, RateLimit, Sim};
use futures_util::stream::{self, StreamExt};
use postgres::{Client, NoTls};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const KEY: &str = "sk_live_simulator";

/// The default of the server option `max_concurrency`.
const IN_FLIGHT: usize = 8;

const CONFIG: fn() -> Config = || Config {
    users: 100_000,
    organizations: 1_000,
    memberships: 50_000,
    rate_limit: RateLimit::Off,
    keys: vec![KEY.to_owned()],
    ..Config::default()
};

/// One statement to measure.
struct Case {
    name: &'static str,
    sql: String,
    /// How often; the middle one counts. The first of several only opens the connections.
    times: usize,
    /// The table whose objects `COPY` stores for comparison.
    copied: Option<&'static str>,
}

fn main() -> Result<()> {
    let smoke = std::env::args().any(|argument| argument == "--smoke");
    let config =
        if smoke { Config { users: 2_000, organizations: 50, memberships: 1_500, ..CONFIG() } } else { CONFIG() };
    println!(
        "{} users, {} organizations, {} memberships; {IN_FLIGHT} requests in flight\n",
        config.users, config.organizations, config.memberships
    );
    let sim = Sim::start(config)?;
    prepare(&sim)?;
    let copied = [("users", copy(&sim.users())?), ("organization_memberships", copy(&sim.memberships())?)];
    let id = sim.users()[sim.users().len() / 2].id.clone();
    let cases = [
        Case {
            name: "users: CREATE TABLE AS SELECT *",
            sql: "CREATE TABLE copy AS SELECT * FROM clerk.users".into(),
            times: 1,
            copied: Some("users"),
        },
        Case {
            name: "memberships: CREATE TABLE AS SELECT *",
            sql: "CREATE TABLE copy AS SELECT * FROM clerk.organization_memberships".into(),
            times: 1,
            copied: Some("organization_memberships"),
        },
        Case { name: "users: count(*)", sql: "SELECT count(*) FROM clerk.users".into(), times: 1, copied: None },
        Case {
            name: "users: one by id, connection warm",
            sql: format!("SELECT * FROM clerk.users WHERE user_id = '{id}'"),
            times: 11,
            copied: None,
        },
        Case {
            name: "users: LIMIT 10, connection warm",
            sql: "SELECT * FROM clerk.users LIMIT 10".into(),
            times: 11,
            copied: None,
        },
    ];
    println!(
        "| {:<37} | {:>7} | {:>8} | {:>8} | {:>8} | {:>8} | {:>8} | {:>5} | {:>8} |",
        "what", "latency", "time", "requests", "memory", "raw", "COPY", "× raw", "× larger"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for latency in [100, 0] {
        sim.set_latency(Duration::from_millis(latency));
        for case in &cases {
            measure(&sim, case, latency, &copied)?;
        }
    }
    println!(
        "\nmemory: the backend's own at its peak, without shared buffers; raw: the same requests with nothing done to the answers; larger: of raw and COPY"
    );
    Ok(())
}

fn connect() -> Result<Client> {
    let host = std::env::var("PGHOST").map_err(|_| "there is no Postgres: run `make bench`")?;
    let port = std::env::var("PGPORT").unwrap_or_else(|_| "5432".into());
    Ok(Client::connect(&format!("host={host} port={port} user=postgres dbname=postgres"), NoTls)?)
}

fn prepare(sim: &Sim) -> Result<()> {
    connect()?.batch_execute(&format!(
        "CREATE EXTENSION clerk_fdw;
         CREATE SERVER clerk FOREIGN DATA WRAPPER clerk_fdw OPTIONS (api_url '{}', rate_limit '1000');
         CREATE USER MAPPING FOR CURRENT_USER SERVER clerk OPTIONS (api_key '{KEY}');
         CREATE SCHEMA clerk;
         IMPORT FOREIGN SCHEMA clerk FROM SERVER clerk INTO clerk;",
        sim.url()
    ))?;
    Ok(())
}

/// How long Postgres takes to store the objects as they are.
fn copy(objects: &[Object]) -> Result<Duration> {
    let mut text = Vec::new();
    for object in objects {
        let mut json = object.json.clone().into_bytes();
        replace_unstorable_escapes(&mut json);
        let json = String::from_utf8(json)?;
        text.extend_from_slice(json.replace('\\', r"\\").as_bytes());
        text.push(b'\n');
    }
    let mut client = connect()?;
    client.batch_execute("CREATE TABLE copied (attrs jsonb)")?;
    let started = Instant::now();
    let mut writer = client.copy_in("COPY copied FROM STDIN")?;
    for chunk in text.chunks(1 << 20) {
        std::io::Write::write_all(&mut writer, chunk)?;
    }
    writer.finish()?;
    let took = started.elapsed();
    client.batch_execute("DROP TABLE copied")?;
    Ok(took)
}

fn measure(sim: &Sim, case: &Case, latency: u64, copied: &[(&str, Duration)]) -> Result<()> {
    let mut client = connect()?;
    let mut times = Vec::new();
    let mut targets = Vec::new();
    let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[])?.get(0);
    let watch = Watch::start(pid);
    for _ in 0..case.times {
        sim.clear_requests();
        let started = Instant::now();
        client.batch_execute(&case.sql)?;
        times.push(started.elapsed());
        targets = sim.requests().into_iter().map(|request| request.target).collect();
    }
    let memory = watch.stop();
    client.batch_execute("DROP TABLE IF EXISTS copy")?;
    let time = middle(&mut times);
    let raw = raw(sim, &targets, case.times)?;
    let copy = case.copied.and_then(|name| copied.iter().find(|(copied, _)| *copied == name)).map(|(_, time)| *time);
    let larger = copy.map_or(raw, |copy| copy.max(raw));
    println!(
        "| {:<37} | {latency:>4} ms | {:>8} | {:>8} | {:>5.0} MB | {:>8} | {:>8} | {:>5.2} | {:>8.2} |",
        case.name,
        shown(time),
        targets.len(),
        memory as f64 / 1024.0,
        shown(raw),
        copy.map_or(String::new(), shown),
        time.as_secs_f64() / raw.as_secs_f64(),
        time.as_secs_f64() / larger.as_secs_f64(),
    );
    Ok(())
}

fn shown(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds < 0.2 => format!("{:.1} ms", seconds * 1000.0),
        seconds => format!("{seconds:.2} s"),
    }
}

/// The middle of several times; where there are several the first one opened the connections and does not count.
fn middle(times: &mut [Duration]) -> Duration {
    let first = usize::from(times.len() > 1);
    let counted = &mut times[first..];
    counted.sort();
    counted[counted.len() / 2]
}

/// Watches a process's own memory: anonymous and file pages, without Postgres' shared buffers, which COPY and CREATE
/// TABLE AS fill alike.
struct Watch {
    done: Arc<AtomicBool>,
    peak: JoinHandle<u64>,
}

impl Watch {
    fn start(pid: i32) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&done);
        let peak = std::thread::spawn(move || {
            let mut peak = 0;
            while !stop.load(Ordering::Relaxed) {
                peak = peak.max(own_memory(pid).unwrap_or(0));
                std::thread::sleep(Duration::from_millis(5));
            }
            peak
        });
        Watch { done, peak }
    }

    /// The peak in KiB.
    fn stop(self) -> u64 {
        self.done.store(true, Ordering::Relaxed);
        self.peak.join().unwrap_or(0)
    }
}

fn own_memory(pid: i32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let size =
        |name| status.lines().find(|line| line.starts_with(name))?.split_whitespace().nth(1)?.parse::<u64>().ok();
    Some(size("RssAnon:")? + size("RssFile:")?)
}

/// How long the same requests take with nothing done to the answers, as many in flight.
fn raw(sim: &Sim, targets: &[String], times: usize) -> Result<Duration> {
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
