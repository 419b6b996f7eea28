//! How many rows a mirror has: kept in step with what changes them, and counted by full syncs.

use clerk_sim::Config;
use serde_json::json;

use crate::support::*;

/// The counts that are kept are those of the rows, table by table.
#[track_caller]
fn assert_counted(world: &World, context: &str) {
    for table in ["users", "organizations", "organization_memberships"] {
        let counted = world.rows(&format!(
            "SELECT count(*) FILTER (WHERE deleted_at IS NULL), count(*) FILTER (WHERE deleted_at IS NOT NULL) FROM m.{table}"
        ));
        let kept = world.rows(&format!(
            "SELECT rows, deleted FROM clerk_fdw.mirror_status WHERE mirror = 'm' AND object = '{table}'"
        ));
        let numbers = |rows: &[postgres::Row]| (rows[0].get::<_, i64>(0), rows[0].get::<_, i64>(1));
        assert_eq!(numbers(&kept), numbers(&counted), "{context}: {table}");
    }
}

/// The row counts that are kept are right after webhooks, refreshes, syncs and changes by hand.
#[test]
fn row_counts_follow_every_change() {
    for deletes in ["soft", "hard"] {
        let world = World::new(small());
        world.run(&format!(
            "SELECT clerk_fdw.create_mirror('clerk', schema => 'm', deletes => '{deletes}');
             SELECT clerk_fdw.add_webhook_secret('m', '{SECRET}')"
        ));
        world.run("CALL clerk_fdw.sync('m')");
        assert_counted(&world, "after the first sync");
        let users: Vec<String> = world.sim.users().iter().map(|user| user.id.clone()).collect();
        let organization = world.sim.organizations()[0].id.clone();
        world.sim.clear_webhooks();
        world.sim.delete_organization(&organization).unwrap();
        world.sim.delete_user(&users[0]).unwrap();
        let new = world.sim.create_user(json!({"email_address": ["new@example.com"]})).unwrap();
        world.sim.update_user(&new, json!({"first_name": "Ada"})).unwrap();
        world.sim.delete_user(&new).unwrap();
        let mut deliveries = world.sim.webhooks();
        // A deletion comes before what it deletes, and twice.
        deliveries.reverse();
        for delivery in deliveries.iter().chain(&deliveries) {
            receive(&world, delivery).unwrap();
            assert_counted(&world, &format!("{deletes}: after a webhook"));
        }
        world.sim.delete_user(&users[1]).unwrap();
        world
            .run(&format!("SELECT clerk_fdw.sync_user('m', '{}'), clerk_fdw.sync_user('m', '{}')", users[1], users[2]));
        assert_counted(&world, &format!("{deletes}: after sync_user"));
        world.sim.delete_user(&users[3]).unwrap();
        world.sim.create_user(json!({"email_address": ["other@example.com"]})).unwrap();
        for mode in ["incremental", "full"] {
            world.run(&format!("CALL clerk_fdw.sync('m', '{mode}')"));
            assert_counted(&world, &format!("{deletes}: after the {mode} sync"));
        }
        // What nobody noted, a full sync finds.
        world.run("DELETE FROM m.users WHERE user_id IN (SELECT user_id FROM m.users LIMIT 7)");
        world.run("CALL clerk_fdw.sync('m', 'full')");
        assert_counted(&world, &format!("{deletes}: after rows were deleted by hand"));
        assert_in_sync(&world, deletes);
        // A table that is in a mirror again has its rows.
        world.run("SELECT clerk_fdw.drop_mirror('m', keep_tables => true)");
        let tables = r#"{"users": "m.users", "organizations": "m.organizations", "organization_memberships": "m.organization_memberships"}"#;
        world.run(&format!(
            "SELECT clerk_fdw.create_mirror('clerk', schema => 'm', tables => '{tables}', columns => (
               SELECT jsonb_object_agg(object, columns) FROM (
                 SELECT object, jsonb_object_agg(name, name) AS columns FROM (
                   SELECT object, column_name AS name FROM clerk_fdw.columns()
                   UNION SELECT DISTINCT object, extra FROM clerk_fdw.columns(), unnest('{{synced_at,deleted_at}}'::text[]) extra) c
                  WHERE object IN ('users', 'organizations', 'organization_memberships') GROUP BY object) o))"
        ));
        assert_counted(&world, &format!("{deletes}: in a mirror again"));
    }
}

/// Transactions that stay open keep nobody waiting, and what they change counts when they commit.
#[test]
fn row_counts_with_open_transactions() {
    let world = synced_mirror(small(), "");
    let users: Vec<String> = world.sim.users().iter().map(|user| user.id.clone()).collect();
    world.run("SET lock_timeout = '20s'");
    let mut open = Vec::new();
    for (user, isolation) in users.iter().zip(["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE", "READ COMMITTED"]) {
        world.sim.delete_user(user).unwrap();
        let session = world.connect();
        session.run(&format!("BEGIN ISOLATION LEVEL {isolation}; SELECT clerk_fdw.sync_user('m', '{user}')"));
        open.push(session);
    }
    assert_counted(&world, "before they commit");
    world.sim.delete_user(&users[9]).unwrap();
    world.run(&format!("SELECT clerk_fdw.sync_user('m', '{}')", users[9]));
    assert_counted(&world, "beside them");
    for (session, end) in open.iter().zip(["ROLLBACK", "COMMIT", "COMMIT", "COMMIT"]) {
        session.run(end);
        assert_counted(&world, "after one of them");
    }
    world.run("CALL clerk_fdw.sync('m', 'full')");
    assert_counted(&world, "after a full sync");
    let slots = "SELECT count(*) - count(DISTINCT day) FROM clerk_fdw_internal.row_count WHERE object = 'users'";
    assert_eq!(world.one::<i64>(slots), 0, "as many rows as days");
    assert_in_sync(&world, "at the end");
}

/// An incremental sync looks up what has changed, and does not read the table for its count.
#[test]
fn incremental_sync_does_not_scan_the_table() {
    let world = synced_mirror(Config { users: 2000, ..small() }, "page_size '20'");
    world.run("VACUUM ANALYZE m.users");
    world.sim.update_user(&world.sim.users()[5].id, json!({"first_name": "Ada"})).unwrap();
    let scans = "SELECT seq_scan FROM pg_stat_user_tables WHERE relid = 'm.users'::regclass";
    let flushed = |world: &World| {
        // Another session's numbers are there once it has ended.
        std::thread::sleep(std::time::Duration::from_millis(1100));
        world.one::<i64>(scans)
    };
    let before = flushed(&world);
    let other = world.connect();
    other.run("CALL clerk_fdw.sync('m', 'incremental')");
    drop(other);
    assert_eq!(flushed(&world), before, "sequential scans of m.users");
    assert_in_sync(&world, "after an incremental sync");
}
