//! Mirrors that are dumped and restored.

use std::process::{Command, Stdio};

use serde_json::json;

use crate::common::*;
use crate::mirror::*;

#[test]
fn a_mirror_goes_on_where_it_was_dumped() {
    let is_there = |program| Command::new(program).arg("--version").stdout(Stdio::null()).status().is_ok();
    if !is_there("pg_dump") || !is_there("psql") {
        return;
    }
    let world = in_step("mirror_dumped", small(), "page_size '10'");
    world.run("ALTER TABLE m.users ADD COLUMN plan text DEFAULT 'free'");
    world.sim.delete_user(&world.sim.users()[0].id).unwrap();
    world.run("CALL clerk_fdw.sync('m')");
    let restored = format!("{}_restored", world.database());
    world.run(&format!("DROP DATABASE IF EXISTS {restored}"));
    world.run(&format!("CREATE DATABASE {restored}"));
    let mut dump = Command::new("pg_dump").arg(world.database()).stdout(Stdio::piped()).spawn().unwrap();
    let mut psql = Command::new("psql");
    psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &restored]).stdin(dump.stdout.take().unwrap());
    assert!(psql.stdout(Stdio::null()).status().unwrap().success(), "it cannot be restored");
    assert!(dump.wait().unwrap().success(), "it cannot be dumped");

    let session = world.connect_to(&restored);
    assert_in_step(&session, "restored");
    for query in [
        "SELECT string_agg(concat_ws(' ', mirror, object, relation, owner, rows, deleted, last_success, instance_id), '; ' ORDER BY object)
           FROM clerk_fdw.mirror_status",
        "SELECT string_agg(s::text, '; ' ORDER BY s::text) FROM clerk_fdw.sync_runs s",
    ] {
        assert_eq!(session.one::<String>(query), world.one::<String>(query));
    }
    world.sim.update_user(&world.sim.users()[3].id, json!({"first_name": "Ada"})).unwrap();
    session.run("CALL clerk_fdw.sync('m')");
    assert_in_step(&session, "synced");
    let users = logged(&session, "users");
    assert_eq!((&*users.mode, users.changes), ("incremental", Changes { inserted: 0, updated: 1, deleted: 0 }));
    assert!(users.requests <= 4, "{} requests", users.requests);
    assert_eq!(session.one::<i64>("SELECT count(*) FROM m.users WHERE plan = 'free'"), 60);
    // Its identities go on, too.
    session.run("SELECT clerk_fdw.create_mirror('clerk', schema => 'another')");
    drop(session);
    world.run(&format!("DROP DATABASE {restored} WITH (FORCE)"));
}
