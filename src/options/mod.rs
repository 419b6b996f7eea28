//! Reads the options of foreign servers and foreign tables. [`catalogue`] lists them all, and [`validate`] checks them when
//! they are set.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use clerk_api::catalog::{OBJECTS, Object, object};
use clerk_api::{MAX_PAGE_SIZE, Settings, check_api_url};
use pgrx::{PgList, pg_sys};

use crate::error::FdwError;
use crate::pg::encoding::from_server;

pub mod catalogue;
pub mod validate;

/// The options of one object of the database, such as a server, by name.
pub type Options = HashMap<String, String>;

/// Reads the options from a list of DefElems, which is how Postgres passes them.
///
/// # Safety
/// `list` must be null or a list of DefElems.
pub unsafe fn from_def_elems(list: *mut pg_sys::List) -> Options {
    // SAFETY: the caller guarantees that the list holds DefElems. Their names are C strings, and defGetString returns a
    // C string or raises an error for an option without a value.
    unsafe {
        PgList::<pg_sys::DefElem>::from_pg(list)
            .iter_ptr()
            .map(|option| (from_server((*option).defname), from_server(pg_sys::defGetString(option))))
            .collect()
    }
}

/// The value of an option as a number; `None` if the option is not set or is no number.
fn number(options: &Options, name: &str) -> Option<u32> {
    options.get(name)?.trim().parse().ok()
}

/// The settings of a connection to Clerk, from the options of a server.
pub fn settings(server: &Options) -> Settings {
    let default = Settings::default();
    let milliseconds = |name| number(server, name).map(|ms| Duration::from_millis(ms.into()));
    Settings {
        api_url: server.get("api_url").cloned().unwrap_or(default.api_url),
        api_version: server.get("api_version").cloned().unwrap_or(default.api_version),
        rate_limit: number(server, "rate_limit").and_then(NonZeroU32::new),
        request_interval: milliseconds("request_interval_ms").unwrap_or(default.request_interval),
        max_concurrency: number(server, "max_concurrency").map_or(default.max_concurrency, |max| max as usize),
        timeout: milliseconds("timeout_ms").unwrap_or(default.timeout),
        max_retries: number(server, "max_retries").unwrap_or(default.max_retries),
        rate_limit_timeout: milliseconds("rate_limit_timeout_ms").unwrap_or(default.rate_limit_timeout),
    }
}

/// Whether the key in the server process's environment may be sent to the server's `api_url`. It may always be sent to
/// Clerk's own API, and elsewhere only if the option `environment_key` is true.
pub fn allows_environment_key(server: &Options) -> bool {
    let is_clerk = server.get("api_url").is_none_or(|url| {
        check_api_url(url)
            .is_ok_and(|url| url.scheme() == "https" && url.host_str() == Some("api.clerk.com") && url.port().is_none())
    });
    is_clerk || flag(server, "environment_key").unwrap_or(catalogue::ENVIRONMENT_KEY)
}

/// How many objects are requested in one page of a list, from the options of a server.
pub fn page_size(server: &Options) -> u32 {
    number(server, "page_size").unwrap_or(MAX_PAGE_SIZE)
}

/// Whether the options of a server let INSERT, UPDATE and DELETE reach Clerk.
pub fn is_updatable(server: &Options) -> bool {
    flag(server, "updatable").unwrap_or(catalogue::UPDATABLE)
}

/// Whether mirrors of a server get to see what is written through it.
pub fn mirrors_writes(server: &Options) -> bool {
    flag(server, "mirror_writes").unwrap_or(catalogue::MIRROR_WRITES)
}

fn flag(options: &Options, name: &str) -> Option<bool> {
    parse_bool(options.get(name)?)
}

/// Whether a role has the rights of a server's owner.
fn owns(role: pg_sys::Oid, server_owner: pg_sys::Oid) -> bool {
    // SAFETY: has_privs_of_role takes any oids and looks them up in the catalog.
    unsafe { pg_sys::has_privs_of_role(role, server_owner) }
}

/// The owner of a relation; InvalidOid if it does not exist.
fn owner_of(relation: pg_sys::Oid) -> pg_sys::Oid {
    let cache = pg_sys::SysCacheIdentifier::RELOID as i32;
    // SAFETY: SearchSysCache1 returns null or a row of pg_class, whose form is FormData_pg_class and which is pinned until
    // ReleaseSysCache.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(cache, relation.into());
        if tuple.is_null() {
            return pg_sys::InvalidOid;
        }
        let owner = (*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_class>()).relowner;
        pg_sys::ReleaseSysCache(tuple);
        owner
    }
}

/// Whether a relation is a foreign table of this extension.
pub fn is_own_table(relation: pg_sys::Oid) -> bool {
    // SAFETY: get_rel_relkind takes any oid. A foreign table has a server and a wrapper.
    unsafe {
        pg_sys::get_rel_relkind(relation) as u8 == pg_sys::RELKIND_FOREIGN_TABLE
            && is_own_server((*pg_sys::GetForeignTable(relation)).serverid)
    }
}

/// Whether a foreign server is one of this extension.
pub fn is_own_server(server: pg_sys::Oid) -> bool {
    // SAFETY: GetForeignServer raises an error for an oid that is no server, and a server has a wrapper. get_func_name
    // returns a C string, or null for an oid that is no function.
    unsafe {
        let wrapper = pg_sys::GetForeignDataWrapper((*pg_sys::GetForeignServer(server)).fdwid);
        let handler = pg_sys::get_func_name((*wrapper).fdwhandler);
        !handler.is_null() && from_server(handler) == "clerk_fdw_handler"
    }
}

/// What the options of a foreign table and its server say about scans of it.
pub struct Table {
    pub server: pg_sys::Oid,
    pub object: &'static Object,
    pub page_size: u32,
    pub max_concurrency: u32,
    pub server_name: String,
    /// Whether INSERT, UPDATE and DELETE reach Clerk.
    pub is_updatable: bool,
    /// The planner's cost of the first row, if the table's options set it.
    pub startup_cost: Option<f64>,
}

/// Reads the options of a foreign table, and of its server those that apply to the table.
pub fn table(relation: pg_sys::Oid) -> Result<Table, FdwError> {
    // SAFETY: GetForeignTable and GetForeignServer raise an error for an oid that is no foreign table or no server.
    // Both hold their options as a list of DefElems.
    let (server, server_name, server_owner, table_options, server_options) = unsafe {
        let table = pg_sys::GetForeignTable(relation);
        let server = pg_sys::GetForeignServer((*table).serverid);
        let (name, owner) = (from_server((*server).servername), (*server).owner);
        ((*table).serverid, name, owner, from_def_elems((*table).options), from_def_elems((*server).options))
    };
    let name = table_options.get("object").map_or("", String::as_str);
    let object = object(name).ok_or_else(|| FdwError::NoObject { hint: object_hint(name) })?;
    Ok(Table {
        server,
        object,
        page_size: number(&table_options, "page_size").unwrap_or_else(|| self::page_size(&server_options)),
        max_concurrency: settings(&server_options).max_concurrency as u32,
        server_name,
        is_updatable: match flag(&table_options, "updatable") {
            Some(false) => false,
            // Whoever may use a server can make tables of it, so that only its owner can allow more than the server does.
            Some(true) if owns(owner_of(relation), server_owner) => true,
            _ => is_updatable(&server_options),
        },
        startup_cost: table_options.get("startup_cost").and_then(|cost| cost.trim().parse().ok()),
    })
}

/// The names of all objects in the catalogue.
pub fn object_names() -> Vec<&'static str> {
    OBJECTS.iter().map(|object| object.name).collect()
}

/// A hint with the name of the object that was probably meant, if one is similar, and where all of them are listed.
pub fn object_hint(name: &str) -> String {
    let list = "SELECT object FROM clerk_fdw.objects() lists them all.";
    match nearest(name, &object_names()) {
        Some(other) => format!("Perhaps you meant \"{other}\". {list}"),
        None => list.to_owned(),
    }
}

/// The name that is most similar to another one. A name is similar if at most half of its characters have to be changed.
fn nearest<'n>(name: &str, names: &[&'n str]) -> Option<&'n str> {
    let distances = names.iter().map(|other| (strsim::damerau_levenshtein(name, other), *other));
    let (distance, other) = distances.min()?;
    (distance <= other.len() / 2).then_some(other)
}

/// A boolean in one of the usual spellings of Postgres; `None` for any other text.
fn parse_bool(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "on" | "yes" | "y" | "1" => Some(true),
        "false" | "f" | "off" | "no" | "n" | "0" => Some(false),
        _ => None,
    }
}
