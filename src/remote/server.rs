//! Keeps one connection to Clerk for each foreign server and user mapping in a backend.
//!
//! A connection lives as long as the backend, so that a query can use the TCP connections that earlier queries have
//! opened.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use clerk_api::{Client, Settings};
use pgrx::pg_sys;
use secrecy::{ExposeSecret, SecretString};

use super::credentials::{KeySource, user_mapping};
use crate::error::FdwError;
use crate::options::{self, Options};
use crate::pg::encoding::from_server;

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
        CONNECTIONS.with_borrow_mut(|connections| {
            if let Some(open) = connections.get(&cache_key)
                && open.settings == settings
                && open.key.expose_secret() == key.expose_secret()
            {
                return Ok((Arc::clone(&open.client), true));
            }
            let client = Client::new(settings.clone(), key.clone())
                .map_err(|error| FdwError::Clerk { error: error.into(), server: self.name.clone() })?;
            let client = Arc::new(client);
            connections.insert(cache_key, Connection { settings, key, client: Arc::clone(&client) });
            Ok((client, false))
        })
    }
}
