//! The memory that holds the budgets of several instances.
//!
//! An entry is found by its *identity*, a hash of the instance's base URL and key with the table's salt, which nobody
//! knows outside of the memory: so the identity does not help to guess a key. An entry that is idle is the same as a new
//! one, so that the one that was not used for longest makes room when all are taken. Nobody can keep entries without
//! sending requests from them all the time, and one tenant gets a quarter of them at most.
//!
//! Whoever adds an entry takes a lock, which is a word with a *token*: its time, and some random bits. Nobody waits for
//! it, and after five seconds another takes it over, because the process that took it may have been killed. So each
//! step is made such that a process which has stopped in the middle and goes on later does no harm: it marks the
//! entry with its token first, the next owner of the lock removes such marks, and the last step is to replace the mark,
//! which fails if it is gone.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use hmac_sha256::HMAC;

use super::Clock;
use super::entry::{Entry, WORDS};

/// The words before the first entry.
const HEADER: usize = 8;
const LOCK: usize = 0;
const SALT: std::ops::Range<usize> = 1..5;

/// An identity has the highest bit set, a token has not, and zero stands for nothing.
const IDENTITY: u64 = 1 << 63;

/// How long a token is respected.
const TOKEN_VALID: u64 = 5_000_000;
const TOKEN_RANDOM_BITS: u32 = 10;

/// The budgets of several instances, in memory that other processes may share.
pub struct BudgetTable {
    memory: Memory,
    clock: Clock,
}

enum Memory {
    Own(Box<[AtomicU64]>),
    /// `None` when it is closed.
    Shared(RwLock<Option<&'static [AtomicU64]>>),
}

/// Where an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Located {
    At(usize),
    /// Somebody else is adding an entry.
    Busy,
    /// All entries are in use, or as many as this tenant may have.
    Full,
}

impl BudgetTable {
    /// How many words a table needs.
    pub const fn words(entries: usize) -> usize {
        HEADER + entries * WORDS
    }

    /// A table in memory of this process. The salt is a secret, as random as a key.
    pub fn own(entries: usize, salt: [u64; 4]) -> Self {
        let words: Box<[AtomicU64]> = std::iter::repeat_with(AtomicU64::default).take(Self::words(entries)).collect();
        Self::prepare(&words, salt);
        BudgetTable { memory: Memory::Own(words), clock: own_clock }
    }

    /// A table in memory that [`BudgetTable::prepare`] has prepared.
    pub fn shared(words: &'static [AtomicU64], clock: Clock) -> Self {
        BudgetTable { memory: Memory::Shared(RwLock::new(Some(words))), clock }
    }

    /// Prepares memory for a table. The salt is a secret, as random as a key.
    pub fn prepare(words: &[AtomicU64], salt: [u64; 4]) {
        words.iter().for_each(|word| word.store(0, SeqCst));
        for (word, salt) in words[SALT].iter().zip(salt) {
            word.store(salt, SeqCst);
        }
    }

    /// What the memory has in it.
    pub fn save(&self) -> Vec<u64> {
        self.view(|View(words)| words.iter().map(|word| word.load(SeqCst)).collect()).unwrap_or_default()
    }

    /// Prepares memory for a table with what another had in it when it was saved.
    pub fn restore(words: &[AtomicU64], saved: &[u64], clock: Clock) {
        words.iter().zip(saved).for_each(|(word, saved)| word.store(*saved, SeqCst));
        words[LOCK].store(0, SeqCst);
        for entry in View(words).entries() {
            remove_mark(entry);
            entry.sanitize(clock());
        }
    }

    /// Uses the memory no longer: after this it may be gone. Waits for those who are just using it, which they do for
    /// microseconds.
    pub fn close(&self) {
        if let Memory::Shared(words) = &self.memory {
            *words.write().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    pub(super) fn now(&self) -> u64 {
        (self.clock)()
    }

    /// Looks at the memory; `None` if the table is closed.
    pub(super) fn view<R>(&self, look: impl FnOnce(View<'_>) -> R) -> Option<R> {
        match &self.memory {
            Memory::Own(words) => Some(look(View(words))),
            Memory::Shared(words) => {
                let words = words.read().unwrap_or_else(PoisonError::into_inner);
                words.map(|words| look(View(words)))
            }
        }
    }
}

/// The time since the process first asked, and an hour.
fn own_clock() -> u64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    (START.get_or_init(Instant::now).elapsed() + Duration::from_secs(3600)).as_micros() as u64
}

/// Memory that is being looked at.
#[derive(Clone, Copy)]
pub(super) struct View<'w>(&'w [AtomicU64]);

impl<'w> View<'w> {
    pub(super) fn entries(self) -> impl Iterator<Item = Entry<'w>> + Clone {
        self.0.get(HEADER..).unwrap_or_default().chunks_exact(WORDS).map(Entry)
    }

    pub(super) fn entry(self, index: usize) -> Option<Entry<'w>> {
        let start = HEADER + index * WORDS;
        self.0.get(start..start + WORDS).map(Entry)
    }

    /// The identity of an instance in this table.
    pub(super) fn identify(self, base: &str, key: &str) -> u64 {
        let salt: Vec<u8> = self.0[SALT].iter().flat_map(|word| word.load(SeqCst).to_le_bytes()).collect();
        let hash = HMAC::mac([base.as_bytes(), b"\0", key.as_bytes()].concat(), salt);
        hash.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes)) | IDENTITY
    }

    /// The entry of an identity, which is probably at `hint`.
    pub(super) fn find(self, identity: u64, hint: usize) -> Option<usize> {
        let is = |entry: Entry<'_>| entry.identity().load(SeqCst) == identity;
        if self.entry(hint).is_some_and(is) { Some(hint) } else { self.entries().position(is) }
    }

    /// The entry of an identity that was not found. It is made for a tenant; 0 is one that may have all of them.
    pub(super) fn add(self, identity: u64, label: &str, tenant: u64, now: u64) -> Located {
        let token = (now << TOKEN_RANDOM_BITS | fastrand::u64(1..1 << TOKEN_RANDOM_BITS)) & !IDENTITY;
        let lock = &self.0[LOCK];
        let owner = lock.load(SeqCst);
        if owner != 0 && (owner >> TOKEN_RANDOM_BITS) + TOKEN_VALID > now {
            return Located::Busy;
        }
        if lock.compare_exchange(owner, token, SeqCst, SeqCst).is_err() {
            return Located::Busy;
        }
        let located = self.add_locked(identity, label, tenant, token, now);
        let _ = lock.compare_exchange(token, 0, SeqCst, SeqCst);
        located
    }

    fn add_locked(self, identity: u64, label: &str, tenant: u64, token: u64, now: u64) -> Located {
        self.entries().for_each(remove_mark);
        if let Some(index) = self.find(identity, 0) {
            return Located::At(index);
        }
        let of_tenant = |entry: &Entry<'_>| entry.tenant() == tenant && !entry.is_idle(now);
        if tenant != 0 && self.entries().filter(of_tenant).count() >= self.entries().count().div_ceil(4) {
            return Located::Full;
        }
        // Those that are not used first, and then those that were used longest ago.
        let age = |entry: Entry<'_>| match entry.identity().load(SeqCst) {
            0 => 0,
            _ => entry.last_used().max(1),
        };
        let mut candidates: Vec<_> = self.entries().enumerate().collect();
        candidates.sort_by_key(|(_, entry)| age(*entry));
        for (index, entry) in candidates {
            let previous = entry.identity().load(SeqCst);
            if !entry.is_idle(now) {
                continue;
            }
            entry.previous().store(previous, SeqCst);
            if entry.identity().compare_exchange(previous, token, SeqCst, SeqCst).is_err() {
                return Located::Busy;
            }
            // Whoever takes a slot looks at the identity once more after it: either that one sees the mark, or this sees the
            // slot.
            if !entry.is_idle(now) {
                let _ = entry.identity().compare_exchange(token, previous, SeqCst, SeqCst);
                continue;
            }
            entry.reset(label, tenant, now);
            let is_owner = self.0[LOCK].load(SeqCst) == token;
            let becomes = if is_owner { identity } else { previous };
            let is_done = entry.identity().compare_exchange(token, becomes, SeqCst, SeqCst).is_ok();
            return if is_owner && is_done { Located::At(index) } else { Located::Busy };
        }
        Located::Full
    }
}

/// Gives an entry that a process has marked, and that it will not come back for, the identity that it had before.
fn remove_mark(entry: Entry<'_>) {
    let word = entry.identity().load(SeqCst);
    if word != 0 && word & IDENTITY == 0 {
        let previous = entry.previous().load(SeqCst);
        let _ = entry.identity().compare_exchange(word, previous, SeqCst, SeqCst);
    }
}
