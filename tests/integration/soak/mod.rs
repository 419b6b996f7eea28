//! Everything at once, for long: random queries, joins, writes, syncs, webhooks, definitions, cancels, kills, restarts and
//! faults on many connections. While it goes on, every answer has to be right and every error one that something there
//! explains; in the end nothing is left behind, and Clerk, the foreign tables and the mirrors have the same rows.
//!
//! There are two instances of Clerk, each behind a database of its own. One stands still, so that random queries can be
//! held against local copies. The other one changes all the time: by itself, by what is written, and by webhooks.
//!
//! A run has two parts. In the first, backends are cancelled and terminated, but for a few lasting ones, whose memory must
//! not grow. In the second, the storm, processes are killed and the server is restarted.
//!
//! `short` is a test like all others; `long` is for `make soak`. The seed is printed; `CLERK_FDW_RANDOM_SEED` gives every
//! actor the same plan again, though not the same moments.
#![cfg(target_os = "linux")]

mod actor;
mod aftermath;
mod breaker;
mod clerk;
mod definitions;
mod journal;
mod measures;
mod readers;
mod scene;
mod server_log;
mod syncers;
mod webhooks;
mod writers;

use std::time::{Duration, Instant};

use fastrand::Rng;

use self::measures::Samples;
use self::scene::{Phase, Scene, Stage};
use self::server_log::ServerLog;

use crate::support::*;

/// How much of a run is calm, in percent.
const CALM: u32 = 65;

/// A short run finds nothing wrong.
#[test]
fn short() {
    soak(Duration::from_secs(20));
}

/// Nor does a long one, of as many seconds as `CLERK_FDW_SOAK_SECONDS` says, ten minutes by default.
#[test]
#[ignore = "it takes ten minutes: make soak"]
fn long() {
    soak(Duration::from_secs(seed_from_environment("CLERK_FDW_SOAK_SECONDS").unwrap_or(600)));
}

fn soak(length: Duration) {
    let seed = seed_from_environment("CLERK_FDW_RANDOM_SEED").unwrap_or_else(|| Rng::new().u64(..1_000_000));
    println!("CLERK_FDW_RANDOM_SEED={seed}, {} s", length.as_secs());
    let stage = Stage::build(seed);
    let hook = stage.hook();
    let scene = stage.scene(seed, &hook);
    let mut log = ServerLog::new(&stage.cluster);
    let mut samples = Samples::new(&scene, length);
    let start = Instant::now();
    // To see all that is wrong, not only what is first.
    let goes_on = std::env::var_os("CLERK_FDW_SOAK_GO_ON").is_some();
    std::thread::scope(|scope| {
        readers::enter(scope, &scene);
        writers::enter(scope, &scene);
        syncers::enter(scope, &scene);
        webhooks::enter(scope, &scene);
        definitions::enter(scope, &scene);
        clerk::enter(scope, &scene);
        breaker::enter(scope, &scene, length);
        while start.elapsed() < length && (goes_on || !scene.journal.is_wrong()) {
            std::thread::sleep(Duration::from_millis(100));
            if start.elapsed() >= length * CALM / 100 {
                scene.enter(Phase::Storm);
            }
            samples.take_if_due(start.elapsed());
            log.read(&scene);
        }
        scene.enter(Phase::Over);
    });
    println!("{} s, then the last checks", start.elapsed().as_secs());
    log.read(&scene);
    if goes_on || !scene.journal.is_wrong() {
        samples.check();
        aftermath::check_data(&scene, hook);
        log.read(&scene);
    }
    print!("{}\n{samples}", scene.journal);
    drop(samples);
    let Scene { journal, segments, .. } = scene;
    let journal = aftermath::check_rest(stage, journal, segments.into_inner().unwrap());
    assert!(!journal.is_wrong(), "with CLERK_FDW_RANDOM_SEED={seed}:\n{}\n{}", journal.wrongs(), log.end());
}
