//! Joins of foreign tables, whichever way Postgres joins them.

use std::collections::{BTreeMap, BTreeSet};

use clerk_sim::{Config, Sim};
use serde_json::Value;

use crate::support::*;

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
fn every_join_method_agrees() {
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
fn no_join_reads_a_table_per_row() {
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
fn self_join() {
    let world = World::with(Config { users: 150, ..small() }, "page_size '20'");
    let query = "SELECT a.user_id FROM clerk.users a JOIN clerk.users b USING (user_id) WHERE a.attrs = b.attrs";
    assert_same_ids(world.column(query), &ids(&world.sim.users()), query);
    let pairs = "SELECT count(*) FROM clerk.organizations a, clerk.organizations b";
    assert_eq!(world.one::<i64>(pairs), 64);
}
