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
//! The simulator answers the endpoints of [`ENDPOINTS`] as Clerk's OpenAPI description (2026-05-12) says, with
//! generated objects that are the same, to the byte, for the same seed and sizes. It runs
//! on threads of its own, so that blocking and asynchronous programs can use it alike, and stops when the [`Sim`] is
//! dropped. The program `clerk-sim` provides the same for a shell; other programs control it under `/_sim` (see the
//! `control` module).
//!
//! If `CLERK_SIM_REQUEST_LOG` names a file, every request but those under `/_sim` is appended to it, one JSON object with
//! `method` and `target` a line. Many simulators may share the file. The tests hold it against Clerk's description.
//!
//! The modules: `endpoint` has the endpoints and their parameters, which `query` reads; `instance`, `users`, `organizations` and `memberships`
//! answer them from `state`; `generate` makes the objects, in the forms of `schema`; `resources` does all of this for
//! every other kind of objects; `server` receives requests and applies what `fault` and `rate_limit` decide. Changes of `state` become webhooks: `event` has their data, `webhook`
//! their messages, and `dispatcher` keeps and sends them.

#![forbid(unsafe_code)]

mod answer;
mod api;
mod changes;
pub mod control;
mod dispatcher;
mod endpoint;
mod error;
mod event;
mod fault;
mod generate;
mod identification;
mod instance;
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

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::oneshot;

pub use changes::ChangeError;
pub use endpoint::{ENDPOINTS, Endpoint};
pub use fault::{Fault, When};
pub use rate_limit::RateLimit;
pub use request::{Outcome, Request};
pub use state::State;

use crate::fault::Plan;
use crate::organizations::Extras;
use crate::rate_limit::Limiter;
use crate::request::Log;
use crate::shared::{Latency, Shared};
use crate::table::Row;
use crate::webhook::{Delivery, Receiver};

/// The configuration of a simulator.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens. Port 0, the default, is any free port of the loopback interface.
    pub listen: SocketAddr,
    /// The seed for everything that is generated.
    pub seed: u64,
    /// The id of the instance; `None`, the default, is an id generated from the seed.
    pub instance: Option<String>,
    /// How many users there are at first.
    pub users: usize,
    /// How many organizations there are at first.
    pub organizations: usize,
    /// How many memberships there are at first; at most one for each user in each organization.
    pub memberships: usize,
    /// About how many objects there are at first of each other kind that can be many, such as invitations or sessions.
    /// There are always a few roles, permissions, plans and settings.
    pub others: usize,
    /// Whether some metadata contains half a surrogate pair, as Clerk's may. Clerk's Python client cannot read it.
    pub lone_surrogates: bool,
    /// The delay before every answer.
    pub latency: Duration,
    /// How many requests a key may make.
    pub rate_limit: RateLimit,
    /// The secret keys that are accepted.
    pub keys: Vec<String>,
    /// Where webhooks are POSTed to. [`Sim::webhooks`] returns them with or without a receiver.
    pub receiver: Option<Receiver>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            seed: 1,
            instance: None,
            users: 100,
            organizations: 10,
            memberships: 150,
            others: 25,
            lone_surrogates: true,
            latency: Duration::ZERO,
            rate_limit: RateLimit::default(),
            keys: vec!["sk_test_simulator".to_owned()],
            receiver: None,
        }
    }
}

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
        let state = State::generate(&config, runtime.handle().clone());
        let shared = Arc::new(Shared {
            state: RwLock::new(state),
            log: Mutex::new(Log::new()?),
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
        let Some(kind) = resources::kind(object) else { return Vec::new() };
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

// A change that panics makes its own test fail. The lock that it held is used in spite of its poisoning, so that other
// requests are still answered.

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
