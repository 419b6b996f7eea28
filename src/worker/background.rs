//! Runs syncs in background workers: those that a session starts, and those that are due.
//!
//! A sync's worker connects as its mirror's owner, and is told what to do when it is started, so nobody can change that
//! in between. Before PostgreSQL 17, a worker cannot connect as a role that cannot log in. The worker of such a mirror
//! is the bootstrap superuser, and uses the owner's rights for everything that concerns the mirror's tables, as every
//! sync does. The scheduler reads and writes only the extension's own tables.

use std::ffi::{CStr, c_int};
use std::panic::AssertUnwindSafe;
use std::ptr::null_mut;
use std::time::{Duration, Instant};

use pgrx::bgworkers::{
    BackgroundWorker, BackgroundWorkerBuilder, BackgroundWorkerStatus, BgWorkerStartTime, DynamicBackgroundWorker,
};
use pgrx::{PgTryBuilder, PgXactCallbackEvent, check_for_interrupts, pg_guard, pg_sys};

use super::order::Order;
use crate::error::{FdwError, OrRaise};
use crate::mirror::model::{Entry, Mirror, MirrorRef};
use crate::mirror::schedule;
use crate::mirror::store;
use crate::mirror::sync;
use crate::mirror::sync::log::{Run, SyncOptions};
use crate::pg::sandbox::as_caller;
use crate::pg::settings;
use crate::pg::spi;
use crate::pg::subtransaction::{Failure, in_subtransaction};
use crate::webhook::receive;

const LIBRARY: &str = "clerk_fdw";

/// The database to which the scheduler connects to list the other databases.
const HOME_DATABASE: &str = "postgres";

/// Registers the scheduler while the server loads its libraries.
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

/// How long the worker that looks for due syncs in one database may take. It takes milliseconds unless it waits for
/// locks, each for at most 2 seconds. After 30 seconds it has held up the other databases for too long.
const MAX_SCHEDULE_TIME: Duration = Duration::from_secs(30);

/// How long a worker waits for a lock. The scheduler's workers wait for a short time, because they look again soon. A
/// sync's worker waits for up to ten minutes, because another sync of the same mirror may be running, but not forever,
/// because it occupies one of the server's worker slots.
const SCHEDULE_LOCK_TIMEOUT: &CStr = c"2s";
const SYNC_LOCK_TIMEOUT: &CStr = c"10min";

/// How long the commit that starts a worker may take. It may wait for a synchronous standby, but the worker must not
/// wait forever.
const MAX_COMMIT_TIME: Duration = Duration::from_secs(600);

/// After a failed start, the next one waits a minute, and twice as long after each further failure, but at most this
/// many minutes, so that a mirror is synced at most an hour after its problem is solved.
const MAX_BACKOFF_MINUTES: i32 = 60;

/// Adds a log entry for a run, and registers the worker that does it to be started when this transaction commits. So no
/// worker waits for a session that keeps its transaction open.
pub fn start_at_commit(mirror: &Mirror, options: &SyncOptions) -> Result<i64, FdwError> {
    let order = announce(mirror, options)?;
    let run = order.run;
    let (name, text) = (format!("clerk_fdw sync {run}"), order.to_text());
    pgrx::register_xact_callback(PgXactCallbackEvent::PreCommit, move || launch(&name, &text).or_raise());
    Ok(run)
}

/// Adds a log entry for a run, and starts the worker that does it. The worker waits until this transaction has ended.
fn start(mirror: &Mirror, options: &SyncOptions) -> Result<(), FdwError> {
    let order = announce(mirror, options)?;
    launch(&format!("clerk_fdw sync {}", order.run), &order.to_text())
}

/// Adds a log entry for a run, and returns what its worker is to do.
fn announce(mirror: &Mirror, options: &SyncOptions) -> Result<Order, FdwError> {
    // Objects that the mirror does not have are an error here, where the caller sees it.
    mirror.tables(options.objects.as_deref())?;
    let run = Run::announce(mirror, options)?.parse().unwrap_or_default();
    // SAFETY: MyDatabaseId is an oid that is set when the backend connects. GetTopTransactionId runs in the transaction
    // of the statement that called this, and assigns it an id if it has none.
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
    // From PostgreSQL 17 on, a worker can connect as a role without LOGIN.
    let needs_login = cfg!(any(feature = "pg15", feature = "pg16"));
    let is_allowed = store::value(
        "SELECT (r.rolcanlogin OR NOT $2::bool) AND r.rolconnlimit < 0
                AND has_database_privilege(r.oid, current_database(), 'CONNECT')
           FROM pg_roles r WHERE r.oid = $1::oid",
        &[Some(&role.to_u32().to_string()), Some(store::boolean(needs_login))],
    )?;
    Ok(is_allowed.as_deref() == Some("t"))
}

/// The worker that does one run.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn clerk_fdw_sync(_argument: pg_sys::Datum) {
    let Some(order) = Order::parse(BackgroundWorker::get_extra()) else { return };
    connect(order.database, order.role, SYNC_LOCK_TIMEOUT);
    let Order { mirror, run, .. } = order;
    if !wait_for_transaction(order.transaction) {
        pgrx::log!("clerk_fdw: sync {run} is given up: the transaction that started it does not end");
        return;
    }
    // The transaction that announced the run may have been rolled back, and the run may have been cancelled since.
    let announced = in_transaction(|| {
        let begin = "UPDATE clerk_fdw_internal.sync_run SET pid = pg_backend_pid()
                      WHERE run = $1::int8 AND mirror = $2::int4 AND state = 'starting' RETURNING run";
        store::value(begin, &[Some(&run.to_string()), Some(&mirror.to_string())]).or_raise()
    });
    if !matches!(announced, Ok(Some(_))) {
        return;
    }
    let result = in_transaction(|| {
        sync::sync_mirror(MirrorRef::Number(mirror), order.options, true, Some(run.to_string()), &receive::retry_all)
    });
    let Err(failure) = result else { return };
    let message = failure.message();
    // A failure before the run began has not been logged yet.
    let logged = in_transaction(|| {
        store::run(
            "UPDATE clerk_fdw_internal.sync_run SET state = 'failed', message = $2, ended_at = clock_timestamp()
              WHERE run = $1::int8 AND state IN ('starting', 'running')",
            &[Some(&run.to_string()), Some(&message)],
        )
        .or_raise();
    });
    drop(logged);
    pgrx::log!("clerk_fdw: sync {run} failed: {message}");
}

/// The worker that looks for due syncs, in every database.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn clerk_fdw_scheduler(_argument: pg_sys::Datum) {
    install_signal_handlers();
    BackgroundWorker::connect_worker_to_spi(Some(HOME_DATABASE), None);
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
                // SAFETY: MyProcPid is an int that is set when the process starts and never changes.
                .set_notify_pid(unsafe { pg_sys::MyProcPid })
                .load_dynamic();
            // The databases are visited one after the other, so that many of them do not use up all worker slots.
            match worker {
                Ok(worker) => wait_until_done(worker, &database),
                Err(_) => {
                    pgrx::log!("clerk_fdw: no worker is free to look for syncs that are due in database {database}")
                }
            }
        }
        sleep(Duration::from_secs(settings::naptime().max(1) as u64));
        // SAFETY: ConfigReloadPending is an int that a signal handler of this process sets and that only this thread
        // clears. ProcessConfigFile may be called in a process that is in no transaction, and in_transaction has ended
        // its own.
        unsafe {
            if pg_sys::ConfigReloadPending != 0 {
                pg_sys::ConfigReloadPending = 0;
                pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP);
            }
        }
    }
}

/// Waits for a worker, but not forever: one that hangs is terminated, so that the other databases get their turn.
fn wait_until_done(worker: DynamicBackgroundWorker, database: &str) {
    let started = Instant::now();
    while !matches!(worker.pid(), Err(BackgroundWorkerStatus::Stopped | BackgroundWorkerStatus::PostmasterDied)) {
        if started.elapsed() > MAX_SCHEDULE_TIME {
            pgrx::log!("clerk_fdw: looking for syncs that are due in database {database} takes too long and is ended");
            // It ends at its next interrupt check; nothing waits for that.
            let _ = worker.terminate();
            return;
        }
        sleep(Duration::from_millis(20));
    }
}

/// The worker that starts the due syncs of one database.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn clerk_fdw_schedule(_argument: pg_sys::Datum) {
    let Ok(database) = BackgroundWorker::get_extra().parse() else { return };
    connect(database, 0, SCHEDULE_LOCK_TIMEOUT);
    let due = in_transaction(|| {
        let is_installed = "SELECT 1 FROM pg_extension WHERE extname = 'clerk_fdw'";
        if as_caller(|| spi::value(is_installed, &[])).or_raise().is_none() {
            return Vec::new();
        }
        let due = "SELECT m.number FROM clerk_fdw_internal.mirror m
                    WHERE m.next_run <= now() AND m.number NOT IN (SELECT s.mirror FROM clerk_fdw_internal.syncing s)
                    ORDER BY m.next_run";
        store::column(due, &[]).or_raise()
    });
    // Each sync is started in a transaction of its own, so that a problem with one mirror does not affect the others.
    for number in due.unwrap_or_default() {
        let started = in_transaction(|| start_due(&number).or_raise());
        if let Err(failure) = started {
            pgrx::log!("clerk_fdw: the sync of mirror {number} that is due cannot be started: {}", failure.message());
        }
    }
}

/// Starts a due sync, or records that it could not be started and when to try again.
fn start_due(number: &str) -> Result<(), FdwError> {
    // If another transaction has locked the entry, it is changing it: the sync is still due the next time.
    let row = store::row(
        "SELECT m.name, m.schedule, m.failed_starts, floor(date_part('epoch', now()))::int8
           FROM clerk_fdw_internal.mirror m
          WHERE m.number = $1::int4 AND m.next_run <= now() FOR UPDATE SKIP LOCKED",
        &[Some(number)],
    )?;
    let Some([Some(name), Some(schedule), Some(failed_starts), Some(now)]) = row.as_deref() else { return Ok(()) };
    let (failed_starts, now) = (failed_starts.parse().unwrap_or(0), now.parse().unwrap_or(0));
    let started = in_subtransaction(|| {
        let next_run = schedule::next_run(schedule, now)?;
        let mirror = Mirror::load_for_anyone(MirrorRef::Number(number.parse().unwrap_or_default()))?;
        start(&mirror, &SyncOptions::default()).map(|()| next_run)
    });
    let (next_run, failed_starts) = match started {
        Ok(next_run) => (next_run, 0),
        Err(failure) => {
            let minutes = 1_i32
                .checked_shl(failed_starts)
                .map_or(MAX_BACKOFF_MINUTES, |minutes| minutes.clamp(1, MAX_BACKOFF_MINUTES));
            pgrx::log!(
                "clerk_fdw: the sync of mirror {name:?} that is due cannot be started, and is tried again in {minutes} min: {}",
                failure.message()
            );
            // Sixteen doublings are far beyond the maximum, and no shift of an i32 overflows.
            (now + i64::from(minutes) * 60, (failed_starts + 1).min(16))
        }
    };
    store::run(
        "UPDATE clerk_fdw_internal.mirror SET next_run = to_timestamp($2::float8), failed_starts = $3::int4
          WHERE number = $1::int4",
        &[Some(number), Some(&next_run.to_string()), Some(&failed_starts.to_string())],
    )
}

/// Connects a worker to a database as a role; 0 is the bootstrap superuser.
fn connect(database: u32, role: u32, lock_timeout: &CStr) {
    install_signal_handlers();
    #[cfg(any(feature = "pg15", feature = "pg16"))]
    let flags = 0;
    #[cfg(not(any(feature = "pg15", feature = "pg16")))]
    let flags = pg_sys::BGWORKER_BYPASS_ROLELOGINCHECK;
    // SAFETY: each worker calls this once, at its start, and was registered with enable_spi_access, which requests a
    // database connection. A database or role that does not exist ends the worker with an error.
    unsafe { pg_sys::BackgroundWorkerInitializeConnectionByOid(database.into(), role.into(), flags) };
    force_settings(lock_timeout);
}

/// Overrides what a role or a database has set for its sessions. Nobody watches a worker, so it must not wait forever,
/// and the names in its statements must not depend on a search_path of others.
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
        // SAFETY: the name and the value are C strings with a static lifetime, and all of these settings exist in every
        // supported version. SetConfigOption runs in a worker that is connected to a database and in no parallel query.
        unsafe {
            pg_sys::SetConfigOption(name.as_ptr(), value.as_ptr(), GucContext::PGC_SUSET, GucSource::PGC_S_OVERRIDE);
        }
    }
}

/// Lets SIGTERM end the worker at its next interrupt check, not in the middle of something.
fn install_signal_handlers() {
    unsafe extern "C" {
        fn die(signal: c_int);
        fn SignalHandlerForConfigReload(signal: c_int);
    }
    // SAFETY: `die` and `SignalHandlerForConfigReload` are Postgres' own handlers for these signals, have the signature
    // of a signal handler, and only set flags and the process's latch. Postgres starts a worker with its signals
    // blocked, so they are installed before a signal can arrive.
    unsafe {
        libc::signal(libc::SIGTERM, die as *const () as libc::sighandler_t);
        libc::signal(libc::SIGHUP, SignalHandlerForConfigReload as *const () as libc::sighandler_t);
        pg_sys::BackgroundWorkerUnblockSignals();
    }
}

/// Waits until the transaction that started this worker has ended. Returns false if it takes too long, for example
/// because its commit waits for a standby.
fn wait_for_transaction(transaction: u32) -> bool {
    let started = Instant::now();
    // SAFETY: TransactionIdIsInProgress takes any transaction id and searches the shared array of processes, to which
    // the worker is attached since `connect`.
    while unsafe { pg_sys::TransactionIdIsInProgress(transaction.into()) } {
        if started.elapsed() > MAX_COMMIT_TIME {
            return false;
        }
        sleep(Duration::from_millis(10));
    }
    true
}

fn sleep(time: Duration) {
    let events = pg_sys::WL_LATCH_SET | pg_sys::WL_TIMEOUT | pg_sys::WL_EXIT_ON_PM_DEATH;
    // SAFETY: MyLatch points to this process's latch, which exists as long as the process, and only its own process may
    // wait on it and reset it.
    unsafe {
        pg_sys::WaitLatch(pg_sys::MyLatch, events as i32, time.as_millis() as _, pg_sys::PG_WAIT_EXTENSION);
        pg_sys::ResetLatch(pg_sys::MyLatch);
    }
    check_for_interrupts!();
}

/// Runs an action in a transaction, in which the action may begin further transactions.
///
/// Procedures that commit keep their memory and their snapshot in the portal that they run in. A worker has no portal,
/// so this creates one without a query.
fn in_transaction<T>(action: impl FnOnce() -> T) -> Result<T, Failure> {
    // SAFETY: the worker is connected and in no transaction when this is called, as StartTransactionCommand requires.
    // Ends of transactions do not touch an active portal (PreCommit_Portals and AtCleanup_Portals skip it), so the
    // pointer stays valid until PortalDrop. Before that, the portal is no longer active, ActivePortal and PortalContext
    // have their old values, and the snapshot that the portal refers to has been popped or, after an error, was removed
    // by the abort. TopMemoryContext, which is current afterwards, is never deleted.
    unsafe {
        pg_sys::SetCurrentStatementStartTimestamp();
        pg_sys::StartTransactionCommand();
        let portal = pg_sys::CreateNewPortal();
        (*portal).visible = false;
        (*portal).status = pg_sys::PortalStatus::PORTAL_ACTIVE;
        let previous = (pg_sys::ActivePortal, pg_sys::PortalContext);
        (pg_sys::ActivePortal, pg_sys::PortalContext) = (portal, (*portal).portalContext);
        let result = PgTryBuilder::new(AssertUnwindSafe(|| Ok(action())))
            .catch_others(|caught| Err(Failure::from(caught)))
            .catch_rust_panic(|caught| Err(Failure::from(caught)))
            .execute();
        if result.is_err() {
            pg_sys::AbortCurrentTransaction();
        } else if !(*portal).portalSnapshot.is_null() && pg_sys::ActiveSnapshotSet() {
            pg_sys::PopActiveSnapshot();
        }
        (*portal).portalSnapshot = null_mut();
        (*portal).status = pg_sys::PortalStatus::PORTAL_DONE;
        (pg_sys::ActivePortal, pg_sys::PortalContext) = previous;
        pg_sys::MemoryContextSwitchTo(pg_sys::TopMemoryContext);
        pg_sys::PortalDrop(portal, false);
        if result.is_ok() {
            pg_sys::CommitTransactionCommand();
        }
        result
    }
}

/// Cancels a run that is announced or running. Returns false if it has already ended.
pub fn cancel(run: i64) -> Result<bool, FdwError> {
    let run = run.to_string();
    let mirror =
        "SELECT m.name FROM clerk_fdw_internal.sync_run r JOIN clerk_fdw_internal.mirror m ON m.number = r.mirror
                   WHERE r.run = $1::int8";
    let no_run = || FdwError::NoRun(run.clone());
    let name = store::value(mirror, &[Some(&run)])?.ok_or_else(no_run)?;
    Entry::load(MirrorRef::Name(&name)).map_err(|_| no_run())?;
    let starting = store::row(
        "UPDATE clerk_fdw_internal.sync_run r SET state = 'cancelled', ended_at = clock_timestamp()
          WHERE r.run = $1::int8 AND r.state = 'starting'
         RETURNING (SELECT a.pid FROM pg_stat_activity a WHERE a.pid = r.pid AND a.datname = current_database()
                       AND a.backend_type = 'clerk_fdw sync')",
        &[Some(&run)],
    )?;
    if let Some(row) = starting {
        // The run's worker may be waiting for another sync of the mirror, which it need not do any longer.
        if let Some(pid) = row.first().and_then(|pid| pid.as_ref()?.parse::<i32>().ok()) {
            send_cancel(pid);
        }
        return Ok(true);
    }
    // The process belongs to this run as long as it holds the mirror's lock in this database.
    let pid = store::value(
        "SELECT l.pid FROM clerk_fdw_internal.sync_run r
           JOIN pg_locks l ON l.pid = r.pid AND l.locktype = 'object' AND l.granted AND l.mode = 'ExclusiveLock'
            AND l.classid = 'clerk_fdw_internal.mirror'::regclass AND l.objid::int8 = r.mirror
            AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
          WHERE r.run = $1::int8 AND r.state = 'running'",
        &[Some(&run)],
    )?;
    let Some(pid) = pid.and_then(|pid| pid.parse::<i32>().ok()) else { return Ok(false) };
    Ok(send_cancel(pid))
}

/// Sends a backend of this server the signal that cancels its query.
fn send_cancel(pid: i32) -> bool {
    // SAFETY: kill takes any process id and signal, and accesses no memory of this process. The id is that of a backend
    // which pg_stat_activity or pg_locks has just shown, as with pg_cancel_backend.
    unsafe { libc::kill(pid, libc::SIGINT) == 0 }
}
