//! `clerk-hook` between a Clerk that sends and a Postgres that is restarted: no event is lost, none is applied twice.

use std::time::{Duration, Instant};

use clerk_sim::webhook::Receiver;
use serde_json::json;

use crate::support::*;

/// clerk-hook loses no event and applies none twice while Postgres is restarted.
#[test]
fn no_event_lost_while_postgres_restarts() {
    let cluster = Cluster::start();
    let mut world = World::at(cluster.host(), small(), "", "");
    world.run(&format!(
        "SELECT clerk_fdw.create_mirror('clerk', schema => 'm');
         SELECT clerk_fdw.add_webhook_secret('m', '{SECRET}');
         CREATE TABLE applied (user_id text);
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql
           AS $$ BEGIN INSERT INTO public.applied VALUES (new.user_id); RETURN NULL; END $$;
         CREATE TRIGGER note AFTER INSERT ON m.users FOR EACH ROW EXECUTE FUNCTION note()"
    ));
    world.run("CALL clerk_fdw.sync('m')");
    world.run("TRUNCATE applied");
    world.sim.clear_webhooks();
    let hook = Hook::start(cluster.host(), world.database(), "m");
    world.sim.set_receiver(Some(Receiver::new(hook.url(), SECRET).unwrap()));

    let mut random = fastrand::Rng::with_seed(1);
    let mut created = Vec::new();
    for change in 0..600 {
        match random.u8(..3) {
            0 if !created.is_empty() => {
                let user: &String = random.choice(&created).unwrap();
                world.sim.update_user(user, json!({"first_name": format!("Ada {change}")})).unwrap();
            }
            1 if created.len() > 20 => {
                let user = created.swap_remove(random.usize(..created.len()));
                world.sim.delete_user(&user).unwrap();
            }
            _ => created.push(world.sim.create_user(json!({"first_name": "Ada"})).unwrap()),
        }
        if change == 200 || change == 400 {
            cluster.restart();
        }
    }
    world.reconnect();
    let sent = world.sim.webhooks().len() as i64;
    assert!(sent >= 600);
    let start = Instant::now();
    while world.one::<i64>("SELECT count(*) FROM clerk_fdw.webhook_events") < sent {
        assert!(start.elapsed() < Duration::from_secs(150), "events are missing");
        std::thread::sleep(Duration::from_millis(100));
    }
    let twice = "SELECT count(*) - count(DISTINCT user_id) FROM applied";
    assert_eq!(world.one::<i64>(twice), 0, "a user was inserted twice");
    let odd = "SELECT count(*) FROM clerk_fdw.webhook_events WHERE outcome NOT IN ('applied', 'stale')";
    assert_eq!(world.one::<i64>(odd), 0);
    let here: Vec<String> =
        world.column("SELECT concat_ws(' ', user_id, first_name) FROM m.users WHERE deleted_at IS NULL");
    let there: Vec<String> = world.column("SELECT concat_ws(' ', user_id, first_name) FROM clerk.users");
    assert_eq!(sorted(here), sorted(there));
}
