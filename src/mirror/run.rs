//! One sync in the log: what it did so far, committed with what it did.

use std::time::{Duration, Instant};

use clerk_api::Stats;
use pgrx::PgLogLevel;
use pgrx::pg_sys::panic::ErrorReport;

use super::config::{Mirror, Table};
use super::merge::Merged;
use crate::attempt::Failure;
use crate::error::FdwError;
use crate::settings;
use crate::spi;

/// What a caller asked for.
#[derive(Default, Clone)]
pub struct Wish {
    pub mode: Option<Mode>,
    pub objects: Option<Vec<String>>,
    pub dry_run: bool,
    pub force: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Everything is read.
    Full,
    /// What has changed is read.
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

/// How often a running sync says how far it is.
const NOTICE_EVERY: Duration = Duration::from_secs(5);

/// A sync in the log.
pub struct Run<'m> {
    pub id: String,
    mirror: &'m Mirror,
    pub wish: Wish,
}

/// What a sync does to one table.
pub struct Step<'r> {
    run: &'r Run<'r>,
    pub object: &'static str,
    begun: Instant,
    noticed: Instant,
    expected: Option<u64>,
    pages: u64,
    rows: u64,
    pub merged: Merged,
    pub deleted: u64,
    pub errors: u64,
    requests: u64,
    /// Those of a reading that goes on.
    requests_of_reading: u64,
}

impl<'m> Run<'m> {
    /// A run that was announced before, or a new one.
    ///
    /// None if it was cancelled meanwhile.
    pub fn begin(mirror: &'m Mirror, wish: Wish, announced: Option<String>) -> Result<Option<Self>, FdwError> {
        let run = "UPDATE clerk_fdw.sync_run SET state = 'running', pid = pg_catalog.pg_backend_pid()
                    WHERE run OPERATOR(pg_catalog.=) $1::pg_catalog.int8 AND NOT cancel RETURNING run";
        let id = match announced {
            Some(id) => spi::value(run, &[Some(&id)])?,
            None => spi::value(run, &[Some(&Self::announce(mirror, &wish)?)])?,
        };
        let Some(id) = id else { return Ok(None) };
        // Whoever died before has said nothing any more.
        spi::run(
            "UPDATE clerk_fdw.sync_run SET state = 'interrupted' WHERE state OPERATOR(pg_catalog.=) 'running'
                AND mirror OPERATOR(pg_catalog.=) $1::pg_catalog.name AND run OPERATOR(pg_catalog.<>) $2::pg_catalog.int8",
            &[Some(&mirror.name), Some(&id)],
        )?;
        spi::run(
            "UPDATE clerk_fdw.sync_run_object SET state = 'interrupted' WHERE state OPERATOR(pg_catalog.=) 'running'
                AND run IN (SELECT run FROM clerk_fdw.sync_run WHERE state OPERATOR(pg_catalog.=) 'interrupted')",
            &[],
        )?;
        let retention = format!("{} seconds", settings::log_retention());
        // Of the log of dropped mirrors as well, as far as it is the owner's.
        for (table, moment) in [("sync_run", "started_at"), ("sync_error", "occurred_at")] {
            let old = format!(
                "DELETE FROM clerk_fdw.{table} WHERE {moment} OPERATOR(pg_catalog.<)
                    (pg_catalog.now() OPERATOR(pg_catalog.-) $1::pg_catalog.interval)"
            );
            spi::run(&old, &[Some(&retention)])?;
        }
        Ok(Some(Run { id, mirror, wish }))
    }

    /// Puts a run into the log that will begin later, and gives its id.
    pub fn announce(mirror: &Mirror, wish: &Wish) -> Result<String, FdwError> {
        let id = spi::value(
            "INSERT INTO clerk_fdw.sync_run (mirror, owner, mode, dry_run, force, state, objects)
             SELECT $1, $2, $3, $4::pg_catalog.bool, $5::pg_catalog.bool, 'starting',
                    CASE WHEN $6 IS NOT NULL
                         THEN ARRAY(SELECT pg_catalog.jsonb_array_elements_text($6::pg_catalog.jsonb)) END
             RETURNING run",
            &[
                Some(&mirror.name),
                Some(&mirror.owner_name),
                Some(wish.mode.map_or("due", Mode::name)),
                Some(if wish.dry_run { "true" } else { "false" }),
                Some(if wish.force { "true" } else { "false" }),
                wish.objects.as_ref().and_then(|objects| serde_json::to_string(objects).ok()).as_deref(),
            ],
        )?;
        Ok(id.unwrap_or_default())
    }

    /// What an announced run is to do: the mirror and the wish. None if it was cancelled, or is not there.
    pub fn announced(id: &str) -> Result<Option<(String, Wish)>, FdwError> {
        let row = spi::row(
            "SELECT mirror, mode, dry_run::pg_catalog.text, force::pg_catalog.text, pg_catalog.to_jsonb(objects)
               FROM clerk_fdw.sync_run WHERE run OPERATOR(pg_catalog.=) $1::pg_catalog.int8
                AND state OPERATOR(pg_catalog.=) 'starting'",
            &[Some(id)],
        )?;
        let Some([Some(mirror), mode, dry_run, force, objects]) = row.as_deref() else { return Ok(None) };
        let wish = Wish {
            mode: mode.as_deref().and_then(Mode::parse),
            objects: objects.as_deref().and_then(|objects| serde_json::from_str(objects).ok()),
            dry_run: dry_run.as_deref() == Some("true"),
            force: force.as_deref() == Some("true"),
        };
        Ok(Some((mirror.clone(), wish)))
    }

    /// Ends the run in the log.
    pub fn end(&self, state: &str, message: Option<&str>) -> Result<(), FdwError> {
        spi::run(
            "UPDATE clerk_fdw.sync_run SET state = $2, message = $3, ended_at = pg_catalog.clock_timestamp()
              WHERE run OPERATOR(pg_catalog.=) $1::pg_catalog.int8",
            &[Some(&self.id), Some(state), message],
        )?;
        spi::run(
            "UPDATE clerk_fdw.sync_run_object SET state = $2, message = $3, ended_at = pg_catalog.clock_timestamp()
              WHERE run OPERATOR(pg_catalog.=) $1::pg_catalog.int8 AND state OPERATOR(pg_catalog.=) 'running'",
            &[Some(&self.id), Some(state), message],
        )
    }

    /// Begins with one table.
    pub fn step(&'m self, table: &Table, mode: Mode, expected: Option<u64>) -> Result<Step<'m>, FdwError> {
        let expected_text = expected.map(|count| count.to_string());
        spi::run(
            "INSERT INTO clerk_fdw.sync_run_object (run, object, mode, expected)
             VALUES ($1::pg_catalog.int8, $2, $3, $4::pg_catalog.int8)",
            &[Some(&self.id), Some(table.object.name), Some(mode.name()), expected_text.as_deref()],
        )?;
        Ok(Step {
            run: self,
            object: table.object.name,
            begun: Instant::now(),
            noticed: Instant::now(),
            expected,
            pages: 0,
            rows: 0,
            merged: Merged::default(),
            deleted: 0,
            errors: 0,
            requests: 0,
            requests_of_reading: 0,
        })
    }
}

impl Step<'_> {
    /// Says how many objects there are about.
    pub fn expect(&mut self, expected: Option<u64>) {
        self.expected = expected;
    }

    /// Counts a page that was merged.
    pub fn read(&mut self, rows: usize, merged: Merged) {
        self.pages += 1;
        self.rows += rows as u64;
        self.merged.add(merged);
    }

    /// Counts what the reading has asked so far.
    pub fn asks(&mut self, stats: &Stats) {
        self.requests_of_reading = stats.requests();
    }

    /// The next requests are another reading's.
    pub fn ends_reading(&mut self) {
        self.requests += std::mem::take(&mut self.requests_of_reading);
    }

    /// Puts an object into the log that the table did not take.
    pub fn refuse(&mut self, id: &str, failure: &Failure) -> Result<(), FdwError> {
        self.errors += 1;
        let mirror = self.run.mirror;
        spi::run(
            "INSERT INTO clerk_fdw.sync_error (run, mirror, owner, object, object_id, reason, sqlstate)
             VALUES ($1::pg_catalog.int8, $2, $3, $4, $5, $6, $7)",
            &[
                Some(&self.run.id),
                Some(&mirror.name),
                Some(&mirror.owner_name),
                Some(self.object),
                Some(id),
                Some(&failure.message()),
                Some(&failure.sqlstate()),
            ],
        )
    }

    /// Writes down what was done so far.
    pub fn log(&self) -> Result<(), FdwError> {
        let Merged { inserted, updated, unchanged, .. } = self.merged;
        let counts = [
            self.pages,
            self.requests + self.requests_of_reading,
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
        spi::run(
            "UPDATE clerk_fdw.sync_run_object
                SET pages = $3::pg_catalog.int8, requests = $4::pg_catalog.int8, rows_read = $5::pg_catalog.int8,
                    inserted = $6::pg_catalog.int8, updated = $7::pg_catalog.int8, unchanged = $8::pg_catalog.int8,
                    deleted = $9::pg_catalog.int8, errors = $10::pg_catalog.int8,
                    expected = $11::pg_catalog.int8
              WHERE run OPERATOR(pg_catalog.=) $1::pg_catalog.int8 AND object OPERATOR(pg_catalog.=) $2",
            &values,
        )
    }

    /// Ends the step in the log.
    pub fn end(&self, state: &str, message: Option<&str>) -> Result<(), FdwError> {
        self.log()?;
        spi::run(
            "UPDATE clerk_fdw.sync_run_object SET state = $3, message = $4, ended_at = pg_catalog.clock_timestamp()
              WHERE run OPERATOR(pg_catalog.=) $1::pg_catalog.int8 AND object OPERATOR(pg_catalog.=) $2",
            &[Some(&self.run.id), Some(self.object), Some(state), message],
        )
    }

    /// Says every few seconds how far it is.
    pub fn notice(&mut self) {
        if self.noticed.elapsed() < NOTICE_EVERY {
            return;
        }
        self.noticed = Instant::now();
        let rate = self.rows as f64 / self.begun.elapsed().as_secs_f64();
        let of = self.expected.map_or(String::new(), |expected| format!(" of about {expected}"));
        say(format!("{}: {}{of} read, {rate:.0} a second", self.object, self.rows));
    }

    /// What was done, in words.
    pub fn summary(&self) -> String {
        let Merged { inserted, updated, unchanged, .. } = self.merged;
        format!(
            "{}: {} read, {inserted} inserted, {updated} updated, {unchanged} unchanged, {} deleted, {} refused",
            self.object, self.rows, self.deleted, self.errors
        )
    }
}

/// Tells the client.
pub fn say(text: String) {
    ErrorReport::new(
        pgrx::PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION,
        crate::encoding::for_message(text),
        "clerk_fdw",
    )
    .report(PgLogLevel::NOTICE);
}
