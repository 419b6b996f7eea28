//! A simulator of Clerk's Backend API for this machine: for the demo, the tests and the benchmarks.
//!
//! ```
//! use clerk_sim::{Config, Fault, Sim};
//!
//! let sim = Sim::start(Config { users: 300, ..Config::default() })?;
//! println!("GET {}/users with the key {}", sim.url(), sim.key());
//!
//! // The second page of users fails once.
//! sim.fault(Fault::status(500).on_path("/v1/users").nth(2));
//! // … run what is to be tested …
//! assert_eq!(sim.request_count(), 0);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! The simulator answers the endpoints of [`ENDPOINTS`] and [`WRITES`] as Clerk's OpenAPI description (2026-05-12) says,
//! with generated objects that are the same, to the byte, for the same seed and sizes. It runs on threads of its own, so
//! that blocking and asynchronous programs can use it alike, and stops when the [`Sim`] is dropped. The program
//! `clerk-sim` provides the same for a shell; other programs control it under `/_sim` (see the `control` module).
//!
//! If `CLERK_SIM_REQUEST_LOG` names a file, every request but those under `/_sim` is appended to it, one JSON object
//! with `method`, `target`, and perhaps `content_type` and `body` a line. Many simulators may share the file. The tests
//! hold it against Clerk's description.
//!
//! The modules, from the top to the bottom:
//!
//! - `server` receives requests, and sends each an `answer` unless a fault or the rate limit says otherwise
//! - `control` answers requests under `/_sim`, `api` all others; either of them may answer with an `error`
//! - `writes` answers the endpoints that change something, and has the changes made
//! - `resources` generates the objects other than users, organizations and memberships, answers their endpoints and
//!   changes them
//! - `changes` changes users, organizations and memberships and causes webhooks, whose data `event` has;
//!   `identification` completes the email addresses and the like of a user
//! - `users`, `organizations` and `memberships` answer the endpoints of these objects
//! - `query` reads the parameters of an `endpoint`, and `page` sorts objects by them and cuts out a page
//! - `shared` is what all connections share, behind the locks of `lock`: the state, the log of `request`s, which
//!   `request_file` keeps as well, the plan of `fault`s, and the rate limit
//! - `state` has the tables of all objects, and the `dispatcher`, which keeps and sends webhooks
//! - `generate` makes the users, organizations and memberships that `config` asks for, in the forms of `schema`
//! - `rate_limit` counts the requests of each key, `webhook` makes and posts messages, and `instance` is what the keys
//!   belong to
//! - `object` (users, organizations and memberships) and `entry` (all others) are the rows of a `table`

#![forbid(unsafe_code)]

mod answer;
mod api;
mod changes;
mod config;
pub mod control;
mod dispatcher;
mod endpoint;
mod entry;
mod error;
mod event;
mod fault;
mod generate;
mod identification;
mod instance;
mod lock;
mod memberships;
mod object;
mod organizations;
mod page;
mod query;
mod rate_limit;
mod request;
mod request_file;
mod resources;
mod schema;
mod server;
mod shared;
mod state;
mod table;
mod users;
pub mod webhook;
mod writes;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, RwLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::oneshot;

pub use api::ENDPOINTS;
pub use changes::ChangeError;
pub use config::Config;
pub use endpoint::Endpoint;
pub use fault::{Fault, When};
pub use rate_limit::RateLimit;
pub use request::{Outcome, Request};
pub use state::State;
pub use writes::{Field, WRITES, Write};

use crate::fault::Plan;
use crate::lock::{lock, read, write};
use crate::organizations::Extras;
use crate::rate_limit::Limiter;
use crate::request::Log;
use crate::request_file::RequestFile;
use crate::shared::{Latency, Shared};
use crate::table::Row;
use crate::webhook::{Delivery, Receiver};

/// An object of the simulated instance, for the expectations of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Object {
    /// Such as `user_…`.
    pub id: String,
    /// Unix milliseconds.
    pub created_at: i64,
    /// The object as a list shows it, to the byte.
    pub json: String,
}

/// A running simulator. It stops when it is dropped: open connections are closed, and the port is free again.
pub struct Sim {
    shared: Arc<Shared>,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sim {
    /// Generates the instance and starts to listen. Requests are answered as soon as this returns.
    ///
    /// # Errors
    /// If the address cannot be listened on, or a thread cannot be started.
    pub fn start(config: Config) -> io::Result<Sim> {
        let listener = TcpListener::bind(config.listen)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("clerk-sim-worker")
            .enable_all()
            .build()?;
        let mut state = State::generate(&config, runtime.handle().clone());
        resources::generate(&mut state, &config);
        let file = match config.request_file {
            true => RequestFile::from_environment()?,
            false => RequestFile::none(),
        };
        let shared = Arc::new(Shared {
            state: RwLock::new(state),
            log: Mutex::new(Log::new(file)),
            plan: Mutex::new(Plan::default()),
            latency: Latency::new(config.latency),
            limiter: Limiter::new(config.rate_limit, &config.keys),
            keys: config.keys,
        });

        let (stop, stopped) = oneshot::channel();
        let serving = Arc::clone(&shared);
        // A tokio runtime can be neither blocked on nor dropped inside another one, so this one has a thread of its
        // own.
        let thread = thread::Builder::new().name("clerk-sim".to_owned()).spawn(move || {
            if let Err(error) = runtime.block_on(server::serve(listener, serving, stopped)) {
                eprintln!("clerk-sim: cannot serve: {error}");
            }
        })?;
        Ok(Sim { shared, address, stop: Some(stop), thread: Some(thread) })
    }

    /// The base URL of the API, such as `http://127.0.0.1:40123/v1`.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The first of the accepted keys; empty if there is none.
    pub fn key(&self) -> &str {
        self.shared.keys.first().map_or("", String::as_str)
    }

    /// The requests to the API since the start or the last [`Sim::clear_requests`], in the order of arrival.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.shared.log).requests().to_vec()
    }

    /// How many [`Sim::requests`] there are.
    pub fn request_count(&self) -> usize {
        lock(&self.shared.log).requests().len()
    }

    /// The maximum number of requests that were being answered at the same time.
    pub fn in_flight_peak(&self) -> usize {
        lock(&self.shared.log).max_in_flight()
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        lock(&self.shared.log).clear();
    }

    /// Adds a fault. It counts matching requests from now on.
    pub fn fault(&self, fault: Fault) {
        lock(&self.shared.plan).add_fault(fault);
    }

    /// Changes the instance just before a request is answered, once. The change gets the state as its argument. It must
    /// not call this `Sim`, because that would wait for the change to end.
    ///
    /// ```
    /// # use clerk_sim::{Config, Sim, When};
    /// # let sim = Sim::start(Config::default())?;
    /// // Between the first and the second page of users, somebody signs up.
    /// sim.before(When::path("/v1/users").nth(2), |state| {
    ///     let added = state.create_user(serde_json::json!({"email_address": "new@example.com"}));
    ///     assert!(added.is_ok());
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn before(&self, when: When, change: impl FnOnce(&mut State) + Send + 'static) {
        lock(&self.shared.plan).add_change(when, Box::new(change));
    }

    /// Removes all faults, and the changes of [`Sim::before`] that have not happened yet.
    pub fn clear_faults(&self) {
        lock(&self.shared.plan).clear();
    }

    /// Sets the delay before every answer.
    pub fn set_latency(&self, latency: Duration) {
        self.shared.latency.set(latency);
    }

    /// The id of the instance that the keys belong to.
    pub fn instance(&self) -> String {
        read(&self.shared.state).instance.id.clone()
    }

    /// See [`State::set_instance`].
    pub fn set_instance(&self, id: impl Into<String>) {
        self.change(|state| state.set_instance(id));
    }

    /// Sets how many users there may be before the API refuses to create more, or that there may be any number.
    pub fn set_user_quota(&self, max: Option<usize>) {
        self.change(|state| state.user_quota = max);
    }

    /// The webhooks since the start or the last [`Sim::clear_webhooks`], in the order of their events. A test of a
    /// receiver can deliver them in any order, twice or not at all, as Clerk may.
    pub fn webhooks(&self) -> Vec<Delivery> {
        read(&self.shared.state).dispatcher.deliveries().to_vec()
    }

    /// Forgets the webhooks so far.
    pub fn clear_webhooks(&self) {
        self.change(|state| state.dispatcher.clear());
    }

    /// Sets the receiver to which webhooks are POSTed from now on, or none.
    pub fn set_receiver(&self, receiver: Option<Receiver>) {
        self.change(|state| state.dispatcher.set_receiver(receiver));
    }

    /// A webhook of this instance about an event that did not happen: see [`webhook::event`].
    ///
    /// # Errors
    /// As there.
    pub fn event(&self, kind: &str, data: impl Serialize, timestamp: i64) -> serde_json::Result<Delivery> {
        webhook::event_of(&self.instance(), kind, data, timestamp)
    }

    /// Every user, the oldest first.
    pub fn users(&self) -> Vec<Object> {
        let state = read(&self.shared.state);
        let users = state.users.iter();
        users.map(|user| object(user, user.json.clone())).collect()
    }

    /// Every organization, the oldest first.
    pub fn organizations(&self) -> Vec<Object> {
        let state = read(&self.shared.state);
        let organizations = state.organizations.iter();
        organizations.map(|organization| object(organization, organization.json.clone())).collect()
    }

    /// Every membership, the oldest first.
    pub fn memberships(&self) -> Vec<Object> {
        let state = read(&self.shared.state);
        let memberships = state.memberships.iter();
        memberships
            .map(|membership| {
                let mut json = Vec::new();
                memberships::write(&state, membership, Extras::NONE, &mut json);
                object(membership, String::from_utf8_lossy(&json).into_owned())
            })
            .collect()
    }

    /// Every object of a kind, the oldest first, as its list shows it. `object` is the name of the kind, as in
    /// [`State::create`]; there are none of an unknown one.
    pub fn objects(&self, object: &str) -> Vec<Object> {
        match object {
            "users" => return self.users(),
            "organizations" => return self.organizations(),
            "organization_memberships" | "memberships" => return self.memberships(),
            _ => {}
        }
        let state = read(&self.shared.state);
        let Some(kind) = resources::kind_named(object) else { return Vec::new() };
        let entries = state.entries(kind.name).filter(|entry| resources::is_meant(object, entry));
        entries.map(|entry| self::object(entry, kind.shown(&state, entry))).collect()
    }

    /// Makes several changes at once. Requests see either none or all of them.
    pub fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        change(&mut write(&self.shared.state))
    }

    /// See [`State::create`].
    ///
    /// # Errors
    /// As there.
    pub fn create(&self, object: &str, fields: impl Serialize) -> Result<String, ChangeError> {
        self.change(|state| state.create(object, fields))
    }

    /// See [`State::update`].
    ///
    /// # Errors
    /// As there.
    pub fn update(&self, object: &str, id: &str, fields: impl Serialize) -> Result<(), ChangeError> {
        self.change(|state| state.update(object, id, fields))
    }

    /// See [`State::delete`].
    ///
    /// # Errors
    /// As there.
    pub fn delete(&self, object: &str, id: &str) -> Result<(), ChangeError> {
        self.change(|state| state.delete(object, id))
    }

    /// See [`State::create_user`].
    ///
    /// # Errors
    /// As there.
    pub fn create_user(&self, fields: impl Serialize) -> Result<String, ChangeError> {
        self.change(|state| state.create_user(fields))
    }

    /// See [`State::update_user`].
    ///
    /// # Errors
    /// As there.
    pub fn update_user(&self, id: &str, fields: impl Serialize) -> Result<(), ChangeError> {
        self.change(|state| state.update_user(id, fields))
    }

    /// See [`State::delete_user`].
    ///
    /// # Errors
    /// As there.
    pub fn delete_user(&self, id: &str) -> Result<(), ChangeError> {
        self.change(|state| state.delete_user(id))
    }

    /// See [`State::create_organization`].
    ///
    /// # Errors
    /// As there.
    pub fn create_organization(&self, fields: impl Serialize) -> Result<String, ChangeError> {
        self.change(|state| state.create_organization(fields))
    }

    /// See [`State::update_organization`].
    ///
    /// # Errors
    /// As there.
    pub fn update_organization(&self, id: &str, fields: impl Serialize) -> Result<(), ChangeError> {
        self.change(|state| state.update_organization(id, fields))
    }

    /// See [`State::delete_organization`].
    ///
    /// # Errors
    /// As there.
    pub fn delete_organization(&self, id: &str) -> Result<(), ChangeError> {
        self.change(|state| state.delete_organization(id))
    }

    /// See [`State::create_membership`].
    ///
    /// # Errors
    /// As there.
    pub fn create_membership(
        &self,
        user_id: &str,
        organization_id: &str,
        fields: impl Serialize,
    ) -> Result<String, ChangeError> {
        self.change(|state| state.create_membership(user_id, organization_id, fields))
    }

    /// See [`State::update_membership`].
    ///
    /// # Errors
    /// As there.
    pub fn update_membership(&self, id: &str, fields: impl Serialize) -> Result<(), ChangeError> {
        self.change(|state| state.update_membership(id, fields))
    }

    /// See [`State::delete_membership`].
    ///
    /// # Errors
    /// As there.
    pub fn delete_membership(&self, id: &str) -> Result<(), ChangeError> {
        self.change(|state| state.delete_membership(id))
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // An error means that the thread panicked. There is nothing to stop then.
            let _ = thread.join();
        }
    }
}

fn object(row: &impl Row, json: String) -> Object {
    Object { id: row.id().to_owned(), created_at: row.created_at(), json }
}
