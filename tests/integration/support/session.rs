//! A connection to a database, with what tests say and ask.

use std::cell::RefCell;
use std::io::Write;
use std::sync::{Arc, Mutex};

use postgres::error::DbError;
use postgres::types::{FromSqlOwned, ToSql};
use postgres::{CancelToken, Client, NoTls, Row, SimpleQueryMessage};

/// Rows of a query as text.
pub type Texts = Vec<Vec<Option<String>>>;

/// One connection, and so one backend.
pub struct Session {
    client: RefCell<Client>,
    notices: Arc<Mutex<Vec<String>>>,
}

impl Session {
    pub fn open(host: &str, database: &str) -> Session {
        Session::try_open(host, database).expect("a connection")
    }

    pub fn try_open(host: &str, database: &str) -> Result<Session, postgres::Error> {
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

    /// The rows of the last of these statements that has any, as text.
    pub fn try_texts(&self, statements: &str) -> Result<Texts, postgres::Error> {
        let mut rows = Vec::new();
        for message in self.client().simple_query(statements)? {
            match message {
                SimpleQueryMessage::RowDescription(_) => rows.clear(),
                SimpleQueryMessage::Row(row) => {
                    rows.push((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect());
                }
                _ => {}
            }
        }
        Ok(rows)
    }

    /// The error that the statement ends with.
    #[track_caller]
    pub fn error(&self, statement: &str) -> DbError {
        let result = self.client().batch_execute(statement);
        let error = result.err().unwrap_or_else(|| panic!("no error from {statement}"));
        error.as_db_error().unwrap_or_else(|| panic!("{error:?} in {statement}")).clone()
    }

    /// Copies rows into a table from the client's input, and returns how many there were.
    pub fn copy(&self, target: &str, rows: &str) -> Result<u64, postgres::Error> {
        let mut client = self.client();
        let mut writer = client.copy_in(&format!("COPY {target} FROM STDIN"))?;
        writer.write_all(rows.as_bytes()).expect("the connection takes rows");
        writer.finish()
    }

    pub fn pid(&self) -> i32 {
        self.one("SELECT pg_backend_pid()")
    }

    pub fn canceller(&self) -> CancelToken {
        self.client().cancel_token()
    }
}

/// What `bin/with-postgres` tells.
pub fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("no {name}: run `make test`"))
}
