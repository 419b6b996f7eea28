//! Mirrors, tables, servers and options that come and go.

use std::thread::Scope;

use super::actor::Actor;
use super::scene::Scene;

pub fn enter<'scope>(scope: &'scope Scope<'scope, '_>, scene: &'scope Scene<'scope>) {
    scope.spawn(move || {
        let mut number = 0;
        Actor::new(scene, &scene.moving, "definitions", 0).repeat(300, |actor| define(actor, &mut number));
    });
}

/// What drops whatever an interrupted round left.
pub const DROP_LEFTOVERS: &str = "
    SELECT clerk_fdw.drop_mirror(m) FROM (SELECT DISTINCT mirror AS m FROM clerk_fdw.mirror_status WHERE mirror LIKE 'temporary%') s;
    DROP SERVER IF EXISTS temporary CASCADE; DROP SCHEMA IF EXISTS temporary_tables CASCADE";

fn define(actor: &mut Actor, number: &mut u32) {
    let run = |actor: &mut Actor, what, statements: String| {
        actor.act(what, |session| session.client().batch_execute(&statements)).is_some()
    };
    match actor.random.u32(..6) {
        0 => {
            *number += 1;
            let mirror = format!("temporary_{number}");
            let objects =
                *actor.random.choice(&["{users}", "{organizations}", "{users, user_email_addresses}"]).unwrap();
            let create = format!(
                "{DROP_LEFTOVERS};
                 SELECT clerk_fdw.create_mirror('other', '{mirror}', '{objects}');
                 SELECT clerk_fdw.schedule_sync('{mirror}', '* * * * *');
                 SELECT clerk_fdw.enable_row_security('{mirror}');"
            );
            if run(actor, "define: create mirror", create) {
                let sync = match actor.random.bool() {
                    true => format!("CALL clerk_fdw.sync('{mirror}')"),
                    false => format!("SELECT clerk_fdw.start_sync('{mirror}')"),
                };
                run(actor, "sync: temporary mirror", sync);
                let alter = format!("SELECT clerk_fdw.alter_mirror('{mirror}', deletes => 'hard')");
                run(actor, "define: alter mirror", alter);
            }
            run(actor, "define: drop mirror", DROP_LEFTOVERS.to_owned());
        }
        1 => {
            let (pages, retries) = (actor.random.choice([50, 100, 500]).unwrap(), actor.random.u32(1..4));
            let options = format!("SET page_size '{pages}', SET max_retries '{retries}'");
            run(actor, "define: alter server", format!("ALTER SERVER clerk OPTIONS ({options})"));
        }
        2 => {
            run(actor, "define: analyze", "ANALYZE clerk.users; ANALYZE clerk.organization_memberships".to_owned());
        }
        3 => {
            let import = format!(
                "{DROP_LEFTOVERS};
                 CREATE SERVER temporary FOREIGN DATA WRAPPER clerk_fdw OPTIONS (api_url '{}', api_key '{}', rate_limit '{}');
                 CREATE SCHEMA temporary_tables;
                 IMPORT FOREIGN SCHEMA clerk FROM SERVER temporary INTO temporary_tables;
                 SELECT count(*) FROM temporary_tables.organizations",
                actor.scene.sim.url(),
                actor.scene.sim.key(),
                super::scene::LIMIT
            );
            run(actor, "define: server and import", import);
            run(actor, "define: drop mirror", DROP_LEFTOVERS.to_owned());
        }
        4 => {
            let copy = "DROP TABLE IF EXISTS temporary_copy; CREATE TABLE temporary_copy AS SELECT * FROM clerk.users;
                        DROP TABLE temporary_copy";
            run(actor, "define: table as", copy.to_owned());
        }
        _ => {
            let temporary = "CREATE TEMP TABLE few ON COMMIT DROP AS SELECT user_id FROM clerk.users LIMIT 20;
                             SELECT count(*) FROM few JOIN clerk.users USING (user_id)";
            run(actor, "define: temporary table", format!("BEGIN; {temporary}; COMMIT"));
        }
    }
}
