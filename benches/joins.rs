//! Joining local rows with Clerk's users, beside the same requests made raw with as many in flight.
//!
//! Run by `make bench`, which starts the Postgres. A join should take no longer than 1.3 times its requests.

use std::time::Duration;

use clerk_sim::Sim;

#[expect(dead_code, reason = "the other benchmarks use the rest")]
mod common;

use common::{Result, connect, is_smoke, raw, run, shown, start_with};

/// How many keys one request carries.
const KEYS_PER_REQUEST: usize = 100;

/// How often each statement runs; the middle one counts.
const TIMES: usize = 5;

/// Local rows to join.
struct Case {
    rows: usize,
    /// How many users they are about.
    keys: usize,
}

fn main() -> Result<()> {
    let (users, cases) = match is_smoke() {
        true => (2_000, vec![Case { rows: 100, keys: 100 }, Case { rows: 1_000, keys: 300 }]),
        false => {
            let distinct = [100, 1_000, 10_000].map(|rows| Case { rows, keys: rows });
            (100_000, distinct.into_iter().chain([Case { rows: 10_000, keys: 300 }]).collect())
        }
    };
    let sim = start_with(users, 100, 1_000)?;
    let mut client = connect()?;
    client.batch_execute(
        "ALTER SERVER clerk OPTIONS (SET rate_limit '100000'); DROP SCHEMA IF EXISTS own CASCADE; CREATE SCHEMA own",
    )?;
    let ids: Vec<String> = sim.users().into_iter().map(|user| user.id).collect();
    client.batch_execute("CREATE TABLE own.known (n int PRIMARY KEY, user_id text)")?;
    client
        .execute("INSERT INTO own.known SELECT n - 1, id FROM unnest($1::text[]) WITH ORDINALITY u(id, n)", &[&ids])?;
    client.batch_execute("ANALYZE own.known; ANALYZE clerk.users")?;
    println!(
        "| {:<40} | {:>7} | {:>8} | {:>8} | {:>8} | {:>5} |",
        "what", "latency", "time", "requests", "raw", "× raw"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    for latency in [100, 0] {
        sim.set_latency(Duration::from_millis(latency));
        for case in &cases {
            measure(&sim, case, latency, ids.len())?;
        }
    }
    println!("\nraw: requests for the same users, {KEYS_PER_REQUEST} in each, with nothing done to the answers");
    Ok(())
}

fn measure(sim: &Sim, case: &Case, latency: u64, users: usize) -> Result<()> {
    let Case { rows, keys } = case;
    let mut client = connect()?;
    // The users are spread over the whole list. The core joins are switched off: which of them is faster is the
    // planner's business, and what is measured here is the lookups.
    let step = users / keys;
    client.batch_execute(&format!(
        "DROP TABLE IF EXISTS own.orders;
         CREATE TABLE own.orders AS SELECT g AS id, k.user_id FROM generate_series(0, {rows} - 1) g JOIN own.known k ON k.n = g % {keys} * {step} ORDER BY g;
         ANALYZE own.orders;
         SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_nestloop = off"
    ))?;
    let sql = "SELECT count(*), count(u.email) FROM own.orders o JOIN clerk.users u USING (user_id)";
    let (time, targets) = run(sim, &mut client, sql, TIMES)?;
    let found: i64 = client.query_one(sql, &[])?.get(0);
    if found != *rows as i64 {
        return Err(format!("{found} of {rows} rows were joined").into());
    }
    let raw = raw(sim, &wanted(&mut client)?, TIMES)?;
    let what = match rows == keys {
        true => format!("users: {rows} rows"),
        false => format!("users: {rows} rows, {keys} distinct keys"),
    };
    println!(
        "| {what:<40} | {latency:>4} ms | {:>8} | {:>8} | {:>8} | {:>5.2} |",
        shown(time),
        targets.len(),
        shown(raw),
        time.as_secs_f64() / raw.as_secs_f64()
    );
    Ok(())
}

/// The requests that find the users of all orders.
fn wanted(client: &mut postgres::Client) -> Result<Vec<String>> {
    let rows = client.query("SELECT DISTINCT user_id FROM own.orders ORDER BY user_id", &[])?;
    let ids: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    Ok(ids
        .chunks(KEYS_PER_REQUEST)
        .map(|ids| {
            let ids: String = ids.iter().map(|id| format!("user_id={id}&")).collect();
            format!("/v1/users?{ids}limit=500")
        })
        .collect())
}
