//! Mirrors: local tables that are kept in step with Clerk.
//!
//! What a mirror is made of stands in `sql/mirror.sql`; what is called and what tells about it in `sql/sync.sql`.
//!
//! | room | question |
//! | --- | --- |
//! | [`config`] | What is a mirror, and what do its tables take? |
//! | [`sync`] | What happens in a sync, from its beginning to its end? |
//! | [`full`] | How is everything read, and gone on with after an interruption? |
//! | [`incremental`] | How is what has changed read? |
//! | [`compare`] | Where do Clerk and a table differ? |
//! | [`merge`] | How does a page become rows? |
//! | [`deletes`] | What is deleted, and when is that refused? |
//! | [`run`] | What does the log say? |
//! | [`target`] | How is a single object brought in step? |
//! | [`background`] | How do syncs run without a session, at once or when they are due? |
//! | [`tombstone`] | What is known to be deleted? |
//! | [`lock`] | What keeps two syncs apart, and two changes of one object? |

use pgrx::prelude::*;
use pgrx::{JsonB, pg_sys};

use crate::error::{FdwError, OrRaise};
use config::Mirror;
use run::{Mode, Wish};

pub mod background;
mod compare;
pub mod config;
mod deletes;
mod full;
mod incremental;
pub mod lock;
pub mod merge;
mod run;
pub mod sync;
pub mod target;
pub mod tombstone;

extension_sql_file!("../../sql/mirror.sql", name = "mirror", requires = ["columns_comment"]);
extension_sql_file!("../../sql/schedule.sql", name = "schedule", requires = ["mirror"]);
extension_sql_file!("../../sql/sync.sql", name = "sync", requires = ["schedule"]);

/// `CALL clerk_fdw.sync(…)`.
#[pg_extern(sql = false)]
fn sync(
    mirror: Option<&str>,
    mode: Option<&str>,
    objects: Option<Vec<Option<String>>>,
    dry_run: Option<bool>,
    force: Option<bool>,
    wait: Option<bool>,
    fcinfo: pg_sys::FunctionCallInfo,
) {
    // SAFETY: Postgres hands over what the procedure was called with; a CALL has a context of that type.
    let is_atomic = unsafe {
        let context = (*fcinfo).context;
        context.is_null()
            || (*context).type_ != pg_sys::NodeTag::T_CallContext
            || (*context.cast::<pg_sys::CallContext>()).atomic
    };
    if is_atomic {
        FdwError::InTransaction.raise();
    }
    let mirror = mirror.ok_or(FdwError::Null("mirror")).or_raise();
    sync::sync(mirror, wish(mode, objects, dry_run, force), wait.unwrap_or(false), None);
}

#[pg_extern(sql = false)]
fn sync_object(mirror: Option<&str>, object: Option<&str>, id: Option<&str>, fallback: Option<bool>) -> Option<JsonB> {
    let object = object.ok_or(FdwError::Null("object")).or_raise();
    let (mirror, id) = (mirror.ok_or(FdwError::Null("mirror")).or_raise(), id.ok_or(FdwError::Null("id")).or_raise());
    json(target::sync_object(mirror, object, id, fallback.unwrap_or(false)))
}

#[pg_extern(sql = false)]
fn sync_user(mirror: Option<&str>, user_id: Option<&str>, fallback: Option<bool>) -> Option<JsonB> {
    let mirror = mirror.ok_or(FdwError::Null("mirror")).or_raise();
    let id = user_id.ok_or(FdwError::Null("user_id")).or_raise();
    json(target::sync_user(mirror, id, fallback.unwrap_or(false)))
}

/// `clerk_fdw.start_sync(…)`.
#[pg_extern(sql = false)]
fn start_sync(
    mirror: Option<&str>,
    mode: Option<&str>,
    objects: Option<Vec<Option<String>>>,
    dry_run: Option<bool>,
    force: Option<bool>,
) -> i64 {
    let mirror = Mirror::load(mirror.ok_or(FdwError::Null("mirror")).or_raise()).or_raise();
    let run = background::start(&mirror, &wish(mode, objects, dry_run, force)).or_raise();
    run.parse().unwrap_or_default()
}

/// `clerk_fdw.cancel_sync(run)`.
#[pg_extern(sql = false)]
fn cancel_sync(run: Option<i64>) -> bool {
    let run = run.ok_or(FdwError::Null("run")).or_raise();
    background::cancel(&run.to_string()).or_raise()
}

/// `clerk_fdw.has_scheduler()`.
#[pg_extern(sql = false)]
fn has_scheduler() -> bool {
    crate::settings::is_preloaded()
}

/// When a schedule is due for the first time after a moment, both in seconds since 1970; in UTC.
#[pg_extern(sql = false)]
fn next_run_epoch(schedule: Option<&str>, after: Option<i64>) -> i64 {
    let schedule = schedule.ok_or(FdwError::Null("schedule")).or_raise();
    let wrong = |problem: String| FdwError::BadSchedule { schedule: schedule.to_owned(), problem };
    let after = after.and_then(|after| chrono::DateTime::from_timestamp(after, 0)).unwrap_or_default();
    if schedule.split_whitespace().count() != 5 {
        wrong("it has not five fields".to_owned()).raise();
    }
    let cron: croner::Cron =
        schedule.parse().map_err(|error: croner::errors::CronError| wrong(error.to_string())).or_raise();
    cron.find_next_occurrence(&after, false).map_err(|error| wrong(error.to_string())).or_raise().timestamp()
}

fn wish(mode: Option<&str>, objects: Option<Vec<Option<String>>>, dry_run: Option<bool>, force: Option<bool>) -> Wish {
    Wish {
        mode: mode.map(|mode| Mode::parse(mode).ok_or_else(|| FdwError::NoMode(mode.to_owned())).or_raise()),
        objects: objects.map(|objects| objects.into_iter().flatten().collect()),
        dry_run: dry_run.unwrap_or(false),
        force: force.unwrap_or(false),
    }
}

fn json(row: Option<String>) -> Option<JsonB> {
    row.and_then(|row| serde_json::from_str(&row).ok()).map(JsonB)
}
