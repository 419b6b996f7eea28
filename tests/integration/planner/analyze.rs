//! ANALYZE knows the tables after a few requests.

use clerk_sim::Config;

use crate::support::*;

/// ANALYZE counts every table right and takes a sample of those that are large.
#[test]
fn analyze_counts_and_samples() {
    let config = Config { users: 4000, organizations: 30, memberships: 3200, ..small() };
    let world = World::with(config, "page_size '100'");
    for (table, all, most) in [("users", 4000, 41), ("organizations", 30, 2), ("organization_memberships", 3200, 33)] {
        // Postgres wants 300 rows for each unit of the target.
        world.run("SET default_statistics_target = 5");
        for (target, requests) in [(5, 16), (100, most + 25)] {
            world.run(&format!("SET default_statistics_target = {target}"));
            world.requests();
            world.run(&format!("ANALYZE clerk.{table}"));
            let asked = world.requests().len();
            assert!(asked <= requests, "{asked} requests for {table} with {target}");
            let rows: f32 = world.one(&format!("SELECT reltuples FROM pg_class WHERE oid = 'clerk.{table}'::regclass"));
            assert_eq!(rows, all as f32, "{table}");
            let columns: i64 = world
                .one(&format!("SELECT count(*) FROM pg_stats WHERE schemaname = 'clerk' AND tablename = '{table}'"));
            assert!(columns > 5, "{columns} columns of {table}");
        }
    }
    let distinct: f32 = world.one(
        "SELECT n_distinct FROM pg_stats WHERE schemaname = 'clerk' AND tablename = 'users' AND attname = 'user_id'",
    );
    assert_eq!(distinct, -1.0, "every user has an id of its own");
    world.run("ALTER TABLE clerk.users DROP COLUMN email; ANALYZE clerk.users (user_id, created_at); ANALYZE");
}
