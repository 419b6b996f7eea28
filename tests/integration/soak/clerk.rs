//! What happens at Clerk: people come, go and change, and answers go wrong.

use std::thread::Scope;
use std::time::Duration;

use clerk_sim::{Fault, Sim};
use fastrand::Rng;
use serde_json::json;

use super::scene::{Phase, Scene};

pub fn enter<'scope>(scope: &'scope Scope<'scope, '_>, scene: &'scope Scene<'scope>) {
    scope.spawn(move || change(scene, scene.random("changes", 0)));
    scope.spawn(move || fail(scene, scene.still_sim, scene.random("faults", 0)));
    scope.spawn(move || fail(scene, scene.sim, scene.random("faults", 1)));
}

/// Changes the instance, but deletes neither anchors nor what writers own.
fn change(scene: &Scene, mut random: Rng) {
    let sim = scene.sim;
    let mut users: Vec<String> = Vec::new();
    let mut memberships: Vec<String> = Vec::new();
    let mut number = 0;
    while !scene.is_over() {
        number += 1;
        match random.u32(..10) {
            0..3 if users.len() < 150 => {
                let mut fields =
                    json!({"first_name": format!("New {number}"), "email_address": format!("new{number}@example.com")});
                if random.u8(..10) == 0 {
                    // An import, with a time of long ago.
                    fields["created_at"] = json!(1_700_000_000_000_i64 + random.i64(0..1_000_000_000));
                }
                users.push(sim.create_user(fields).expect("a user"));
            }
            3 if users.len() > 20 => {
                let user = users.swap_remove(random.usize(..users.len()));
                sim.delete_user(&user).expect("the user");
            }
            4 | 5 => {
                let user = random.choice(&scene.anchors).unwrap();
                sim.update_user(user, json!({"first_name": format!("Changed {number}")})).expect("the anchor");
            }
            6 => {
                let organization = random.choice(&scene.organizations).unwrap();
                let name = format!("Renamed {number}");
                sim.update_organization(organization, json!({"name": name})).expect("the organization");
            }
            7 | 8 if memberships.len() < 100 => {
                let (Some(user), organization) = (random.choice(&users), random.choice(&scene.organizations).unwrap())
                else {
                    continue;
                };
                // The user may be a member already.
                memberships.extend(sim.create_membership(user, organization, json!({})).ok());
            }
            _ if !memberships.is_empty() => {
                let membership = memberships.swap_remove(random.usize(..memberships.len()));
                // It may have gone with its user.
                let _ = sim.delete_membership(&membership);
            }
            _ => {}
        }
        scene.journal.done("Clerk: change");
        scene.pause(&mut random, 400);
    }
}

/// Lets answers go wrong for a while, and then none for as long.
fn fail(scene: &Scene, sim: &Sim, mut random: Rng) {
    while !scene.is_over() {
        for _ in 0..random.usize(1..4) {
            let fault = match random.u32(..12) {
                0 => Fault::too_many_requests(1),
                1 => Fault::status(500),
                2 => Fault::status(502),
                3 => Fault::status(503).retry_after(1),
                4 => Fault::reset(),
                5 => Fault::cut(),
                6 => Fault::cut_json(),
                7 => Fault::html(),
                8 => Fault::silence(),
                9 => Fault::lose_answer(),
                10 => Fault::withhold_answer(),
                _ => Fault::slow(Duration::from_millis(random.u64(50..1500))),
            };
            let fault = match random.u32(..4) {
                0 => fault.on_method(*random.choice(&["POST", "PATCH", "DELETE"]).unwrap()),
                1 => fault.on_path(*random.choice(&["/v1/users", "/v1/organizations", "/v1/users/count"]).unwrap()),
                _ => fault,
            };
            sim.fault(fault.nth(random.u64(1..20)).times(random.u64(1..5)));
            scene.journal.done("Clerk: fault");
        }
        scene.pause(&mut random, 3000);
        sim.clear_faults();
        scene.pause(&mut random, if scene.phase() == Phase::Calm { 3000 } else { 1000 });
    }
    sim.clear_faults();
}
