//! Keeps one connection to Clerk for each foreign server and user mapping in a backend.
//!
//! A connection lives as long as the backend, so that a query can use the TCP connections that earlier queries have
//! opened.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use clerk_api::{Client, Settings};
use pgrx::{PgSqlErrorCode, pg_sys};
use secrecy::{ExposeSecret, SecretString};

use super::budget;
use super::credentials::{KeySource, user_mapping};
use crate::error::FdwError;
use crate::options::{self, Options};
use crate::pg::encoding::{from_server, to_c_string};
use crate::pg::{sandbox, spi};

/// A connection, with the settings and the key that it was made with. It is replaced when either has changed.
struct Connection {
    settings: Settings,
    key: SecretString,
    client: Arc<Client>,
}

thread_local! {
    /// The connections by the oids of the server and the user mapping.
    static CONNECTIONS: RefCell<HashMap<(pg_sys::Oid, pg_sys::Oid), Connection>> = RefCell::default();
}

/// The oid of a server of this extension that a role may use.
pub fn usable_server(name: &str, role: pg_sys::Oid) -> Result<pg_sys::Oid, FdwError> {
    // SAFETY: to_c_string gives a C string in the current memory context. get_foreign_server_oid returns InvalidOid for a
    // name that is no server.
    let server = unsafe { pg_sys::get_foreign_server_oid(to_c_string(name), true) };
    if server == pg_sys::InvalidOid {
        return Err(FdwError::Refused {
            code: PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT,
            message: format!("server \"{name}\" does not exist"),
            hint: None,
        });
    }
    let query = "SELECT has_server_privilege($1::oid, $2::oid, 'USAGE')";
    let values = [role.to_u32().to_string(), server.to_u32().to_string()];
    let is_allowed = sandbox::as_caller(|| spi::read(query, &[Some(&values[0]), Some(&values[1])]))?;
    if is_allowed.first().and_then(|row| row.first()?.as_deref()) != Some("t") {
        return Err(FdwError::Refused {
            code: PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            message: format!("permission denied for foreign server {name}"),
            hint: None,
        });
    }
    if !options::is_own_server(server) {
        return Err(FdwError::Refused {
            code: PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE,
            message: format!("server \"{name}\" is not one of clerk_fdw"),
            hint: None,
        });
    }
    Ok(server)
}

/// A foreign server, as the catalog has it.
pub struct Server {
    pub oid: pg_sys::Oid,
    pub name: String,
    owner: pg_sys::Oid,
    options: Options,
}

impl Server {
    /// Reads a foreign server from the catalog.
    pub fn new(oid: pg_sys::Oid) -> Self {
        // SAFETY: GetForeignServer raises an error for an oid that is no server. Its name is a C string and its options
        // are a list of DefElems.
        unsafe {
            let server = pg_sys::GetForeignServer(oid);
            Server {
                oid,
                name: from_server((*server).servername),
                owner: (*server).owner,
                options: options::from_def_elems((*server).options),
            }
        }
    }

    /// The server of this name, which the current role may use.
    pub fn usable(name: &str) -> Result<Self, FdwError> {
        // SAFETY: GetUserId only reads the current role of this backend.
        Ok(Server::new(usable_server(name, unsafe { pg_sys::GetUserId() })?))
    }

    /// The version of Clerk's API that is asked for.
    pub fn api_version(&self) -> String {
        options::settings(&self.options).api_version
    }

    /// How many objects are requested in one page of a list.
    pub fn page_size(&self) -> u32 {
        options::page_size(&self.options)
    }

    /// Whether INSERT, UPDATE and DELETE reach Clerk.
    pub fn is_updatable(&self) -> bool {
        options::is_updatable(&self.options)
    }

    /// Whether mirrors of the server get to see what is written through it.
    pub fn mirrors_writes(&self) -> bool {
        options::mirrors_writes(&self.options)
    }

    /// The connection that a role's queries use, and whether it existed before this call.
    pub fn connect(&self, role: pg_sys::Oid) -> Result<(Arc<Client>, bool), FdwError> {
        let settings = options::settings(&self.options);
        let mapping = user_mapping(role, self.oid);
        let source = KeySource { server: &self.name, owner: self.owner, options: &self.options };
        let key = source.find(role, mapping.as_ref())?;
        let cache_key = (self.oid, mapping.map_or(pg_sys::InvalidOid, |mapping| mapping.oid));
        let budgets = budget::budgets(self.owner);
        let (client, existed) = CONNECTIONS.with_borrow_mut(|connections| {
            if let Some(open) = connections.get(&cache_key)
                && open.settings == settings
                && open.key.expose_secret() == key.expose_secret()
            {
                return Ok((Arc::clone(&open.client), true));
            }
            let client = Client::with_budgets(settings.clone(), key.clone(), &budgets)
                .map_err(|error| FdwError::Clerk { error: error.into(), server: self.name.clone() })?;
            let client = Arc::new(client);
            connections.insert(cache_key, Connection { settings, key, client: Arc::clone(&client) });
            Ok((client, false))
        })?;
        // What writes to the log may raise an error for a pending interrupt, so that nothing is borrowed meanwhile.
        if !existed {
            budget::log_unless_shared(&client);
        }
        Ok((client, existed))
    }
}
