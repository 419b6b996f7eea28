//! Lookup joins: local rows joined with Clerk's by asking for a hundred keys in one request.
//!
//! Most tests switch Postgres' own joins off, so that small tables are joined this way as well. What the planner does by
//! itself is in `choice.rs`, and how many requests it takes in `requests.rs`.

mod arrays_and_alternatives;
mod choice;
mod cursors;
mod explain;
mod interruption;
mod join_types;
mod keys;
mod locking;
mod memory;
mod owners;
mod requests;
mod rescans;
mod statements;
mod writes;

use clerk_sim::{Config, Request};
use serde_json::{Value, json};

use crate::support::*;

/// Leaves Postgres no join of its own that it would prefer.
const ONLY_LOOKUPS: &str = "SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_nestloop = off";

/// What EXPLAIN calls the join.
const NODE: &str = "Custom Scan (Clerk Lookup Join)";

/// Local orders of users, with everything that a key can be: none, unknown, empty, very long, in other letters, or an
/// address that is not the user's first. The primary key comes before the updates: Postgres leaves an index on rows that
/// were just updated unused for as long as another session may see the old ones.
const ORDERS: &str = "
    CREATE SCHEMA own;
    CREATE TABLE own.orders AS
      SELECT n AS id, u.user_id, u.email, u.phone_number, u.username, u.external_id, u.web3_wallet, o.organization_id,
             ARRAY[u.user_id, v.user_id, NULL, 'user_nobody', u.user_id] AS user_ids, u.created_at AS at,
             'note ' || n % 7 AS note, n % 5 AS amount, n % 3 = 0 AS flag
        FROM generate_series(1, 250) n
        JOIN (SELECT row_number() OVER (ORDER BY user_id) AS place, count(*) OVER () AS many, * FROM copy.users) u
          ON u.place = n * 31 % u.many + 1
        JOIN (SELECT row_number() OVER (ORDER BY user_id) AS place, count(*) OVER () AS many, * FROM copy.users) v
          ON v.place = n * 7 % v.many + 1
        JOIN (SELECT row_number() OVER (ORDER BY organization_id) AS place, count(*) OVER () AS many, * FROM copy.organizations) o
          ON o.place = n % o.many + 1;
    ALTER TABLE own.orders ADD PRIMARY KEY (id);
    UPDATE own.orders SET (user_id, email, phone_number, username, external_id, web3_wallet, organization_id, user_ids)
      = (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) WHERE id % 17 = 0;
    UPDATE own.orders SET (user_id, email, username, external_id, organization_id, user_ids)
      = ('user_nobody' || id, 'nobody@example.com', 'nobody', 'nobody', 'org_nobody', '{}') WHERE id % 19 = 0;
    UPDATE own.orders SET (user_id, email, username, external_id) = (upper(user_id), upper(email), upper(username), upper(external_id))
      WHERE id % 13 = 0;
    UPDATE own.orders SET (email, phone_number) = ('ada@work.example', '+15550100002') WHERE id IN (3, 4);
    UPDATE own.orders SET (user_id, email, phone_number, username, external_id, web3_wallet, organization_id)
      = ('', '', '', '', '', '', '') WHERE id = 5;
    UPDATE own.orders SET (user_id, email, phone_number, username, external_id, web3_wallet, organization_id)
      = (long, long, long, long, long, long, long) FROM (SELECT repeat('x', 9000) AS long) l WHERE id = 6;
    UPDATE own.orders SET (user_id, external_id, username, email) = ('+user_ada', '+ada', 'ADA', 'ADA@example.COM') WHERE id = 7;
    UPDATE own.orders SET (user_id, external_id, username, email) = ('user_ada ', '-bob', '100%_sure', 'cyd%100@example.com') WHERE id = 8;
    UPDATE own.orders SET (user_id, external_id, username, email, organization_id, amount)
      = ('user_ada', '+ada', 'ada', 'ada@example.com', 'org_acme', 3) WHERE id IN (10, 11, 12);
    CREATE TABLE own.nothing (LIKE own.orders);
    ANALYZE own.orders";

/// People who have a wallet, several addresses, and addresses in both cases.
fn settle(world: &World) {
    create_people(world);
    for n in 0..12 {
        let addresses: Vec<_> = ["", "+work", "+home"].map(|tag| format!("Eve{n}{tag}@Example.com")).into();
        let fields = json!({
            "email_address": addresses, "phone_number": [format!("+1555020{n:04}"), format!("+1555030{n:04}")],
            "username": format!("eve_{n}"), "external_id": format!("Eve-{n}"), "web3_wallet": format!("0x{n:040x}"),
        });
        world.sim.create_user(fields).expect("a user");
    }
}

/// A world with orders and copies of Clerk's tables, in which joins are lookup joins.
fn orders() -> Oracle {
    let config = Config { lone_surrogates: false, memberships: 150, ..small() };
    let world = World::with(config, "");
    settle(&world);
    let oracle = Oracle::of(world, "");
    oracle.run(ORDERS);
    oracle.run(ONLY_LOOKUPS);
    oracle
}

/// A world of so many users, without copies, whose users' ids are in `own.known (n, user_id)`.
fn crowd(users: usize, options: &str) -> World {
    let config = Config { users, organizations: 40, memberships: 500, lone_surrogates: false, ..small() };
    let world = World::with(config, options);
    world.run("CREATE SCHEMA own; CREATE TABLE own.known (n int PRIMARY KEY, user_id text)");
    world.rows_of(
        "INSERT INTO own.known SELECT n, id FROM unnest($1::text[]) WITH ORDINALITY u(id, n)",
        &[&ids(&world.sim.users())],
    );
    world.run("ANALYZE own.known");
    world.requests();
    world
}

/// The plan in words.
fn plan_of(session: &Session, query: &str) -> String {
    session.column::<String>(&format!("EXPLAIN (COSTS OFF) {query}")).join("\n")
}

/// Each query, with its name, is a lookup join and gives what it gives over the copies. All that is wrong is told at
/// once.
#[track_caller]
fn check(oracle: &Oracle, cases: &[(&str, &str)]) {
    let cases: Vec<_> = cases.iter().map(|(name, query)| (*name, *query, 1)).collect();
    check_several(oracle, &cases);
}

/// The same with the number of lookup joins that the plan has at least; none says that any plan will do.
#[track_caller]
fn check_several(oracle: &Oracle, cases: &[(&str, &str, usize)]) {
    let mut wrong = String::new();
    for (name, query, joins) in cases {
        let plan = match oracle.texts(&format!("EXPLAIN (COSTS OFF) {query}")) {
            Ok(rows) => rows.concat().into_iter().flatten().collect::<Vec<_>>().join("\n"),
            Err(error) => {
                wrong += &format!("\n{name}: {error}\n{query}\n");
                continue;
            }
        };
        if plan.matches(NODE).count() < *joins {
            wrong += &format!("\n{name}: not {joins} lookup joins\n{query}\n{plan}\n");
        }
        if let Some(difference) = oracle.difference(query) {
            wrong += &format!("\n{name}: gave {difference}\n{query}\n{plan}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// What was asked since this was last asked, without the counts that bear out where a list ends.
fn asked(world: &World) -> Vec<Request> {
    world.wait_until_idle();
    world.requests().into_iter().filter(|request| request.path != "/v1/users/count").collect()
}

/// The rows that the query gives, and how many requests it made.
#[track_caller]
fn rows_and_requests(world: &World, query: &str) -> (usize, usize) {
    world.assert_quiet(query);
    let rows = world.rows(query).len();
    (rows, asked(world).len())
}

/// How many users a request asks for by their ids.
fn ids_in(request: &Request) -> usize {
    match request.path.strip_prefix("/v1/users/") {
        Some(_) => 1,
        None => request.parameters("user_id").len(),
    }
}

/// The nodes of a plan in JSON that are lookup joins.
fn lookup_joins(plan: &Value) -> Vec<Value> {
    let mut found: Vec<Value> = plan["Plans"].as_array().into_iter().flatten().flat_map(lookup_joins).collect();
    found.extend((plan["Custom Plan Provider"] == "Clerk Lookup Join").then(|| plan.clone()));
    found
}

/// What EXPLAIN says about the lookup joins of a query.
#[track_caller]
fn explained(session: &Session, options: &str, query: &str) -> Vec<Value> {
    let plan = session.one::<Value>(&format!("EXPLAIN ({options}FORMAT JSON) {query}"));
    lookup_joins(&plan[0]["Plan"])
}
