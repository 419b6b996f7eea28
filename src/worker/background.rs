//! Syncs in background workers: one that a session starts, and those that are due.
//!
//! A sync's worker is its mirror's owner from its first statement, and what it is to do it was told when it was started,
//! so that nobody can change that in between. Before PostgreSQL 17 a role that cannot log in cannot be a worker's: then
//! the worker is the bootstrap superuser, and does with the owner's rights what concerns the mirror's tables, as every
//! sync does. The scheduler reads and writes nothing but the extension's own tables.

use std::ffi::{CStr, c_int};
use std::panic::AssertUnwindSafe;
use std::ptr::null_mut;
use std::time::{Duration, Instant};

use clerk_api::catalog::OBJECTS;
use pgrx::bgworkers::{
    BackgroundWorker, BackgroundWorkerBuilder, BackgroundWorkerStatus, BgWorkerStartTime, DynamicBackgroundWorker,
};
use pgrx::{PgTryBuilder, PgXactCallbackEvent, check_for_interrupts, pg_guard, pg_sys};

use crate::error::{FdwError, OrRaise};
use crate::mirror::model::{Entry, Mirror, MirrorRef};
use crate::mirror::schedule;
use crate::mirror::store;
use crate::mirror::sync;
use crate::mirror::sync::log::{Mode, Run, SyncOptions};
use crate::pg::sandbox::as_caller;
use crate::pg::settings;
use crate::pg::spi;
use crate::pg::subtransaction::{Failure, in_subtransaction};
use crate::webhook::receive;

const LIBRARY: &str = "clerk_fdw";

/// The database in which the scheduler learns which others there are.
const HOME: &str = "postgres";

/// Registers the scheduler, while the server loads its libraries.
pub fn register() {
    BackgroundWorkerBuilder::new("clerk_fdw scheduler")
        .set_type("clerk_fdw scheduler")
        .set_library(LIBRARY)
        .set_function("clerk_fdw_scheduler")
        .enable_spi_access()
        .set_start_time(BgWorkerStartTime::RecoveryFinished)
        .set_restart_time(Some(Duration::from_secs(60)))
        .load();
}

/// How long looking for due syncs in one database may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a worker waits for a lock: the scheduler's, which looks again soon, and a sync's, which may wait for another
/// sync of the same mirror.
const SCHEDULE_LOCK_TIMEOUT: &CStr = c"2s";
const SYNC_LOCK_TIMEOUT: &CStr = c"10min";

/// How long the commit that starts a worker may take.
const MAX_COMMIT_TIME: Duration = Duration::from_secs(600);

/// After a start that failed the next waits a minute, then twice as long each time, at most so many minutes.
const MAX_BACKOFF: i32 = 60;

/// What a sync's worker is told. It fits into the 128 bytes that Postgres keeps for a worker.
#[derive(Debug, PartialEq)]
struct Order {
    database: u32,
    /// The transaction that has to end before.
    transaction: u32,
    /// As whom it connects; 0 is the bootstrap superuser.
    role: u32,
    mirror: i32,
    run: i64,
    options: SyncOptions,
}

impl Order {
    fn to_text(&self) -> String {
        let SyncOptions { mode, objects, dry_run, force } = &self.options;
        // One bit for each object of the catalogue.
        let bits = objects.as_ref().map(|objects| {
            let has = |name: &str| u64::from(objects.iter().any(|object| object == name));
            OBJECTS.iter().enumerate().fold(0, |bits, (index, object)| bits | has(object.name) << index)
        });
        format!(
            "{} {} {} {} {} {} {} {} {}",
            self.database,
            self.transaction,
            self.role,
            self.mirror,
            self.run,
            mode.map_or("due", Mode::name),
            u8::from(*dry_run),
            u8::from(*force),
            bits.map_or("all".to_owned(), |bits: u64| format!("{bits:x}")),
        )
    }

    fn parse(text: &str) -> Option<Order> {
        let parts: Vec<&str> = text.split(' ').collect();
        let [database, transaction, role, mirror, run, mode, dry_run, force, objects] = parts[..] else { return None };
        let named = |bits: u64| {
            let chosen = OBJECTS.iter().enumerate().filter(move |(index, _)| bits >> index & 1 == 1);
            chosen.map(|(_, object)| object.name.to_owned()).collect()
        };
        let objects = match objects {
            "all" => None,
            bits => Some(named(u64::from_str_radix(bits, 16).ok()?)),
        };
        Some(Order {
            database: database.parse().ok()?,
            transaction: transaction.parse().ok()?,
            role: role.parse().ok()?,
            mirror: mirror.parse().ok()?,
            run: run.parse().ok()?,
            options: SyncOptions { mode: Mode::parse(mode), objects, dry_run: dry_run == "1", force: force == "1" },
        })
    }
}

/// Puts a run into the log and lets this transaction's commit start the worker that does it: no worker waits for a
/// session that keeps its transaction open.
pub fn start_at_commit(mirror: &Mirror, options: &SyncOptions) -> Result<i64, FdwError> {
    let order = order(mirror, options)?;
    let run = order.run;
    let (name, text) = (format!("clerk_fdw sync {run}"), order.to_text());
    pgrx::register_xact_callback(PgXactCallbackEvent::PreCommit, move || launch(&name, &text).or_raise());
    Ok(run)
}

/// Puts a run into the log and starts the worker that does it once this transaction has ended.
fn start(mirror: &Mirror, options: &SyncOptions) -> Result<(), FdwError> {
    let order = order(mirror, options)?;
    launch(&format!("clerk_fdw sync {}", order.run), &order.to_text())
}

/// Puts a run into the log, and says what its worker is to do.
fn order(mirror: &Mirror, options: &SyncOptions) -> Result<Order, FdwError> {
    // Here, where somebody is told if it has none of them.
    mirror.tables(options.objects.as_deref())?;
    let run = Run::announce(mirror, options)?.parse().unwrap_or_default();
    // SAFETY: reads what was set when the backend connected, and gives this transaction an id.
    let (database, transaction) = unsafe { (pg_sys::MyDatabaseId, pg_sys::GetTopTransactionId()) };
    Ok(Order {
        database: database.to_u32(),
        transaction: transaction_number(transaction),
        role: if can_connect(mirror.owner)? { mirror.owner.to_u32() } else { 0 },
        mirror: mirror.number,
        run,
        options: options.clone(),
    })
}

fn launch(name: &str, order: &str) -> Result<(), FdwError> {
    BackgroundWorkerBuilder::new(name)
        .set_type("clerk_fdw sync")
        .set_library(LIBRARY)
        .set_function("clerk_fdw_sync")
        .enable_spi_access()
        .set_extra(order)
        .load_dynamic()
        .map(drop)
        .map_err(|_| FdwError::NoWorker)
}

#[allow(clippy::useless_conversion, reason = "a number in some versions of Postgres, a type of its own in others")]
fn transaction_number(transaction: pg_sys::TransactionId) -> u32 {
    transaction.into()
}

/// Whether a worker may connect to this database as a role.
fn can_connect(role: pg_sys::Oid) -> Result<bool, FdwError> {
    // From 17 on a worker can do without LOGIN.
    let needs_login = cfg!(any(feature = "pg15", feature = "pg16"));
    let may = store::value(
        "SELECT (r.rolcanlogin OR NOT $2::bool) AND r.rolconnlimit < 0
                AND has_database_privilege(r.oid, current_database(), 'CONNECT')
           FROM pg_roles r WHERE r.oid = $1::oid",
        &[Some(&role.to_u32().to_string()), Some(store::truth(needs_login))],
    )?;
    Ok(may.as_deref() == Some("t"))
}

/// A worker that does one run.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn clerk_fdw_sync(_argument: pg_sys::Datum) {
    let Some(order) = Order::parse(BackgroundWorker::get_extra()) else { return };
    connect(order.database, order.role, SYNC_LOCK_TIMEOUT);
    let Order { mirror, run, .. } = order;
    if !wait_for(order.transaction) {
        pgrx::log!("clerk_fdw: sync {run} is given up: the transaction that started it does not end");
        return;
    }
    // The transaction that announced it may have been rolled back, and it may have been cancelled since.
    let announced = in_transaction(|| {
        let begin = "UPDATE clerk_fdw_internal.sync_run SET pid = pg_backend_pid()
                      WHERE run = $1::int8 AND mirror = $2::int4 AND state = 'starting' RETURNING run";
        store::value(begin, &[Some(&run.to_string()), Some(&mirror.to_string())]).or_raise()
    });
    if !matches!(announced, Ok(Some(_))) {
        return;
    }
    let done = in_transaction(|| {
        sync::sync(MirrorRef::Number(mirror), order.options, true, Some(run.to_string()), &receive::retry_all)
    });
    let Err(failure) = done else { return };
    let message = failure.message();
    // What failed before the run began has not been written down yet.
    let noted = in_transaction(|| {
        store::run(
            "UPDATE clerk_fdw_internal.sync_run SET state = 'failed', message = $2, ended_at = clock_timestamp()
              WHERE run = $1::int8 AND state IN ('starting', 'running')",
            &[Some(&run.to_string()), Some(&message)],
        )
        .or_raise();
    });
    drop(noted);
    pgrx::log!("clerk_fdw: sync {run} failed: {message}");
}

/// The worker that looks for syncs that are due, in every database.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn clerk_fdw_scheduler(_argument: pg_sys::Datum) {
    terminable();
    BackgroundWorker::connect_worker_to_spi(Some(HOME), None);
    force_settings(SCHEDULE_LOCK_TIMEOUT);
    loop {
        let databases = in_transaction(|| {
            as_caller(|| spi::rows("SELECT oid FROM pg_database WHERE datallowconn AND NOT datistemplate", &[]))
                .or_raise()
        });
        for database in databases.unwrap_or_default().into_iter().flatten().flatten() {
            let worker = BackgroundWorkerBuilder::new("clerk_fdw schedule")
                .set_type("clerk_fdw schedule")
                .set_library(LIBRARY)
                .set_function("clerk_fdw_schedule")
                .enable_spi_access()
                .set_extra(&database)
                // SAFETY: set when the process began.
                .set_notify_pid(unsafe { pg_sys::MyProcPid })
                .load_dynamic();
            // One database after the other, so that many of them do not take all the workers there are.
            match worker {
                Ok(worker) => wait_until_done(worker, &database),
                Err(_) => {
                    pgrx::log!("clerk_fdw: no worker is free to look for syncs that are due in database {database}")
                }
            }
        }
        nap(Duration::from_secs(settings::naptime().max(1) as u64));
        // SAFETY: the flag is set by the signal's handler; the file is read outside a transaction.
        unsafe {
            if pg_sys::ConfigReloadPending != 0 {
                pg_sys::ConfigReloadPending = 0;
                pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP);
            }
        }
    }
}

/// Waits for a worker, but not for ever: one that hangs is ended, so that the other databases have their turn.
fn wait_until_done(worker: DynamicBackgroundWorker, database: &str) {
    let started = Instant::now();
    while !matches!(worker.pid(), Err(BackgroundWorkerStatus::Stopped | BackgroundWorkerStatus::PostmasterDied)) {
        if started.elapsed() > PATIENCE {
            pgrx::log!("clerk_fdw: looking for syncs that are due in database {database} takes too long and is ended");
            // It ends when it next waits; nobody waits for that.
            let _ = worker.terminate();
            return;
        }
        nap(Duration::from_millis(20));
    }
}

/// A worker that starts what is due in one database.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn clerk_fdw_schedule(_argument: pg_sys::Datum) {
    let Ok(database) = BackgroundWorker::get_extra().parse() else { return };
    connect(database, 0, SCHEDULE_LOCK_TIMEOUT);
    let due = in_transaction(|| {
        let is_here = "SELECT 1 FROM pg_extension WHERE extname = 'clerk_fdw'";
        if as_caller(|| spi::value(is_here, &[])).or_raise().is_none() {
            return Vec::new();
        }
        let due = "SELECT m.number FROM clerk_fdw_internal.mirror m
                    WHERE m.next_run <= now() AND m.number NOT IN (SELECT s.mirror FROM clerk_fdw_internal.syncing s)
                    ORDER BY m.next_run";
        store::column(due, &[]).or_raise()
    });
    // Each by itself: what is wrong with one is no other's business.
    for number in due.unwrap_or_default() {
        let started = in_transaction(|| start_due(&number).or_raise());
        if let Err(failure) = started {
            pgrx::log!("clerk_fdw: the sync of mirror {number} that is due cannot be started: {}", failure.message());
        }
    }
}

/// Starts a sync that is due, or writes down that it could not be and when it is tried again.
fn start_due(number: &str) -> Result<(), FdwError> {
    // Whoever has the entry locked is changing it: it is still due the next time.
    let row = store::row(
        "SELECT m.name, m.schedule, m.failed_starts, floor(date_part('epoch', now()))::int8
           FROM clerk_fdw_internal.mirror m
          WHERE m.number = $1::int4 AND m.next_run <= now() FOR UPDATE SKIP LOCKED",
        &[Some(number)],
    )?;
    let Some([Some(name), Some(schedule), Some(failed), Some(now)]) = row.as_deref() else { return Ok(()) };
    let (failed, now) = (failed.parse().unwrap_or(0), now.parse().unwrap_or(0));
    let started = in_subtransaction(|| {
        let next = schedule::next(schedule, now)?;
        let mirror = Mirror::of_anyone(MirrorRef::Number(number.parse().unwrap_or_default()))?;
        start(&mirror, &SyncOptions::default()).map(|()| next)
    });
    let (next, failed) = match started {
        Ok(next) => (next, 0),
        Err(failure) => {
            let minutes = 1_i32.checked_shl(failed).map_or(MAX_BACKOFF, |wait| wait.clamp(1, MAX_BACKOFF));
            pgrx::log!(
                "clerk_fdw: the sync of mirror {name:?} that is due cannot be started, and is tried again in {minutes} min: {}",
                failure.message()
            );
            (now + i64::from(minutes) * 60, (failed + 1).min(16))
        }
    };
    store::run(
        "UPDATE clerk_fdw_internal.mirror SET next_run = to_timestamp($2::float8), failed_starts = $3::int4
          WHERE number = $1::int4",
        &[Some(number), Some(&next.to_string()), Some(&failed.to_string())],
    )
}

/// Connects a worker to a database as a role; 0 is the bootstrap superuser.
fn connect(database: u32, role: u32, lock_timeout: &CStr) {
    terminable();
    #[cfg(any(feature = "pg15", feature = "pg16"))]
    let flags = 0;
    #[cfg(not(any(feature = "pg15", feature = "pg16")))]
    let flags = pg_sys::BGWORKER_BYPASS_ROLELOGINCHECK;
    // SAFETY: called once, in a worker that asked for a connection when it was registered.
    unsafe { pg_sys::BackgroundWorkerInitializeConnectionByOid(database.into(), role.into(), flags) };
    force_settings(lock_timeout);
}

/// What a role or a database has set for its sessions is not for workers: nobody watches them, so that none may wait
/// for ever, and names in them mean what they mean here.
fn force_settings(lock_timeout: &CStr) {
    use pg_sys::{GucContext, GucSource};
    for (name, value) in [
        (c"search_path", c"pg_catalog, pg_temp"),
        (c"lock_timeout", lock_timeout),
        (c"statement_timeout", c"0"),
        (c"idle_in_transaction_session_timeout", c"0"),
        (c"default_transaction_isolation", c"read committed"),
        (c"default_transaction_read_only", c"off"),
        (c"row_security", c"on"),
    ] {
        // SAFETY: C strings that outlive the call, of settings that every version has.
        unsafe {
            pg_sys::SetConfigOption(name.as_ptr(), value.as_ptr(), GucContext::PGC_SUSET, GucSource::PGC_S_OVERRIDE);
        }
    }
}

/// Lets the worker be ended at its next wait, not in the middle of something.
fn terminable() {
    unsafe extern "C" {
        fn die(signal: c_int);
        fn SignalHandlerForConfigReload(signal: c_int);
    }
    // SAFETY: these are the handlers that backends have for these signals, and this is before they are let through.
    unsafe {
        libc::signal(libc::SIGTERM, die as *const () as libc::sighandler_t);
        libc::signal(libc::SIGHUP, SignalHandlerForConfigReload as *const () as libc::sighandler_t);
        pg_sys::BackgroundWorkerUnblockSignals();
    }
}

/// Waits until the transaction that started this worker has ended; false if it does not, because it waits for a standby
/// perhaps.
fn wait_for(transaction: u32) -> bool {
    let started = Instant::now();
    // SAFETY: looks into shared memory.
    while unsafe { pg_sys::TransactionIdIsInProgress(transaction.into()) } {
        if started.elapsed() > MAX_COMMIT_TIME {
            return false;
        }
        nap(Duration::from_millis(10));
    }
    true
}

fn nap(time: Duration) {
    let events = pg_sys::WL_LATCH_SET | pg_sys::WL_TIMEOUT | pg_sys::WL_EXIT_ON_PM_DEATH;
    // SAFETY: the latch is this process's own.
    unsafe {
        pg_sys::WaitLatch(pg_sys::MyLatch, events as i32, time.as_millis() as _, pg_sys::PG_WAIT_EXTENSION);
        pg_sys::ResetLatch(pg_sys::MyLatch);
    }
    check_for_interrupts!();
}

/// Does something in a transaction, in which other transactions may be begun.
///
/// Procedures that commit keep their memory and their snapshot in the portal that they run in. A worker has none, so it
/// makes one that has no query.
fn in_transaction<T>(action: impl FnOnce() -> T) -> Result<T, Failure> {
    // SAFETY: as a backend does it around a command. A portal that is active outlasts the ends of transactions; what is
    // left in it is given up before it is dropped.
    unsafe {
        pg_sys::SetCurrentStatementStartTimestamp();
        pg_sys::StartTransactionCommand();
        let portal = pg_sys::CreateNewPortal();
        (*portal).visible = false;
        (*portal).status = pg_sys::PortalStatus::PORTAL_ACTIVE;
        let before = (pg_sys::ActivePortal, pg_sys::PortalContext);
        (pg_sys::ActivePortal, pg_sys::PortalContext) = (portal, (*portal).portalContext);
        let done = PgTryBuilder::new(AssertUnwindSafe(|| Ok(action())))
            .catch_others(|caught| Err(Failure::from(caught)))
            .catch_rust_panic(|caught| Err(Failure::from(caught)))
            .execute();
        if done.is_err() {
            pg_sys::AbortCurrentTransaction();
        } else if !(*portal).portalSnapshot.is_null() && pg_sys::ActiveSnapshotSet() {
            pg_sys::PopActiveSnapshot();
        }
        (*portal).portalSnapshot = null_mut();
        (*portal).status = pg_sys::PortalStatus::PORTAL_DONE;
        (pg_sys::ActivePortal, pg_sys::PortalContext) = before;
        pg_sys::MemoryContextSwitchTo(pg_sys::TopMemoryContext);
        pg_sys::PortalDrop(portal, false);
        if done.is_ok() {
            pg_sys::CommitTransactionCommand();
        }
        done
    }
}

/// Ends a run that is announced or under way; false if it has ended already.
pub fn cancel(run: i64) -> Result<bool, FdwError> {
    let run = run.to_string();
    let mirror =
        "SELECT m.name FROM clerk_fdw_internal.sync_run r JOIN clerk_fdw_internal.mirror m ON m.number = r.mirror
                   WHERE r.run = $1::int8";
    let none = || FdwError::NoRun(run.clone());
    let name = store::value(mirror, &[Some(&run)])?.ok_or_else(none)?;
    Entry::load(MirrorRef::Name(&name)).map_err(|_| none())?;
    let waiting = store::row(
        "UPDATE clerk_fdw_internal.sync_run r SET state = 'cancelled', ended_at = clock_timestamp()
          WHERE r.run = $1::int8 AND r.state = 'starting'
         RETURNING (SELECT a.pid FROM pg_stat_activity a WHERE a.pid = r.pid AND a.datname = current_database()
                       AND a.backend_type = 'clerk_fdw sync')",
        &[Some(&run)],
    )?;
    if let Some(row) = waiting {
        // Its worker waits for another sync of the mirror, perhaps: it need not do so any longer.
        if let Some(pid) = row.first().and_then(|pid| pid.as_ref()?.parse::<i32>().ok()) {
            interrupt(pid);
        }
        return Ok(true);
    }
    // The process is this run's as long as it holds the mirror's lock, in this database.
    let pid = store::value(
        "SELECT l.pid FROM clerk_fdw_internal.sync_run r
           JOIN pg_locks l ON l.pid = r.pid AND l.locktype = 'object' AND l.granted AND l.mode = 'ExclusiveLock'
            AND l.classid = 'clerk_fdw_internal.mirror'::regclass AND l.objid::int8 = r.mirror
            AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
          WHERE r.run = $1::int8 AND r.state = 'running'",
        &[Some(&run)],
    )?;
    let Some(pid) = pid.and_then(|pid| pid.parse::<i32>().ok()) else { return Ok(false) };
    Ok(interrupt(pid))
}

/// Cancels what a process of this server is doing.
fn interrupt(pid: i32) -> bool {
    // SAFETY: the process is a backend of this server, and this is the signal that cancels what it does.
    unsafe { libc::kill(pid, libc::SIGINT) == 0 }
}
