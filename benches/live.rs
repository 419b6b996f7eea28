//! Reading Clerk live, beside what bounds it: the same pages read raw, and `COPY` of the same objects.
//!
//! Run by `make bench`, which starts the Postgres. Everything is measured in one run on one machine; the ratios say
//! more than the seconds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use clerk_api::json::replace_unstorable_escapes;
use clerk_sim::{Object, Sim};

mod common;

use common::{Result, connect, raw, run, shown, start};

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
    let sim = start()?;
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
        Case {
            name: "users: count(email)",
            sql: "SELECT count(email) FROM clerk.users".into(),
            times: 1,
            copied: None,
        },
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
    let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[])?.get(0);
    let watch = Watch::start(pid);
    let (time, targets) = run(sim, &mut client, &case.sql, case.times)?;
    let memory = watch.stop();
    client.batch_execute("DROP TABLE IF EXISTS copy")?;
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
