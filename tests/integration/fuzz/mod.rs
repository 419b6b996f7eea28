//! What only a server can run, with made-up and mutated input: whatever comes, the backend stays, no error is an internal
//! one, and what is accepted is right.
//!
//! Each test tries some hundred inputs, and with `CLERK_FDW_FUZZ_SECONDS` as many as there is time for: `make fuzz` gives each
//! a minute. A failure prints the seed, which `CLERK_FDW_RANDOM_SEED` runs again. What needs no server is in `fuzz/`.

mod claims;
mod conversions;
mod mutator;
mod options;
mod requests;
mod schedules;
mod webhooks;

use std::time::{Duration, Instant};

use fastrand::Rng;
use postgres::error::DbError;

use self::mutator::Mutator;
use crate::support::*;

/// Runs `attempt` with one input after the other, which are made from seeds and words. It returns what is wrong.
#[track_caller]
fn fuzz(seeds: &[&str], words: &[&str], mut attempt: impl FnMut(&mut Mutator, &str) -> Result<(), String>) {
    let seed = seed_from_environment("CLERK_FDW_RANDOM_SEED").unwrap_or_else(|| Rng::new().u64(..1_000_000));
    let seconds = seed_from_environment("CLERK_FDW_FUZZ_SECONDS");
    let mut mutator = Mutator::new(seed, seeds, words);
    let started = Instant::now();
    let mut inputs = 0;
    let has_time = |inputs: u64| match seconds {
        Some(seconds) => started.elapsed() < Duration::from_secs(seconds),
        None => inputs < 200,
    };
    while has_time(inputs) {
        let input = mutator.input();
        inputs += 1;
        if let Err(wrong) = attempt(&mut mutator, &input) {
            panic!("with CLERK_FDW_RANDOM_SEED={seed}, input {inputs}:\n{input}\n{wrong}");
        }
    }
    if seconds.is_some() {
        println!("{inputs} inputs, from CLERK_FDW_RANDOM_SEED={seed}");
    }
}

/// The error of a statement, if it is one that its author can do something about. Other errors, such as internal ones or
/// a lost connection, are what is wrong.
fn user_error(error: &postgres::Error) -> Result<DbError, String> {
    let Some(error) = error.as_db_error() else { return Err(format!("the backend is gone: {error}")) };
    // Internal errors, system errors, and what an administrator does.
    match ["XX", "58", "57P"].iter().any(|class| error.code().code().starts_with(class)) {
        true => Err(format!("{}: {}", error.code().code(), error_text(error))),
        false => Ok(error.clone()),
    }
}
