//! Syncs that run when they are due: one mirror that cannot be synced delays no other, nor one database the others.

use crate::support::*;

/// A schedule that nothing would keep, or that cannot be read, is an error with advice.
#[test]
fn schedule_without_scheduler_is_an_error() {
    let world = new_mirror(small(), "");
    let error = world.error("SELECT clerk_fdw.schedule_sync('m', '*/15 * * * *')");
    assert_eq!(error.code().code(), "55000");
    assert!(
        error_text(&error).contains("pg_cron") && error_text(&error).contains("shared_preload_libraries"),
        "{}",
        error_text(&error)
    );
    for wrong in ["*/15 * * *", "@hourly", "60 * * * *", "soon", ", * * * *", "0 1, * * *"] {
        let error = world.error(&format!("SELECT clerk_fdw.schedule_sync('m', '{wrong}')"));
        assert_eq!(error.code().code(), "22023", "{wrong}: {error}");
    }
}

/// A scheduled sync runs when it is due, and then at the next time.
#[test]
fn scheduled_sync_runs_when_due() {
    let cluster = Cluster::with("shared_preload_libraries = 'clerk_fdw'\nclerk_fdw.naptime = 1\n");
    let world = cluster.mirror_of_many();
    assert_eq!(world.one::<String>("SELECT clerk_fdw.schedule_sync('m', '0 0 1 1 *')"), "clerk_fdw");
    let next =
        "SELECT next_run > now() AND extract(day FROM next_run AT TIME ZONE 'UTC') = 1 FROM clerk_fdw_internal.mirror";
    assert!(world.one::<bool>(next));
    world.run("UPDATE clerk_fdw_internal.mirror SET next_run = now()");
    let done = "SELECT count(*) FROM clerk_fdw.sync_runs WHERE state = 'succeeded'";
    wait_until("it has run", || world.one::<i64>(done) == 3);
    assert_in_sync(&world, "the sync that was due");
    assert!(world.one::<bool>(next), "and then at the next time");
    world.run("SELECT clerk_fdw.unschedule_sync('m')");
    assert!(world.one::<bool>("SELECT schedule IS NULL AND next_run IS NULL FROM clerk_fdw_internal.mirror"));
}

/// Mirrors that cannot be synced back off, and delay no other.
#[test]
fn broken_mirror_delays_no_other() {
    let lines = "shared_preload_libraries = 'clerk_fdw'\nclerk_fdw.naptime = 1\n";
    let cluster = Cluster::with(lines);
    let world = World::at(cluster.host(), small(), "", "");
    let broken = ["schedule", "role", "server", "usage", "table", "locked"];
    for name in broken.iter().chain(&["good"]) {
        world.run(&format!(
            "SELECT clerk_fdw.create_mirror('clerk', schema => '{name}_', objects => '{{users}}');
             SELECT clerk_fdw.schedule_sync('{name}_', '0 0 1 1 *')"
        ));
    }
    world.run(
        "CREATE ROLE gone; CREATE ROLE poor;
         GRANT USAGE ON FOREIGN SERVER clerk TO gone, poor;
         SELECT clerk_fdw.alter_mirror('role_', owner => 'gone');
         SELECT clerk_fdw.alter_mirror('usage_', owner => 'poor');
         REVOKE USAGE ON FOREIGN SERVER clerk FROM gone, poor;
         DROP ROLE gone;
         CREATE SERVER other FOREIGN DATA WRAPPER clerk_fdw;
         SELECT clerk_fdw.alter_mirror('server_', server => 'other');
         DROP SERVER other;
         DROP TABLE table_.users",
    );
    // Such a schedule cannot be made by the functions, but may be left by an older version.
    world.run("UPDATE clerk_fdw_internal.mirror SET schedule = 'never' WHERE name = 'schedule_'");
    // And what a database's owner sets for its sessions is not for workers.
    world.run(&format!(
        "ALTER DATABASE {0} SET search_path = public; ALTER DATABASE {0} SET default_transaction_read_only = on",
        world.database()
    ));
    let lock = world.connect();
    lock.run("SET default_transaction_read_only = off");
    lock.run("BEGIN");
    lock.run("SELECT clerk_fdw.alter_mirror('locked_', deletes => 'hard')");
    let due = world.connect();
    due.run("SET default_transaction_read_only = off");
    due.run("UPDATE clerk_fdw_internal.mirror SET next_run = now() WHERE name <> 'locked_'");
    let started = std::time::Instant::now();
    let done = "SELECT count(*) FROM clerk_fdw.sync_runs WHERE state = 'succeeded' AND mirror = 'good_'";
    wait_until("the one that can be synced is", || due.one::<i64>(done) == 1);
    println!("after {:?}", started.elapsed());
    let backing_off =
        "SELECT name::text FROM clerk_fdw_internal.mirror WHERE failed_starts > 0 AND next_run > now() ORDER BY 1";
    wait_until("the others back off", || due.column::<String>(backing_off).len() == 5);
    assert_eq!(due.column::<String>(backing_off), ["role_", "schedule_", "server_", "table_", "usage_"]);
    lock.run("ROLLBACK");
}

/// A schedule that cannot be read is refused when it is made.
#[test]
fn unreadable_schedule_is_refused() {
    let world = World::new(small());
    world.run("SELECT clerk_fdw.create_mirror('clerk', schema => 'm')");
    assert_eq!(world.error("SELECT clerk_fdw.schedule_sync('m', 'never')").code().code(), "22023");
}

/// Where no worker is free, a sync that is due is tried again later, and the scheduler goes on.
#[test]
fn lack_of_workers_is_retried() {
    // The launcher of logical replication, the scheduler and its worker for one database take all there are.
    let lines = "shared_preload_libraries = 'clerk_fdw'\nclerk_fdw.naptime = 1\nmax_worker_processes = 3\n";
    let cluster = Cluster::with(lines);
    let world = World::at(cluster.host(), small(), "", "");
    world.run("SELECT clerk_fdw.create_mirror('clerk', schema => 'm', objects => '{users}')");
    world.run("SELECT clerk_fdw.schedule_sync('m', '0 0 1 1 *')");
    world.run("UPDATE clerk_fdw_internal.mirror SET next_run = now()");
    wait_until("it backs off", || {
        world.one("SELECT failed_starts = 1 AND next_run > now() FROM clerk_fdw_internal.mirror")
    });
    assert_eq!(
        world.one::<i64>("SELECT count(*) FROM clerk_fdw.sync_runs"),
        0,
        "nothing is left of what did not start"
    );
    world.run("UPDATE clerk_fdw_internal.mirror SET next_run = now()");
    wait_until("it is tried again", || world.one("SELECT failed_starts = 2 FROM clerk_fdw_internal.mirror"));
}
