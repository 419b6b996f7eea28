//! Writing to Clerk, beside the same requests made raw with as many in flight.
//!
//! Run by `make bench`, which starts the Postgres.

use std::time::{Duration, Instant};

use clerk_sim::{Request, Sim};
use futures_util::stream::{self, StreamExt};

#[expect(dead_code, reason = "the other benchmarks use the rest")]
mod common;

use common::{IN_FLIGHT, KEY, Result, connect, is_smoke, shown, start_with};

/// One statement to measure.
struct Case {
    name: &'static str,
    sql: String,
}

fn main() -> Result<()> {
    let sim = start_with(1_000, 10, 100)?;
    let mut client = connect()?;
    client.batch_execute("ALTER SERVER clerk OPTIONS (ADD updatable 'true', SET rate_limit '100000')")?;
    let rows = if is_smoke() { 50 } else { 1_000 };
    println!(
        "| {:<45} | {:>7} | {:>8} | {:>8} | {:>8} | {:>5} |",
        "what", "latency", "time", "requests", "raw", "× raw"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    for latency in [100, 0] {
        sim.set_latency(Duration::from_millis(latency));
        for case in cases(rows, latency) {
            sim.clear_requests();
            let started = Instant::now();
            client.batch_execute(&case.sql)?;
            let took = started.elapsed();
            let requests = sim.requests();
            let raw = raw(&sim, &requests)?;
            println!(
                "| {:<45} | {latency:>4} ms | {:>8} | {:>8} | {:>8} | {:>5.2} |",
                case.name,
                shown(took),
                requests.len(),
                shown(raw),
                took.as_secs_f64() / raw.as_secs_f64()
            );
        }
    }
    Ok(())
}

fn cases(rows: u64, latency: u64) -> Vec<Case> {
    let series = format!("FROM generate_series(1, {rows}) i");
    vec![
        Case {
            name: "organizations: INSERT … SELECT",
            sql: format!("INSERT INTO clerk.organizations (name) SELECT 'L{latency} ' || i {series}"),
        },
        Case {
            name: "invitations: INSERT … SELECT, ten in a request",
            sql: format!(
                "INSERT INTO clerk.invitations (email_address) SELECT 'l{latency}-' || i || '@example.com' {series}"
            ),
        },
    ]
}

/// How long the same requests take with nothing done to the answers, as many in flight. Names and addresses are others, as
/// Clerk has these by now.
fn raw(sim: &Sim, requests: &[Request]) -> Result<Duration> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let http = reqwest::Client::builder().no_proxy().build()?;
    let base = format!("http://{}", sim.address());
    let started = Instant::now();
    runtime.block_on(async {
        let sent = requests.iter().map(|request| {
            let body = request.body.clone().unwrap_or_default().replace("@example.com", "@example.org");
            let request = http.post(format!("{base}{}", request.target)).bearer_auth(KEY);
            let request = request.header("content-type", "application/json").body(body);
            async move { request.send().await?.error_for_status()?.bytes().await }
        });
        let mut answers = stream::iter(sent).buffer_unordered(IN_FLIGHT);
        while let Some(answer) = answers.next().await {
            std::hint::black_box(answer?.len());
        }
        Ok::<_, reqwest::Error>(())
    })?;
    Ok(started.elapsed())
}
