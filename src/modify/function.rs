//! The functions that write: any request, and ready-made ones for what applications do most.

use clerk_api::catalog::{INSTANCE, Method, OBJECTS, Object, Update};
use clerk_api::write::{NewObject, RowWriter, TableColumn, find_unique};
use clerk_api::{Error, Fetch, Locator, Page, Request, json};
use pgrx::pg_sys;

use super::connection::Connection;
use super::mirror::Mirrors;
use crate::error::{FdwError, OrRaise};
use crate::remote::io_thread::Pages;
use crate::remote::server::Server;

/// A connection for requests by a function, with the rights of the current role.
fn connection(server: &str, writes: bool) -> Result<Connection, FdwError> {
    let server = Server::usable(server)?;
    if writes {
        if !server.is_updatable() {
            return Err(FdwError::ServerNotUpdatable(server.name));
        }
        // SAFETY: PreventCommandIfReadOnly takes a C string, and raises an error in a transaction that must not write.
        unsafe { pg_sys::PreventCommandIfReadOnly(c"a request that changes something".as_ptr()) };
    }
    // SAFETY: GetUserId only reads the current role of this backend.
    Ok(Connection::new(server, unsafe { pg_sys::GetUserId() }))
}

/// `clerk_fdw.request(…)`: the body of the answer; `None` if it has none.
pub fn request(
    server: &str,
    method: &str,
    path: &str,
    query: &serde_json::Value,
    body: Option<String>,
) -> Result<Option<String>, FdwError> {
    let method = Method::named(method).ok_or_else(|| {
        FdwError::Request(format!("the method {method:?} is neither GET, POST, PATCH, PUT nor DELETE"))
    })?;
    let request = Request::to_path(method, path, query, body).map_err(FdwError::Request)?;
    let mut connection = connection(server, method != Method::Get)?;
    let shown = Box::new(request.clone());
    let answer = connection.call(request);
    if answer.trim_ascii().is_empty() {
        return Ok(None);
    }
    let mut bytes = answer.into_bytes();
    json::replace_unstorable_escapes(&mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    match serde_json::from_str::<serde::de::IgnoredAny>(&text) {
        Ok(_) => Ok(Some(text)),
        Err(problem) => {
            let error = match method {
                Method::Get => Error::Malformed {
                    expected: "JSON",
                    problem: problem.to_string(),
                    beginning: text.chars().take(80).collect(),
                    request: shown,
                },
                _ => Error::Unreadable { problem: format!("it is not JSON: {problem}"), request: shown },
            };
            Err(FdwError::Clerk { error: error.into(), server: connection.server.name.clone() })
        }
    }
}

/// Changes an object by the request that gives a column a value, which is JSON text. Returns the object.
pub fn act(
    server: &str,
    object: &'static Object,
    id: &str,
    column: &str,
    value: &str,
) -> Result<Option<String>, FdwError> {
    let updates: &'static [Update] = object.writes.updates;
    let write = updates.iter().find_map(|update| match update {
        Update::Action { column: other, value: given, write } if *other == column && *given == value => Some(write),
        _ => None,
    });
    let write = write.ok_or_else(|| FdwError::Request(format!("{column} cannot be changed to {value}")))?;
    change(server, object, id, write, None)
}

/// Merges members into an object's metadata: for each field the JSON text of the members. Returns the object.
pub fn merge(
    server: &str,
    object: &'static Object,
    id: &str,
    fields: &[(&str, Option<String>)],
) -> Result<Option<String>, FdwError> {
    let given: Vec<_> = fields.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))).collect();
    if let Some((name, _)) = given.iter().find(|(_, value)| json::kind(value) != "object") {
        return Err(FdwError::Request(format!("{name} is not a JSON object")));
    }
    if given.is_empty() {
        return Err(FdwError::Request("no metadata is given".to_owned()));
    }
    if let Some((name, _)) = given.iter().find(|(_, value)| json::is_too_deep(value)) {
        return Err(FdwError::Request(format!("{name} is nested deeper than {} levels", json::MAX_DEPTH)));
    }
    let updates: &'static [Update] = object.writes.updates;
    let write = updates.iter().find_map(|update| match update {
        Update::Merge(write) => Some(write),
        _ => None,
    });
    let write = write.ok_or_else(|| FdwError::Request(format!("{} have no metadata", object.name)))?;
    let members = given.iter().map(|(name, value)| format!("\"{name}\":{value}"));
    let body = format!("{{{}}}", members.collect::<Vec<_>>().join(","));
    change(server, object, id, write, Some(body))
}

/// Sends a request that changes the object with an id, and shows the object to the mirrors.
fn change(
    server: &str,
    object: &'static Object,
    id: &str,
    write: &'static clerk_api::catalog::Write,
    body: Option<String>,
) -> Result<Option<String>, FdwError> {
    let no_key = || FdwError::Request(format!("{id:?} is no id"));
    let request = Request::write(write, &[id.to_owned()], body).ok_or_else(no_key)?;
    let mut connection = connection(server, true)?;
    let answer = connection.call(request);
    let mirrors = Mirrors::of(&mut connection);
    mirrors.changed(object, write, &answer, None, &connection.client()?);
    Ok(Some(answer))
}

/// Returns the object that Clerk has with the value of a column that it holds unique, or makes it. The columns are given
/// with their texts; the first one is the unique one.
pub fn ensure(server: &str, object: &'static Object, values: &[(&str, Option<&str>)]) -> Result<String, FdwError> {
    let mut connection = connection(server, true)?;
    let (unique, value) = values.first().copied().unwrap_or_default();
    let new = new_object(object, values)?;
    if let Some(existing) = find_existing(&mut connection, object, &new, unique) {
        return Ok(existing);
    }
    require_uniqueness(&mut connection, unique)?;
    let request = new.request().ok_or_else(|| FdwError::Request(format!("{} cannot be made", object.name)))?;
    let answer = match connection.call_for_answer(request) {
        Ok(answer) => answer,
        // Somebody else has made it since, or an answer was lost after all. Then it is there.
        Err(error) => match find_existing(&mut connection, object, &new, unique) {
            Some(existing) => return Ok(existing),
            None => return Err(FdwError::Clerk { error: error.into(), server: connection.server.name.clone() }),
        },
    };
    let made = json::member(&answer, unique).and_then(json::string);
    if made.as_deref() != value {
        return Err(FdwError::Request(format!(
            "Clerk has made {} without this {unique}, so that the next call would make it again: {}",
            object.name,
            json::member(&answer, "id").unwrap_or("it has no id")
        )));
    }
    if let Some(write) = &object.writes.insert {
        let mirrors = Mirrors::of(&mut connection);
        mirrors.changed(object, write, &answer, None, &connection.client()?);
    }
    Ok(answer)
}

/// An object with these texts in its columns.
fn new_object(object: &'static Object, values: &[(&str, Option<&str>)]) -> Result<NewObject, FdwError> {
    let columns = values.iter().filter_map(|(name, _)| {
        let column = object.column(name, true)?;
        Some(TableColumn { name: column.name.to_owned(), column: Some(column), locator: column.source.into() })
    });
    let row: Vec<_> =
        values.iter().map(|(_, text)| text.map(|text| serde_json::Value::from(text).to_string())).collect();
    RowWriter::new(object, columns.collect()).insert(&row).map_err(|error| FdwError::Row { error, progress: None })
}

/// The object at Clerk that has the same value as a new one in a column.
fn find_existing(
    connection: &mut Connection,
    object: &'static Object,
    new: &NewObject,
    column: &str,
) -> Option<String> {
    let shown = object.column(column, true)?;
    let locators = [Locator::Whole, shown.source.into()];
    let fetch = find_unique(new, object, &[column], &locators).into_iter().next()?;
    let page = read(connection, fetch)?;
    let is_same =
        |row: &usize| page.value(*row, 1).and_then(json::string).is_some_and(|text| new.has_text(column, &text));
    let row = (0..page.len()).find(is_same)?;
    Some(page.value(row, 0)?.to_owned())
}

/// Fails if Clerk does not keep a column unique now, because the instance's settings turn it off. The setting that does so
/// is named `<column>_disabled`, such as `slug_disabled`; a column without one is always unique.
fn require_uniqueness(connection: &mut Connection, column: &str) -> Result<(), FdwError> {
    let setting = format!("{column}_disabled");
    let find = |object: &&'static Object| Some((*object, object.column(&setting, true)?));
    let Some((settings, shown)) = OBJECTS.iter().find_map(find) else { return Ok(()) };
    let mut pages = Pages::start(Fetch::all(settings, vec![shown.source.into()]), connection.client()?)?;
    let page = match pages.next() {
        Ok(page) => page,
        // A key may have no rights to the settings. Then Clerk decides.
        Err(error) if matches!(*error, Error::Refused { .. } | Error::Unauthorized { .. }) => None,
        Err(error) => return Err(FdwError::Clerk { error, server: connection.server.name.clone() }),
    };
    match page.as_ref().filter(|page| !page.is_empty()).and_then(|page| page.value(0, 0)) {
        Some("true") => Err(FdwError::Request(format!(
            "the instance's settings turn {column}s off ({setting}), so that it could not be found again"
        ))),
        _ => Ok(()),
    }
}

/// The first page of a fetch. Where Clerk answers with 404, there is none.
fn read(connection: &mut Connection, fetch: Fetch) -> Option<Page> {
    let client = connection.client().or_raise();
    let mut pages = Pages::start(fetch, client).or_raise();
    connection.next(&mut pages)
}

/// What `clerk_fdw.check_server` finds.
#[derive(Default)]
pub struct Check {
    pub environment: Option<String>,
    pub instance_id: Option<String>,
    pub api_version: String,
    pub latency_ms: Option<f64>,
    pub remaining_budget: Option<i32>,
    pub shared_budget: Option<bool>,
    pub error: Option<String>,
    pub hint: Option<String>,
}

/// Asks Clerk for the instance that the server's key belongs to. An error of Clerk, or of the way there, is a part of the
/// answer.
pub fn check(server: &str) -> Result<Check, FdwError> {
    let mut connection = connection(server, false)?;
    let mut check = Check { api_version: connection.server.api_version(), ..Check::default() };
    if let Err(error) = ask_for_instance(&mut connection, &mut check) {
        check.hint = error.hint();
        check.error = Some(match error.detail() {
            Some(detail) => format!("{error} ({detail})"),
            None => error.to_string(),
        });
    }
    Ok(check)
}

fn ask_for_instance(connection: &mut Connection, check: &mut Check) -> Result<(), FdwError> {
    let client = connection.client()?;
    let environment = INSTANCE.column("environment_type", true).map(|column| column.source.into());
    let mut pages = Pages::start(Fetch::all(INSTANCE, environment.into_iter().collect()), client.clone())?;
    let page = pages.next();
    check.remaining_budget = i32::try_from(client.remaining_budget()).ok();
    check.shared_budget = Some(client.shares_budget());
    let server = connection.server.name.clone();
    if let Some(page) = page.map_err(|error| FdwError::Clerk { error, server })?.filter(|page| !page.is_empty()) {
        check.instance_id = Some(page.id(0).into_owned());
        check.environment = page.value(0, 0).and_then(json::string).map(|text| text.into_owned());
        check.latency_ms = Some(pages.stats().response_time().as_secs_f64() * 1000.0);
    }
    Ok(())
}
