//! Rounds of changes that nobody thought of: after each, the mirror is what Clerk is.
//!
//! A failure prints the seed and the round, and the sync and the changes before it.

use clerk_sim::{Config, State, When};
use fastrand::Rng;
use serde_json::json;

use crate::support::*;

/// After each round of changes a sync makes the mirror what Clerk is.
#[test]
fn mirror_changes_with_soft_delete() {
    for seed in 1..=3 {
        rounds(seed, 60, 60, "soft");
    }
}

/// The same where deletes remove rows.
#[test]
fn mirror_changes_with_hard_delete() {
    for seed in 4..=6 {
        rounds(seed, 60, 60, "hard");
    }
}

/// With so many pages the places of deletions are found by counting.
#[test]
fn mirror_changes_on_many_pages() {
    let world = rounds(7, 300, 60, "soft");
    let counted: i64 = world.one(
        "SELECT count(*) FROM clerk_fdw.sync_runs
          WHERE object = 'users' AND mode = 'incremental' AND deleted > 0 AND rows_read < 200",
    );
    assert!(counted > 10, "only {counted} syncs found deleted users without reading all");
}

fn rounds(seed: u64, users: usize, rounds: usize, deletes: &str) -> World {
    let config = Config { users, organizations: 12, memberships: 60, seed, ..small() };
    let world = World::with(config, "page_size '10'");
    world.run(&format!("SELECT clerk_fdw.create_mirror('clerk', schema => 'm', deletes => '{deletes}')"));
    let mut random = Rng::with_seed(seed);
    for round in 0..rounds {
        let mut history = format!("seed {seed}, round {round}");
        let live = ObjectIds::of(&world);
        world.sim.change(|state| {
            for _ in 0..random.usize(..8) {
                change(state, &live, &mut random, &mut history);
            }
        });
        // What changes while a sync reads is the next one's, but not lost.
        if random.u8(..4) == 0 {
            let (seed, live) = (random.u64(..), ObjectIds::of(&world));
            world.sim.before(When::under("/v1/").nth(random.u64(1..12)), move |state| {
                change(state, &live, &mut Rng::with_seed(seed), &mut String::new());
            });
            sync(&world, &mut random, &mut history);
            world.sim.clear_faults();
            history += ", a change meanwhile";
        }
        sync(&world, &mut random, &mut history);
        assert_in_sync(&world, &history);
        let kept: i64 = world.one("SELECT sum(deleted)::bigint FROM clerk_fdw.mirror_status");
        assert!(deletes == "soft" || kept == 0, "{history}: {kept} deleted rows are there");
    }
    world
}

fn sync(world: &World, random: &mut Rng, history: &mut String) {
    let mode = random.choice(["", ", mode => 'incremental'", ", mode => 'full'"]).unwrap_or_default();
    *history += &format!("; sync{mode}");
    world.run(&format!("CALL clerk_fdw.sync('m'{mode})"));
}

/// One change. What an earlier one has deleted can be changed no more: that is no change, then.
fn change(state: &mut State, live: &ObjectIds, random: &mut Rng, history: &mut String) {
    let value = random.u32(..).to_string();
    let mut any = |ids: &[String]| random.choice(ids).cloned().unwrap_or_default();
    let (user, organization, membership) = (any(&live.users), any(&live.organizations), any(&live.memberships));
    let kind = random.u8(..10);
    let done = match kind {
        0 | 1 => state.create_user(json!({"first_name": value})).map(drop),
        // Somebody who signed up elsewhere long ago, and now came over.
        2 => state
            .create_user(json!({"created_at": 1_700_000_000_000 + random.i64(0..90_000_000_000)}))
            .and_then(|id| state.update_user(&id, json!({"last_name": value}))),
        3 => state.update_user(&user, json!({"public_metadata": {"value": value}})),
        4 | 5 => state.delete_user(&user),
        6 => match random.bool() {
            true => state.create_organization(json!({"name": value})).map(drop),
            false => state.delete_organization(&organization),
        },
        7 => state.update_organization(&organization, json!({"name": value})),
        8 => match random.bool() {
            true => state.update_membership(&membership, json!({"role": format!("org:{value}")})),
            false => state.delete_membership(&membership),
        },
        _ => state.create_membership(&user, &organization, json!({})).map(drop),
    };
    *history += &format!(" {kind}{}", if done.is_ok() { "" } else { "-" });
}
