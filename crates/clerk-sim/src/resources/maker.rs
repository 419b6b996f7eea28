//! What the generators of all kinds draw from: ids, times, names, texts, and the objects that a new one belongs to.

use fake::rand::Rng;
use fake::rand::rngs::StdRng;
use serde_json::{Map, Value, json};

use crate::entry::Entry;
use crate::generate::{END, id, metadata, name, time};
use crate::object::{Organization, User};
use crate::state::State;

const NAMES: &[&str] = &[
    "Acme Portal",
    "Büro für Größen",
    "株式会社サンプル",
    "Ops \"Night\" Shift",
    "Δοκιμή & Co.",
    "🚀 Launch",
    "مثال",
    "Back\\slash <b>",
    "billing'); --",
    "Internal Tools",
];

const SENTENCES: &[&str] = &[
    "May read everything and change nothing.",
    "Für alle, die Rechnungen prüfen – und nur für sie.",
    "すべての設定を管理できます。",
    "Two lines:\nthis is the second one.",
    "Quotes \"like these\", a tab\t and a 🦊.",
];

/// Makes one object: the sources of its random parts, and what is known about it beforehand.
pub(crate) struct Maker<'a> {
    pub(crate) state: &'a State,
    /// Those of the same kind that were generated before; none for an object that a change creates.
    pub(crate) siblings: &'a [Entry],
    pub(crate) random: StdRng,
    /// Whether it is created by a change, instead of being there at first. Then nothing about it is left to chance.
    pub(crate) is_new: bool,
    /// Its place among those of its kind.
    pub(crate) index: usize,
    /// When it is created, in Unix milliseconds.
    pub(crate) at: i64,
    /// The fields that a change gives it. They replace the generated ones afterwards.
    pub(crate) given: Map<String, Value>,
}

impl<'a> Maker<'a> {
    pub(crate) fn id(&mut self, prefix: &str) -> String {
        let at = self.at;
        id::new(prefix, &mut self.random, at)
    }

    /// An id of 32 hexadecimal digits, such as API keys have.
    pub(crate) fn hex_id(&mut self, prefix: &str) -> String {
        format!("{prefix}{:032x}", self.random.random::<u128>())
    }

    /// Something in the place of a secret, which nobody can take for a real one.
    pub(crate) fn secret(&mut self) -> String {
        format!("not-a-secret-{}", id::text(&mut self.random, 24))
    }

    /// True with this probability, and never for an object that a change creates.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.random.random_bool(probability) && !self.is_new
    }

    pub(crate) fn number(&mut self, from: i64, to: i64) -> i64 {
        self.random.random_range(from..=to)
    }

    /// The choices in turn, so that each of them occurs, or the first one for an object that a change creates.
    pub(crate) fn turn(&self, choices: &[&'static str]) -> &'static str {
        let place = if self.is_new { 0 } else { self.index % choices.len().max(1) };
        choices.get(place).copied().unwrap_or_default()
    }

    /// Some of the fields are left out, and others are null. Nothing happens to an object that a change creates.
    pub(crate) fn thin(&mut self, object: &mut Value, absent: &[&str], null: &[&str]) {
        let Value::Object(fields) = object else { return };
        for name in absent {
            if self.chance(0.25) {
                fields.remove(*name);
            }
        }
        for name in null {
            if self.chance(0.25)
                && let Some(value) = fields.get_mut(*name)
            {
                *value = Value::Null;
            }
        }
    }

    /// The time of the last update.
    pub(crate) fn updated(&mut self) -> i64 {
        self.later(END - 1)
    }

    /// A time between the creation and this one, or that of the creation for an object that a change creates.
    pub(crate) fn later(&mut self, latest: i64) -> i64 {
        if self.is_new || latest <= self.at { self.at } else { self.random.random_range(self.at..=latest) }
    }

    /// So many days after the creation.
    pub(crate) fn days(&self, days: i64) -> i64 {
        self.at + days * time::DAY
    }

    /// Nothing is older than what it belongs to.
    pub(crate) fn not_before(&mut self, created_at: i64) {
        if !self.is_new {
            self.at = self.at.max(created_at);
        }
    }

    pub(crate) fn name(&self) -> String {
        let name = NAMES.get(self.index % NAMES.len()).copied().unwrap_or_default();
        format!("{name} {}", self.index)
    }

    /// The name of a company, in any script.
    pub(crate) fn company(&mut self) -> String {
        name::company(&mut self.random)
    }

    /// A description: short, with more than one line, or very long.
    pub(crate) fn sentence(&self) -> String {
        let sentence = SENTENCES.get(self.index % SENTENCES.len()).copied().unwrap_or_default();
        if self.index % 11 == 4 { format!("{sentence} ").repeat(60) } else { sentence.to_owned() }
    }

    pub(crate) fn email(&mut self) -> String {
        let person = name::person(&mut self.random);
        format!("{}.{}@example.com", person.handle, self.index)
    }

    pub(crate) fn domain(&mut self) -> String {
        let word = name::slug(&self.company());
        format!("{}-{}.example.com", if word.is_empty() { "company" } else { &word }, self.index)
    }

    pub(crate) fn metadata(&mut self) -> Value {
        serde_json::from_str(&metadata::public(&mut self.random)).unwrap_or_else(|_| json!({}))
    }

    /// A field that a change gives the object.
    pub(crate) fn given_text(&self, field: &str) -> Option<&str> {
        self.given.get(field)?.as_str()
    }

    /// The user with the given id, or one of those who have something at all: a bounded number of users, spread over
    /// all of them, so that many users are no slower than a few, and that some users have several objects.
    pub(crate) fn user(&mut self, field: &str) -> Option<&'a User> {
        let state = self.state;
        if let Some(id) = self.given_text(field) {
            return state.users.get(id);
        }
        let pool = self.pool(state.users.len());
        let place = self.random.random_range(0..pool.max(1));
        state.users.spread(place, pool)
    }

    /// As [`Maker::user`].
    pub(crate) fn organization(&mut self, field: &str) -> Option<&'a Organization> {
        let state = self.state;
        if let Some(id) = self.given_text(field) {
            return state.organizations.get(id);
        }
        let pool = self.pool(state.organizations.len());
        let place = self.random.random_range(0..pool.max(1));
        state.organizations.spread(place, pool)
    }

    fn pool(&self, all: usize) -> usize {
        all.min((self.state.others / 3).clamp(3, 300))
    }

    /// The object of another kind with the given id, or one in turn.
    pub(crate) fn entry(&self, kind: &str, field: &str) -> Option<&'a Entry> {
        self.shared(kind, field, 1)
    }

    /// As [`Maker::entry`], where so many objects in a row share one.
    pub(crate) fn shared(&self, kind: &str, field: &str, count: usize) -> Option<&'a Entry> {
        let table = self.state.table(kind)?;
        match self.given_text(field) {
            Some(id) => table.get(id),
            None => table.spread((self.index / count) % table.len().max(1), table.len()),
        }
    }
}

/// FNV-1a, for seeds of random generators.
pub(crate) fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
