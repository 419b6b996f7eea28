use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::entry::{Attempt, Entry, WORDS};
use super::table::{BudgetTable, Located};
use super::window::{SLOTS, Shape, WINDOW, Window};
use super::*;

const SECOND: u64 = 1_000_000;

/// Of the tests' own tables.
const SALT: [u64; 4] = [1, 2, 3, 4];

/// A time at which nothing has started yet.
const START: u64 = 3600 * SECOND;

fn shape(limit: u32) -> Shape {
    Shape::new(NonZeroU32::new(limit).unwrap())
}

fn words(count: usize) -> Vec<AtomicU64> {
    std::iter::repeat_with(AtomicU64::default).take(count).collect()
}

/// No ten seconds have more than the limit.
fn assert_exact(mut starts: Vec<u64>, limit: usize) {
    starts.sort_unstable();
    for (first, over) in starts.iter().zip(starts.iter().skip(limit)) {
        assert!(over - first >= WINDOW, "{limit} and one more started within {} µs", over - first);
    }
}

#[test]
fn a_shape_uses_all_of_its_limit() {
    for limit in [1, 2, 3, 10, 25, 40, 100, 250, 1000, 1024, 1025, 5000, 100_000, 999_999, 1_000_000] {
        let shape = shape(limit);
        let total: u64 = (0..shape.slots).map(|slot| shape.weight(slot)).sum();
        assert_eq!(total, u64::from(limit), "{shape:?}");
        assert!(shape.slots <= SLOTS && shape.reserve <= shape.slots / 2, "{limit}: {shape:?}");
        assert!(limit < 12 || shape.pace < 2 * SECOND, "{limit}: {shape:?}");
    }
}

/// Takes all that can be had in each millisecond of some windows.
fn take_greedily(limit: u32, windows: u64, latency: u64) -> Vec<u64> {
    let (slots, cursor, reserve) = (words(SLOTS), AtomicU64::new(0), AtomicU64::new(0));
    let window = Window { slots: &slots, cursor: &cursor, reserve_started: &reserve };
    let shape = shape(limit);
    let mut starts = Vec::new();
    let mut in_flight = std::collections::VecDeque::new();
    for now in (START..START + windows * WINDOW).step_by(1000) {
        while in_flight.front().is_some_and(|(answered, _)| *answered <= now) {
            let (_, slot) = in_flight.pop_front().unwrap();
            window.touch(slot, now);
        }
        while let Ok(taken) = window.take(shape, now).or_else(|_| window.take_reserve(shape, now)) {
            starts.push(now);
            in_flight.push_back((now + latency, taken.slot));
        }
    }
    starts
}

#[test]
fn the_window_is_exact_and_all_of_it_is_used() {
    for limit in [1, 2, 10, 25, 250, 1000, 1025, 5000, 100_000] {
        for latency in [0, 100_000] {
            let starts = take_greedily(limit, 5, latency);
            let used = starts.len() as f64 / (5.0 * f64::from(limit));
            assert_exact(starts, limit as usize);
            assert!(used > 0.95, "{limit}, {latency} µs: {used} of the limit");
        }
    }
}

#[test]
fn a_single_scan_is_not_throttled() {
    let starts = take_greedily(250, 1, 0);
    assert_eq!(starts.iter().filter(|start| **start == START).count(), 241, "the reserve has ten, of which one is due");
}

#[test]
fn a_clients_limit_is_its_part_of_a_larger_one() {
    let (slots, cursor, reserve) = (words(SLOTS), AtomicU64::new(0), AtomicU64::new(0));
    let window = Window { slots: &slots, cursor: &cursor, reserve_started: &reserve };
    let take = |limit| std::iter::from_fn(|| window.take(shape(limit), START).ok()).count();
    let small = shape(100);
    assert_eq!(take(100), small.slots - small.reserve);
    let large = shape(1000);
    assert_eq!(take(1000), large.slots - small.slots, "beside what the small one has taken");
}

#[test]
fn different_limits_together_keep_the_largest() {
    for (one, other) in [(1025, 1024), (1024, 1025), (2050, 1024), (5000, 700), (3, 100)] {
        let (slots, cursor, reserve) = (words(SLOTS), AtomicU64::new(0), AtomicU64::new(0));
        let window = Window { slots: &slots, cursor: &cursor, reserve_started: &reserve };
        let starts: usize = (0..WINDOW / 1000)
            .flat_map(|step| [(one, step), (other, step)])
            .map(|(limit, step)| {
                let (shape, now) = (shape(limit), START + step * 1000);
                std::iter::from_fn(|| window.take(shape, now).or_else(|_| window.take_reserve(shape, now)).ok()).count()
            })
            .sum();
        assert!(starts <= one.max(other) as usize, "{one} and {other}: {starts}");
    }
}

/// Real threads on a real clock, many of which give up in the middle.
#[test]
fn the_window_is_exact_among_threads() {
    const LIMIT: u32 = 300;
    let table = Arc::new(BudgetTable::own(2, SALT));
    let starts = Arc::new(Mutex::new(Vec::new()));
    let barrier = Barrier::new(16);
    let end = Instant::now() + Duration::from_millis(10_500);
    thread::scope(|scope| {
        for number in 0..16 {
            let (table, starts, barrier) = (&table, &starts, &barrier);
            scope.spawn(move || {
                let budget = budget(table, "sk_live_x", LIMIT);
                barrier.wait();
                let priority = if number % 4 == 0 { Priority::Short } else { Priority::Long };
                while Instant::now() < end {
                    match budget.start(priority, 1) {
                        Start::Started(started) => starts.lock().unwrap().push(started.at),
                        Start::Wait(time) => thread::sleep(time.min(Duration::from_millis(2))),
                        Start::Held(_) => unreachable!(),
                    }
                }
            });
        }
    });
    let starts = std::mem::take(&mut *starts.lock().unwrap());
    let first_window = starts.iter().filter(|start| **start < starts.iter().min().unwrap() + WINDOW).count();
    assert!(first_window as u32 >= LIMIT * 95 / 100, "{first_window} of {LIMIT}");
    assert!(starts.len() as u32 > LIMIT, "the second window has begun");
    assert_exact(starts, LIMIT as usize);
}

fn budget(table: &Arc<BudgetTable>, key: &str, limit: u32) -> Budget {
    let budgets = Budgets { shared: None, own: Arc::clone(table), tenant: 0 };
    Budget::new(&budgets, &"https://api.clerk.com/v1".parse().unwrap(), key, NonZeroU32::new(limit).unwrap())
}

/// Whether a request starts, and when to try again if not.
fn start(entry: Entry<'_>, limit: u32, priority: Priority, now: u64) -> Result<(), u64> {
    match entry.start(shape(limit), priority, now) {
        Attempt::Started(_) => Ok(()),
        Attempt::Due(due) | Attempt::Held(due) => Err(due),
    }
}

#[test]
fn the_reserve_is_paced() {
    let memory = words(WORDS);
    let entry = Entry(&memory);
    while start(entry, 250, Priority::Long, START).is_ok() {}
    let starts = (START + 1..START + 9 * SECOND).step_by(10_000);
    let starts: Vec<_> = starts.filter(|now| start(entry, 250, Priority::Long, *now).is_ok()).collect();
    assert_eq!(starts.len(), 8, "one a second");
    assert!(starts.windows(2).all(|pair| pair[1] - pair[0] >= SECOND));
}

#[test]
fn short_goes_before_long() {
    let memory = words(WORDS);
    let entry = Entry(&memory);
    while start(entry, 250, Priority::Long, START).is_ok() {}
    let mut now = START + 200_000;
    let due = start(entry, 250, Priority::Short, now).unwrap_err();
    assert!(due <= START + SECOND, "the reserve gives one each second");
    let mut waited = 0;
    while start(entry, 250, Priority::Short, now).is_err() {
        entry.short_waiting(now);
        now += 10_000;
        waited += 10_000;
        assert!(start(entry, 250, Priority::Long, now).is_err(), "it would be in the way");
    }
    assert!(waited <= SECOND);
}

#[test]
fn a_short_one_that_was_killed_is_waited_for_no_longer() {
    let memory = words(WORDS);
    let entry = Entry(&memory);
    entry.short_waiting(START);
    let _ = start(entry, 10, Priority::Long, START);
    assert!(start(entry, 10, Priority::Long, START + 1).is_err());
    assert_eq!(start(entry, 10, Priority::Long, START + 250_000), Ok(()));
    entry.short_waiting(START + 300_000);
    entry.short_ended(START + 300_000);
    assert_eq!(start(entry, 10, Priority::Long, START + 300_001), Ok(()));
}

#[test]
fn a_stream_of_lookups_does_not_starve_a_scan() {
    let memory = words(WORDS);
    let entry = Entry(&memory);
    let (mut short, mut long) = (0, 0);
    for now in (START..START + 4 * WINDOW).step_by(2000) {
        entry.short_waiting(now);
        long += u32::from(start(entry, 250, Priority::Long, now).is_ok());
        short += u32::from(start(entry, 250, Priority::Short, now).is_ok());
    }
    assert!(long >= 100, "{long} of a long scan");
    assert!(short >= 500, "{short} lookups");
}

#[test]
fn waiting_requests_are_counted_while_they_say_so() {
    let memory = words(WORDS);
    let entry = Entry(&memory);
    let (mut one, mut other) = (None, None);
    entry.beat(&mut one, 3, START);
    entry.beat(&mut other, 4, START);
    assert_eq!(entry.waiting(START), 7);
    entry.beat(&mut one, 2, START + 800_000);
    assert_eq!(entry.waiting(START + SECOND), 2, "the other was killed");
    entry.beat(&mut one, 0, START + SECOND);
    assert_eq!((entry.waiting(START + SECOND), one), (0, None));
}

#[test]
fn pauses_grow_when_they_have_not_helped() {
    let memory = words(WORDS);
    let entry = Entry(&memory);
    let mut now = START;
    let mut pauses = Vec::new();
    for _ in 0..6 {
        for _ in 0..3 {
            entry.refuse(now, Some(SECOND), 60 * SECOND, now);
        }
        pauses.push((entry.held_until() - now) / SECOND);
        now = entry.held_until();
    }
    assert_eq!(pauses, [1, 2, 4, 5, 5, 5]);
    entry.refuse(now, Some(30 * SECOND), 60 * SECOND, now);
    assert_eq!(entry.held_until() - now, 30 * SECOND, "what Clerk asks for holds in any case");
    now = entry.held_until();
    entry.refuse(now, Some(SECOND), 3 * SECOND, now);
    assert_eq!(entry.held_until() - now, 3 * SECOND, "no longer than the request waits");
    now = entry.held_until();
    entry.accept(now);
    entry.refuse(now, Some(SECOND), 60 * SECOND, now);
    assert_eq!(entry.held_until() - now, SECOND, "after a success they begin anew");
    now = entry.held_until();
    entry.refuse(now, Some(u64::MAX), u64::MAX, now);
    assert_eq!(entry.held_until() - now, 60 * SECOND, "a wrong number does not hold for ever");
    assert_eq!(entry.refused(), 22);
}

/// Calls a function with a new table of so many entries.
fn with_table(entries: usize, test: impl FnOnce(&BudgetTable)) {
    let table = BudgetTable::own(entries, SALT);
    test(&table);
}

#[test]
fn keys_have_entries_of_their_own() {
    with_table(4, |table| {
        table.view(|view| {
            let identity = |base, key| view.identify(base, key);
            let mut all = vec![identity("a", "k"), identity("b", "k"), identity("a", "l"), identity("ak", "")];
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), 4);
            let add = |key| view.add(identity("a", key), "live a", 0, START);
            assert_eq!((add("k"), add("l"), add("k")), (Located::At(0), Located::At(1), Located::At(0)));
        });
    });
    let salted = words(BudgetTable::words(1));
    BudgetTable::prepare(&salted, [5, 6, 7, 8]);
    let salted = BudgetTable::shared(Vec::leak(salted), || START);
    let own = BudgetTable::own(1, SALT);
    assert_ne!(salted.view(|view| view.identify("a", "k")), own.view(|view| view.identify("a", "k")));
}

/// An idle entry makes room; one that somebody uses does not.
#[test]
fn a_full_table_makes_room_where_nothing_happens() {
    with_table(3, |table| {
        table.view(|view| {
            let mut now = START;
            for identity in 1..=3 {
                let located = view.add(identity | 1 << 63, "live a", 0, now);
                let Located::At(index) = located else { panic!("{located:?}") };
                assert_eq!(start(view.entry(index).unwrap(), 250, Priority::Short, now), Ok(()));
                view.entry(index).unwrap().used_by(250, now);
                now += SECOND;
            }
            assert_eq!(view.add(4 | 1 << 63, "live a", 0, now), Located::Full);
            now = START + WINDOW;
            assert_eq!(view.add(4 | 1 << 63, "live a", 0, now), Located::At(0), "the one whose window is over");
            assert_eq!(view.find(1 | 1 << 63, 0), None);
            // One that Clerk holds back, or that somebody waits for, stays.
            now = START + 2 * WINDOW;
            view.entry(1).unwrap().refuse(now, Some(SECOND), 0, now);
            view.entry(2).unwrap().beat(&mut None, 1, now);
            view.entry(0).unwrap().refuse(now, Some(SECOND), 0, now);
            assert_eq!(view.add(5 | 1 << 63, "live a", 0, now), Located::Full);
        });
    });
}

#[test]
fn a_tenant_has_a_quarter_at_most() {
    with_table(8, |table| {
        table.view(|view| {
            let add = |identity: u64, tenant| {
                let located = view.add(identity | 1 << 63, "other evil", tenant, START);
                if let Located::At(index) = located {
                    let _ = start(view.entry(index).unwrap(), 250, Priority::Short, START);
                }
                located
            };
            assert_eq!((add(1, 7), add(2, 7)), (Located::At(0), Located::At(1)));
            assert_eq!(add(3, 7), Located::Full);
            assert_eq!(add(4, 8), Located::At(2));
        });
    });
}

/// A process that was killed while it added an entry is in nobody's way for long, and no budget is lost.
#[test]
fn a_lock_that_was_left_behind_is_taken_over() {
    let memory = words(BudgetTable::words(2));
    BudgetTable::prepare(&memory, [5; 4]);
    let memory: &'static [AtomicU64] = Vec::leak(memory);
    let table = BudgetTable::shared(memory, || START);
    table.view(|view| {
        assert_eq!(view.add(1 | 1 << 63, "live a", 0, START), Located::At(0));
        let _ = start(view.entry(0).unwrap(), 250, Priority::Short, START);
        let token = START << 10 | 1;
        memory[0].store(token, SeqCst);
        view.entry(0).unwrap().previous().store(1 | 1 << 63, SeqCst);
        view.entry(0).unwrap().identity().store(token, SeqCst);
        assert_eq!(view.add(1 | 1 << 63, "live a", 0, START + SECOND), Located::Busy);
        assert_eq!(view.add(1 | 1 << 63, "live a", 0, START + 6 * SECOND), Located::At(0));
        assert_eq!(view.entry(0).unwrap().window().used(START + 6 * SECOND), 1);
        assert_eq!(view.add(2 | 1 << 63, "live a", 0, START + 6 * SECOND), Located::At(1), "the lock is free again");
    });
    table.close();
    assert!(table.view(|_| ()).is_none());
}

#[test]
fn what_was_saved_is_restored_within_bounds() {
    let memory = words(BudgetTable::words(2));
    BudgetTable::prepare(&memory, [5; 4]);
    let table = BudgetTable::shared(Vec::leak(memory), || START);
    let before = table.view(|view| {
        assert_eq!(view.add(view.identify("a", "k"), "live a", 0, START), Located::At(0));
        let entry = view.entry(0).unwrap();
        for _ in 0..3 {
            let _ = start(entry, 250, Priority::Short, START);
        }
        entry.window().touch(2, START + 1_000_000 * SECOND);
        view.identify("a", "k")
    });
    let saved = table.save();
    let memory = words(BudgetTable::words(2));
    BudgetTable::restore(&memory, &saved, || START);
    let table = BudgetTable::shared(Vec::leak(memory), || START);
    table.view(|view| {
        assert_eq!(Some(view.identify("a", "k")), before);
        let entry = view.entry(view.find(before.unwrap(), 0).unwrap()).unwrap();
        assert_eq!(entry.window().used(START), 3);
        assert_eq!(entry.window().used(START + WINDOW), 0);
    });
    assert_eq!(table.list()[0].host, "a");
}

/// Threads that use more keys than there are entries, so that these change hands all the time.
#[test]
fn no_start_is_lost_when_entries_change_hands() {
    const LIMIT: u32 = 4;
    let table = Arc::new(BudgetTable::own(3, SALT));
    let starts: Vec<_> = (0..8).map(|_| Mutex::new(Vec::new())).collect();
    let end = Instant::now() + Duration::from_millis(12_000);
    thread::scope(|scope| {
        for number in 0..16 {
            let (table, starts) = (&table, &starts);
            scope.spawn(move || {
                let budget = budget(table, &format!("sk_live_{}", number / 2), LIMIT);
                while Instant::now() < end {
                    match budget.start(Priority::Short, 1) {
                        Start::Started(started) => starts[number / 2].lock().unwrap().push(started.at),
                        _ => thread::sleep(Duration::from_micros(300)),
                    }
                }
                budget.gave_up(Priority::Short, 0);
            });
        }
    });
    for starts in &starts {
        assert_exact(std::mem::take(&mut *starts.lock().unwrap()), LIMIT as usize);
    }
    assert!(starts.len() > 3);
}

#[test]
fn a_client_without_room_counts_for_itself_until_there_is() {
    let full = Arc::new(BudgetTable::own(1, SALT));
    let other = budget(&full, "sk_live_other", 250);
    assert!(matches!(other.start(Priority::Short, 1), Start::Started(_)));
    let budgets = Budgets { shared: Some(Arc::clone(&full)), own: Arc::new(BudgetTable::own(1, SALT)), tenant: 0 };
    let base = "https://api.clerk.com/v1".parse().unwrap();
    let mine = Budget::new(&budgets, &base, "sk_live_mine", NonZeroU32::new(250).unwrap());
    assert!(!mine.is_shared());
    assert!(matches!(mine.start(Priority::Short, 1), Start::Started(_)));
    assert_eq!(mine.remaining(), 249);
    assert_eq!(full.list()[0].host, "api.clerk.com");
    assert_eq!(budgets.own.list()[0].used, 1);
}
