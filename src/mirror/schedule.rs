//! Schedules: when a mirror is synced automatically.

use chrono::DateTime;

use crate::error::FdwError;
use crate::mirror::model::{Entry, Mirror, MirrorRef};
use crate::mirror::store;
use crate::pg::quote::quote_literal;
use crate::pg::sandbox::as_caller;
use crate::pg::settings;
use crate::pg::spi;

/// The first time after `after` at which a schedule (the five fields of cron, in UTC) is due. Both times are in seconds
/// since 1970.
pub fn next_run(schedule: &str, after: i64) -> Result<i64, FdwError> {
    let invalid = |problem: String| FdwError::BadSchedule { schedule: schedule.to_owned(), problem };
    let after = DateTime::from_timestamp(after, 0).unwrap_or_default();
    if schedule.split_whitespace().count() != 5 {
        return Err(invalid("it has not five fields".to_owned()));
    }
    // Such a list has no time at all, for which the search would go on for a long time.
    if schedule.split_whitespace().any(|field| field.split(',').any(str::is_empty)) {
        return Err(invalid("an element of a list is empty".to_owned()));
    }
    let cron: croner::Cron = schedule.parse().map_err(|error: croner::errors::CronError| invalid(error.to_string()))?;
    Ok(cron.find_next_occurrence(&after, false).map_err(|error| invalid(error.to_string()))?.timestamp())
}

/// Puts a mirror on a schedule, and returns the name of the scheduler that runs it.
pub fn schedule(name: &str, schedule: &str) -> Result<&'static str, FdwError> {
    // An invalid schedule is an error now, whichever scheduler will run it.
    let now = store::value("SELECT floor(date_part('epoch', now()))::int8", &[])?;
    let next = next_run(schedule, now.and_then(|now| now.parse().ok()).unwrap_or_default())?.to_string();
    let mirror = Mirror::load(MirrorRef::Name(name))?;
    let (scheduler, next_run) = if has_pg_cron()? {
        let command = format!("CALL clerk_fdw.sync({}, wait => true)", quote_literal(&mirror.name));
        as_caller(|| {
            let values = [Some(&*job_name(mirror.number)), Some(schedule), Some(&*command)];
            spi::run("SELECT cron.schedule($1, $2, $3)", &values)
        })?;
        ("pg_cron", None)
    } else if settings::is_preloaded() {
        ("clerk_fdw", Some(&*next))
    } else {
        return Err(FdwError::NoScheduler);
    };
    store::run(
        "UPDATE clerk_fdw_internal.mirror
            SET schedule = $2, next_run = to_timestamp($3::float8), failed_starts = 0 WHERE number = $1::int4",
        &[Some(&mirror.key()), Some(schedule), next_run],
    )?;
    Ok(scheduler)
}

/// Removes a mirror's schedule.
pub fn unschedule(entry: &Entry) -> Result<(), FdwError> {
    store::run(
        "UPDATE clerk_fdw_internal.mirror SET schedule = NULL, next_run = NULL WHERE number = $1::int4",
        &[Some(&entry.number.to_string())],
    )?;
    if has_pg_cron()? {
        // A job of pg_cron belongs to the role that it runs as. Row security on cron.job shows a caller only their own
        // jobs, so only a superuser removes another role's job.
        as_caller(|| {
            spi::run(
                "SELECT cron.unschedule(j.jobid) FROM cron.job j WHERE j.jobname = $1",
                &[Some(&job_name(entry.number))],
            )
        })?;
    }
    Ok(())
}

fn has_pg_cron() -> Result<bool, FdwError> {
    Ok(store::value("SELECT 1 FROM pg_extension WHERE extname = 'pg_cron'", &[])?.is_some())
}

/// The name of a mirror's job in pg_cron.
fn job_name(number: i32) -> String {
    format!("clerk_fdw mirror {number}")
}
