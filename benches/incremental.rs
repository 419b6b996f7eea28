//! What an incremental sync costs by the size of the mirror: of 100,000 and of 1,000,000 users, of whom as many change.
//!
//! Run by `make bench`, after `mirror`. The simulator answers without latency; what its answers take by themselves is
//! measured with the same requests, made raw, and taken off.

use std::time::{Duration, Instant};

use clerk_sim::Sim;
use postgres::Client;
use serde_json::json;

#[expect(dead_code, reason = "the other benchmarks use the rest")]
mod common;

use common::{Result, connect, is_smoke, raw, run, shown, start_with};

/// How many users change before each sync.
const CHANGES: usize = 100;

/// How many of them are deleted, where some are.
const DELETIONS: usize = 10;

const SYNC: &str = "CALL clerk_fdw.sync('m', 'incremental')";

fn main() -> Result<()> {
    let sizes = if is_smoke() { [2_000, 20_000] } else { [100_000, 1_000_000] };
    let mut lines = Vec::new();
    for users in sizes {
        let sim = start_with(users, 10, 10)?;
        let mut client = connect()?;
        client.batch_execute("SELECT clerk_fdw.create_mirror('clerk', 'm', '{users}')")?;
        let started = Instant::now();
        client.batch_execute("CALL clerk_fdw.sync('m')")?;
        println!("first sync of {users} users: {}\n", shown(started.elapsed()));
        client.batch_execute("VACUUM ANALYZE m.users")?;
        client.batch_execute("CHECKPOINT")?;
        lines.push([
            measure(&sim, &mut client, 0, 0)?,
            measure(&sim, &mut client, CHANGES, 0)?,
            measure(&sim, &mut client, CHANGES - DELETIONS, DELETIONS)?,
        ]);
        client.batch_execute("SELECT clerk_fdw.drop_mirror('m')")?;
    }
    println!(
        "| {:<24} | {:>9} | {:>8} | {:>8} | {:>8} | {:>9} |",
        "what", "users", "time", "requests", "database", "× smaller"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    for (what, name) in ["nothing changed", "100 changed", "90 changed, 10 deleted"].into_iter().enumerate() {
        for (size, users) in sizes.into_iter().enumerate() {
            let Measured { time, requests, database } = lines[size][what];
            let ratio = match size {
                0 => String::new(),
                _ => format!("{:.2}", database.as_secs_f64() / lines[0][what].database.as_secs_f64()),
            };
            println!(
                "| {name:<24} | {users:>9} | {:>8} | {requests:>8} | {:>8} | {ratio:>9} |",
                shown(time),
                shown(database)
            );
        }
    }
    println!("\ndatabase: without what the same requests take, made raw; × smaller: times that of the smaller mirror");
    Ok(())
}

#[derive(Clone, Copy)]
struct Measured {
    time: Duration,
    requests: usize,
    database: Duration,
}

fn measure(sim: &Sim, client: &mut Client, updates: usize, deletions: usize) -> Result<Measured> {
    let users = sim.users();
    let mut changed = users.iter().step_by(users.len() / (updates + deletions).max(1));
    for user in changed.by_ref().take(updates) {
        sim.update_user(&user.id, json!({"first_name": format!("Changed {deletions}")}))?;
    }
    for user in changed.take(deletions) {
        sim.delete_user(&user.id)?;
    }
    let (time, targets) = run(sim, client, SYNC, 1)?;
    let counts: i64 = client.query_one("SELECT count(*) FROM m.users WHERE deleted_at IS NULL", &[])?.get(0);
    assert_eq!(counts as usize, sim.users().len(), "the mirror is in step");
    Ok(Measured { time, requests: targets.len(), database: time.saturating_sub(raw(sim, &targets, 2)?) })
}
