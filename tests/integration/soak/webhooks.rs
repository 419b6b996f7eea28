//! Senders of webhooks beside the simulator's own: late, again, in any order, and forged.

use std::thread::Scope;

use clerk_sim::webhook::Delivery;
use fastrand::Rng;

use super::actor::Actor;
use super::journal::Met;
use super::scene::Scene;

use crate::support::*;

pub fn enter<'scope>(scope: &'scope Scope<'scope, '_>, scene: &'scope Scene<'scope>) {
    for number in 0..2 {
        scope.spawn(move || send(scene, scene.random("sender", number)));
    }
    scope.spawn(move || Actor::lasting(scene, &scene.moving, "receiver").repeat(100, receive_one));
}

/// Some of the deliveries so far, most of them late ones, as they are sent now.
fn some(scene: &Scene, random: &mut Rng, count: usize) -> Vec<Delivery> {
    let all = scene.sim.webhooks();
    let newest = all.len().saturating_sub(200);
    let mut chosen = Vec::new();
    for _ in 0..count.min(all.len()) {
        let from = if random.u8(..4) == 0 { 0 } else { newest };
        chosen.push(Delivery { timestamp: now(), ..all[random.usize(from..all.len())].clone() });
    }
    chosen
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap().as_secs() as i64
}

/// Sends to clerk-hook. What is forged must not be accepted.
fn send(scene: &Scene, mut random: Rng) {
    const FORGER: &str = "whsec_YSBzZWNyZXQgdGhhdCBpcyBub3QgdGhlIG1pcnJvcidz";
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = reqwest::Client::builder().no_proxy().timeout(std::time::Duration::from_secs(15)).build().unwrap();
    while !scene.is_over() {
        for mut delivery in some(scene, &mut random, 20) {
            if scene.is_over() {
                break;
            }
            let forgery = random.u8(..16);
            let secret = if forgery == 0 { FORGER } else { SECRET };
            if forgery == 1 {
                delivery.timestamp -= 1000;
            }
            let headers = delivery.headers(secret).unwrap();
            if forgery == 2 {
                delivery.body.push(' ');
            }
            let post = client.post(&scene.hook_url).header("content-type", "application/json");
            let post = headers.into_iter().fold(post, |post, (name, value)| post.header(name, value));
            let answer = runtime.block_on(async { post.body(delivery.body).send().await });
            let status = match answer {
                Ok(answer) => answer.status().as_u16(),
                Err(error) => {
                    scene.journal.wrong(format!("clerk-hook gives no answer: {error:?}"));
                    continue;
                }
            };
            match (forgery <= 2, status) {
                (false, 200) => {
                    scene.accepted.lock().unwrap().insert(delivery.id);
                    scene.journal.done("webhook: sent");
                }
                (true, 401) => scene.journal.done("webhook: forged"),
                // What ends the database's sessions and what it could not apply for now.
                (_, 500 | 503 | 504) => {
                    let met = Met { state: "08006".to_owned(), message: format!("status {status}") };
                    scene.journal.failed("webhook: sent", scene.phase(), &met);
                }
                (is_forged, status) => {
                    scene.journal.wrong(format!("clerk-hook answers {status}, forged: {is_forged}"));
                }
            }
            scene.pause(&mut random, 100);
        }
        scene.pause(&mut random, 2000);
    }
}

/// A delivery through a session, as a server of one's own passes it on; sometimes with what it tells asked for again.
fn receive_one(actor: &mut Actor) {
    let mut random = actor.random.fork();
    for delivery in some(actor.scene, &mut random, 5) {
        let [id, timestamp, signature] = delivery.headers(SECRET).unwrap().map(|header| header.1);
        let (what, revalidate) = match random.u8(..8) {
            0 => ("webhook: revalidated", true),
            _ => ("webhook: received", false),
        };
        let statement = "SELECT clerk_fdw.receive_webhook('m', $1, $2, $3, $4, $5)";
        let rows = actor.act(what, |session| {
            session.client().query(statement, &[&delivery.body, &id, &timestamp, &signature, &revalidate])
        });
        let Some(rows) = rows else { return };
        let outcome: String = rows[0].get(0);
        if !["applied", "duplicate", "stale", "ignored", "failed"].contains(&&*outcome) {
            actor.scene.journal.wrong(format!("a webhook is {outcome}"));
        }
        if outcome != "failed" {
            actor.scene.accepted.lock().unwrap().insert(id);
        }
    }
}
