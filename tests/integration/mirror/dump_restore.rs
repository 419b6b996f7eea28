//! Mirrors that are dumped and restored.

use std::process::{Command, Stdio};

use serde_json::json;

use crate::support::*;

/// A mirror that was dumped and restored goes on where it was, with its secrets, grants and row security.
#[test]
fn dump_and_restore() {
    let (Some(pg_dump), Some(psql)) = (client_program("pg_dump"), client_program("psql")) else {
        return skip("there is no pg_dump or no psql");
    };
    let world = synced_mirror(small(), "page_size '10'");
    let reader = world.role("reader");
    world.run(&format!(
        "ALTER TABLE m.users ADD COLUMN plan text DEFAULT 'free';
         CREATE ROLE {reader};
         GRANT USAGE ON SCHEMA clerk_fdw, m TO {reader};
         GRANT EXECUTE ON FUNCTION clerk_fdw.receive_webhook, clerk_fdw.current_user_id,
           clerk_fdw.current_organizations, clerk_fdw.current_visible_user_ids TO {reader};
         SELECT clerk_fdw.enable_row_security('m'), clerk_fdw.add_webhook_secret('m', '{SECRET}');
         GRANT SELECT ON m.visible_users TO {reader};
         -- Other servers first, so that oids differ where the dump is restored.
         CREATE SERVER a_server FOREIGN DATA WRAPPER clerk_fdw OPTIONS (api_key 'sk_test_simulator')"
    ));
    world.sim.delete_user(&world.sim.users()[0].id).unwrap();
    world.run("CALL clerk_fdw.sync('m')");
    let restored = format!("{}_restored", world.database());
    world.run(&format!("CREATE DATABASE {restored}"));
    let mut dump = Command::new(pg_dump).arg(world.database()).stdout(Stdio::piped()).spawn().unwrap();
    let mut psql = Command::new(psql);
    psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &restored]).stdin(dump.stdout.take().unwrap());
    assert!(psql.stdout(Stdio::null()).status().unwrap().success(), "it cannot be restored");
    assert!(dump.wait().unwrap().success(), "it cannot be dumped");

    let session = world.connect_to(&restored);
    assert_in_sync(&session, "restored");
    for query in [
        "SELECT string_agg(concat_ws(' ', mirror, object, relation, owner, rows, deleted, last_success, instance_id), '; ' ORDER BY object)
           FROM clerk_fdw.mirror_status",
        "SELECT string_agg(s::text, '; ' ORDER BY s::text) FROM clerk_fdw.sync_runs s",
    ] {
        assert_eq!(session.one::<String>(query), world.one::<String>(query));
    }
    world.sim.update_user(&world.sim.users()[3].id, json!({"first_name": "Ada"})).unwrap();
    session.run("CALL clerk_fdw.sync('m')");
    assert_in_sync(&session, "synced");
    let users = last_run(&session, "users");
    assert_eq!((&*users.mode, users.changes), ("incremental", Changes { inserted: 0, updated: 1, deleted: 0 }));
    assert!(users.requests <= 4, "{} requests", users.requests);
    assert_eq!(session.one::<i64>("SELECT count(*) FROM m.users WHERE plan = 'free'"), 60);
    // Secrets and grants came with it: a role that may hand webhooks over still may, and one that may see people does.
    let ada = world.sim.create_user(json!({"first_name": "Ada"})).unwrap();
    let delivery = world.sim.webhooks().pop().unwrap();
    session.run(&format!("SET ROLE {reader}"));
    assert_eq!(receive(&session, &delivery).unwrap(), "applied");
    session.rows_of("SELECT set_config('request.jwt.claims', $1, false)", &[&json!({"sub": ada}).to_string()]);
    assert_eq!(session.column::<String>("SELECT user_id FROM m.visible_users"), [ada]);
    session.run("RESET ROLE");
    // Its identities go on, too.
    session.run("SELECT clerk_fdw.create_mirror('clerk', schema => 'another')");
    drop(session);
    world.run(&format!("DROP DATABASE {restored} WITH (FORCE)"));
    world.run(&format!("DROP OWNED BY {reader}; DROP ROLE {reader}"));
}
