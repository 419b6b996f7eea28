//! Several tables, several servers, several roles in one query.

use std::collections::{BTreeMap, BTreeSet};

use clerk_sim::{Config, Sim};
use serde_json::Value;

use crate::common::*;

/// The fields of a membership that a test needs: user, organization and role.
fn memberships(sim: &Sim) -> Vec<(String, String, String)> {
    let field = |value: &Value| value.as_str().expect("a text").to_owned();
    let all = sim.memberships().into_iter().map(|membership| {
        let json: Value = serde_json::from_str(&membership.json).expect("JSON");
        (field(&json["public_user_data"]["user_id"]), field(&json["organization"]["id"]), field(&json["role"]))
    });
    all.collect()
}

/// Users, memberships and organizations joined are what Clerk has.
#[test]
fn joins_are_what_clerk_has() {
    let config = Config { users: 200, organizations: 30, memberships: 400, lone_surrogates: false, ..small() };
    let world = World::with(config, "page_size '30'");
    let expected = memberships(&world.sim).into_iter().collect::<BTreeSet<_>>();
    let query = "SELECT u.user_id, o.organization_id, m.role
                 FROM clerk.organization_memberships m
                 JOIN clerk.users u ON u.user_id = m.user_id
                 JOIN clerk.organizations o ON o.organization_id = m.organization_id";
    for setting in ["enable_hashjoin", "enable_mergejoin", "enable_nestloop"] {
        world.run(&format!("SET {setting} = off"));
        let rows = world.rows(query);
        assert_eq!(rows.len(), expected.len());
        let found: BTreeSet<_> = rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
        assert!(found == expected, "without {setting}");
        world.run(&format!("RESET {setting}"));
    }

    let mut counts = BTreeMap::<String, i64>::new();
    for (user, ..) in &expected {
        *counts.entry(user.clone()).or_default() += 1;
    }
    let rows = world.rows(
        "SELECT user_id, count(m.organization_id) FROM clerk.users LEFT JOIN clerk.organization_memberships m USING (user_id)
         GROUP BY user_id",
    );
    assert_eq!(rows.len(), 200);
    for row in rows {
        assert_eq!(row.get::<_, i64>(1), counts.get(row.get::<_, &str>(0)).copied().unwrap_or(0));
    }
    let without = "SELECT count(*) FROM clerk.users u
                   WHERE NOT EXISTS (SELECT FROM clerk.organization_memberships m WHERE m.user_id = u.user_id)";
    assert_eq!(world.one::<i64>(without), 200 - counts.len() as i64);
}

/// The plan of a join is never one that reads a whole table for each row of another.
#[test]
fn no_join_reads_a_table_for_each_row() {
    let world = World::with(Config { users: 300, organizations: 40, ..small() }, "page_size '100'");
    for query in [
        "SELECT count(*) FROM clerk.users u JOIN clerk.organization_memberships m USING (user_id)
         JOIN clerk.organizations o USING (organization_id)",
        "SELECT count(*) FROM clerk.organizations o LEFT JOIN clerk.users u ON u.user_id = o.created_by",
        "SELECT count(*) FROM clerk.users u JOIN clerk.organizations o ON o.created_by = u.user_id WHERE o.name <> 'x'",
    ] {
        // Planned from nothing, and once more from what the first run saw.
        for _ in 0..2 {
            world.one::<i64>(query);
            let requests = world.requests();
            assert!(requests.len() < 40, "{} requests for {query}", requests.len());
        }
    }
}

/// A table joined with itself is read twice, and each time whole.
#[test]
fn a_table_joins_itself() {
    let world = World::with(Config { users: 150, ..small() }, "page_size '20'");
    let query = "SELECT a.user_id FROM clerk.users a JOIN clerk.users b USING (user_id) WHERE a.attrs = b.attrs";
    assert_same(world.column(query), &ids(&world.sim.users()), query);
    let pairs = "SELECT count(*) FROM clerk.organizations a, clerk.organizations b";
    assert_eq!(world.one::<i64>(pairs), 64);
}

/// Two lists read in turns, neither to its end before the other, do not wait for each other.
#[test]
fn lists_are_read_in_turns() {
    let config = Config { users: 1500, organizations: 300, ..small() };
    let world = World::with(config, "page_size '10', max_concurrency '2'");
    world.run("BEGIN");
    for cursor in 0..6 {
        let table = ["users", "organizations"][cursor % 2];
        world.run(&format!("DECLARE c{cursor} CURSOR FOR SELECT * FROM clerk.{table}"));
    }
    let mut rows = [0; 6];
    for turn in 0..240 {
        rows[turn % 6] += world.rows(&format!("FETCH {} FROM c{}", 1 + turn % 17, turn % 6)).len();
    }
    assert!(rows.iter().all(|rows| *rows > 200), "{rows:?}");
    world.run("ROLLBACK");
}

/// Two servers with two keys in one query: each request carries the key of its own server.
#[test]
fn each_server_has_its_own_key() {
    let keys = ["sk_live_one", "sk_live_two", KEY].map(str::to_owned).to_vec();
    let world = World::new(Config { keys, ..small() });
    world.server("one", &world.sim, "sk_live_one", "page_size '20'");
    world.server("two", &world.sim, "sk_live_two", "page_size '3'");
    let query = "SELECT count(*) FROM one.users u LEFT JOIN two.organizations o ON o.created_by = u.user_id";
    for _ in 0..3 {
        assert!(world.one::<i64>(query) >= 60);
    }
    let requests = world.requests();
    for request in &requests {
        let expected = if request.path.starts_with("/v1/users") { 0 } else { 1 };
        assert_eq!(request.key, Some(expected), "{}", request.target);
    }
    assert!(requests.iter().any(|request| request.key == Some(1)));

    // Two instances with different data.
    let other = Sim::start(Config { users: 25, seed: 2, ..small() }).unwrap();
    world.server("other", &other, KEY, "");
    let both = "SELECT (SELECT count(*) FROM one.users), (SELECT count(*) FROM other.users),
                       (SELECT count(*) FROM one.users JOIN other.users USING (user_id))";
    let rows = world.rows(both);
    assert_eq!((rows[0].get::<_, i64>(0), rows[0].get::<_, i64>(1), rows[0].get::<_, i64>(2)), (60, 25, 0));
}

/// A view reads with its owner's key, a SECURITY DEFINER function with its owner's, everything else with the role's own.
#[test]
fn a_views_owner_lends_the_key() {
    let keys = [KEY, "sk_live_owner", "sk_live_reader"].map(str::to_owned).to_vec();
    let world = World::new(Config { keys, ..small() });
    let (owner, reader) = (&world.role("owner"), &world.role("reader"));
    world.run(&format!(
        "CREATE ROLE {owner}; CREATE ROLE {reader};
         GRANT USAGE ON SCHEMA clerk TO {owner}, {reader};
         GRANT SELECT ON ALL TABLES IN SCHEMA clerk TO {owner}, {reader};
         CREATE USER MAPPING FOR {owner} SERVER clerk OPTIONS (api_key 'sk_live_owner');
         CREATE SCHEMA shown; GRANT ALL ON SCHEMA shown TO {owner}, {reader};
         CREATE VIEW shown.users AS SELECT user_id FROM clerk.users;
         CREATE FUNCTION shown.count_users() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM clerk.users';
         ALTER VIEW shown.users OWNER TO {owner};
         ALTER FUNCTION shown.count_users() OWNER TO {owner};
         GRANT SELECT ON shown.users TO {reader};
         SET ROLE {reader}"
    ));
    let key = |query: &str| {
        world.one::<i64>(query);
        let keys: BTreeSet<_> = world.requests().into_iter().map(|request| request.key).collect();
        assert_eq!(keys.len(), 1, "{query}: {keys:?}");
        keys.first().copied().flatten()
    };
    assert_eq!(key("SELECT count(*) FROM shown.users"), Some(1));
    assert_eq!(key("SELECT shown.count_users()"), Some(1));
    let refused = world.error("SELECT count(*) FROM clerk.users");
    assert_eq!(refused.code().code(), "HV00N", "{refused:?}");
    assert_eq!(world.targets(), [""; 0]);

    world.run(&format!("RESET ROLE; CREATE USER MAPPING FOR {reader} SERVER clerk OPTIONS (api_key 'sk_live_reader')"));
    world.run("PREPARE count_users AS SELECT count(*) FROM clerk.users");
    assert_eq!(key("EXECUTE count_users"), Some(0));
    world.run(&format!("SET ROLE {reader}"));
    assert_eq!(key("EXECUTE count_users"), Some(2), "a plan belongs to no role");
    assert_eq!(key("SELECT count(*) FROM shown.users"), Some(1));

    // A mapping for everybody is what remains without one's own.
    world.run(&format!(
        "RESET ROLE; DROP USER MAPPING FOR {reader} SERVER clerk;
         CREATE USER MAPPING FOR PUBLIC SERVER clerk OPTIONS (api_key '{KEY}');
         SET ROLE {reader}"
    ));
    assert_eq!(key("SELECT count(*) FROM clerk.users"), Some(0));
    if world.one::<i32>("SELECT current_setting('server_version_num')::int") >= 150_000 {
        world
            .run(&format!("SET ROLE {owner}; ALTER VIEW shown.users SET (security_invoker = true); SET ROLE {reader}"));
        assert_eq!(key("SELECT count(*) FROM shown.users"), Some(0), "an invoker's view lends nothing");
    }
    world.run(&format!("RESET ROLE; DROP OWNED BY {owner}, {reader} CASCADE; DROP ROLE {owner}, {reader}"));
}
