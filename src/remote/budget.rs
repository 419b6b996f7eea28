//! Gives all backends one budget for each Clerk instance, in shared memory: see [`clerk_api::BudgetTable`].
//!
//! | where | which memory |
//! | --- | --- |
//! | `shared_preload_libraries` names clerk_fdw | Postgres' own shared memory, which is there from the start |
//! | else, from PostgreSQL 17 on | a named segment of dynamic shared memory, made by the first backend that needs it |
//! | else | none: each backend counts for itself |
//!
//! A backend finds the memory on its main thread. From then on, the I/O thread uses only the atomics in it.

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use clerk_api::{BudgetState, BudgetTable, Budgets, Client};
use pgrx::{pg_guard, pg_sys};

#[cfg(any(feature = "pg17", feature = "pg18"))]
mod named_segment;

/// How many instances can be in use at the same time before further ones count in each backend alone. Those that are not
/// in use make room for others.
const ENTRIES: usize = 128;

/// The same for the table that a backend has of its own.
const OWN_ENTRIES: usize = 16;

const WORDS: usize = BudgetTable::words(ENTRIES);
const BYTES: usize = WORDS * size_of::<AtomicU64>();

/// The table's words in Postgres' own shared memory, or null if the extension is not preloaded. The postmaster sets it,
/// and backends inherit it when they are forked.
static PRELOADED: AtomicPtr<AtomicU64> = AtomicPtr::new(std::ptr::null_mut());

/// What the table had in it when a crash made the postmaster give up its shared memory.
static SAVED: Mutex<Option<Vec<u64>>> = Mutex::new(None);

static mut PREVIOUS_REQUEST_HOOK: pg_sys::shmem_request_hook_type = None;
static mut PREVIOUS_STARTUP_HOOK: pg_sys::shmem_startup_hook_type = None;

/// Asks for shared memory while the postmaster loads its libraries.
pub fn reserve() {
    // SAFETY: this runs once, in the postmaster. The hooks are null or those of other libraries, which are kept and called.
    unsafe {
        PREVIOUS_REQUEST_HOOK = pg_sys::shmem_request_hook;
        pg_sys::shmem_request_hook = Some(request);
        PREVIOUS_STARTUP_HOOK = pg_sys::shmem_startup_hook;
        pg_sys::shmem_startup_hook = Some(start_up);
    }
}

/// Postgres calls this when it adds up how much shared memory is needed.
#[pg_guard]
unsafe extern "C-unwind" fn request() {
    // SAFETY: Postgres calls this hook when RequestAddinShmemSpace is allowed. The guards turn an ERROR into a panic, so
    // that no longjmp crosses Rust's frames.
    unsafe {
        if let Some(previous) = PREVIOUS_REQUEST_HOOK {
            pg_sys::ffi::pg_guard_ffi_boundary(|| previous());
        }
        pg_sys::RequestAddinShmemSpace(BYTES);
    }
}

/// Postgres calls this in the postmaster when the shared memory has been made: at the start, and again after a crash of
/// one of its processes.
#[pg_guard]
unsafe extern "C-unwind" fn start_up() {
    // SAFETY: ShmemInitStruct returns memory of the size that was asked for, aligned for any type and mapped for as long as
    // this process or those forked from it live. Nobody else uses it yet: before the postmaster has returned from this, no
    // process is forked. on_shmem_exit is given a function with the signature that it wants.
    unsafe {
        if let Some(previous) = PREVIOUS_STARTUP_HOOK {
            pg_sys::ffi::pg_guard_ffi_boundary(|| previous());
        }
        let mut found = false;
        let memory = pg_sys::ShmemInitStruct(c"clerk_fdw budgets".as_ptr(), BYTES, &mut found).cast::<AtomicU64>();
        if !found {
            // The memory is zeroed or holds anything else, and any bytes are a valid AtomicU64.
            let words = std::slice::from_raw_parts(memory, WORDS);
            match SAVED.lock().unwrap_or_else(PoisonError::into_inner).take() {
                Some(saved) => BudgetTable::restore(words, &saved, monotonic_clock),
                None => BudgetTable::prepare(words, random_salt()),
            }
        }
        PRELOADED.store(memory, Ordering::Release);
        pg_sys::on_shmem_exit(Some(save), pg_sys::Datum::null());
    }
}

/// Postgres calls this in the postmaster before it gives up its shared memory. After a crash it makes new memory at once,
/// and Clerk still counts the requests of the last ten seconds. Backends drop the postmaster's callbacks when they are
/// forked.
#[pg_guard]
unsafe extern "C-unwind" fn save(_code: std::ffi::c_int, _argument: pg_sys::Datum) {
    let memory = PRELOADED.swap(std::ptr::null_mut(), Ordering::Acquire);
    if !memory.is_null() {
        // SAFETY: start_up has stored a pointer to so many words, which are mapped until after this callback.
        let words = unsafe { std::slice::from_raw_parts(memory, WORDS) };
        let saved = words.iter().map(|word| word.load(Ordering::Relaxed)).collect();
        *SAVED.lock().unwrap_or_else(PoisonError::into_inner) = Some(saved);
    }
}

/// The time since the machine started, which all processes agree on, in microseconds.
fn monotonic_clock() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: clock_gettime writes to the timespec that it is given. It fails only for an unknown clock.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    // Not zero even just after the start: a time of zero means that nothing has ever started.
    time.tv_sec as u64 * 1_000_000 + time.tv_nsec as u64 / 1000 + 60_000_000
}

/// A secret with which keys are hashed.
fn random_salt() -> [u64; 4] {
    let mut salt = [0_u64; 4];
    // SAFETY: pg_strong_random writes as many bytes as it is told to, which is the size of the array.
    let is_random = unsafe { pg_sys::pg_strong_random(salt.as_mut_ptr().cast::<c_void>(), size_of_val(&salt)) };
    if !is_random {
        pgrx::error!("clerk_fdw: the machine has no random numbers");
    }
    salt
}

/// The table that all backends share; `None` if there is none.
fn shared() -> Option<Arc<BudgetTable>> {
    static SHARED: OnceLock<Option<Arc<BudgetTable>>> = OnceLock::new();
    // Not in get_or_init, because the ways there may raise an error.
    if let Some(shared) = SHARED.get() {
        return shared.clone();
    }
    let memory = PRELOADED.load(Ordering::Acquire);
    let table = if memory.is_null() {
        #[cfg(any(feature = "pg17", feature = "pg18"))]
        let table = named_segment::table();
        #[cfg(not(any(feature = "pg17", feature = "pg18")))]
        let table = None;
        table
    } else {
        // SAFETY: the postmaster has stored a pointer to so many words in the shared memory, which a backend that was forked
        // from it has mapped until its process ends. All processes use them only as AtomicU64s.
        let words = unsafe { std::slice::from_raw_parts(memory, WORDS) };
        Some(Arc::new(BudgetTable::shared(words, monotonic_clock)))
    };
    SHARED.get_or_init(|| table).clone()
}

fn own() -> Arc<BudgetTable> {
    static OWN: OnceLock<Arc<BudgetTable>> = OnceLock::new();
    Arc::clone(OWN.get_or_init(|| Arc::new(BudgetTable::own(OWN_ENTRIES, random_salt()))))
}

/// Where the clients of a server count their requests. Servers of one owner in one database do not get all of the shared
/// memory, however many keys they use.
pub fn budgets(owner: pg_sys::Oid) -> Budgets {
    // SAFETY: MyDatabaseId is an oid that is set when the backend connects.
    let database = unsafe { pg_sys::MyDatabaseId };
    let tenant = u64::from(database.to_u32()) << 32 | u64::from(owner.to_u32());
    Budgets { shared: shared(), own: own(), tenant }
}

/// Says once in the log if a client's requests do not count together with those of other backends.
pub fn log_unless_shared(client: &Client) {
    static IS_SAID: AtomicBool = AtomicBool::new(false);
    if client.shares_budget() || IS_SAID.swap(true, Ordering::Relaxed) {
        return;
    }
    log(match shared() {
        Some(_) => {
            "rate_limit counts in this backend alone, because too many Clerk instances are in use at the same time"
        }
        None => "rate_limit counts in each backend alone, because shared_preload_libraries does not name clerk_fdw",
    });
}

/// Writes to the log, where a pending interrupt has to wait: it would raise an error.
fn log(message: &str) {
    // SAFETY: this runs on the main thread, whose count this is. As long as it is not zero, Postgres does not process
    // interrupts, and writing to the log raises no other error.
    unsafe { pg_sys::InterruptHoldoffCount += 1 };
    pgrx::log!("clerk_fdw: {message}");
    // SAFETY: as above.
    unsafe { pg_sys::InterruptHoldoffCount -= 1 };
}

/// All budgets, and whether each is one that all backends share.
pub fn list() -> Vec<(BudgetState, bool)> {
    let shared = shared().map(|table| table.list()).unwrap_or_default().into_iter().map(|state| (state, true));
    shared.chain(own().list().into_iter().map(|state| (state, false))).collect()
}
