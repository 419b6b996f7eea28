//! What may be said in `OPTIONS (…)`, where, and within which limits.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::time::Duration;

use clerk_api::object::{OBJECTS, Object, object};
use clerk_api::{LARGEST_PAGE, Settings, check_api_url};
use pgrx::{PgList, pg_sys};

use crate::encoding::from_server;
use crate::error::FdwError;

/// The options of one catalog entry by name.
pub type Options = HashMap<String, String>;

/// Where an option may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Server,
    UserMapping,
    Table,
    Column,
}

/// One option, as the table in the README describes it.
struct Spec {
    name: &'static str,
    places: &'static [Place],
    check: fn(&str) -> Result<(), String>,
}

const SPECS: &[Spec] = &[
    Spec { name: "api_key", places: &[Place::Server, Place::UserMapping], check: api_key },
    Spec { name: "api_key_id", places: &[Place::Server], check: not_empty },
    Spec { name: "api_key_name", places: &[Place::Server], check: not_empty },
    Spec { name: "api_url", places: &[Place::Server], check: |text| check_api_url(text).map(drop) },
    Spec { name: "api_version", places: &[Place::Server], check: api_version },
    Spec { name: "environment_key", places: &[Place::Server], check: boolean },
    Spec { name: "rate_limit", places: &[Place::Server], check: |text| whole(text, 1..=1_000_000) },
    Spec { name: "request_interval_ms", places: &[Place::Server], check: |text| whole(text, 0..=3_600_000) },
    Spec { name: "page_size", places: &[Place::Server, Place::Table], check: |text| whole(text, 1..=LARGEST_PAGE) },
    Spec { name: "max_concurrency", places: &[Place::Server], check: |text| whole(text, 1..=32) },
    Spec { name: "timeout_ms", places: &[Place::Server], check: |text| whole(text, 1..=3_600_000) },
    Spec { name: "max_retries", places: &[Place::Server], check: |text| whole(text, 0..=100) },
    Spec { name: "updatable", places: &[Place::Server, Place::Table], check: boolean },
    Spec { name: "object", places: &[Place::Table], check: known_object },
    Spec { name: "rowid_column", places: &[Place::Table], check: not_empty },
    Spec { name: "startup_cost", places: &[Place::Table], check: cost },
    Spec { name: "path", places: &[Place::Column], check: path },
];

/// Checks the options of one CREATE or ALTER. Postgres calls it with the whole list as it will be.
pub fn validate(options: Vec<Option<String>>, catalog: Option<pg_sys::Oid>) -> Result<(), FdwError> {
    let (place, called) = match catalog {
        Some(pg_sys::ForeignServerRelationId) => (Some(Place::Server), "a server"),
        Some(pg_sys::UserMappingRelationId) => (Some(Place::UserMapping), "a user mapping"),
        Some(pg_sys::ForeignTableRelationId) => (Some(Place::Table), "a foreign table"),
        Some(pg_sys::AttributeRelationId) => (Some(Place::Column), "a column"),
        _ => (None, "a foreign-data wrapper"),
    };
    let result = check_all(&options, place, called);
    if result.is_err() {
        // Until the error is raised, which is next.
        HiddenStatement::new();
    }
    result
}

fn check_all(options: &[Option<String>], place: Option<Place>, called: &'static str) -> Result<(), FdwError> {
    let mut has_object = false;
    for option in options.iter().flatten() {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let allowed = |spec: &&Spec| place.is_some_and(|place| spec.places.contains(&place));
        let Some(spec) = SPECS.iter().filter(allowed).find(|spec| spec.name == name) else {
            let names: Vec<_> = SPECS.iter().filter(allowed).map(|spec| spec.name).collect();
            return Err(FdwError::UnknownOption { name: name.to_owned(), place: called, hint: nearest(name, &names) });
        };
        (spec.check)(value).map_err(|problem| FdwError::OptionValue {
            name: name.to_owned(),
            // Perhaps two values were swapped: the key must not be quoted.
            problem: match name != "api_key" && (value.contains("sk_live_") || value.contains("sk_test_")) {
                true => "it looks like a secret key, which belongs into api_key".to_owned(),
                false => problem,
            },
            hint: (name == "object").then(|| nearest(value, &object_names())),
        })?;
        has_object |= name == "object";
    }
    if place == Some(Place::Table) && !has_object {
        return Err(FdwError::NoObject { hint: format!("Objects: {}.", object_names().join(", ")) });
    }
    Ok(())
}

/// Which name was probably meant, else which there are.
fn nearest(name: &str, names: &[&str]) -> String {
    let near = names
        .iter()
        .map(|other| (strsim::damerau_levenshtein(name, other), other))
        .min()
        .filter(|(distance, other)| *distance <= other.len() / 2);
    match near {
        Some((_, other)) => format!("Perhaps you meant \"{other}\". Valid names: {}.", names.join(", ")),
        None if names.is_empty() => "No option is valid here.".to_owned(),
        None => format!("Valid names: {}.", names.join(", ")),
    }
}

/// The names of all objects of the catalogue.
pub fn object_names() -> Vec<&'static str> {
    OBJECTS.iter().map(|object| object.name).collect()
}

/// Keeps the text of a statement that fails out of the server's log, and the context that may quote it: it may hold a
/// key.
pub struct HiddenStatement(*mut pg_sys::ErrorContextCallback);

impl HiddenStatement {
    /// From here on. An error that is raised meanwhile ends it by itself.
    pub fn new() -> Self {
        #[pgrx::pg_guard]
        unsafe extern "C-unwind" fn hide(_argument: *mut std::ffi::c_void) {
            // SAFETY: Postgres calls context callbacks while an error is being reported, which is when these two may
            // be called.
            unsafe {
                pg_sys::errhidestmt(true);
                pg_sys::errhidecontext(true);
            }
        }
        // SAFETY: the callback lives in the current memory context, which outlasts the error that is raised next;
        // whoever catches that error resets error_context_stack to what it was before.
        unsafe {
            let callback: *mut pg_sys::ErrorContextCallback =
                pg_sys::palloc0(size_of::<pg_sys::ErrorContextCallback>()).cast();
            (*callback).previous = pg_sys::error_context_stack;
            (*callback).callback = Some(hide);
            pg_sys::error_context_stack = callback;
            HiddenStatement(callback)
        }
    }

    /// Nothing has failed.
    pub fn end(self) {
        // SAFETY: the callback is the one that `new` has put on the stack, and nothing that it covered has left one
        // on top of it.
        unsafe { pg_sys::error_context_stack = (*self.0).previous };
    }
}

fn not_empty(text: &str) -> Result<(), String> {
    if text.is_empty() { Err("it is empty".to_owned()) } else { Ok(()) }
}

fn api_key(text: &str) -> Result<(), String> {
    not_empty(text)?;
    match text.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(()),
        false => Err("a key has no spaces and no characters beyond ASCII".to_owned()),
    }
}

fn api_version(text: &str) -> Result<(), String> {
    match !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)) {
        true => Ok(()),
        false => Err(format!("\"{text}\" is not a version such as 2026-05-12")),
    }
}

fn whole(text: &str, range: RangeInclusive<u32>) -> Result<(), String> {
    match text.trim().parse() {
        Ok(number) if range.contains(&number) => Ok(()),
        _ => Err(format!("\"{text}\" is not a whole number from {} to {}", range.start(), range.end())),
    }
}

fn boolean(text: &str) -> Result<(), String> {
    match parse_bool(text) {
        Some(_) => Ok(()),
        None => Err(format!("\"{text}\" is neither true nor false")),
    }
}

fn parse_bool(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "on" | "yes" | "y" | "1" => Some(true),
        "false" | "f" | "off" | "no" | "n" | "0" => Some(false),
        _ => None,
    }
}

fn cost(text: &str) -> Result<(), String> {
    match text.trim().parse::<f64>() {
        Ok(cost) if cost.is_finite() && cost >= 0.0 => Ok(()),
        _ => Err(format!("\"{text}\" is not a cost")),
    }
}

fn known_object(text: &str) -> Result<(), String> {
    object(text).map(drop).ok_or_else(|| format!("Clerk has no object \"{text}\""))
}

fn path(text: &str) -> Result<(), String> {
    match text.split('.').any(str::is_empty) {
        true => Err(format!("\"{text}\" is not a path such as public_metadata.plan")),
        false => Ok(()),
    }
}

/// Reads a list of DefElems, such as the options of a catalog entry.
///
/// # Safety
/// `list` is null or a list of DefElems.
pub unsafe fn read(list: *mut pg_sys::List) -> Options {
    // SAFETY: the caller's; defGetString gives a string for every option that a validator has accepted.
    unsafe {
        PgList::<pg_sys::DefElem>::from_pg(list)
            .iter_ptr()
            .map(|option| (from_server((*option).defname), from_server(pg_sys::defGetString(option))))
            .collect()
    }
}

fn number(options: &Options, name: &str) -> Option<u32> {
    options.get(name)?.trim().parse().ok()
}

/// How a server's options say to talk to Clerk.
pub fn settings(server: &Options) -> Settings {
    let default = Settings::default();
    let milliseconds = |name| number(server, name).map(|ms| Duration::from_millis(ms.into()));
    Settings {
        api_url: server.get("api_url").cloned().unwrap_or(default.api_url),
        api_version: server.get("api_version").cloned().unwrap_or(default.api_version),
        rate_limit: number(server, "rate_limit").and_then(NonZeroU32::new),
        request_interval: milliseconds("request_interval_ms").unwrap_or(default.request_interval),
        max_concurrency: number(server, "max_concurrency").map_or(default.max_concurrency, |number| number as usize),
        timeout: milliseconds("timeout_ms").unwrap_or(default.timeout),
        max_retries: number(server, "max_retries").unwrap_or(default.max_retries),
    }
}

/// Whether the key of the server process's environment may be sent to where the options lead: always to Clerk itself,
/// elsewhere if they say so.
pub fn takes_environment_key(server: &Options) -> bool {
    let is_clerks = server.get("api_url").is_none_or(|url| {
        check_api_url(url)
            .is_ok_and(|url| url.scheme() == "https" && url.host_str() == Some("api.clerk.com") && url.port().is_none())
    });
    is_clerks || server.get("environment_key").is_some_and(|value| parse_bool(value) == Some(true))
}

/// How many objects a page has, by a server's options.
pub fn page_size(server: &Options) -> u32 {
    number(server, "page_size").unwrap_or(LARGEST_PAGE)
}

/// What a foreign table shows.
pub struct Table {
    pub server: pg_sys::Oid,
    pub object: &'static Object,
    pub page_size: u32,
    pub max_concurrency: u32,
    /// The planner's cost of the first row, where the table names one.
    pub startup_cost: Option<f64>,
}

/// Reads a foreign table's options and what it takes from its server's.
pub fn table(relation: pg_sys::Oid) -> Result<Table, FdwError> {
    // SAFETY: both functions raise an error for an oid that is no foreign table or server.
    let (server, table_options, server_options) = unsafe {
        let table = pg_sys::GetForeignTable(relation);
        let server = pg_sys::GetForeignServer((*table).serverid);
        ((*table).serverid, read((*table).options), read((*server).options))
    };
    let name = table_options.get("object").map_or("", String::as_str);
    let object =
        object(name).ok_or_else(|| FdwError::NoObject { hint: format!("Objects: {}.", object_names().join(", ")) })?;
    Ok(Table {
        server,
        object,
        page_size: number(&table_options, "page_size").unwrap_or_else(|| self::page_size(&server_options)),
        max_concurrency: settings(&server_options).max_concurrency as u32,
        startup_cost: table_options.get("startup_cost").and_then(|cost| cost.trim().parse().ok()),
    })
}
