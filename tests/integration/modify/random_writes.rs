//! Rounds of writes that nobody thought of, with rollbacks, late and repeated events and syncs in between: in the end the
//! mirror is what Clerk is.
//!
//! A failure prints the seed, the round and what was done in it.

use clerk_sim::Config;
use clerk_sim::webhook::Delivery;
use fastrand::Rng;

use crate::support::*;

#[test]
fn random_writes_with_soft_delete() {
    for seed in 1..=2 {
        rounds(seed, "soft");
    }
}

#[test]
fn random_writes_with_hard_delete() {
    for seed in 3..=4 {
        rounds(seed, "hard");
    }
}

fn rounds(seed: u64, deletes: &str) {
    let world =
        writable_with(Config { users: 12, organizations: 5, memberships: 15, seed, ..small() }, "page_size '10'");
    world.run(&format!(
        "SELECT clerk_fdw.create_mirror('clerk', schema => 'm', deletes => '{deletes}');
         SELECT clerk_fdw.add_webhook_secret('m', '{SECRET}')"
    ));
    world.run("CALL clerk_fdw.sync('m')");
    world.sim.clear_webhooks();
    let mut random = Rng::with_seed(seed);
    let mut late: Vec<Delivery> = Vec::new();
    for round in 0..12 {
        let mut history = format!("seed {seed}, round {round}:");
        for _ in 0..random.usize(1..8) {
            step(&world, &mut random, &mut late, &mut history);
        }
        // In the end all events arrive, in some order, some of them twice.
        late.extend(world.sim.webhooks());
        world.sim.clear_webhooks();
        let twice: Vec<_> = late.iter().filter(|_| random.u8(..4) == 0).cloned().collect();
        late.extend(twice);
        random.shuffle(&mut late);
        for delivery in late.drain(..) {
            receive(&world, &delivery).unwrap_or_else(|error| panic!("{history}: {error:?}"));
        }
        assert_webhook_fields_equal(&world, &history);
        let mode = if random.bool() { "" } else { ", mode => 'full'" };
        world.run(&format!("CALL clerk_fdw.sync('m'{mode})"));
        assert_in_sync(&world, &format!("{history}; sync{mode}"));
        // Syncs bring what events have brought already.
        world.sim.clear_webhooks();
    }
}

/// A write, some of them rolled back; or a few events; or a sync.
fn step(world: &World, random: &mut Rng, late: &mut Vec<Delivery>, history: &mut String) {
    match random.u8(..10) {
        0..=6 => {
            let end = *random.choice(&["COMMIT", "COMMIT", "ROLLBACK", "ROLLBACK TO one; COMMIT"]).unwrap();
            world.run("BEGIN; SAVEPOINT one");
            for _ in 0..random.usize(1..4) {
                let Some(statement) = statement(world, random) else { continue };
                *history += &format!("\n  {statement}");
                world.run(&statement);
            }
            *history += &format!("\n  {end}");
            world.run(end);
        }
        7 | 8 => {
            late.extend(world.sim.webhooks());
            world.sim.clear_webhooks();
            random.shuffle(late);
            for _ in 0..random.usize(..=late.len()) {
                let Some(delivery) = late.pop() else { break };
                *history += &format!("\n  event {}", delivery.kind);
                receive(world, &delivery).unwrap_or_else(|error| panic!("{history}: {error:?}"));
            }
        }
        _ => {
            let mode = *random.choice(&["", ", mode => 'incremental'", ", mode => 'full'"]).unwrap();
            *history += &format!("\n  sync{mode}");
            world.run(&format!("CALL clerk_fdw.sync('m'{mode})"));
        }
    }
}

/// A statement about what there is now.
fn statement(world: &World, random: &mut Rng) -> Option<String> {
    let value = random.u32(..);
    let live = ObjectIds::of(world);
    let (user, organization) = (random.choice(&live.users)?, random.choice(&live.organizations)?);
    Some(match random.u8(..11) {
        0 => format!("INSERT INTO clerk.users (first_name, email) VALUES ('{value}', 'u{value}@example.com')"),
        1 => format!("INSERT INTO clerk.users (first_name) VALUES ('{value}'), ('{value} 2'), ('{value} 3')"),
        2 => format!("UPDATE clerk.users SET last_name = '{value}' WHERE user_id = '{user}'"),
        3 => format!(
            "UPDATE clerk.users SET public_metadata = '{{\"value\": {value}}}', first_name = '{value}'
              WHERE user_id = '{user}'"
        ),
        4 => format!("UPDATE clerk.users SET banned = NOT banned WHERE user_id = '{user}'"),
        5 if live.users.len() > 5 => format!("DELETE FROM clerk.users WHERE user_id = '{user}'"),
        6 => format!("INSERT INTO clerk.organizations (name, created_by) VALUES ('{value}', '{user}')"),
        7 => format!("UPDATE clerk.organizations SET name = '{value}' WHERE organization_id = '{organization}'"),
        8 if live.organizations.len() > 3 => {
            format!("DELETE FROM clerk.organizations WHERE organization_id = '{organization}'")
        }
        9 => format!(
            "INSERT INTO clerk.organization_memberships (organization_id, user_id, role)
             VALUES ('{organization}', '{user}', 'org:member') ON CONFLICT DO NOTHING"
        ),
        _ => format!(
            "DELETE FROM clerk.organization_memberships WHERE organization_id = '{organization}' AND user_id = '{user}'"
        ),
    })
}
