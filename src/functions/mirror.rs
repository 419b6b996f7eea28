//! The SQL functions for mirrors: see `sql/2_mirror.sql` and `sql/3_sync.sql`. `sql/1_bookkeeping.sql` defines the tables in
//! which they store what they know.

use std::collections::BTreeMap;

use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;
use pgrx::{JsonB, pg_sys};

use crate::access::policy;
use crate::error::{FdwError, OrRaise};
use crate::mirror::model::{Entry, Mirror, MirrorRef};
use crate::mirror::sync::log::{Mode, SyncOptions};
use crate::mirror::{refresh, schedule, setup, sync};
use crate::webhook::receive;
use crate::worker::background;

extension_sql_file!("../../sql/1_bookkeeping.sql", name = "bookkeeping");
extension_sql_file!("../../sql/2_mirror.sql", name = "mirror", requires = ["bookkeeping"]);
extension_sql_file!("../../sql/3_sync.sql", name = "sync", requires = ["mirror"]);

/// `clerk_fdw.create_mirror(…)`.
#[pg_extern(sql = false)]
fn create_mirror(
    server: Option<&str>,
    schema: Option<&str>,
    objects: Option<Vec<Option<String>>>,
    tables: Option<JsonB>,
    columns: Option<JsonB>,
    deletes: Option<&str>,
    full_every: Option<Interval>,
) -> String {
    let server = server.ok_or(FdwError::Null("server")).or_raise();
    let text = |value: serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let new = setup::NewMirror {
        server: server.to_owned(),
        // The foreign tables are usually in a schema with the name of the server.
        schema: schema.map_or_else(|| format!("{server}_mirror"), str::to_owned),
        objects: objects.map(|objects| objects.into_iter().flatten().collect()),
        tables: json_members("tables", tables).into_iter().map(|(object, table)| (object, text(table))).collect(),
        columns: json_members("columns", columns),
        deletes: deletes.ok_or(FdwError::Null("deletes")).or_raise().to_owned(),
        full_every: positive_interval(full_every.ok_or(FdwError::Null("full_every")).or_raise()),
    };
    setup::create(&new).or_raise();
    new.schema
}

/// The members of an argument that has to be a JSON object.
fn json_members(argument: &'static str, json: Option<JsonB>) -> BTreeMap<String, serde_json::Value> {
    match json.map(|json| json.0) {
        Some(serde_json::Value::Object(members)) => members.into_iter().collect(),
        None | Some(serde_json::Value::Null) => BTreeMap::new(),
        Some(_) => FdwError::Refused {
            code: PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            message: format!("{argument} is not a JSON object"),
            hint: None,
        }
        .raise(),
    }
}

/// Checks that an interval is longer than nothing, and formats it as SQL reads it.
fn positive_interval(interval: Interval) -> String {
    if interval.as_micros() <= 0 {
        FdwError::Refused {
            code: PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            message: "full_every must be longer than no time at all".to_owned(),
            hint: None,
        }
        .raise();
    }
    format!("{} months {} days {} microseconds", interval.months(), interval.days(), interval.micros())
}

/// `clerk_fdw.alter_mirror(…)`.
#[pg_extern(sql = false)]
fn alter_mirror(
    mirror: Option<&str>,
    owner: Option<&str>,
    server: Option<&str>,
    deletes: Option<&str>,
    full_every: Option<Interval>,
    keep_webhook_bodies: Option<bool>,
) {
    let mirror = mirror.ok_or(FdwError::Null("mirror")).or_raise();
    let full_every = full_every.map(positive_interval);
    setup::alter(mirror, &setup::Changes { owner, server, deletes, full_every, keep_webhook_bodies }).or_raise();
}

/// `clerk_fdw.drop_mirror(…)`.
#[pg_extern(sql = false)]
fn drop_mirror(mirror: Option<&str>, keep_tables: Option<bool>) {
    setup::drop(
        mirror.ok_or(FdwError::Null("mirror")).or_raise(),
        keep_tables.unwrap_or(false),
        policy::remove_for_drop,
    )
    .or_raise();
}

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
    // SAFETY: Postgres passes a FunctionCallInfo that is valid for the call. Its context is null or points to a node,
    // and a node with the tag T_CallContext is a CallContext.
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
    let options = sync_options(mode, objects, dry_run, force);
    sync::sync_mirror(MirrorRef::Name(mirror), options, wait.unwrap_or(false), None, &receive::retry_all);
}

#[pg_extern(sql = false)]
fn sync_object(mirror: Option<&str>, object: Option<&str>, id: Option<&str>, fallback: Option<bool>) -> Option<JsonB> {
    let object = object.ok_or(FdwError::Null("object")).or_raise();
    let (mirror, id) = (mirror.ok_or(FdwError::Null("mirror")).or_raise(), id.ok_or(FdwError::Null("id")).or_raise());
    json(refresh::sync_object(mirror, object, id, fallback.unwrap_or(false)))
}

#[pg_extern(sql = false)]
fn sync_user(mirror: Option<&str>, user_id: Option<&str>, fallback: Option<bool>) -> Option<JsonB> {
    let mirror = mirror.ok_or(FdwError::Null("mirror")).or_raise();
    let id = user_id.ok_or(FdwError::Null("user_id")).or_raise();
    json(refresh::sync_user(mirror, id, fallback.unwrap_or(false)))
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
    let mirror = Mirror::load(MirrorRef::Name(mirror.ok_or(FdwError::Null("mirror")).or_raise())).or_raise();
    background::start_at_commit(&mirror, &sync_options(mode, objects, dry_run, force)).or_raise()
}

/// `clerk_fdw.cancel_sync(run)`.
#[pg_extern(sql = false)]
fn cancel_sync(run: Option<i64>) -> bool {
    let run = run.ok_or(FdwError::Null("run")).or_raise();
    background::cancel(run).or_raise()
}

/// `clerk_fdw.has_scheduler()`.
#[pg_extern(sql = false)]
fn has_scheduler() -> bool {
    crate::pg::settings::is_preloaded()
}

/// `clerk_fdw.next_run(…)`.
#[pg_extern(sql = false)]
fn next_run(schedule: &str, after: TimestampWithTimeZone) -> TimestampWithTimeZone {
    /// Postgres counts microseconds from 2000, schedules count seconds from 1970: these are the seconds in between.
    const EPOCH: i64 = 946_684_800;
    let after = pg_sys::TimestampTz::from(after).div_euclid(1_000_000) + EPOCH;
    let next = (schedule::next_run(schedule, after).or_raise() - EPOCH) * 1_000_000;
    TimestampWithTimeZone::try_from(next).unwrap_or_else(|_| TimestampWithTimeZone::positive_infinity())
}

/// `clerk_fdw.schedule_sync(…)`.
#[pg_extern(sql = false)]
fn schedule_sync(mirror: Option<&str>, schedule: Option<&str>) -> &'static str {
    let schedule = schedule.ok_or(FdwError::Null("schedule")).or_raise();
    schedule::schedule(mirror.ok_or(FdwError::Null("mirror")).or_raise(), schedule).or_raise()
}

/// `clerk_fdw.unschedule_sync(…)`.
#[pg_extern(sql = false)]
fn unschedule_sync(mirror: Option<&str>) {
    let entry = Entry::load(MirrorRef::Name(mirror.ok_or(FdwError::Null("mirror")).or_raise())).or_raise();
    schedule::unschedule(&entry).or_raise();
}

fn sync_options(
    mode: Option<&str>,
    objects: Option<Vec<Option<String>>>,
    dry_run: Option<bool>,
    force: Option<bool>,
) -> SyncOptions {
    SyncOptions {
        mode: mode.map(|mode| Mode::parse(mode).ok_or_else(|| FdwError::NoMode(mode.to_owned())).or_raise()),
        objects: objects.map(|objects| objects.into_iter().flatten().collect()),
        dry_run: dry_run.unwrap_or(false),
        force: force.unwrap_or(false),
    }
}

fn json(row: Option<String>) -> Option<JsonB> {
    row.and_then(|row| serde_json::from_str(&row).ok()).map(JsonB)
}
