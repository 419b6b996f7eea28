//! What the current transaction has written to Clerk. When the transaction, or a part of it that has a savepoint, is
//! rolled back, a warning says what stays at Clerk all the same.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ffi::c_void;

use pgrx::{pg_guard, pg_sys};

use crate::pg::encoding::for_message;

/// What was written within one level of subtransactions.
struct Level {
    /// 1 for the transaction itself.
    depth: i32,
    /// How often each change was made, such as "rows inserted into organizations".
    changes: BTreeMap<String, u64>,
}

thread_local! {
    static LEVELS: RefCell<Vec<Level>> = const { RefCell::new(Vec::new()) };
    static IS_REGISTERED: Cell<bool> = const { Cell::new(false) };
    /// How many objects were shown to mirrors in this transaction.
    static MIRRORED: Cell<u32> = const { Cell::new(0) };
    /// Whether the notice about rollbacks was given in this transaction.
    static IS_NOTICED: Cell<bool> = const { Cell::new(false) };
}

/// Says, once in a transaction block, that a rollback does not reach Clerk. To be called before the first write.
pub fn notice_before_write() {
    register();
    // SAFETY: IsTransactionBlock only reads the state of this backend's transaction.
    if unsafe { pg_sys::IsTransactionBlock() } && !IS_NOTICED.replace(true) {
        pgrx::notice!("what this transaction writes to Clerk stays there even if it is rolled back");
    }
}

/// Notes a change that has reached Clerk, or may have.
pub fn note(change: Option<String>, count: u64) {
    let Some(change) = change.filter(|_| count > 0) else { return };
    register();
    // SAFETY: GetCurrentTransactionNestLevel only reads the state of this backend's transaction.
    let depth = unsafe { pg_sys::GetCurrentTransactionNestLevel() };
    LEVELS.with_borrow_mut(|levels| {
        if levels.last().is_none_or(|level| level.depth < depth) {
            levels.push(Level { depth, changes: BTreeMap::new() });
        }
        if let Some(level) = levels.last_mut() {
            *level.changes.entry(change).or_default() += count;
        }
    });
}

/// Counts an object that is shown to mirrors, and returns how many there were in this transaction, this one included. Each
/// keeps a lock until the transaction ends.
pub fn count_mirrored() -> u32 {
    register();
    let count = MIRRORED.get().saturating_add(1);
    MIRRORED.set(count);
    count
}

/// Makes Postgres tell when transactions and subtransactions end.
fn register() {
    if IS_REGISTERED.replace(true) {
        return;
    }
    // SAFETY: the callbacks have the types that Postgres expects, live as long as the library, and take no argument.
    unsafe {
        pg_sys::RegisterXactCallback(Some(transaction_ended), std::ptr::null_mut());
        pg_sys::RegisterSubXactCallback(Some(subtransaction_ended), std::ptr::null_mut());
    }
}

/// # Safety
/// Only Postgres may call this, as a transaction callback.
#[pg_guard]
unsafe extern "C-unwind" fn transaction_ended(event: pg_sys::XactEvent::Type, _argument: *mut c_void) {
    use pg_sys::XactEvent::*;
    if event == XACT_EVENT_PRE_PREPARE && LEVELS.with_borrow(|levels| !levels.is_empty()) {
        pgrx::warning!("what this transaction wrote to Clerk stays there also after ROLLBACK PREPARED");
    }
    if !matches!(event, XACT_EVENT_COMMIT | XACT_EVENT_ABORT | XACT_EVENT_PREPARE) {
        return;
    }
    MIRRORED.set(0);
    IS_NOTICED.set(false);
    let levels = LEVELS.take();
    if event == XACT_EVENT_ABORT {
        warn("the transaction was rolled back", levels);
    }
}

/// # Safety
/// Only Postgres may call this, as a subtransaction callback.
#[pg_guard]
unsafe extern "C-unwind" fn subtransaction_ended(
    event: pg_sys::SubXactEvent::Type,
    _own: pg_sys::SubTransactionId,
    _parent: pg_sys::SubTransactionId,
    _argument: *mut c_void,
) {
    use pg_sys::SubXactEvent::{SUBXACT_EVENT_ABORT_SUB, SUBXACT_EVENT_COMMIT_SUB};
    // SAFETY: GetCurrentTransactionNestLevel only reads the state of this backend's transaction.
    let depth = unsafe { pg_sys::GetCurrentTransactionNestLevel() };
    let ended = LEVELS.with_borrow_mut(|levels| {
        let first = levels.partition_point(|level| level.depth < depth);
        levels.split_off(first)
    });
    match event {
        SUBXACT_EVENT_ABORT_SUB => warn("a part of the transaction was rolled back", ended),
        SUBXACT_EVENT_COMMIT_SUB => LEVELS.with_borrow_mut(|levels| {
            for ended in ended {
                match levels.last_mut().filter(|level| level.depth == depth - 1) {
                    Some(outer) => ended.changes.into_iter().for_each(|(change, count)| {
                        *outer.changes.entry(change).or_default() += count;
                    }),
                    None => levels.push(Level { depth: depth - 1, ..ended }),
                }
            }
        }),
        _ => LEVELS.with_borrow_mut(|levels| levels.extend(ended)),
    }
}

fn warn(what: &str, levels: Vec<Level>) {
    let mut total: BTreeMap<String, u64> = BTreeMap::new();
    for (change, count) in levels.into_iter().flat_map(|level| level.changes) {
        *total.entry(change).or_default() += count;
    }
    if total.is_empty() {
        return;
    }
    let changes: Vec<_> = total.iter().map(|(change, count)| format!("{change}: {count}")).collect();
    let text = format!("{what}, but what it wrote to Clerk stays there ({})", changes.join(", "));
    pgrx::warning!("{}", for_message(text));
}
