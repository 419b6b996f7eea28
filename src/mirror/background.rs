//! Syncs in background workers: one that a session starts, and those that are due.
//!
//! Workers connect as the bootstrap superuser, because a mirror's owner need not be able to log in; everything that a
//! sync does, it does with the owner's rights all the same.

use std::ffi::c_int;
use std::panic::AssertUnwindSafe;
use std::ptr::null_mut;
use std::time::Duration;

use pgrx::bgworkers::{BackgroundWorker, BackgroundWorkerBuilder, BgWorkerStartTime};
use pgrx::{PgTryBuilder, check_for_interrupts, pg_guard, pg_sys};

use super::config::Mirror;
use super::run::{Run, Wish};
use super::sync;
use crate::attempt::{Failure, as_role};
use crate::error::{FdwError, OrRaise};
use crate::settings;
use crate::spi;

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

/// Puts a run into the log and starts the worker that will do it once this transaction is committed.
pub fn start(mirror: &Mirror, wish: &Wish) -> Result<String, FdwError> {
    let id = as_role(mirror.owner, || Run::announce(mirror, wish))?;
    // SAFETY: reads what was set when the backend connected, and gives this transaction an id.
    let (database, transaction) = unsafe { (pg_sys::MyDatabaseId, pg_sys::GetTopTransactionId()) };
    BackgroundWorkerBuilder::new(&format!("clerk_fdw sync {id}"))
        .set_type("clerk_fdw sync")
        .set_library(LIBRARY)
        .set_function("clerk_fdw_sync")
        .enable_spi_access()
        .set_extra(&format!("{} {} {id}", database.to_u32(), transaction_number(transaction)))
        .load_dynamic()
        .map(|_| id)
        .map_err(|_| FdwError::NoWorker)
}

#[allow(clippy::useless_conversion, reason = "a number in some versions of Postgres, a type of its own in others")]
fn transaction_number(transaction: pg_sys::TransactionId) -> u32 {
    transaction.into()
}

/// A worker that does one run.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn clerk_fdw_sync(_argument: pg_sys::Datum) {
    let extra: Vec<&str> = BackgroundWorker::get_extra().split(' ').collect();
    let [database, transaction, id] = extra[..] else { return };
    connect(database);
    wait_for(transaction.parse().unwrap_or(0));
    in_transaction(|| {
        if let Some((mirror, wish)) = Run::announced(id).or_raise() {
            sync::sync(&mirror, wish, true, Some(id.to_owned()));
        }
    })
    .unwrap_or_else(|failure| {
        let message = failure.message();
        // What failed before the run began has not been written down yet.
        let noted = in_transaction(|| {
            spi::run(
                "UPDATE clerk_fdw.sync_run SET state = 'failed', message = $2, ended_at = pg_catalog.clock_timestamp()
                  WHERE run OPERATOR(pg_catalog.=) $1::pg_catalog.int8 AND state IN ('starting', 'running')",
                &[Some(id), Some(&message)],
            )
            .or_raise();
        });
        drop(noted);
        pgrx::log!("clerk_fdw: sync {id} failed: {message}");
    });
}

/// The worker that looks for syncs that are due, in every database.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn clerk_fdw_scheduler(_argument: pg_sys::Datum) {
    terminable();
    BackgroundWorker::connect_worker_to_spi(Some(HOME), None);
    loop {
        let databases = in_transaction(|| {
            spi::rows("SELECT oid FROM pg_catalog.pg_database WHERE datallowconn AND NOT datistemplate", &[]).or_raise()
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
            if let Ok(worker) = worker {
                let _ = worker.wait_for_shutdown();
            }
            check_for_interrupts!();
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

/// A worker that starts what is due in one database.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn clerk_fdw_schedule(_argument: pg_sys::Datum) {
    connect(BackgroundWorker::get_extra());
    let done = in_transaction(|| {
        let is_here = "SELECT 1 FROM pg_catalog.pg_extension WHERE extname OPERATOR(pg_catalog.=) 'clerk_fdw'";
        if spi::value(is_here, &[]).or_raise().is_none() {
            return;
        }
        let due = "SELECT mirror, schedule FROM clerk_fdw.mirror
                    WHERE next_run OPERATOR(pg_catalog.<=) pg_catalog.now() AND NOT clerk_fdw.is_syncing(mirror)";
        for row in spi::rows(due, &[]).or_raise() {
            let [Some(mirror), Some(schedule)] = &row[..] else { continue };
            spi::run(
                "UPDATE clerk_fdw.mirror SET next_run = clerk_fdw.next_run($2, pg_catalog.now())
                  WHERE mirror OPERATOR(pg_catalog.=) $1::pg_catalog.name",
                &[Some(mirror), Some(schedule)],
            )
            .or_raise();
            let mirror = Mirror::load(mirror).or_raise();
            start(&mirror, &Wish::default()).or_raise();
        }
    });
    if done.is_err() {
        pgrx::log!("clerk_fdw: the syncs that are due could not be started; they will be tried again");
    }
}

fn connect(database: &str) {
    terminable();
    BackgroundWorker::connect_worker_to_spi_by_oid(database.parse::<u32>().ok().map(pg_sys::Oid::from), None);
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

/// Waits until the transaction that started this worker has ended.
fn wait_for(transaction: u32) {
    // SAFETY: looks into shared memory.
    while unsafe { pg_sys::TransactionIdIsInProgress(transaction.into()) } {
        nap(Duration::from_millis(50));
    }
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
pub fn cancel(run: &str) -> Result<bool, FdwError> {
    let row = spi::row(
        "SELECT mirror FROM clerk_fdw.sync_run WHERE run OPERATOR(pg_catalog.=) $1::pg_catalog.int8",
        &[Some(run)],
    )?;
    let Some([Some(mirror)]) = row.as_deref() else { return Err(FdwError::NoRun(run.to_owned())) };
    let mirror = Mirror::load(mirror)?;
    let pid = as_role(mirror.owner, || {
        let waiting = spi::value(
            "UPDATE clerk_fdw.sync_run SET cancel = true, state = 'cancelled', ended_at = pg_catalog.clock_timestamp()
              WHERE run OPERATOR(pg_catalog.=) $1::pg_catalog.int8 AND state OPERATOR(pg_catalog.=) 'starting' RETURNING 0",
            &[Some(run)],
        )?;
        if waiting.is_some() {
            return Ok(waiting);
        }
        // The process is this run's as long as it holds the mirror's lock.
        spi::value(
            "SELECT r.pid FROM clerk_fdw.sync_run r JOIN clerk_fdw.mirror m USING (mirror)
               JOIN pg_catalog.pg_locks l ON l.pid OPERATOR(pg_catalog.=) r.pid
                AND l.locktype OPERATOR(pg_catalog.=) 'advisory' AND l.objid::pg_catalog.int8 OPERATOR(pg_catalog.=) m.number
                AND l.classid::pg_catalog.int8 OPERATOR(pg_catalog.=) clerk_fdw.sync_lock() AND l.granted
              WHERE r.run OPERATOR(pg_catalog.=) $1::pg_catalog.int8 AND r.state OPERATOR(pg_catalog.=) 'running'",
            &[Some(run)],
        )
    })?;
    let Some(pid) = pid.and_then(|pid| pid.parse::<i32>().ok()) else { return Ok(false) };
    // SAFETY: the process is a backend of this server, and this is the signal that cancels what it does.
    Ok(pid == 0 || unsafe { libc::kill(pid, libc::SIGINT) } == 0)
}
