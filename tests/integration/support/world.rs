//! A world for each test: a database with the extension in it and a simulated Clerk behind it.

use std::ops::Deref;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use clerk_sim::{Config, RateLimit, Sim};

use super::*;

/// Paced as if for a live instance.
pub const KEY: &str = "sk_live_simulator";

/// A small instance that never says 429 by itself.
pub fn small() -> Config {
    Config {
        users: 60,
        organizations: 8,
        memberships: 100,
        rate_limit: RateLimit::Off,
        keys: vec![KEY.to_owned()],
        ..Config::default()
    }
}

/// A database of its own, whose server `clerk` leads to a simulator of its own and whose schema `clerk` has its tables.
///
/// It is a [`Session`] as well: the one of the role that set it up.
pub struct World {
    pub sim: Sim,
    /// Where the server's socket is.
    host: String,
    database: String,
    session: Session,
}

impl World {
    /// With the server's default options, but for a rate limit that never bites.
    pub fn new(config: Config) -> World {
        World::with(config, "")
    }

    /// With more options for the server: `page_size '10', max_retries '0'`.
    pub fn with(config: Config, options: &str) -> World {
        World::of_encoding(config, options, "")
    }

    /// In a database that is created with these words: `ENCODING 'LATIN1' …`.
    pub fn of_encoding(config: Config, options: &str, words: &str) -> World {
        World::at(&variable("PGHOST"), config, options, words)
    }

    /// In another server than the one that all tests share.
    pub fn at(host: &str, config: Config, options: &str, words: &str) -> World {
        let sim = Sim::start(config).expect("a simulator");
        let database = unique_name();
        let admin = Session::open(host, "postgres");
        admin.run(&format!("CREATE DATABASE {database} {words}"));
        let session = Session::open(host, &database);
        session.run("CREATE EXTENSION clerk_fdw");
        let world = World { sim, host: host.to_owned(), database, session };
        world.server("clerk", &world.sim, world.sim.key(), options);
        world
    }

    /// Adds a server that leads to a simulator with a key, and a schema of the same name with its tables.
    pub fn server(&self, name: &str, sim: &Sim, key: &str, options: &str) {
        let mut all = vec![format!("api_url '{}'", sim.url())];
        all.extend((!options.contains("rate_limit")).then(|| "rate_limit '100000'".to_owned()));
        all.extend((!options.is_empty()).then(|| options.to_owned()));
        let all = all.join(", ");
        self.run(&format!(
            "CREATE SERVER {name} FOREIGN DATA WRAPPER clerk_fdw OPTIONS ({all});
             CREATE USER MAPPING FOR CURRENT_USER SERVER {name} OPTIONS (api_key '{key}');
             CREATE SCHEMA {name};
             IMPORT FOREIGN SCHEMA clerk FROM SERVER {name} INTO {name}"
        ));
    }

    /// Another connection to the same database.
    pub fn connect(&self) -> Session {
        self.connect_to(&self.database)
    }

    /// A connection to another database of the same server.
    pub fn connect_to(&self, database: &str) -> Session {
        Session::open(&self.host, database)
    }

    /// Waits for a server that was not there, and goes on in a new session.
    pub fn reconnect(&mut self) {
        wait_until("the server takes connections", || match Session::try_open(&self.host, &self.database) {
            Ok(session) => {
                self.session = session;
                true
            }
            Err(_) => false,
        });
    }

    /// Where to connect to, for threads: they cannot share a world, whose session is one thread's.
    pub fn address(&self) -> Address {
        Address { host: self.host.clone(), database: self.database.clone() }
    }

    pub fn database(&self) -> &str {
        &self.database
    }

    /// What a role of this world is called: roles are the whole cluster's, so no other world's has that name.
    pub fn role(&self, purpose: &str) -> String {
        format!("{}_{purpose}", self.database)
    }

    /// Waits until no request of an earlier query is on its way any more.
    pub fn wait_until_idle(&self) {
        wait_until("all requests have ended", || {
            self.sim.requests().iter().all(|request| request.outcome != clerk_sim::Outcome::Pending)
        });
    }

    /// Nothing is asked for a query that has ended, but for what was on its way by then.
    #[track_caller]
    pub fn assert_quiet(&self, context: &str) {
        self.wait_until_idle();
        self.sim.clear_requests();
        let mut late = 0;
        loop {
            std::thread::sleep(Duration::from_millis(200));
            match self.requests().len() {
                0 => return,
                more => late += more,
            }
            assert!(late <= 8, "{context}: {late} requests for a query that has ended");
        }
    }

    /// The requests since this was last asked.
    pub fn requests(&self) -> Vec<clerk_sim::Request> {
        let requests = self.sim.requests();
        self.sim.clear_requests();
        requests
    }

    /// The requests since this was last asked, as they were sent.
    pub fn targets(&self) -> Vec<String> {
        self.requests().into_iter().map(|request| request.target).collect()
    }
}

impl Deref for World {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // A failed test leaves its database for whoever looks into it.
        if !std::thread::panicking() {
            self.connect_to("postgres").run(&format!("DROP DATABASE {} WITH (FORCE)", self.database));
        }
    }
}

/// A database of a server.
pub struct Address {
    host: String,
    database: String,
}

impl Address {
    pub fn connect(&self) -> Session {
        Session::open(&self.host, &self.database)
    }

    pub fn try_connect(&self) -> Result<Session, postgres::Error> {
        Session::try_open(&self.host, &self.database)
    }
}

/// A name that no other test has, nor another world of this one: with the test's name, so that whoever looks into what a
/// failed test has left knows whose it is.
pub fn unique_name() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let thread = std::thread::current();
    let test = thread.name().and_then(|name| name.rsplit("::").next()).unwrap_or_default();
    let test: String = test.chars().take(32).collect();
    format!("t_{test}_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// Whether a test that needs ICU's collations has to be skipped, which it then is.
#[must_use]
pub fn skip_without_icu() -> bool {
    let session = Session::open(&variable("PGHOST"), "postgres");
    // initdb adds this one only where there is ICU. Since PostgreSQL 16, ICU's collation "unicode" is listed even without it.
    let has_icu = session.one::<bool>("SELECT EXISTS (SELECT FROM pg_collation WHERE collname = 'und-x-icu')");
    if !has_icu {
        skip("this Postgres was built without ICU");
    }
    !has_icu
}
