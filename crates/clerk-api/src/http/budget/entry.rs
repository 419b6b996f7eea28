//! The budget of one instance: a window, and what those who use it tell each other.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use super::Priority;
use super::window::{SLOTS, Shape, Taken, WINDOW, Window, pack, unpack};

/// How many clients can be seen waiting.
const BEATS: usize = 128;

/// How many bytes a label may have.
const LABEL: usize = 128;

/// The words of an entry.
mod word {
    /// Whose budget this is: see [`super::super::table`].
    pub(super) const IDENTITY: usize = 0;
    /// The identity before this one, for the case that the change is not brought to its end.
    pub(super) const PREVIOUS: usize = 1;
    /// When a request last started or waited.
    pub(super) const LAST_USED: usize = 2;
    /// The limit that was last used.
    pub(super) const LIMIT: usize = 3;
    /// On whose behalf the entry was made.
    pub(super) const TENANT: usize = 4;
    /// Nothing starts before this time.
    pub(super) const HELD_UNTIL: usize = 5;
    /// How many times in a row all were held back and then met a 429 again.
    pub(super) const STREAK: usize = 6;
    /// How many 429s there were.
    pub(super) const REFUSED: usize = 7;
    pub(super) const RESERVE_STARTED: usize = 8;
    /// When a short request last said that it waits.
    pub(super) const SHORT_BEAT: usize = 9;
    /// How many short requests have started since a long one did.
    pub(super) const SHORT_STARTS: usize = 10;
    pub(super) const CURSOR: usize = 11;
    pub(super) const LABEL: usize = 16;
    pub(super) const BEATS: usize = LABEL + super::LABEL / 8;
    pub(super) const SLOTS: usize = BEATS + super::BEATS;
}

/// How many words an entry has.
pub(super) const WORDS: usize = word::SLOTS + SLOTS;

/// A short request that waits says so more often than this. One that was killed is waited for no longer.
const SHORT_BEAT_VALID: u64 = 250_000;

/// The same for the numbers of waiting requests, which only people look at.
const BEAT_VALID: u64 = 1_000_000;

/// After this time a long request that has let short ones go first looks again.
const YIELD: u64 = 20_000;

/// While short requests wait, a long one may start after so many short ones, so that a stream of lookups does not starve a
/// scan.
const SHORT_BEFORE_LONG: u64 = 3;

/// The longest time for which one 429 holds all back. A longer one may be about one endpoint alone, such as that of
/// invitations, and must not keep all others from reading.
const MAX_HOLD: u64 = 60_000_000;

/// How long a pause grows. Clerk's windows are no longer than ten seconds, and a shorter pause meets their end sooner.
const MAX_GROWN: u64 = WINDOW / 2;

/// The pause after a 429 that does not say how long to wait.
const DEFAULT_HOLD: u64 = 250_000;

/// The least pause that grows.
const MIN_HOLD: u64 = 50_000;

/// What came of the wish to start a request.
pub(super) enum Attempt {
    Started(Taken),
    /// There may be a slot at this time.
    Due(u64),
    /// Clerk has asked to wait until this time.
    Held(u64),
}

#[derive(Clone, Copy)]
pub(super) struct Entry<'w>(pub(super) &'w [AtomicU64]);

impl<'w> Entry<'w> {
    pub(super) fn identity(&self) -> &'w AtomicU64 {
        &self.0[word::IDENTITY]
    }

    pub(super) fn previous(&self) -> &'w AtomicU64 {
        &self.0[word::PREVIOUS]
    }

    pub(super) fn last_used(&self) -> u64 {
        self.0[word::LAST_USED].load(Relaxed)
    }

    pub(super) fn tenant(&self) -> u64 {
        self.0[word::TENANT].load(Relaxed)
    }

    pub(super) fn limit(&self) -> u64 {
        self.0[word::LIMIT].load(Relaxed)
    }

    pub(super) fn held_until(&self) -> u64 {
        self.0[word::HELD_UNTIL].load(SeqCst)
    }

    pub(super) fn refused(&self) -> u64 {
        self.0[word::REFUSED].load(Relaxed)
    }

    pub(super) fn window(&self) -> Window<'w> {
        Window {
            slots: &self.0[word::SLOTS..],
            cursor: &self.0[word::CURSOR],
            reserve_started: &self.0[word::RESERVE_STARTED],
        }
    }

    fn beats(&self) -> &'w [AtomicU64] {
        &self.0[word::BEATS..word::SLOTS]
    }

    /// Notes that a client with this limit starts a request or waits.
    pub(super) fn used_by(&self, limit: u64, now: u64) {
        self.0[word::LAST_USED].fetch_max(now, Relaxed);
        if self.limit() != limit {
            self.0[word::LIMIT].store(limit, Relaxed);
        }
    }

    /// Whether it would make no difference if the budget were made anew: nothing has started in ten seconds, nothing is
    /// held back, and nobody waits.
    pub(super) fn is_idle(&self, now: u64) -> bool {
        self.held_until() <= now && self.waiting(now) == 0 && self.window().used(now) == 0
    }

    /// Makes the entry that of a new instance. The slots have rested already.
    pub(super) fn reset(&self, label: &str, tenant: u64, now: u64) {
        for word in &self.0[word::LAST_USED..word::SLOTS] {
            word.store(0, SeqCst);
        }
        self.0[word::LAST_USED].store(now, SeqCst);
        self.0[word::TENANT].store(tenant, SeqCst);
        let mut bytes = [0; LABEL];
        for (byte, text) in bytes.iter_mut().zip(label.bytes()) {
            *byte = text;
        }
        for (word, bytes) in self.0[word::LABEL..word::BEATS].iter().zip(bytes.as_chunks().0) {
            word.store(u64::from_le_bytes(*bytes), SeqCst);
        }
    }

    /// What people call the instance.
    pub(super) fn label(&self) -> String {
        let words = self.0[word::LABEL..word::BEATS].iter();
        let bytes: Vec<u8> = words.flat_map(|word| word.load(SeqCst).to_le_bytes()).collect();
        String::from_utf8_lossy(&bytes).trim_end_matches('\0').to_owned()
    }

    /// Brings times back into bounds that memory of unknown origin may have.
    pub(super) fn sanitize(&self, now: u64) {
        for word in self.window().slots {
            let (time, count) = unpack(word.load(SeqCst));
            word.store(pack(time.min(now), count), SeqCst);
        }
        for index in [word::LAST_USED, word::RESERVE_STARTED, word::SHORT_BEAT] {
            self.0[index].fetch_min(now, SeqCst);
        }
        self.0[word::HELD_UNTIL].fetch_min(now + MAX_HOLD, SeqCst);
        self.beats().iter().for_each(|beat| beat.store(0, SeqCst));
    }

    /// Starts a request if that is possible now.
    pub(super) fn start(&self, shape: Shape, priority: Priority, now: u64) -> Attempt {
        let held_until = self.held_until();
        if held_until > now {
            return Attempt::Held(held_until);
        }
        let short_starts = &self.0[word::SHORT_STARTS];
        // A short one may wait although there is room, if the limit of its own server is smaller.
        let short_waits = priority == Priority::Long && self.short_waits(now) && !self.window().is_ample(shape, now);
        if short_waits && short_starts.load(Relaxed) < SHORT_BEFORE_LONG {
            return Attempt::Due(now + YIELD);
        }
        let taken = self.window().take(shape, now).or_else(|due| match short_waits {
            // The reserve is there for the one that waits.
            true => Err(due.min(now + SHORT_BEAT_VALID)),
            false => self.window().take_reserve(shape, now).map_err(|reserve_due| due.min(reserve_due)),
        });
        match taken {
            Ok(taken) => {
                match priority {
                    Priority::Short => drop(short_starts.fetch_add(1, Relaxed)),
                    Priority::Long => short_starts.store(0, Relaxed),
                }
                Attempt::Started(taken)
            }
            Err(due) => Attempt::Due(due),
        }
    }

    fn short_waits(&self, now: u64) -> bool {
        self.0[word::SHORT_BEAT].load(SeqCst) + SHORT_BEAT_VALID > now
    }

    /// Says that a short request waits now.
    pub(super) fn short_waiting(&self, now: u64) {
        self.0[word::SHORT_BEAT].fetch_max(now, SeqCst);
    }

    /// Takes back what a short request last said, unless another has said it since.
    pub(super) fn short_ended(&self, said: u64) {
        let _ = self.0[word::SHORT_BEAT].compare_exchange(said, 0, SeqCst, SeqCst);
    }

    /// Says how many requests of a client wait. `last` is where and what the client has said before.
    pub(super) fn beat(&self, last: &mut Option<(usize, u64)>, waiting: u64, now: u64) {
        let word = pack(now, waiting);
        if let Some((place, before)) = *last {
            let after = if waiting == 0 { 0 } else { word };
            let is_own = |beat: &AtomicU64| beat.compare_exchange(before, after, SeqCst, SeqCst).is_ok();
            if self.beats().get(place).is_some_and(is_own) {
                *last = (waiting > 0).then_some((place, word));
                return;
            }
        }
        *last = None;
        if waiting == 0 {
            return;
        }
        for (place, beat) in self.beats().iter().enumerate() {
            let before = beat.load(SeqCst);
            if unpack(before).0 + BEAT_VALID <= now && beat.compare_exchange(before, word, SeqCst, SeqCst).is_ok() {
                *last = Some((place, word));
                return;
            }
        }
    }

    /// How many requests wait.
    pub(super) fn waiting(&self, now: u64) -> u64 {
        let waiting = |beat: &AtomicU64| match unpack(beat.load(SeqCst)) {
            (time, count) if time + BEAT_VALID > now => count,
            _ => 0,
        };
        self.beats().iter().map(waiting).sum()
    }

    /// Holds all back after a 429 for a request that started at a time. If earlier pauses have not helped, each one is
    /// twice as long as the one before, up to five seconds, but not beyond `patience`. What Clerk asks for holds in any case.
    pub(super) fn refuse(&self, started: u64, asked: Option<u64>, patience: u64, now: u64) {
        self.0[word::REFUSED].fetch_add(1, Relaxed);
        let streak = &self.0[word::STREAK];
        let hold = |streak: u64| {
            let asked = asked.unwrap_or(DEFAULT_HOLD).min(MAX_HOLD);
            let grown = if streak == 0 { asked } else { asked.max(MIN_HOLD) << streak.min(16) };
            now + grown.min(MAX_GROWN).min(patience).max(asked)
        };
        let mut until = self.held_until();
        while started >= until {
            // Of all requests that are refused together, the first one makes the pause longer than the last.
            let again = streak.load(SeqCst);
            match self.0[word::HELD_UNTIL].compare_exchange(until, hold(again), SeqCst, SeqCst) {
                Ok(_) => return streak.store(again + 1, SeqCst),
                Err(other) => until = other,
            }
        }
        let again = streak.load(SeqCst).saturating_sub(1);
        self.0[word::HELD_UNTIL].fetch_max(hold(again), SeqCst);
    }

    /// Notes that Clerk has taken a request that started at a time.
    pub(super) fn accept(&self, started: u64) {
        let streak = &self.0[word::STREAK];
        if streak.load(Relaxed) != 0 && started >= self.held_until() {
            streak.store(0, SeqCst);
        }
    }
}
