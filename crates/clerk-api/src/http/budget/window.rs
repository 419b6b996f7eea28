//! An exact sliding window without a lock.
//!
//! A window has as many *slots* as requests may start in ten seconds. Each slot holds the time at which a request last
//! took it, and can be taken again ten seconds later. So however many take slots at the same time, no ten seconds have
//! more starts than there are slots, and all slots can be used. As long as a request is on its way its slot's time is
//! moved along, and for the last time when the answer comes: Clerk may count the request at any moment until then, and
//! its window is kept as well. A process that is killed leaves a time, which is over ten seconds later.
//!
//! Limits above [`SLOTS`] let each slot be taken several times before it has to rest: a slot's ten seconds begin anew
//! with each time.
//!
//! The first few slots are a *reserve*, which is not taken at once but at most once in `10 s / reserve`. When a burst has
//! used up the rest of the window, there is still a next start soon, for which lookups have priority. As slots of the
//! reserve come free at that pace for ever, all of the window can be used.

use std::num::NonZeroU32;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

/// Clerk counts requests in windows of this length, and so does the `rate_limit` setting. In microseconds, as all times
/// here.
pub(super) const WINDOW: u64 = 10_000_000;

/// How many slots a window has at most.
pub(super) const SLOTS: usize = 1024;

/// A slot's word is a time, and in the lowest bits how often the slot was taken up to then. The time has enough bits for a
/// century.
const COUNT_BITS: u32 = 12;

pub(super) fn pack(time: u64, count: u64) -> u64 {
    time << COUNT_BITS | count
}

pub(super) fn unpack(word: u64) -> (u64, u64) {
    (word >> COUNT_BITS, word & ((1 << COUNT_BITS) - 1))
}

/// How the slots of a window are used for a limit. Clients with different limits for one instance use the same slots, each
/// as many of the first ones as its limit says: so it keeps its own limit, and all together keep the largest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    limit: u64,
    /// How many slots are used.
    pub(super) slots: usize,
    /// How many of the slots, the first, are the reserve.
    pub(super) reserve: usize,
    /// The time between two starts from the reserve.
    pub(super) pace: u64,
}

impl Shape {
    pub(super) fn new(limit: NonZeroU32) -> Self {
        let limit = u64::from(limit.get()).min(SLOTS as u64 * ((1 << COUNT_BITS) - 1));
        let slots = limit.min(SLOTS as u64) as usize;
        // Of eight, one comes free each 1.25 seconds. They are no more than half of a small limit, the rest of which can start
        // at once.
        let reserve = (slots / 25).max(8).min(slots / 2);
        let shape = Shape { limit, slots, reserve, pace: WINDOW };
        let starts: u64 = (0..reserve).map(|slot| shape.weight(slot)).sum();
        Shape { pace: WINDOW / starts.max(1), ..shape }
    }

    /// How often a slot may be taken. A larger limit lets none be taken less often, so that different limits together
    /// never exceed the largest.
    pub(super) fn weight(&self, slot: usize) -> u64 {
        let (each, rest) = (self.limit / SLOTS as u64, self.limit % SLOTS as u64);
        each + u64::from((slot as u64) < rest)
    }
}

/// The slots of a window, of which there are [`SLOTS`] in memory.
#[derive(Clone, Copy)]
pub(super) struct Window<'w> {
    pub(super) slots: &'w [AtomicU64],
    /// The slot that was last taken, where the search begins.
    pub(super) cursor: &'w AtomicU64,
    /// The time of the last start from the reserve.
    pub(super) reserve_started: &'w AtomicU64,
}

/// A slot that was taken, with its word before and after.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken {
    pub(super) slot: usize,
    before: u64,
    after: u64,
}

impl Window<'_> {
    /// Takes a slot that is not of the reserve.
    ///
    /// # Errors
    /// The time at which the next one comes free.
    pub(super) fn take(&self, shape: Shape, now: u64) -> Result<Taken, u64> {
        self.take_of(shape.reserve..shape.slots, shape, self.cursor.load(Relaxed) as usize, now)
            .inspect(|taken| self.cursor.store(taken.slot as u64, Relaxed))
    }

    /// Takes a slot of the reserve.
    ///
    /// # Errors
    /// The time at which the next one may be taken.
    pub(super) fn take_reserve(&self, shape: Shape, now: u64) -> Result<Taken, u64> {
        let last = self.reserve_started.load(SeqCst);
        if last + shape.pace > now && shape.reserve > 0 {
            return Err(last + shape.pace);
        }
        self.next_due(0..shape.reserve, shape, now)?;
        // Whoever changes this first is the one whose turn it is.
        if self.reserve_started.compare_exchange(last, now, SeqCst, SeqCst).is_err() {
            return Err(now + shape.pace);
        }
        self.take_of(0..shape.reserve, shape, 0, now)
    }

    /// Takes the first slot that is free, from a position in a range on and then from its beginning.
    fn take_of(&self, range: std::ops::Range<usize>, shape: Shape, from: usize, now: u64) -> Result<Taken, u64> {
        let from = from.clamp(range.start, range.end);
        let mut due = u64::MAX;
        for slot in (from..range.end).chain(range.start..from) {
            let Some(word) = self.slots.get(slot) else { continue };
            let before = word.load(SeqCst);
            match next(before, shape.weight(slot), now) {
                Ok(after) => match word.compare_exchange(before, after, SeqCst, SeqCst) {
                    Ok(_) => return Ok(Taken { slot, before, after }),
                    // Somebody else was faster.
                    Err(_) => due = due.min(now + WINDOW),
                },
                Err(free) => due = due.min(free),
            }
        }
        Err(due)
    }

    /// Whether a slot of a range is free, else the time at which the next one is.
    fn next_due(&self, range: std::ops::Range<usize>, shape: Shape, now: u64) -> Result<(), u64> {
        let mut due = u64::MAX;
        for slot in range {
            let Some(word) = self.slots.get(slot) else { continue };
            match next(word.load(SeqCst), shape.weight(slot), now) {
                Ok(_) => return Ok(()),
                Err(free) => due = due.min(free),
            }
        }
        Err(due)
    }

    /// Whether more slots are free than the reserve has, so that nobody has to wait for one.
    pub(super) fn is_ample(&self, shape: Shape, now: u64) -> bool {
        let general = self.slots.iter().enumerate().take(shape.slots).skip(shape.reserve);
        let free = general.filter(|(slot, word)| next(word.load(SeqCst), shape.weight(*slot), now).is_ok());
        free.take(shape.reserve + 1).count() > shape.reserve
    }

    /// Gives a slot back that no request has started with, unless it was used since.
    pub(super) fn give_back(&self, taken: Taken) {
        if let Some(word) = self.slots.get(taken.slot) {
            let _ = word.compare_exchange(taken.after, taken.before, SeqCst, SeqCst);
        }
    }

    /// Lets the ten seconds of a slot begin now.
    pub(super) fn touch(&self, slot: usize, now: u64) {
        let Some(word) = self.slots.get(slot) else { return };
        let later = |word| {
            let (time, count) = unpack(word);
            (time < now).then(|| pack(now, count))
        };
        let _ = word.fetch_update(SeqCst, SeqCst, later);
    }

    /// How many requests have started in the last ten seconds.
    pub(super) fn used(&self, now: u64) -> u64 {
        let used = |word: &AtomicU64| match unpack(word.load(SeqCst)) {
            (time, count) if time + WINDOW > now => count,
            _ => 0,
        };
        self.slots.iter().map(used).sum()
    }
}

/// A slot's word after it is taken now, or the time at which it can be.
fn next(word: u64, weight: u64, now: u64) -> Result<u64, u64> {
    match unpack(word) {
        (time, _) if time + WINDOW <= now => Ok(pack(now, 1)),
        (time, count) if count < weight => Ok(pack(time.max(now), count + 1)),
        (time, _) => Err(time + WINDOW),
    }
}
