//! What row security costs a read: one row by its primary key, with the policies and views beside without them, for
//! somebody in an organization of 50,000.
//!
//! Run by `make bench`, after `webhook`. Each read is a prepared statement of a plain role; the middle time counts.

use std::time::{Duration, Instant};

use postgres::Client;
use serde_json::json;

#[expect(dead_code, reason = "the other benchmarks use the rest")]
mod common;

use common::{Result, connect, is_smoke, shown, start_with};

/// How often each row is read.
const READS: usize = 2_000;

fn main() -> Result<()> {
    let many = if is_smoke() { 1_000 } else { 50_000 };
    let sim = start_with(many + 1_000, 50, 2_000)?;
    let (users, organization) = (sim.users(), sim.organizations()[0].id.clone());
    for user in &users[..many] {
        // Some are in it already.
        let _ = sim.create_membership(&user.id, &organization, json!({}));
    }
    let mut client = connect()?;
    client.batch_execute("SELECT clerk_fdw.create_mirror('clerk', 'm')")?;
    client.batch_execute("CALL clerk_fdw.sync('m')")?;
    client.batch_execute(
        "CREATE TABLE plain (LIKE m.users INCLUDING ALL); INSERT INTO plain TABLE m.users;
         SELECT clerk_fdw.enable_row_security('m');
         CREATE ROLE reader;
         GRANT USAGE ON SCHEMA m TO reader;
         GRANT SELECT ON plain TO reader;
         GRANT SELECT ON ALL TABLES IN SCHEMA m TO reader;
         GRANT EXECUTE ON FUNCTION clerk_fdw.current_user_id, clerk_fdw.current_organizations, clerk_fdw.current_visible_user_ids
           TO reader",
    )?;
    client.batch_execute("VACUUM ANALYZE")?;
    let (me, other) = (&users[0].id, &users[many / 2].id);
    client.batch_execute(&format!("SET ROLE reader; SET request.jwt.claims = '{}'", json!({ "sub": me })))?;
    println!("| {:<50} | {:>8} | {:>9} |", "one row by user_id, prepared", "time", "more");
    println!("| --- | ---: | ---: |");
    let without = read(&mut client, "plain", me)?;
    let line = |what: &str, time: Duration| {
        println!("| {what:<50} | {:>8} | {:>9} |", shown(time), shown(time.saturating_sub(without)));
    };
    line("a table without row security", without);
    line("m.users through its policy: oneself", read(&mut client, "m.users", me)?);
    line("m.visible_users: oneself", read(&mut client, "m.visible_users", me)?);
    line(&format!("m.visible_users: one of {many} members"), read(&mut client, "m.visible_users", other)?);
    client.batch_execute(
        "RESET ROLE; SELECT clerk_fdw.enable_row_security('m', show_members => true);
         GRANT SELECT ON ALL TABLES IN SCHEMA m TO reader; SET ROLE reader",
    )?;
    line("m.users with show_members: oneself", read(&mut client, "m.users", me)?);
    line(&format!("m.users with show_members: one of {many} members"), read(&mut client, "m.users", other)?);
    println!("\nmore: than without row security");
    Ok(())
}

/// How long it takes to read one row of a table, in the middle of many times.
fn read(client: &mut Client, table: &str, user: &str) -> Result<Duration> {
    let statement = client.prepare(&format!("SELECT * FROM {table} WHERE user_id = $1"))?;
    let mut took = Vec::new();
    for _ in 0..READS {
        let started = Instant::now();
        let rows = client.query(&statement, &[&user])?;
        took.push(started.elapsed());
        assert_eq!(rows.len(), 1, "{table}");
    }
    took.sort();
    Ok(took[READS / 2])
}
