//! Queries that need little of Clerk, beside the fewest requests that could serve them.
//!
//! Run by `make bench`, after `live`. The connection is warm and the tables are analyzed.

use std::time::Duration;

use clerk_sim::Sim;

mod common;

use common::{Result, connect, raw, run, shown, start};

/// One query to measure.
struct Case {
    name: &'static str,
    sql: String,
    /// How often; the middle one counts. The first only opens the connections.
    times: usize,
    /// The fewest requests that could serve it.
    fewest: Vec<String>,
}

fn main() -> Result<()> {
    let sim = start()?;
    let cases = cases(&sim)?;
    println!(
        "| {:<43} | {:>7} | {:>8} | {:>8} | {:>6} | {:>10} | {:>8} | {:>6} |",
        "what", "latency", "time", "requests", "fewest", "× requests", "raw", "× time"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for latency in [100, 0] {
        sim.set_latency(Duration::from_millis(latency));
        for case in &cases {
            measure(&sim, case, latency)?;
        }
    }
    println!("\nfewest: the requests that could serve it; raw: these, with nothing done to the answers");
    Ok(())
}

fn cases(sim: &Sim) -> Result<Vec<Case>> {
    let mut client = connect()?;
    client.batch_execute("ANALYZE clerk.users, clerk.organizations, clerk.organization_memberships")?;
    let user = client.query_one("SELECT email FROM clerk.users WHERE email LIKE '%@example.com' LIMIT 1", &[])?;
    let email: String = user.get(0);
    // Not one of the few that have more members than a page.
    let query = "SELECT organization_id, slug FROM clerk.organizations WHERE members_count BETWEEN 20 AND 500 LIMIT 1";
    let organization = client.query_one(query, &[])?;
    let (organization_id, slug): (String, String) = (organization.get(0), organization.get(1));

    let users = sim.users();
    let ids = |count: usize| -> Vec<&str> {
        users.iter().step_by(users.len() / count).take(count).map(|user| user.id.as_str()).collect()
    };
    let (hundred, thousand) = (ids(100), ids(1000));
    let batches = |ids: &[&str]| {
        ids.chunks(100).map(|ids| format!("/v1/users?limit=100&user_id={}", ids.join("&user_id="))).collect()
    };
    client.batch_execute(&format!(
        "CREATE TABLE orders AS SELECT row_number() OVER () AS id, user_id FROM unnest('{{{}}}'::text[]) AS user_id;
         ANALYZE orders",
        hundred.join(",")
    ))?;
    Ok(vec![
        Case {
            name: "user by email",
            sql: format!("SELECT * FROM clerk.users WHERE email = '{email}'"),
            times: 11,
            fewest: vec![format!("/v1/users?email_address={email}")],
        },
        Case {
            name: "10 newest users",
            sql: "SELECT * FROM clerk.users ORDER BY created_at DESC LIMIT 10".into(),
            times: 11,
            fewest: vec!["/v1/users?order_by=-created_at&limit=10".into()],
        },
        Case {
            name: "count of banned users",
            sql: "SELECT count(*) FROM clerk.users WHERE banned".into(),
            times: 11,
            fewest: vec!["/v1/users/count?banned=true".into()],
        },
        Case {
            name: "100 local rows joined on user_id",
            sql: "SELECT o.id, u.email FROM orders o JOIN clerk.users u ON u.user_id = o.user_id".into(),
            times: 3,
            fewest: batches(&hundred),
        },
        Case {
            name: "the same by = ANY (ARRAY(SELECT …))",
            sql: "SELECT user_id, email FROM clerk.users WHERE user_id = ANY (ARRAY(SELECT user_id FROM orders))"
                .into(),
            times: 11,
            fewest: batches(&hundred),
        },
        Case {
            name: "1,000 ids by = ANY",
            sql: format!("SELECT * FROM clerk.users WHERE user_id = ANY ('{{{}}}')", thousand.join(",")),
            times: 11,
            fewest: batches(&thousand),
        },
        Case {
            name: "members of one organization",
            sql: format!("SELECT * FROM clerk.organization_memberships WHERE organization_id = '{organization_id}'"),
            times: 11,
            fewest: vec![format!("/v1/organizations/{organization_id}/memberships?limit=500")],
        },
        Case {
            name: "organization by slug",
            sql: format!("SELECT * FROM clerk.organizations WHERE slug = '{slug}'"),
            times: 11,
            fewest: vec![format!("/v1/organizations/{slug}")],
        },
    ])
}

fn measure(sim: &Sim, case: &Case, latency: u64) -> Result<()> {
    let (time, requests) = run(sim, &mut connect()?, &case.sql, case.times)?;
    let raw = raw(sim, &case.fewest, case.times)?;
    println!(
        "| {:<43} | {latency:>4} ms | {:>8} | {:>8} | {:>6} | {:>10.2} | {:>8} | {:>6.2} |",
        case.name,
        shown(time),
        requests.len(),
        case.fewest.len(),
        requests.len() as f64 / case.fewest.len() as f64,
        shown(raw),
        time.as_secs_f64() / raw.as_secs_f64(),
    );
    Ok(())
}
