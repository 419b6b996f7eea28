//! Webhooks through `clerk-hook` by 16 senders at once, in random order, beside a plain upsert of the same objects into
//! a table like the mirror's by as many connections of the same driver.
//!
//! Run by `make bench`, after `incremental`. The two ways take turns, and the middle of three times counts.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use clerk_sim::Sim;
use clerk_sim::webhook::Delivery;
use fastrand::Rng;
use serde_json::{Value, json};

#[expect(dead_code, reason = "the other benchmarks use the rest")]
mod common;

use common::{Result, connect, shown, start};

const SECRET: &str = "whsec_dGhlIHNpbXVsYXRvcidzIHNpZ25pbmcga2V5";

const SENDERS: usize = 16;

/// How often each way is measured.
const TIMES: usize = 3;

/// What somebody would write by hand for the same objects.
const UPSERT: &str = "
    INSERT INTO plain (user_id, first_name, last_name, username, created_at, updated_at, attrs, synced_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, clock_timestamp())
    ON CONFLICT (user_id) DO UPDATE SET first_name = excluded.first_name, last_name = excluded.last_name,
      username = excluded.username, updated_at = excluded.updated_at, attrs = excluded.attrs,
      synced_at = excluded.synced_at
     WHERE plain.updated_at <= excluded.updated_at";

fn main() -> Result<()> {
    let sim = start()?;
    let mut client = connect()?;
    client.batch_execute(&format!(
        "SELECT clerk_fdw.create_mirror('clerk', 'm', '{{users}}');
         SELECT clerk_fdw.add_webhook_secret('m', '{SECRET}')"
    ))?;
    client.batch_execute("CALL clerk_fdw.sync('m')")?;
    client.batch_execute("CREATE TABLE plain (LIKE m.users INCLUDING ALL); INSERT INTO plain TABLE m.users")?;
    client.batch_execute("VACUUM ANALYZE")?;
    client.batch_execute("CHECKPOINT")?;
    let hook = Hook::start()?;
    let mut random = Rng::with_seed(1);
    let (mut upserts, mut webhooks) = (Vec::new(), Vec::new());
    for round in 0..TIMES {
        let mut deliveries = events(&sim, &mut random, round)?;
        random.shuffle(&mut deliveries);
        upserts.push(upsert(&deliveries)?);
        client.batch_execute("CHECKPOINT")?;
        webhooks.push(hook.send(deliveries)?);
        client.batch_execute("CHECKPOINT")?;
    }
    let failed: i64 = client
        .query_one("SELECT count(*) FROM clerk_fdw.webhook_events WHERE outcome NOT IN ('applied', 'stale')", &[])?
        .get(0);
    assert_eq!(failed, 0, "every event was applied");
    let (upsert, webhook) = (middle(upserts), middle(webhooks));
    println!("| {:<46} | {:>8} | {:>9} | {:>8} |", "what", "events/s", "median", "× upsert");
    println!("| --- | ---: | ---: | ---: |");
    let line = |what: &str, measured: &Measured| {
        let ratio = measured.per_second / upsert.per_second;
        println!("| {what:<46} | {:>8.0} | {:>9} | {ratio:>8.2} |", measured.per_second, shown(measured.median));
    };
    line("plain upsert, 16 connections", &upsert);
    line("webhooks through clerk-hook, 16 senders", &webhook);
    println!("\nThe log's table after {} events:\n", webhook.count * TIMES);
    let row = client.query_one(
        "SELECT s.n_tup_ins, s.n_tup_upd, s.n_tup_hot_upd, pg_relation_size(s.relid) / greatest(s.n_tup_ins, 1)
           FROM pg_stat_user_tables s WHERE s.relid = 'clerk_fdw_internal.webhook_event'::regclass",
        &[],
    )?;
    let number = |column: usize| row.get::<_, i64>(column);
    println!(
        "- {} rows inserted, {} updated ({} of them HOT), {} bytes a row",
        number(0),
        number(1),
        number(2),
        number(3)
    );
    Ok(())
}

/// What users' changes send: mostly updates, of a few users several, and some who come and go.
fn events(sim: &Sim, random: &mut Rng, round: usize) -> Result<Vec<Delivery>> {
    let users = sim.users();
    sim.clear_webhooks();
    let mut here: Vec<String> = Vec::new();
    for change in 0..users.len().min(8_000) {
        match random.u8(..20) {
            0 => here.push(sim.create_user(json!({"email_address": [format!("new{round}.{change}@example.com")]}))?),
            1 if !here.is_empty() => sim.delete_user(&here.swap_remove(random.usize(..here.len())))?,
            _ => {
                let user = &users[random.usize(..users.len())].id;
                sim.update_user(user, json!({"first_name": format!("Ada {round} {change}")}))?;
            }
        }
    }
    // A NUL or a lone surrogate in some user's metadata is more than the plain upsert could take.
    let is_plain = |delivery: &Delivery| {
        !delivery.body.contains("\\u0000") && serde_json::from_str::<Value>(&delivery.body).is_ok()
    };
    Ok(sim.webhooks().into_iter().filter(is_plain).collect())
}

/// The program while it runs.
struct Hook {
    child: Child,
    url: String,
}

impl Hook {
    fn start() -> Result<Hook> {
        let program = std::env::var("CLERK_HOOK").map_err(|_| "there is no clerk-hook: run `make bench`")?;
        let variable = |name| std::env::var(name).unwrap_or_default();
        let database = format!("host={} port={} user=postgres dbname=postgres", variable("PGHOST"), variable("PGPORT"));
        let mut command = Command::new(program);
        command.args(["--listen", "127.0.0.1:0", "--admin-listen", "off", "--mirror", "m"]);
        command.args(["--database-url", &database, "--pool-size", &SENDERS.to_string()]);
        let mut child = command.stderr(Stdio::piped()).spawn()?;
        let mut log = BufReader::new(child.stderr.take().ok_or("a log")?);
        let mut first = String::new();
        log.read_line(&mut first)?;
        let url = format!("http://{}/webhooks/clerk", first.trim_end().rsplit(' ').next().unwrap_or_default());
        // Nobody looks at the rest, but it has to go somewhere.
        std::thread::spawn(move || log.lines().for_each(drop));
        Ok(Hook { child, url })
    }

    /// Sends all deliveries, each as soon as a sender has the answer to the one before.
    fn send(&self, deliveries: Vec<Delivery>) -> Result<Measured> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let http = reqwest::Client::builder().no_proxy().build()?;
        let queue = Mutex::new(VecDeque::from(deliveries));
        let next = || queue.lock().ok()?.pop_front();
        runtime.block_on(async {
            let started = Instant::now();
            let senders = (0..SENDERS).map(|_| async {
                let mut took = Vec::new();
                while let Some(delivery) = next() {
                    let mut request = http.post(&self.url);
                    for (name, value) in delivery.headers(SECRET).map_err(|error| error.to_string())? {
                        request = request.header(name, value);
                    }
                    let sent = Instant::now();
                    let answer = request.body(delivery.body.clone()).send().await.map_err(|error| error.to_string())?;
                    answer.error_for_status().map_err(|error| error.to_string())?;
                    took.push(sent.elapsed());
                }
                Ok::<_, String>(took)
            });
            let took = futures_util::future::try_join_all(senders).await?;
            Ok(Measured::new(took.concat(), started.elapsed()))
        })
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Upserts the events' objects, by as many connections as there are senders.
fn upsert(deliveries: &[Delivery]) -> Result<Measured> {
    let queue = Mutex::new(deliveries.iter());
    let next = || queue.lock().ok()?.next();
    let work = || -> std::result::Result<Vec<Duration>, String> {
        let mut client = connect().map_err(|error| error.to_string())?;
        let statement = client.prepare(UPSERT).map_err(|error| error.to_string())?;
        let delete = client.prepare("DELETE FROM plain WHERE user_id = $1").map_err(|error| error.to_string())?;
        let mut took = Vec::new();
        while let Some(delivery) = next() {
            let event: Value = serde_json::from_str(&delivery.body).map_err(|error| error.to_string())?;
            let user = &event["data"];
            let sent = Instant::now();
            let done = match event["type"].as_str() {
                Some("user.deleted") => client.execute(&delete, &[&user["id"].as_str()]),
                _ => client.execute(
                    &statement,
                    &[
                        &user["id"].as_str(),
                        &user["first_name"].as_str(),
                        &user["last_name"].as_str(),
                        &user["username"].as_str(),
                        &time(&user["created_at"]),
                        &time(&user["updated_at"]),
                        &user,
                    ],
                ),
            };
            done.map_err(|error| error.to_string())?;
            took.push(sent.elapsed());
        }
        Ok(took)
    };
    let started = Instant::now();
    let took = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..SENDERS).map(|_| scope.spawn(work)).collect();
        let joined = threads.into_iter().map(|thread| thread.join().unwrap_or(Err("a thread panicked".to_owned())));
        joined.collect::<std::result::Result<Vec<_>, _>>()
    })?;
    Ok(Measured::new(took.concat(), started.elapsed()))
}

fn time(milliseconds: &Value) -> std::time::SystemTime {
    std::time::UNIX_EPOCH + Duration::from_millis(milliseconds.as_u64().unwrap_or_default())
}

struct Measured {
    count: usize,
    per_second: f64,
    /// From a delivery's request to its answer, in the middle of all.
    median: Duration,
}

impl Measured {
    fn new(mut each: Vec<Duration>, all: Duration) -> Measured {
        each.sort();
        let median = each[each.len() / 2];
        Measured { count: each.len(), per_second: each.len() as f64 / all.as_secs_f64(), median }
    }
}

fn middle(mut measured: Vec<Measured>) -> Measured {
    measured.sort_by(|one, other| one.per_second.total_cmp(&other.per_second));
    measured.swap_remove(measured.len() / 2)
}
