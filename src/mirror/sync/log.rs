//! The log of syncs. What a sync has done so far is committed in the same transaction as its log entry.

use std::time::{Duration, Instant};

use clerk_api::Stats;
use pgrx::PgLogLevel;
use pgrx::pg_sys::panic::ErrorReport;

use crate::error::FdwError;
use crate::mirror::apply::merge::Merged;
use crate::mirror::model::{Mirror, Table};
use crate::mirror::store;
use crate::pg::settings;
use crate::pg::subtransaction::Failure;

/// The options with which a sync was called.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct SyncOptions {
    pub mode: Option<Mode>,
    pub objects: Option<Vec<String>>,
    pub dry_run: bool,
    pub force: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Reads everything.
    Full,
    /// Reads what has changed.
    Incremental,
}

impl Mode {
    pub fn parse(text: &str) -> Option<Mode> {
        match text {
            "full" => Some(Mode::Full),
            "incremental" => Some(Mode::Incremental),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Mode::Full => "full",
            Mode::Incremental => "incremental",
        }
    }
}

const DAY_SECONDS: i32 = 86_400;

/// How long log entries and tombstones are kept. Svix retries a delivery for days, so webhook events are kept for at
/// least 7 days. Svix can be told to send events again that are up to 90 days old, so tombstones are kept for at least
/// 100 days: an event whose log entry has been deleted meets the object's newer state or its tombstone.
pub const RETENTIONS: &[Retention] = &[
    Retention { table: "sync_run", time_column: "started_at", min_seconds: 0 },
    Retention { table: "sync_error", time_column: "occurred_at", min_seconds: 0 },
    Retention { table: "webhook_event", time_column: "received_at", min_seconds: 7 * DAY_SECONDS },
    Retention { table: "tombstone", time_column: "recorded_at", min_seconds: 100 * DAY_SECONDS },
];

/// How long the rows of a table are kept.
pub struct Retention {
    pub table: &'static str,
    /// The column with the time of a row.
    pub time_column: &'static str,
    min_seconds: i32,
}

impl Retention {
    /// For how many seconds rows are kept: as long as the setting says, and at least as long as they are needed.
    pub fn seconds(&self) -> i32 {
        settings::log_retention().max(self.min_seconds)
    }
}

/// How often a running sync reports its progress: seldom enough not to flood the client, often enough to show that it
/// is alive.
const NOTICE_EVERY: Duration = Duration::from_secs(5);

/// A sync's entry in the log.
pub struct Run<'m> {
    pub id: String,
    mirror: &'m Mirror,
    pub options: SyncOptions,
}

/// What a sync does to one table: its entry in the log, and the counts that go into it.
pub struct Step<'r> {
    run: &'r Run<'r>,
    pub object: &'static str,
    started_at: Instant,
    noticed_at: Instant,
    expected: Option<u64>,
    pages: u64,
    rows: u64,
    pub merged: Merged,
    pub deleted: u64,
    pub errors: u64,
    requests: u64,
    /// The requests of the fetch that is in progress.
    requests_of_fetch: u64,
}

impl<'m> Run<'m> {
    /// Begins a run that was announced before, or a new one. Returns `None` if the run was cancelled meanwhile.
    pub fn begin(
        mirror: &'m Mirror,
        options: SyncOptions,
        announced: Option<String>,
    ) -> Result<Option<Self>, FdwError> {
        let key = mirror.key();
        let begin = "UPDATE clerk_fdw_internal.sync_run SET state = 'running', pid = pg_backend_pid()
                      WHERE run = $1::int8 AND mirror = $2::int4 AND state = 'starting' RETURNING run";
        let id = match announced {
            Some(id) => id,
            None => Self::announce(mirror, &options)?,
        };
        let Some(id) = store::value(begin, &[Some(&id), Some(&key)])? else { return Ok(None) };
        // This sync holds the mirror's lock, so any other run with the state 'running' belongs to a backend that ended
        // without changing its entry.
        store::run(
            "UPDATE clerk_fdw_internal.sync_run SET state = 'interrupted'
              WHERE state = 'running' AND mirror = $1::int4 AND run <> $2::int8",
            &[Some(&key), Some(&id)],
        )?;
        // A run that was announced stays so if its worker ended before it began: while it waited for the mirror's lock, or
        // before it noted its process id. After a crash the checkpointer is a new one, and no worker is from before; the
        // views hide its start from roles without pg_read_all_stats. A worker that starts at all has noted its id at once.
        store::run(
            "UPDATE clerk_fdw_internal.sync_run r SET state = 'interrupted'
              WHERE r.state = 'starting' AND r.mirror = $1::int4 AND r.run <> $2::int8
                AND CASE WHEN r.pid IS NULL
                         THEN r.started_at < greatest(clock_timestamp() - interval '10 minutes', pg_postmaster_start_time(),
                                                      (SELECT a.backend_start FROM pg_stat_activity a
                                                        WHERE a.backend_type = 'checkpointer'))
                         ELSE NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = r.pid) END",
            &[Some(&key), Some(&id)],
        )?;
        store::run(
            "UPDATE clerk_fdw_internal.sync_run_object SET state = 'interrupted' WHERE state = 'running'
                AND run IN (SELECT run FROM clerk_fdw_internal.sync_run WHERE state = 'interrupted' AND mirror = $1::int4)",
            &[Some(&key)],
        )?;
        // A restored dump finds the mirror's server and owner by their names, so the owner's name is kept current as of
        // the last sync. The server's name is not: a renamed server has to be confirmed with clerk_fdw.alter_mirror.
        store::run(
            "UPDATE clerk_fdw_internal.mirror m SET owner_name = r.rolname
               FROM pg_roles r WHERE r.oid = m.owner AND r.rolname <> m.owner_name AND m.number = $1::int4",
            &[Some(&key)],
        )?;
        for retention in RETENTIONS {
            let Retention { table, time_column, .. } = retention;
            let seconds = format!("{} seconds", retention.seconds());
            let delete = format!(
                "DELETE FROM clerk_fdw_internal.{table} WHERE mirror = $2::int4 AND {time_column} < now() - $1::interval"
            );
            store::run(&delete, &[Some(&seconds), Some(&key)])?;
        }
        Ok(Some(Run { id, mirror, options }))
    }

    /// Adds a log entry for a run that will begin later, and returns the run's number.
    pub fn announce(mirror: &Mirror, options: &SyncOptions) -> Result<String, FdwError> {
        let id = store::value(
            "INSERT INTO clerk_fdw_internal.sync_run (mirror, mode, dry_run, force, state, started_by)
             VALUES ($1::int4, $2, $3::bool, $4::bool, 'starting', session_user)
             RETURNING run",
            &[
                Some(&mirror.key()),
                Some(options.mode.map_or("due", Mode::name)),
                Some(store::boolean(options.dry_run)),
                Some(store::boolean(options.force)),
            ],
        )?;
        Ok(id.unwrap_or_default())
    }

    /// Ends the run in the log.
    pub fn end(&self, state: &str, message: Option<&str>) -> Result<(), FdwError> {
        store::run(
            "UPDATE clerk_fdw_internal.sync_run SET state = $2, message = $3, ended_at = clock_timestamp()
              WHERE run = $1::int8",
            &[Some(&self.id), Some(state), message],
        )?;
        store::run(
            "UPDATE clerk_fdw_internal.sync_run_object SET state = $2, message = $3, ended_at = clock_timestamp()
              WHERE run = $1::int8 AND state = 'running'",
            &[Some(&self.id), Some(state), message],
        )
    }

    /// Ends the sync of one object's table in the log.
    pub fn end_object(&self, object: &str, state: &str, message: Option<&str>) -> Result<(), FdwError> {
        store::run(
            "UPDATE clerk_fdw_internal.sync_run_object SET state = $3, message = $4, ended_at = clock_timestamp()
              WHERE run = $1::int8 AND object = $2",
            &[Some(&self.id), Some(object), Some(state), message],
        )
    }

    /// Begins the sync of one table.
    pub fn begin_step(&'m self, table: &Table, mode: Mode, expected: Option<u64>) -> Result<Step<'m>, FdwError> {
        let expected_text = expected.map(|count| count.to_string());
        store::run(
            "INSERT INTO clerk_fdw_internal.sync_run_object (run, object, mode, expected)
             VALUES ($1::int8, $2, $3, $4::int8)",
            &[Some(&self.id), Some(table.object.name), Some(mode.name()), expected_text.as_deref()],
        )?;
        Ok(Step {
            run: self,
            object: table.object.name,
            started_at: Instant::now(),
            noticed_at: Instant::now(),
            expected,
            pages: 0,
            rows: 0,
            merged: Merged::default(),
            deleted: 0,
            errors: 0,
            requests: 0,
            requests_of_fetch: 0,
        })
    }
}

impl Step<'_> {
    /// Sets about how many objects are expected.
    pub fn set_expected(&mut self, expected: Option<u64>) {
        self.expected = expected;
    }

    /// Counts a page that was merged.
    pub fn count_page(&mut self, rows: usize, merged: Merged) {
        self.pages += 1;
        self.rows += rows as u64;
        self.merged.add(merged);
    }

    /// Counts the requests that the current fetch has made so far.
    pub fn count_requests(&mut self, stats: &Stats) {
        self.requests_of_fetch = stats.requests();
    }

    /// Ends the current fetch: the requests that follow belong to another one.
    pub fn end_fetch(&mut self) {
        self.requests += std::mem::take(&mut self.requests_of_fetch);
    }

    /// Logs an object that the table refused. Each object has one entry, however often it is tried.
    pub fn refuse(&mut self, id: &str, failure: &Failure) -> Result<(), FdwError> {
        self.errors += 1;
        store::run(
            "INSERT INTO clerk_fdw_internal.sync_error AS known (run, mirror, object, object_id, reason, sqlstate)
             VALUES ($1::int8, $2::int4, $3, $4, $5, $6)
             ON CONFLICT (mirror, object, object_id) WHERE resolved_at IS NULL DO UPDATE
                SET run = excluded.run, reason = excluded.reason, sqlstate = excluded.sqlstate,
                    occurred_at = excluded.occurred_at",
            &[
                Some(&self.run.id),
                Some(&self.run.mirror.key()),
                Some(self.object),
                Some(id),
                Some(&failure.message()),
                Some(&failure.sqlstate()),
            ],
        )
    }

    /// Writes the counts so far into the log.
    pub fn log(&self) -> Result<(), FdwError> {
        let Merged { inserted, updated, unchanged, .. } = self.merged;
        let counts = [
            self.pages,
            self.requests + self.requests_of_fetch,
            self.rows,
            inserted,
            updated,
            unchanged,
            self.deleted,
            self.errors,
        ]
        .map(|count| count.to_string());
        let expected = self.expected.map(|count| count.to_string());
        let mut values = vec![Some(&*self.run.id), Some(self.object)];
        values.extend(counts.iter().map(|count| Some(&**count)));
        values.push(expected.as_deref());
        store::run(
            "UPDATE clerk_fdw_internal.sync_run_object
                SET pages = $3::int8, requests = $4::int8, rows_read = $5::int8,
                    inserted = $6::int8, updated = $7::int8, unchanged = $8::int8,
                    deleted = $9::int8, errors = $10::int8,
                    expected = $11::int8
              WHERE run = $1::int8 AND object = $2",
            &values,
        )
    }

    /// Ends the step in the log.
    pub fn end(&self, state: &str, message: Option<&str>) -> Result<(), FdwError> {
        self.log()?;
        self.run.end_object(self.object, state, message)
    }

    /// Reports the progress every few seconds.
    pub fn report_progress(&mut self) {
        if self.noticed_at.elapsed() < NOTICE_EVERY {
            return;
        }
        self.noticed_at = Instant::now();
        let rate = self.rows as f64 / self.started_at.elapsed().as_secs_f64();
        let total = self.expected.map_or(String::new(), |expected| format!(" of about {expected}"));
        send_notice(format!("{}: {}{total} read, {rate:.0} a second", self.object, self.rows));
    }

    /// The counts as a message.
    pub fn summary(&self) -> String {
        let Merged { inserted, updated, unchanged, .. } = self.merged;
        format!(
            "{}: {} read, {inserted} inserted, {updated} updated, {unchanged} unchanged, {} deleted, {} refused",
            self.object, self.rows, self.deleted, self.errors
        )
    }
}

/// Sends a NOTICE to the client.
pub fn send_notice(text: String) {
    ErrorReport::new(
        pgrx::PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION,
        crate::pg::encoding::for_message(text),
        "clerk_fdw",
    )
    .report(PgLogLevel::NOTICE);
}
