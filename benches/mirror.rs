//! A mirror of 100,000 users: its first sync beside a plain `INSERT … SELECT` into a table like its own, then syncs that
//! find nothing or little changed.
//!
//! Run by `make bench`, after `pushdown`. The two ways to fill a table take turns, and the middle of three times counts.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use clerk_sim::Sim;
use postgres::Client;

#[expect(dead_code, reason = "the other benchmarks use the rest")]
mod common;

use common::{Result, connect, shown, start};

/// How often each way fills an empty table.
const TIMES: usize = 3;

/// How many users change before the incremental sync.
const CHANGES: usize = 100;

fn main() -> Result<()> {
    let sim = start()?;
    println!("| {:<41} | {:>7} | {:>8} | {:>8} | {:>8} |", "what", "latency", "time", "requests", "× INSERT");
    println!("| --- | ---: | ---: | ---: | ---: |");
    let mut paths = Vec::new();
    for latency in [100, 0] {
        sim.set_latency(Duration::from_millis(latency));
        paths.push(measure(&sim, latency)?);
    }
    println!("\nINSERT: of the same users into an empty table with the same columns and indexes, of the same run");
    println!("\nThe requests of the incremental syncs:\n");
    for (latency, paths) in [100, 0].iter().zip(&paths) {
        for (path, count) in paths {
            println!("- {latency} ms: {count} × {path}");
        }
    }
    Ok(())
}

/// Measures at one latency, and gives the requests of the incremental sync by path.
fn measure(sim: &Sim, latency: u64) -> Result<BTreeMap<String, usize>> {
    let mut client = connect()?;
    client
        .batch_execute("SELECT count(*) FROM clerk.users; SELECT clerk_fdw.create_mirror('clerk', 'm', '{users}')")?;
    let (mut inserts, mut syncs) = (Vec::new(), Vec::new());
    for _ in 0..TIMES {
        client.batch_execute("DROP TABLE IF EXISTS t; CREATE TABLE t (LIKE m.users INCLUDING ALL); CHECKPOINT")?;
        inserts.push(timed(sim, &mut client, "INSERT INTO t SELECT *, clock_timestamp(), NULL FROM clerk.users")?);
        client.batch_execute(
            "SELECT clerk_fdw.drop_mirror('m');
             SELECT clerk_fdw.create_mirror('clerk', 'm', '{users}');
             CHECKPOINT",
        )?;
        syncs.push(timed(sim, &mut client, "CALL clerk_fdw.sync('m')")?);
    }
    let (insert, sync) = (middle(inserts), middle(syncs));
    let line = |what: &str, (time, requests): &Measured| {
        println!(
            "| {what:<41} | {latency:>4} ms | {:>8} | {:>8} | {:>8.2} |",
            shown(*time),
            requests.values().sum::<usize>(),
            time.as_secs_f64() / insert.0.as_secs_f64()
        );
    };
    line("INSERT INTO t SELECT … FROM clerk.users", &insert);
    line("first sync", &sync);
    // What autovacuum would do meanwhile.
    client.batch_execute("VACUUM ANALYZE m.users")?;
    client.batch_execute("CHECKPOINT")?;
    line("full sync, nothing changed", &timed(sim, &mut client, "CALL clerk_fdw.sync('m', 'full')")?);
    line("incremental sync, nothing changed", &timed(sim, &mut client, "CALL clerk_fdw.sync('m', 'incremental')")?);
    let users = sim.users();
    for user in users.iter().step_by(users.len() / CHANGES).take(CHANGES) {
        sim.update_user(&user.id, serde_json::json!({ "first_name": format!("Changed {latency}") }))?;
    }
    let changed = timed(sim, &mut client, "CALL clerk_fdw.sync('m', 'incremental')")?;
    line(&format!("incremental sync, {CHANGES} users changed"), &changed);
    let query = "SELECT count(*) FROM m.users WHERE first_name = $1";
    let taken: i64 = client.query_one(query, &[&format!("Changed {latency}")])?.get(0);
    assert_eq!(taken, CHANGES as i64, "the mirror has the changes");
    client.batch_execute("SELECT clerk_fdw.drop_mirror('m'); DROP TABLE t")?;
    Ok(changed.1)
}

/// How long something took, and its requests by path.
type Measured = (Duration, BTreeMap<String, usize>);

fn timed(sim: &Sim, client: &mut Client, sql: &str) -> Result<Measured> {
    sim.clear_requests();
    let started = Instant::now();
    client.batch_execute(sql)?;
    let took = started.elapsed();
    let mut paths = BTreeMap::new();
    for request in sim.requests() {
        *paths.entry(request.path).or_default() += 1;
    }
    Ok((took, paths))
}

fn middle(mut measured: Vec<Measured>) -> Measured {
    measured.sort_by_key(|(time, _)| *time);
    measured.swap_remove(measured.len() / 2)
}
