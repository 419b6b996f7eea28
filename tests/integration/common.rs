//! A world for each test: a database with the extension in it and a simulated Clerk behind it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use clerk_sim::{Config, Object, RateLimit, Sim};
use postgres::error::DbError;
use postgres::types::{FromSqlOwned, ToSql};
use postgres::{CancelToken, Client, NoTls, Row};

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
        until("the server takes connections", || match Session::try_open(&self.host, &self.database) {
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
    pub fn settle(&self) {
        until("all requests have ended", || {
            self.sim.requests().iter().all(|request| request.outcome != clerk_sim::Outcome::Pending)
        });
    }

    /// Nothing is asked for a query that has ended, but for what was on its way by then.
    #[track_caller]
    pub fn assert_quiet(&self, story: &str) {
        self.settle();
        self.sim.clear_requests();
        let mut late = 0;
        loop {
            std::thread::sleep(Duration::from_millis(200));
            match self.requests().len() {
                0 => return,
                more => late += more,
            }
            assert!(late <= 8, "{story}: {late} requests for a query that has ended");
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
}

/// One connection, and so one backend.
pub struct Session {
    client: RefCell<Client>,
    notices: Arc<Mutex<Vec<String>>>,
}

impl Session {
    fn open(host: &str, database: &str) -> Session {
        Session::try_open(host, database).expect("a connection")
    }

    fn try_open(host: &str, database: &str) -> Result<Session, postgres::Error> {
        let mut config = postgres::Config::new();
        config.host_path(host).port(variable("PGPORT").parse().expect("PGPORT is a number"));
        // A query that hangs fails its own test, not all of them.
        config.user(&variable("PGUSER")).dbname(database).options("-c statement_timeout=60s");
        let notices = Arc::<Mutex<Vec<String>>>::default();
        let heard = Arc::clone(&notices);
        config.notice_callback(move |notice| heard.lock().unwrap().push(notice.to_string()));
        Ok(Session { client: RefCell::new(config.connect(NoTls)?), notices })
    }

    /// What the server said beside its answers since this was last asked: warnings, notices.
    pub fn notices(&self) -> Vec<String> {
        std::mem::take(&mut self.notices.lock().unwrap())
    }

    /// The client itself, for what is not here.
    pub fn client(&self) -> std::cell::RefMut<'_, Client> {
        self.client.borrow_mut()
    }

    /// Runs statements that give no rows.
    #[track_caller]
    pub fn run(&self, statements: &str) {
        self.client().batch_execute(statements).unwrap_or_else(|error| panic!("{error:?} in {statements}"));
    }

    #[track_caller]
    pub fn rows(&self, query: &str) -> Vec<Row> {
        self.rows_of(query, &[])
    }

    #[track_caller]
    pub fn rows_of(&self, query: &str, parameters: &[&(dyn ToSql + Sync)]) -> Vec<Row> {
        self.client().query(query, parameters).unwrap_or_else(|error| panic!("{error:?} in {query}"))
    }

    /// The first column of all rows.
    #[track_caller]
    pub fn column<T: FromSqlOwned>(&self, query: &str) -> Vec<T> {
        self.rows(query).iter().map(|row| row.get(0)).collect()
    }

    /// The first column of all rows, or the error.
    #[track_caller]
    pub fn try_column<T: FromSqlOwned>(&self, query: &str) -> Result<Vec<T>, Box<DbError>> {
        let rows = self.client().query(query, &[]);
        match rows {
            Ok(rows) => Ok(rows.iter().map(|row| row.get(0)).collect()),
            Err(error) => Err(error.as_db_error().unwrap_or_else(|| panic!("{error:?} in {query}")).clone().into()),
        }
    }

    /// The first column of the only row.
    #[track_caller]
    pub fn one<T: FromSqlOwned>(&self, query: &str) -> T {
        let [row] = &self.rows(query)[..] else { panic!("not one row from {query}") };
        row.get(0)
    }

    /// The error that the statement ends with.
    #[track_caller]
    pub fn error(&self, statement: &str) -> DbError {
        let result = self.client().batch_execute(statement);
        let error = result.err().unwrap_or_else(|| panic!("no error from {statement}"));
        error.as_db_error().unwrap_or_else(|| panic!("{error:?} in {statement}")).clone()
    }

    pub fn pid(&self) -> i32 {
        self.one("SELECT pg_backend_pid()")
    }

    pub fn canceller(&self) -> CancelToken {
        self.client().cancel_token()
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

/// What `bin/with-postgres` tells.
pub fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("no {name}: run `make test`"))
}

/// Their ids, in alphabetical order.
pub fn ids(objects: &[Object]) -> Vec<String> {
    sorted(objects.iter().map(|object| object.id.clone()).collect())
}

/// The same ids, each once, in whatever order.
#[track_caller]
pub fn assert_same(found: Vec<String>, all: &[String], story: &str) {
    let (rows, found) = (found.len(), found.into_iter().collect::<BTreeSet<_>>());
    let missing = all.iter().filter(|id| !found.contains(*id)).count();
    let foreign = found.iter().filter(|id| !all.contains(id)).count();
    let twice = rows - found.len();
    assert!(
        (missing, foreign, twice) == (0, 0, 0),
        "{story}: of {} objects {missing} are missing, {twice} come again, {foreign} come from nowhere",
        all.len()
    );
}

pub fn sorted<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort();
    list
}

/// All of an error that a client gets to see.
pub fn told(error: &DbError) -> String {
    let parts = [Some(error.message()), error.detail(), error.hint(), error.where_()];
    parts.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

/// Waits until it is so. What has to happen soon says so itself: a busy machine takes its time.
#[track_caller]
pub fn until(what: &str, mut so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < Duration::from_secs(60), "still not: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
