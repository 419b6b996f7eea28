//! One connection to Clerk per server and key in each backend; it lives as long as the backend, so that a query
//! finds the TCP connections of the one before open.

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

/// A connection and what it was made from: another key or other settings make another one.
struct Connection {
    settings: Settings,
    key: SecretString,
    client: Arc<Client>,
}

thread_local! {
    /// By server and user mapping; only the backend's own thread uses it.
    static CONNECTIONS: RefCell<HashMap<(pg_sys::Oid, pg_sys::Oid), Connection>> = RefCell::default();
}

/// A foreign server as the catalog has it.
pub struct Server {
    pub oid: pg_sys::Oid,
    pub name: String,
    owner: pg_sys::Oid,
    options: Options,
}

impl Server {
    /// Reads the catalog entry.
    pub fn new(oid: pg_sys::Oid) -> Self {
        // SAFETY: GetForeignServer raises an error for an oid that is no server, and its strings are C strings.
        unsafe {
            let server = pg_sys::GetForeignServer(oid);
            Server {
                oid,
                name: from_server((*server).servername),
                owner: (*server).owner,
                options: options::read((*server).options),
            }
        }
    }

    /// How many objects a page of its lists has.
    pub fn page_size(&self) -> u32 {
        options::page_size(&self.options)
    }

    /// The connection with which this role's queries read from the server.
    ///
    /// Tells as well whether an earlier query has opened it.
    pub fn connect(&self, role: pg_sys::Oid) -> Result<(Arc<Client>, bool), FdwError> {
        let settings = options::settings(&self.options);
        let mapping = user_mapping(role, self.oid);
        let source = KeySource { server: &self.name, owner: self.owner, options: &self.options };
        let key = source.find(role, mapping.as_ref())?;
        let place = (self.oid, mapping.map_or(pg_sys::InvalidOid, |mapping| mapping.oid));
        CONNECTIONS.with_borrow_mut(|connections| {
            if let Some(open) = connections.get(&place)
                && open.settings == settings
                && open.key.expose_secret() == key.expose_secret()
            {
                return Ok((Arc::clone(&open.client), true));
            }
            let client = Client::new(settings.clone(), key.clone())
                .map_err(|error| FdwError::Clerk { error: error.into(), server: self.name.clone() })?;
            let client = Arc::new(client);
            connections.insert(place, Connection { settings, key, client: Arc::clone(&client) });
            Ok((client, false))
        })
    }
}
