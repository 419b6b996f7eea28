//! Generates the objects that there are at first.

use fake::rand::SeedableRng;
use fake::rand::rngs::StdRng;
use serde_json::Map;

use super::kind::{Amount, Kind};
use super::maker::{Maker, hash};
use super::registry::KINDS;
use crate::config::Config;
use crate::entry::Entry;
use crate::generate::time;
use crate::state::State;
use crate::table::Table;

/// Generates the objects of every kind, for the users and organizations that there are. Each kind has a random
/// generator of its own, so that it stays the same when another one changes.
pub(crate) fn generate(state: &mut State, config: &Config) {
    for kind in KINDS.iter().copied().flatten() {
        let table = Table::new(entries(state, kind, config));
        state.tables.insert(kind.name, table);
    }
}

fn entries(state: &State, kind: &'static Kind, config: &Config) -> Vec<Entry> {
    let mut random = StdRng::seed_from_u64(config.seed ^ hash(kind.name));
    let count = match kind.amount {
        Amount::Many => config.others,
        Amount::Exactly(count) => count,
    };
    let mut times = time::creations(&mut random, count);
    // Some objects are created in the same millisecond, also where there are only a few.
    for place in (1..count).filter(|place| place % 7 == 2) {
        times[place] = times[place - 1];
    }
    let mut entries = Vec::new();
    for (index, at) in times.into_iter().enumerate() {
        let random = StdRng::seed_from_u64(config.seed ^ hash(kind.name).wrapping_add(index as u64 + 1));
        let mut maker = Maker { state, siblings: &entries, random, is_new: false, index, at, given: Map::new() };
        let made = (kind.make)(&mut maker);
        // What is made has an id and a time of creation, so that reading it cannot fail.
        entries.extend(made.and_then(|made| Entry::read(kind.hidden, made.to_string()).ok()));
    }
    entries
}
