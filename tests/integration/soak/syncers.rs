//! Syncs of both mirrors, by sessions, in the background and on a schedule, of everything or of one user.

use std::thread::Scope;

use super::actor::Actor;
use super::scene::Scene;

pub fn enter<'scope>(scope: &'scope Scope<'scope, '_>, scene: &'scope Scene<'scope>) {
    scope.spawn(move || Actor::lasting(scene, &scene.moving, "syncer").repeat(150, sync));
    for number in 0..2 {
        scope.spawn(move || Actor::new(scene, &scene.moving, "syncer", number).repeat(600, sync));
    }
}

fn sync(actor: &mut Actor) {
    let mirror = *actor.random.choice(&["m", "m", "hard"]).unwrap();
    let mode = *actor.random.choice(&["", "", ", mode => 'full'", ", mode => 'incremental'"]).unwrap();
    let user = actor.random.choice(&actor.scene.anchors).unwrap().clone();
    let (what, statement) = match actor.random.u32(..10) {
        0..3 => ("sync: call", format!("CALL clerk_fdw.sync('{mirror}'{mode})")),
        3 => ("sync: call and wait", format!("CALL clerk_fdw.sync('{mirror}'{mode}, wait => true)")),
        4 => ("sync: dry run", format!("CALL clerk_fdw.sync('{mirror}'{mode}, dry_run => true)")),
        5 => ("sync: start", format!("SELECT clerk_fdw.start_sync('{mirror}'{mode})")),
        6 => {
            ("sync: start and cancel", format!("SELECT clerk_fdw.cancel_sync(clerk_fdw.start_sync('{mirror}'{mode}))"))
        }
        7 => ("sync: cancel the newest", "SELECT clerk_fdw.cancel_sync(max(run)) FROM clerk_fdw.sync_runs".to_owned()),
        8 => ("sync: retry webhooks", "SELECT count(*) FROM clerk_fdw.retry_webhooks('m')".to_owned()),
        _ => ("sync: user", format!("SELECT clerk_fdw.sync_user('{mirror}', '{user}')")),
    };
    actor.act(what, |session| session.client().batch_execute(&statement));
}
