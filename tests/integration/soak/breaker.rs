//! Cancels and terminates backends and workers; in the storm also kills them, and restarts the server.

use std::thread::Scope;
use std::time::{Duration, Instant};

use super::actor::Actor;
use super::measures::{processes_in, what_it_does};
use super::scene::{Phase, Scene};

use crate::support::*;

pub fn enter<'scope>(scope: &'scope Scope<'scope, '_>, scene: &'scope Scene<'scope>, length: Duration) {
    scope.spawn(move || {
        let mut next_strike = Instant::now();
        let between = (length / 50).clamp(Duration::from_secs(3), Duration::from_secs(12));
        Actor::new(scene, &scene.moving, "breaker", 0).repeat(500, |actor| {
            if scene.phase() == Phase::Storm && Instant::now() >= next_strike {
                strike(actor);
                next_strike = Instant::now() + between;
            } else {
                signal(actor);
            }
        });
    });
}

/// Backends and workers that may be hit.
fn victims(actor: &mut Actor, condition: &str) -> Vec<i32> {
    let pids = format!(
        "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND application_name <> 'observer'
            AND (datname IN ('{}', '{}') AND backend_type = 'client backend' OR backend_type LIKE 'clerk_fdw%') AND {condition}
          ORDER BY backend_start, pid",
        actor.scene.databases[0], actor.scene.databases[1]
    );
    let rows = actor.act("break: look", |session| session.client().query(&pids, &[]));
    rows.unwrap_or_default().iter().map(|row| row.get(0)).collect()
}

fn signal(actor: &mut Actor) {
    let is_end = actor.random.u8(..6) == 0;
    let mut pids = victims(actor, if is_end { "true" } else { "state = 'active'" });
    if is_end && actor.scene.phase() == Phase::Calm {
        let lasting = actor.scene.lasting.lock().unwrap();
        pids.retain(|pid| lasting.values().all(|lasting| lasting.pid != *pid));
    }
    let Some(pid) = actor.random.choice(&pids) else { return };
    let (what, function) = match is_end {
        true => ("break: terminate", "pg_terminate_backend"),
        false => ("break: cancel", "pg_cancel_backend"),
    };
    // One that has just ended is a warning.
    actor.act(what, |session| session.client().batch_execute(&format!("SELECT {function}({pid})")));
}

fn strike(actor: &mut Actor) {
    let scene = actor.scene;
    match actor.random.u32(..5) {
        0 => restart(actor, "break: restart", "fast"),
        1 => restart(actor, "break: immediate restart", "immediate"),
        _ => {
            let pids = victims(actor, "true");
            let Some(&pid) = actor.random.choice(&pids) else { return };
            scene.killed.lock().unwrap().insert(pid);
            if signal_if_there(pid, libc::SIGKILL) {
                scene.journal.done("break: kill");
            }
        }
    }
}

fn restart(actor: &mut Actor, what: &'static str, mode: &str) {
    let scene = actor.scene;
    actor.leave();
    let stops = std::thread::scope(|scope| {
        let stopping = scope.spawn(|| scene.cluster.stops(mode));
        let start = Instant::now();
        while !stopping.is_finished() && start.elapsed() < Duration::from_secs(3) {
            std::thread::sleep(Duration::from_millis(50));
        }
        // Five seconds after it began, Postgres kills what is left, and does not say what that was.
        if mode == "immediate" && !stopping.is_finished() {
            let left = processes_in(&scene.cluster.data());
            left.into_iter().for_each(|pid| eprintln!("it does not end: {}", what_it_does(pid)));
        }
        stopping.join().unwrap()
    });
    if !stops {
        return scene.journal.wrong(format!("the server does not stop: {what}"));
    }
    scene.restarts.lock().unwrap().push(Instant::now());
    if !scene.cluster.starts() {
        return scene.journal.wrong(format!("the server does not start: {what}"));
    }
    scene.journal.done(what);
}
