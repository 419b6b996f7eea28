//! The SQL functions that write to Clerk: see `sql/6_modify.sql`.

use clerk_api::catalog::{Access, Object, Role, object_of_event, object_with_access};
use pgrx::prelude::*;
use pgrx::{JsonB, pg_sys};

use crate::error::{FdwError, OrRaise};
use crate::modify::function;
use crate::pg::jsonb::{self, JsonbText};

extension_sql_file!("../../sql/6_modify.sql", name = "modify", requires = ["webhook"]);

/// `clerk_fdw_assigned_id()`.
#[pg_extern(sql = false)]
fn clerk_fdw_assigned_id() -> Option<&'static str> {
    None
}

/// `clerk_fdw.request(…)`.
#[pg_extern(sql = false)]
fn request(
    server: Option<&str>,
    method: Option<&str>,
    path: Option<&str>,
    query: Option<JsonB>,
    _body: Option<JsonB>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Option<JsonbText> {
    let server = given(server, "server");
    let (method, path) = (given(method, "method"), given(path, "path"));
    let query = query.map_or(serde_json::Value::Null, |query| query.0);
    // SAFETY: Postgres makes the call, whose fifth argument is a jsonb.
    let body = unsafe { jsonb::argument(fcinfo, 4) };
    function::request(server, method, path, &query, body).or_raise().map(JsonbText)
}

#[pg_extern(sql = false)]
fn ban_user(server: Option<&str>, user_id: Option<&str>) -> Option<JsonbText> {
    act_on_user(server, user_id, banned(), "true")
}

#[pg_extern(sql = false)]
fn unban_user(server: Option<&str>, user_id: Option<&str>) -> Option<JsonbText> {
    act_on_user(server, user_id, banned(), "false")
}

#[pg_extern(sql = false)]
fn lock_user(server: Option<&str>, user_id: Option<&str>) -> Option<JsonbText> {
    act_on_user(server, user_id, "locked", "true")
}

#[pg_extern(sql = false)]
fn unlock_user(server: Option<&str>, user_id: Option<&str>) -> Option<JsonbText> {
    act_on_user(server, user_id, "locked", "false")
}

fn act_on_user(server: Option<&str>, user_id: Option<&str>, column: &str, value: &str) -> Option<JsonbText> {
    let (server, id) = (given(server, "server"), given(user_id, "user_id"));
    function::act(server, with_access(Access::User), id, column, value).or_raise().map(JsonbText)
}

/// The column that says whether a user is banned.
fn banned() -> &'static str {
    let columns = with_access(Access::User).columns;
    columns.iter().find(|column| column.role == Some(Role::Banned)).map_or("", |column| column.name)
}

#[pg_extern(sql = false)]
fn revoke_session(server: Option<&str>, session_id: Option<&str>) -> Option<JsonbText> {
    let (server, id) = (given(server, "server"), given(session_id, "session_id"));
    let (sessions, _) = object_of_event("session.revoked").ok_or(FdwError::NotInstalled).or_raise();
    function::act(server, sessions, id, "status", "\"revoked\"").or_raise().map(JsonbText)
}

#[pg_extern(sql = false)]
fn merge_user_metadata(
    server: Option<&str>,
    user_id: Option<&str>,
    _public_metadata: Option<JsonB>,
    _private_metadata: Option<JsonB>,
    _unsafe_metadata: Option<JsonB>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Option<JsonbText> {
    let (server, id) = (given(server, "server"), given(user_id, "user_id"));
    // SAFETY: Postgres makes the call, whose third, fourth and fifth argument are jsonbs.
    let metadata = |number: usize| unsafe { jsonb::argument(fcinfo, number) };
    let fields =
        [("public_metadata", metadata(2)), ("private_metadata", metadata(3)), ("unsafe_metadata", metadata(4))];
    function::merge(server, with_access(Access::User), id, &fields).or_raise().map(JsonbText)
}

#[pg_extern(sql = false)]
fn merge_organization_metadata(
    server: Option<&str>,
    organization_id: Option<&str>,
    _public_metadata: Option<JsonB>,
    _private_metadata: Option<JsonB>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Option<JsonbText> {
    let (server, id) = (given(server, "server"), given(organization_id, "organization_id"));
    // SAFETY: Postgres makes the call, whose third and fourth argument are jsonbs.
    let metadata = |number: usize| unsafe { jsonb::argument(fcinfo, number) };
    let fields = [("public_metadata", metadata(2)), ("private_metadata", metadata(3))];
    function::merge(server, with_access(Access::Organization), id, &fields).or_raise().map(JsonbText)
}

#[pg_extern(sql = false)]
fn ensure_organization(
    server: Option<&str>,
    slug: Option<&str>,
    name: Option<&str>,
    created_by: Option<&str>,
) -> Option<JsonbText> {
    let (server, slug, name) = (given(server, "server"), given(slug, "slug"), given(name, "name"));
    let values = [("slug", Some(slug)), ("name", Some(name)), ("created_by", created_by)];
    let organization = function::ensure(server, with_access(Access::Organization), &values).or_raise();
    Some(JsonbText(organization))
}

/// `clerk_fdw.check_server(…)`.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity, reason = "pgrx reads the columns from the type as it is written here")]
fn check_server(
    server: Option<&str>,
) -> TableIterator<
    'static,
    (
        name!(ok, bool),
        name!(environment, Option<String>),
        name!(instance_id, Option<String>),
        name!(api_version, String),
        name!(latency_ms, Option<f64>),
        name!(remaining_budget, Option<i32>),
        name!(error, Option<String>),
        name!(hint, Option<String>),
    ),
> {
    let check = function::check(given(server, "server")).or_raise();
    TableIterator::once((
        check.error.is_none(),
        check.environment,
        check.instance_id,
        check.api_version,
        check.latency_ms,
        check.remaining_budget,
        check.error,
        check.hint,
    ))
}

fn given<'a>(argument: Option<&'a str>, name: &'static str) -> &'a str {
    argument.ok_or(FdwError::Null(name)).or_raise()
}

fn with_access(access: Access) -> &'static Object {
    object_with_access(access).ok_or(FdwError::NotInstalled).or_raise()
}
