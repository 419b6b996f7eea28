//! The SQL functions that write to Clerk: see `sql/6_modify.sql`.
//!
//! They take their arguments as Postgres passes them, because pgrx would read texts as UTF-8 whatever the database's encoding
//! is, and round the numbers in a jsonb.

use clerk_api::catalog::{Access, Object, Role, object_of_event, object_with_access};
use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::error::{FdwError, OrRaise};
use crate::modify::function;
use crate::pg::arguments::Arguments;
use crate::pg::encoding::for_message;
use crate::pg::hidden_statement::HiddenStatement;
use crate::pg::jsonb::JsonbText;

extension_sql_file!("../../sql/6_modify.sql", name = "modify", requires = ["webhook"]);

/// `clerk_fdw_assigned_id()`.
#[pg_extern(sql = false)]
fn clerk_fdw_assigned_id() -> Option<&'static str> {
    None
}

/// Runs a function on its arguments. Errors keep the statement out of the log, because a body may have a password in it.
///
/// # Safety
/// Postgres must have made the call, with the arguments that `sql/6_modify.sql` declares.
unsafe fn run(
    call: pg_sys::FunctionCallInfo,
    function: impl FnOnce(&Arguments) -> Result<Option<String>, FdwError>,
) -> Option<JsonbText> {
    // SAFETY: the caller guarantees a call by Postgres.
    let arguments = unsafe { Arguments::new(call) };
    HiddenStatement::during(|| function(&arguments).or_raise()).map(JsonbText)
}

/// `clerk_fdw.request(…)`.
#[pg_extern(sql = false)]
fn request(fcinfo: pg_sys::FunctionCallInfo) -> Option<JsonbText> {
    let send = |arguments: &Arguments| {
        let server = arguments.required(0, "server")?;
        let (method, path) = (arguments.required(1, "method")?, arguments.required(2, "path")?);
        let query = arguments.jsonb(3).map_or(serde_json::Value::Null, |query| {
            serde_json::from_str(&query).unwrap_or(serde_json::Value::Array(Vec::new()))
        });
        function::request(&server, &method, &path, &query, arguments.jsonb(4))
    };
    // SAFETY: Postgres makes the call.
    unsafe { run(fcinfo, send) }
}

#[pg_extern(sql = false)]
fn ban_user(fcinfo: pg_sys::FunctionCallInfo) -> Option<JsonbText> {
    // SAFETY: Postgres makes the call.
    unsafe { run(fcinfo, |arguments| act_on_user(arguments, banned()?, "true")) }
}

#[pg_extern(sql = false)]
fn unban_user(fcinfo: pg_sys::FunctionCallInfo) -> Option<JsonbText> {
    // SAFETY: Postgres makes the call.
    unsafe { run(fcinfo, |arguments| act_on_user(arguments, banned()?, "false")) }
}

#[pg_extern(sql = false)]
fn lock_user(fcinfo: pg_sys::FunctionCallInfo) -> Option<JsonbText> {
    // SAFETY: Postgres makes the call.
    unsafe { run(fcinfo, |arguments| act_on_user(arguments, "locked", "true")) }
}

#[pg_extern(sql = false)]
fn unlock_user(fcinfo: pg_sys::FunctionCallInfo) -> Option<JsonbText> {
    // SAFETY: Postgres makes the call.
    unsafe { run(fcinfo, |arguments| act_on_user(arguments, "locked", "false")) }
}

fn act_on_user(arguments: &Arguments, column: &str, value: &str) -> Result<Option<String>, FdwError> {
    let (server, id) = (arguments.required(0, "server")?, arguments.required(1, "user_id")?);
    function::act(&server, with_access(Access::User)?, &id, column, value)
}

/// The column that says whether a user is banned.
fn banned() -> Result<&'static str, FdwError> {
    let columns = with_access(Access::User)?.columns;
    let banned = columns.iter().find(|column| column.role == Some(Role::Banned));
    banned.map(|column| column.name).ok_or(FdwError::NotInstalled)
}

#[pg_extern(sql = false)]
fn revoke_session(fcinfo: pg_sys::FunctionCallInfo) -> Option<JsonbText> {
    let revoke = |arguments: &Arguments| {
        let (server, id) = (arguments.required(0, "server")?, arguments.required(1, "session_id")?);
        let (sessions, _) = object_of_event("session.revoked").ok_or(FdwError::NotInstalled)?;
        function::act(&server, sessions, &id, "status", "\"revoked\"")
    };
    // SAFETY: Postgres makes the call.
    unsafe { run(fcinfo, revoke) }
}

#[pg_extern(sql = false)]
fn merge_user_metadata(fcinfo: pg_sys::FunctionCallInfo) -> Option<JsonbText> {
    let fields = ["public_metadata", "private_metadata", "unsafe_metadata"];
    // SAFETY: Postgres makes the call.
    unsafe { run(fcinfo, |arguments| merge(arguments, Access::User, "user_id", &fields)) }
}

#[pg_extern(sql = false)]
fn merge_organization_metadata(fcinfo: pg_sys::FunctionCallInfo) -> Option<JsonbText> {
    let fields = ["public_metadata", "private_metadata"];
    // SAFETY: Postgres makes the call.
    unsafe { run(fcinfo, |arguments| merge(arguments, Access::Organization, "organization_id", &fields)) }
}

fn merge(arguments: &Arguments, access: Access, id: &'static str, fields: &[&str]) -> Result<Option<String>, FdwError> {
    let (server, id) = (arguments.required(0, "server")?, arguments.required(1, id)?);
    let fields: Vec<_> = fields.iter().enumerate().map(|(index, name)| (*name, arguments.jsonb(2 + index))).collect();
    function::merge(&server, with_access(access)?, &id, &fields)
}

#[pg_extern(sql = false)]
fn ensure_organization(fcinfo: pg_sys::FunctionCallInfo) -> Option<JsonbText> {
    let ensure = |arguments: &Arguments| {
        let server = arguments.required(0, "server")?;
        let (slug, name) = (arguments.required(1, "slug")?, arguments.required(2, "name")?);
        let created_by = arguments.text(3);
        let values = [("slug", Some(&*slug)), ("name", Some(&*name)), ("created_by", created_by.as_deref())];
        function::ensure(&server, with_access(Access::Organization)?, &values).map(Some)
    };
    // SAFETY: Postgres makes the call.
    unsafe { run(fcinfo, ensure) }
}

/// `clerk_fdw.check_server(…)`.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity, reason = "pgrx reads the columns from the type as it is written here")]
fn check_server(
    fcinfo: pg_sys::FunctionCallInfo,
) -> TableIterator<
    'static,
    (
        name!(ok, bool),
        name!(environment, Option<String>),
        name!(instance_id, Option<String>),
        name!(api_version, String),
        name!(latency_ms, Option<f64>),
        name!(remaining_budget, Option<i32>),
        name!(shared_budget, Option<bool>),
        name!(error, Option<String>),
        name!(hint, Option<String>),
    ),
> {
    // SAFETY: Postgres makes the call.
    let server = unsafe { Arguments::new(fcinfo) }.required(0, "server").or_raise();
    let check = function::check(&server).or_raise();
    TableIterator::once((
        check.error.is_none(),
        check.environment.map(for_message),
        check.instance_id.map(for_message),
        check.api_version,
        check.latency_ms,
        check.remaining_budget,
        check.shared_budget,
        check.error.map(for_message),
        check.hint.map(for_message),
    ))
}

fn with_access(access: Access) -> Result<&'static Object, FdwError> {
    object_with_access(access).ok_or(FdwError::NotInstalled)
}
