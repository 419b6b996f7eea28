//! What the options of servers and tables say; [`validate`] decides what may be said in them.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use clerk_api::catalog::{OBJECTS, Object, object};
use clerk_api::{MAX_PAGE_SIZE, Settings, check_api_url};
use pgrx::{PgList, pg_sys};

use crate::error::FdwError;
use crate::pg::encoding::from_server;

pub mod validate;

/// The options of one catalog entry by name.
pub type Options = HashMap<String, String>;

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
    number(server, "page_size").unwrap_or(MAX_PAGE_SIZE)
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

/// The names of all objects of the catalogue.
pub fn object_names() -> Vec<&'static str> {
    OBJECTS.iter().map(|object| object.name).collect()
}

fn parse_bool(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "on" | "yes" | "y" | "1" => Some(true),
        "false" | "f" | "off" | "no" | "n" | "0" => Some(false),
        _ => None,
    }
}
