//! Webhooks at the same time as each other, as refreshes and as syncs.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clerk_sim::webhook::Delivery;
use fastrand::Rng;
use serde_json::json;

use crate::support::*;

fn waits_for_lock(world: &World, pid: i32) -> bool {
    world.one(&format!("SELECT count(*) > 0 FROM pg_locks WHERE pid = {pid} AND NOT granted"))
}

/// Of two deliveries of one webhook at once one is applied.
#[test]
fn duplicate_at_once() {
    let world = webhook_mirror("soft");
    world.sim.create_user(json!({})).unwrap();
    world.sim.create_user(json!({})).unwrap();
    let [first, second] = <[Delivery; 2]>::try_from(world.sim.webhooks()).unwrap();
    for (delivery, ends, expected) in [(first, "COMMIT", "duplicate"), (second, "ROLLBACK", "applied")] {
        world.run("BEGIN");
        assert_eq!(receive(&world, &delivery).unwrap(), "applied");
        let other = world.connect();
        let pid = other.pid();
        let outcome = std::thread::scope(|scope| {
            let waiting = scope.spawn(move || receive(&other, &delivery).unwrap());
            wait_until("the second waits", || waits_for_lock(&world, pid));
            world.run(ends);
            waiting.join().unwrap()
        });
        assert_eq!(outcome, expected, "{ends}");
    }
}

/// A deletion waits for an update of the same object that is not committed yet.
#[test]
fn update_and_delete_at_once() {
    let world = webhook_mirror("hard");
    let id = world.sim.create_user(json!({})).unwrap();
    world.sim.delete_user(&id).unwrap();
    let [created, deleted] = <[Delivery; 2]>::try_from(world.sim.webhooks()).unwrap();
    world.run("BEGIN");
    assert_eq!(receive(&world, &created).unwrap(), "applied");
    let other = world.connect();
    let pid = other.pid();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(move || receive(&other, &deleted).unwrap());
        wait_until("the deletion waits", || waits_for_lock(&world, pid));
        world.run("COMMIT");
        assert_eq!(waiting.join().unwrap(), "applied");
    });
    assert_eq!(world.one::<i64>(&format!("SELECT count(*) FROM m.users WHERE user_id = '{id}'")), 0);
}

/// A mirror is dropped with all that belongs to it, even with what a delivery writes at the same time.
#[test]
fn delivery_and_drop_at_once() {
    let world = webhook_mirror("soft");
    world.sim.create_user(json!({})).unwrap();
    world.sim.create_user(json!({})).unwrap();
    let [first, second] = <[Delivery; 2]>::try_from(world.sim.webhooks()).unwrap();
    let (dropping, late) = (world.connect(), world.connect());
    let [dropping_pid, late_pid] = [&dropping, &late].map(|session| session.pid());
    world.run("BEGIN");
    assert_eq!(receive(&world, &first).unwrap(), "applied");
    let refused = std::thread::scope(|scope| {
        let dropping = scope.spawn(move || {
            dropping.run("BEGIN; SELECT clerk_fdw.drop_mirror('m')");
            dropping
        });
        wait_until("the drop waits for the delivery", || waits_for_lock(&world, dropping_pid));
        let late = scope.spawn(move || receive(&late, &second).unwrap_err());
        wait_until("a later delivery waits for the drop", || waits_for_lock(&world, late_pid));
        world.run("COMMIT");
        dropping.join().unwrap().run("COMMIT");
        late.join().unwrap()
    });
    assert_eq!(refused.message(), "mirror \"m\" does not exist");
    assert_eq!(world.one::<i64>("SELECT count(*) FROM clerk_fdw_internal.webhook_event"), 0);
}

/// A mirror that is dropped while its events are retried goes with all that the retries write.
#[test]
fn retry_and_drop_at_once() {
    let world = webhook_mirror("soft");
    world.run("ALTER TABLE m.users ADD CONSTRAINT never CHECK (false) NOT VALID");
    for _ in 0..2 {
        world.sim.create_user(json!({})).unwrap();
    }
    for delivery in world.sim.webhooks() {
        assert_eq!(receive(&world, &delivery).unwrap(), "failed");
    }
    world.run("ALTER TABLE m.users DROP CONSTRAINT never");
    let (dropping, late) = (world.connect(), world.connect());
    let [dropping_pid, late_pid] = [&dropping, &late].map(|session| session.pid());
    let retry = |max_events| format!("SELECT outcome FROM clerk_fdw.retry_webhooks('m', {max_events})");
    world.run("BEGIN");
    assert_eq!(world.column::<String>(&retry(1)), ["applied"]);
    let retried = std::thread::scope(|scope| {
        let dropping = scope.spawn(move || {
            dropping.run("BEGIN; SELECT clerk_fdw.drop_mirror('m')");
            dropping
        });
        wait_until("the drop waits for the retry", || waits_for_lock(&world, dropping_pid));
        let late = scope.spawn(move || late.column::<String>(&retry(2)));
        wait_until("a later retry waits for the drop", || waits_for_lock(&world, late_pid));
        world.run("COMMIT");
        dropping.join().unwrap().run("COMMIT");
        late.join().unwrap()
    });
    assert_eq!(retried, [""; 0]);
    assert_eq!(world.one::<i64>("SELECT count(*) FROM clerk_fdw_internal.webhook_event"), 0);
}

/// What may end a statement here, and is tried again by whoever sent it: a timeout, a killed backend.
fn is_meant(code: &str) -> bool {
    matches!(code, "57014" | "57P01")
}

/// Ends the others when one has failed, so that they do not wait for it.
struct EndOnPanic<'e>(&'e AtomicBool);

impl Drop for EndOnPanic<'_> {
    fn drop(&mut self) {
        self.0.fetch_or(std::thread::panicking(), Ordering::Relaxed);
    }
}

/// Webhooks, refreshes and syncs at once end in Clerk's state.
#[test]
fn webhooks_refreshes_and_syncs_at_once() {
    for (seed, deletes) in [(1, "soft"), (2, "hard")] {
        storm(seed, deletes);
    }
}

fn storm(seed: u64, deletes: &str) {
    let config = clerk_sim::Config { users: 120, organizations: 6, memberships: 200, ..small() };
    let world = World::with(config, "page_size '20'");
    world.run(&format!(
        "SELECT clerk_fdw.create_mirror('clerk', schema => 'm', deletes => '{deletes}');
         SELECT clerk_fdw.add_webhook_secret('m', '{SECRET}')"
    ));
    world.run("CALL clerk_fdw.sync('m')");
    world.sim.clear_webhooks();
    let (address, sim) = (world.address(), &world.sim);
    let queue = Mutex::new(Vec::new());
    let is_over = AtomicBool::new(false);
    let until_over = |mut action: Box<dyn FnMut() + Send + '_>| {
        while !is_over.load(Ordering::Relaxed) {
            action();
        }
    };
    std::thread::scope(|scope| {
        // The senders, who try again until it is taken.
        for _ in 0..4 {
            scope.spawn(|| {
                let _end = EndOnPanic(&is_over);
                let mut session = address.connect();
                loop {
                    let Some(delivery) = queue.lock().unwrap().pop() else {
                        if is_over.load(Ordering::Relaxed) {
                            return;
                        }
                        std::thread::sleep(Duration::from_millis(1));
                        continue;
                    };
                    while let Err(error) = receive(&session, &delivery) {
                        assert!(is_meant(error.code().code()), "a webhook: {error:?}");
                        session = address.connect();
                    }
                }
            });
        }
        // Refreshes of users who share organizations, with timeouts in between.
        for thread in 0..2 {
            let (address, until_over, is_over) = (&address, &until_over, &is_over);
            scope.spawn(move || {
                let _end = EndOnPanic(is_over);
                let session = address.connect();
                let mut random = Rng::with_seed(seed * 10 + thread);
                until_over(Box::new(move || {
                    let users = sim.users();
                    let user = &users[random.usize(..users.len())].id;
                    let timeout = [0, 5, 50][random.usize(..3)];
                    // The timeout that it ends may meet this statement, too.
                    let set = format!("SET statement_timeout = '{timeout}ms'");
                    while session.client().batch_execute(&set).is_err() {}
                    if let Err(error) = session
                        .try_column::<Option<String>>(&format!("SELECT clerk_fdw.sync_user('m', '{user}')::text"))
                    {
                        assert!(is_meant(error.code().code()), "a refresh: {error:?}");
                    }
                }));
            });
        }
        // A sync after the other, whose backend is killed now and then.
        scope.spawn(|| {
            let _end = EndOnPanic(&is_over);
            let mut session = address.connect();
            let mut random = Rng::with_seed(seed);
            until_over(Box::new(|| {
                let pid = session.pid();
                let killer = (random.u8(..4) == 0).then(|| address.connect());
                let done = std::thread::scope(|scope| {
                    scope.spawn(move || {
                        if let Some(killer) = killer {
                            std::thread::sleep(Duration::from_millis(30));
                            killer.run(&format!("SELECT pg_terminate_backend({pid})"));
                        }
                    });
                    session.client().batch_execute("CALL clerk_fdw.sync('m', mode => 'full', force => true)")
                });
                if let Err(error) = done {
                    let code = error.as_db_error().map(|error| error.code().code().to_owned());
                    assert!(
                        code.as_deref().is_none_or(is_meant) || code.as_deref() == Some("HV000"),
                        "a sync: {error:?}"
                    );
                    session = address.connect();
                }
            }));
        });
        // Clerk, which changes and tells of it in any order.
        let _end = EndOnPanic(&is_over);
        let mut random = Rng::with_seed(seed + 100);
        let start = Instant::now();
        let mut n = 0;
        while start.elapsed() < Duration::from_secs(4) && !is_over.load(Ordering::Relaxed) {
            let (users, organizations) = (sim.users(), sim.organizations());
            let user = users[random.usize(..users.len())].id.clone();
            let organization = organizations[random.usize(..organizations.len())].id.clone();
            n += 1;
            match random.u8(..10) {
                0 => drop(sim.create_user(json!({"first_name": format!("New {n}")}))),
                1 if users.len() > 60 => drop(sim.delete_user(&user)),
                2 | 3 => drop(sim.create_membership(&user, &organization, json!({}))),
                4 => {
                    let memberships = sim.memberships();
                    if !memberships.is_empty() {
                        drop(sim.delete_membership(&memberships[random.usize(..memberships.len())].id));
                    }
                }
                5 => drop(sim.update_organization(&organization, json!({"name": format!("Name {n}")}))),
                _ => drop(sim.update_user(&user, json!({"first_name": format!("Ada {n}")}))),
            }
            let mut deliveries = sim.webhooks();
            sim.clear_webhooks();
            random.shuffle(&mut deliveries);
            queue.lock().unwrap().extend(deliveries);
            std::thread::sleep(Duration::from_millis(2));
        }
        // The senders go on until everything is taken.
        is_over.store(true, Ordering::Relaxed);
    });
    world.run("CALL clerk_fdw.sync('m', mode => 'full', force => true)");
    assert_in_sync(&world, &format!("seed {seed}"));
    let open = "SELECT count(*) FROM clerk_fdw.webhook_events WHERE outcome = 'failed'";
    assert_eq!(world.one::<i64>(open), 0);
}

/// An open transaction that has refreshed a user keeps nobody waiting but those who change the same objects.
#[test]
fn open_transaction_blocks_no_other_webhook() {
    let world = synced_mirror(clerk_sim::Config { users: 40, ..small() }, "page_size '20'");
    world.run(&format!("SELECT clerk_fdw.add_webhook_secret('m', '{SECRET}')"));
    let users = ids(&world.sim.users());
    let open = world.connect();
    open.run(&format!("BEGIN; SELECT clerk_fdw.sync_user('m', '{}')", users[0]));
    for user in &users {
        world.sim.update_user(user, json!({"first_name": "Changed"})).unwrap();
    }
    world.sim.clear_webhooks();
    let address = world.address();
    std::thread::scope(|scope| {
        let sync = scope.spawn(|| address.connect().run("CALL clerk_fdw.sync('m', mode => 'full')"));
        let waits = "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND locktype = 'object'";
        let look = world.connect();
        wait_until("the sync waits for that user alone", || look.one(waits));
        let sender = world.connect();
        sender.run("SET statement_timeout = '20s'");
        for user in &users[1..] {
            world.sim.update_user(user, json!({"first_name": "Again"})).unwrap();
        }
        for delivery in world.sim.webhooks() {
            receive(&sender, &delivery).unwrap();
        }
        open.run("COMMIT");
        sync.join().unwrap();
    });
    world.run("CALL clerk_fdw.sync('m')");
    assert_in_sync(&world, "after all");
}
