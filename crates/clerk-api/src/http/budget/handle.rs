//! What a client has of its instance's budget.

use std::num::NonZeroU32;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Priority;
use super::entry::{Attempt, Entry};
use super::table::{BudgetTable, Located};
use super::window::{Shape, WINDOW};

/// Where clients count their requests.
#[derive(Clone)]
pub struct Budgets {
    /// The table that all processes share, if there is one.
    pub shared: Option<Arc<BudgetTable>>,
    /// The table of this process, for when there is no shared one, or no room in it.
    pub own: Arc<BudgetTable>,
    /// On whose behalf the client sends requests: one tenant does not get all of the shared table. 0 is nobody in
    /// particular.
    pub tenant: u64,
}

impl Default for Budgets {
    /// For one client alone.
    fn default() -> Self {
        let salt = std::array::from_fn(|_| fastrand::u64(..));
        Budgets { shared: None, own: Arc::new(BudgetTable::own(1, salt)), tenant: 0 }
    }
}

/// What a budget is like at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetState {
    /// The host, and the port if it is not the usual one.
    pub host: String,
    /// The kind of the key, `live`, `test` or `other`, and eight digits that tell keys of one host apart. They say nothing
    /// about the key, and are others when the table is made anew.
    pub instance: String,
    pub limit: u64,
    /// How many requests have started in the last ten seconds.
    pub used: u64,
    /// For how much longer nothing starts, because Clerk has asked for that.
    pub held: Option<Duration>,
    /// How many requests wait for the budget.
    pub waiting: u64,
    /// How many requests were answered with 429 so far.
    pub refused: u64,
}

impl BudgetTable {
    /// All budgets that the table has.
    pub fn list(&self) -> Vec<BudgetState> {
        let now = self.now();
        let state = |entry: Entry<'_>| {
            let identity = entry.identity().load(std::sync::atomic::Ordering::SeqCst);
            let label = entry.label();
            let (kind, host) = label.split_once(' ').filter(|_| identity >> 63 == 1)?;
            Some(BudgetState {
                host: host.to_owned(),
                instance: format!("{kind} {:08x}", identity as u32),
                limit: entry.limit(),
                used: entry.window().used(now),
                held: entry.held_until().checked_sub(now).filter(|held| *held > 0).map(Duration::from_micros),
                waiting: entry.waiting(now),
                refused: entry.refused(),
            })
        };
        self.view(|view| view.entries().filter_map(state).collect()).unwrap_or_default()
    }
}

/// A client's way to its instance's budget.
pub(crate) struct Budget {
    shared: Option<Place>,
    own: Place,
    tenant: u64,
    label: String,
    limit: NonZeroU32,
    shape: Shape,
    /// This client's part in spreading the requests that start after a pause that all have waited for.
    spread: u64,
    state: Mutex<State>,
}

struct Place {
    table: Arc<BudgetTable>,
    identity: u64,
    /// Where the entry was last.
    hint: AtomicUsize,
}

#[derive(Default)]
struct State {
    /// Until when the process's own table is used although there is a shared one, because that had no room.
    own_until: u64,
    /// Where and what this client has last said about its waiting requests.
    beat: Option<(usize, u64)>,
    /// When a short request of this client has last said that it waits.
    short_beat: u64,
}

/// A request that was started, with its slot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Started {
    is_own: bool,
    entry: usize,
    slot: usize,
    /// When it was started.
    pub(crate) at: u64,
}

/// What came of the wish to start a request.
#[derive(Debug)]
pub(crate) enum Start {
    Started(Started),
    /// It is worth trying again after this time.
    Wait(Duration),
    /// Clerk has asked to send nothing for this time.
    Held(Duration),
}

/// All who wait after a pause of Clerk's wait for up to this much longer, so that they do not all start at once.
const SPREAD: u64 = 250_000;

/// No wait is longer than this, so that what a waiting request says about itself stays fresh.
const MAX_WAIT: u64 = 250_000;

/// The same for a short one.
const MAX_SHORT_WAIT: u64 = 50_000;

/// The time after which those who found somebody else adding an entry look again.
const BUSY_WAIT: u64 = 2_000;

/// The time after which those who found a full table look again.
const FULL_WAIT: u64 = 100_000;

impl Budget {
    pub(crate) fn new(budgets: &Budgets, base: &url::Url, key: &str, limit: NonZeroU32) -> Self {
        let place = |table: &Arc<BudgetTable>| {
            let base = base.as_str().trim_end_matches('/');
            let identity = table.view(|view| view.identify(base, key)).unwrap_or_default();
            Place { table: Arc::clone(table), identity, hint: AtomicUsize::new(0) }
        };
        let kind = match key {
            key if key.starts_with("sk_live_") => "live",
            key if key.starts_with("sk_test_") => "test",
            _ => "other",
        };
        let port = base.port().map(|port| format!(":{port}")).unwrap_or_default();
        Budget {
            shared: budgets.shared.as_ref().map(place),
            own: place(&budgets.own),
            tenant: budgets.tenant,
            label: format!("{kind} {}{port}", base.host_str().unwrap_or_default()),
            limit,
            shape: Shape::new(limit),
            spread: fastrand::u64(..SPREAD),
            state: Mutex::default(),
        }
    }

    /// Whether the requests of this client count together with those of other processes.
    pub(crate) fn is_shared(&self) -> bool {
        let Some(shared) = &self.shared else { return false };
        let mut state = self.lock();
        !self.uses_own(&mut state) && !matches!(self.locate(shared, self.tenant), None | Some(Located::Full))
    }

    /// How many more requests could have started in the last ten seconds.
    pub(crate) fn remaining(&self) -> u32 {
        let uses_own = self.uses_own(&mut self.lock());
        let place = self.place(uses_own);
        let now = place.table.now();
        let used = place.table.view(|view| {
            let index = view.find(place.identity, place.hint.load(Relaxed))?;
            Some(view.entry(index)?.window().used(now))
        });
        self.limit.get().saturating_sub(used.flatten().unwrap_or(0).try_into().unwrap_or(u32::MAX))
    }

    /// Starts a request if it may start now. `waiting` is how many requests of this client wait, this one included.
    pub(crate) fn start(&self, priority: Priority, waiting: usize) -> Start {
        let mut state = self.lock();
        let is_own = self.uses_own(&mut state);
        let place = self.place(is_own);
        let tenant = if is_own { 0 } else { self.tenant };
        let entry = match self.locate(place, tenant) {
            Some(Located::At(entry)) => entry,
            Some(Located::Full) if !is_own => {
                state.own_until = self.own.table.now() + WINDOW;
                state.beat = None;
                drop(state);
                return self.start(priority, waiting);
            }
            Some(Located::Full) => return Start::Wait(Duration::from_micros(FULL_WAIT)),
            Some(Located::Busy) => return Start::Wait(Duration::from_micros(BUSY_WAIT)),
            // The process is about to end.
            None => return Start::Wait(Duration::from_secs(1)),
        };
        let now = place.table.now();
        let start = place.table.view(|view| {
            let Some(budget) = view.entry(entry) else { return Start::Wait(Duration::from_micros(BUSY_WAIT)) };
            if !is(budget, place.identity) {
                return Start::Wait(Duration::from_micros(BUSY_WAIT));
            }
            budget.used_by(self.limit.get().into(), now);
            let held_until = budget.held_until();
            let attempt = match held_until + self.spread {
                spread if held_until <= now && spread > now => Attempt::Due(spread),
                _ => budget.start(self.shape, priority, now),
            };
            match attempt {
                Attempt::Started(taken) if is(budget, place.identity) => {
                    budget.beat(&mut state.beat, waiting as u64 - 1, now);
                    if priority == Priority::Short && state.short_beat > 0 {
                        budget.short_ended(std::mem::take(&mut state.short_beat));
                    }
                    Start::Started(Started { is_own, entry, slot: taken.slot, at: now })
                }
                Attempt::Started(taken) => {
                    // The entry has become another's in the very moment.
                    budget.window().give_back(taken);
                    Start::Wait(Duration::from_micros(BUSY_WAIT))
                }
                Attempt::Due(due) => {
                    self.say(budget, &mut state, priority, waiting, now);
                    let longest = if priority == Priority::Short { MAX_SHORT_WAIT } else { MAX_WAIT };
                    Start::Wait(Duration::from_micros(due.saturating_sub(now).clamp(1, longest)))
                }
                // The entry has become another's in the very moment.
                _ if !is(budget, place.identity) => Start::Wait(Duration::from_micros(BUSY_WAIT)),
                Attempt::Held(until) => {
                    self.say(budget, &mut state, priority, waiting, now);
                    Start::Held(Duration::from_micros(until - now))
                }
            }
        });
        start.unwrap_or(Start::Wait(Duration::from_secs(1)))
    }

    fn say(&self, budget: Entry<'_>, state: &mut State, priority: Priority, waiting: usize, now: u64) {
        budget.beat(&mut state.beat, waiting as u64, now);
        if priority == Priority::Short {
            budget.short_waiting(now);
            state.short_beat = now;
        }
    }

    /// Notes how many requests wait after one of them has given up.
    pub(crate) fn gave_up(&self, priority: Priority, waiting: usize) {
        let mut state = self.lock();
        if state.beat.is_none() && state.short_beat == 0 {
            return;
        }
        let place = self.place(self.uses_own(&mut state));
        let now = place.table.now();
        place.table.view(|view| {
            let Some(index) = view.find(place.identity, place.hint.load(Relaxed)) else { return };
            let Some(budget) = view.entry(index) else { return };
            budget.beat(&mut state.beat, waiting as u64, now);
            if priority == Priority::Short {
                budget.short_ended(std::mem::take(&mut state.short_beat));
            }
        });
    }

    /// Notes that a request was still on its way just now, or has just been answered.
    pub(crate) fn touch(&self, started: &Started) {
        self.look(started, |budget, now| budget.window().touch(started.slot, now));
    }

    /// Holds all back because a request was answered with 429. `asked` is what `Retry-After` says, and `patience` for how
    /// long the request would wait if the pause grows.
    pub(crate) fn refuse(&self, started: &Started, asked: Option<Duration>, patience: Duration) {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.look(started, |budget, now| budget.refuse(started.at, asked.map(micros), micros(patience), now));
    }

    /// Notes that Clerk did not refuse a request.
    pub(crate) fn accept(&self, started: &Started) {
        self.look(started, |budget, _| budget.accept(started.at));
    }

    /// Looks at the budget of a request, unless its entry has become another's.
    fn look(&self, started: &Started, look: impl FnOnce(Entry<'_>, u64)) {
        let place = self.place(started.is_own);
        let now = place.table.now();
        place.table.view(|view| {
            if let Some(entry) = view.entry(started.entry)
                && is(entry, place.identity)
            {
                look(entry, now);
            }
        });
    }

    fn place(&self, is_own: bool) -> &Place {
        self.shared.as_ref().filter(|_| !is_own).unwrap_or(&self.own)
    }

    /// Whether the process's own table is used. It stays so for as long as requests in it count.
    fn uses_own(&self, state: &mut State) -> bool {
        if state.own_until == 0 || self.shared.is_none() {
            return self.shared.is_none();
        }
        let now = self.own.table.now();
        let is_idle = || {
            let idle = self.own.table.view(|view| {
                let entry = view.find(self.own.identity, 0).and_then(|index| view.entry(index));
                entry.is_none_or(|entry| entry.is_idle(now))
            });
            idle.unwrap_or(true)
        };
        if state.own_until <= now && is_idle() {
            state.own_until = 0;
            state.beat = None;
        }
        state.own_until != 0
    }

    /// Where the entry is, which is added if it is not there; `None` if the table is closed.
    fn locate(&self, place: &Place, tenant: u64) -> Option<Located> {
        let now = place.table.now();
        let located = place.table.view(|view| match view.find(place.identity, place.hint.load(Relaxed)) {
            Some(entry) => Located::At(entry),
            None => view.add(place.identity, &self.label, tenant, now),
        });
        if let Some(Located::At(entry)) = located {
            place.hint.store(entry, Relaxed);
        }
        located
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is(entry: Entry<'_>, identity: u64) -> bool {
    entry.identity().load(std::sync::atomic::Ordering::SeqCst) == identity
}

impl std::fmt::Debug for Budget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Budget").field("label", &self.label).field("limit", &self.limit).finish_non_exhaustive()
    }
}
