//! A server to send deliveries to, and a database of its own behind it.

#![allow(dead_code, reason = "no test uses all of it")]

#[path = "../../../../tests/integration/support/process.rs"]
pub mod process;
pub mod program;

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use clerk_hook::{Config, Server};
use reqwest::{RequestBuilder, StatusCode};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};

pub const HEADERS: [&str; 3] = ["svix-id", "svix-timestamp", "svix-signature"];
pub const VALUES: [&str; 3] = ["msg_1", "1649367553", "v1,c2lnbmVk v1,b3RoZXI="];

/// Does what the body asks for, and takes a note of what it was called with.
const STAND_IN: &str = r"
CREATE SCHEMA clerk_fdw;
CREATE TABLE clerk_fdw.received (arguments text[]);
CREATE TABLE clerk_fdw.once (n int UNIQUE DEFERRABLE INITIALLY DEFERRED);
CREATE FUNCTION clerk_fdw.receive_webhook(
  mirror text, body text, svix_id text, svix_timestamp text, svix_signature text
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  wish json := body::json;
BEGIN
  IF wish ->> 'sleep' IS NOT NULL THEN
    PERFORM pg_sleep((wish ->> 'sleep')::float8);
  END IF;
  IF wish ->> 'terminate' IS NOT NULL THEN
    PERFORM pg_terminate_backend(pg_backend_pid());
  END IF;
  IF wish ->> 'raise' IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = wish ->> 'raise', MESSAGE = 'as you wish', DETAIL = 'a whole row';
  END IF;
  IF wish ->> 'fail_at_commit' IS NOT NULL THEN
    INSERT INTO clerk_fdw.once VALUES (1), (1);
  END IF;
  INSERT INTO clerk_fdw.received VALUES (ARRAY[mirror, body, svix_id, svix_timestamp, svix_signature]);
  RETURN wish ->> 'answer';
END
$$;
";

/// A running server over a database that has the stand-in.
pub struct Receiver {
    address: SocketAddr,
    admin: SocketAddr,
    database: Client,
    stop: Option<oneshot::Sender<()>>,
    running: Option<JoinHandle<()>>,
}

impl Receiver {
    /// `change` says what is not as usual.
    pub async fn start(change: impl FnOnce(&mut Config)) -> Self {
        let (database, config) = database().await;
        let free: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let mut config = Config { listen: free, admin_listen: Some(free), ..Config::new(config, "clerk") };
        change(&mut config);
        let server = Server::bind(config).await.unwrap();
        let (address, admin) = (server.address(), server.admin_address().unwrap());
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            server.run(stopped).await;
        });
        Receiver { address, admin, database, stop: Some(stop), running: Some(running) }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A delivery whose headers have these names.
    pub fn post(&self, body: impl Into<reqwest::Body>, names: &[&str; 3]) -> RequestBuilder {
        let request = reqwest::Client::new().post(self.url("/webhooks/clerk")).body(body);
        names.iter().zip(VALUES).fold(request, |request, (name, value)| request.header(*name, value))
    }

    /// What a delivery is answered with.
    pub async fn deliver(&self, body: &str) -> (StatusCode, String) {
        self.deliver_bytes(body.as_bytes().to_vec()).await
    }

    pub async fn deliver_bytes(&self, body: Vec<u8>) -> (StatusCode, String) {
        let answer = self.post(body, &HEADERS).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    /// What whoever runs the server is answered.
    pub async fn get(&self, path: &str) -> (StatusCode, String) {
        let answer = reqwest::get(format!("http://{}{path}", self.admin)).await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    /// A delivery whose body of this many bytes is still to be written.
    pub fn begin(&self, length: usize) -> TcpStream {
        begin(self.address, length)
    }

    /// The arguments of the calls since the last time.
    pub async fn received(&self) -> Vec<Vec<String>> {
        let rows = self.database.query("DELETE FROM clerk_fdw.received RETURNING arguments", &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// How many connections the server has.
    pub async fn connections(&self) -> i64 {
        self.count("SELECT count(*) FROM pg_stat_activity").await
    }

    pub async fn terminate_connections(&self) {
        self.count("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity").await;
    }

    async fn count(&self, of: &str) -> i64 {
        let sql = format!("{of} WHERE application_name = 'clerk-hook' AND datname = current_database()");
        self.database.query_one(&sql, &[]).await.unwrap().get(0)
    }

    pub fn stop(&mut self) {
        drop(self.stop.take());
    }

    /// Waits for the server's end.
    pub async fn stopped(&mut self) {
        self.running.take().expect("it ends once").await.unwrap();
    }
}

/// A delivery to a server, whose body of this many bytes is still to be written.
pub fn begin(address: SocketAddr, length: usize) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let headers: String = HEADERS.iter().zip(VALUES).map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let headers = format!("host: x\r\nconnection: close\r\n{headers}content-length: {length}");
    write!(stream, "POST /webhooks/clerk HTTP/1.1\r\n{headers}\r\n\r\n").unwrap();
    stream
}

/// A fresh database with the stand-in, of a name that no other test has, and how to get to it.
pub async fn database() -> (Client, tokio_postgres::Config) {
    let Ok(host) = std::env::var("PGHOST") else {
        panic!("there is no Postgres to test with: PGHOST is not set. Run `make test`, which starts one.")
    };
    let setting = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let mut config = tokio_postgres::Config::new();
    config.host(host).user(setting("PGUSER", "postgres")).dbname(setting("PGDATABASE", "postgres"));
    config.port(setting("PGPORT", "5432").parse().expect("PGPORT is a number"));

    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("clerk_hook_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let server = connect(&config).await;
    server.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    config.dbname(name);
    let database = connect(&config).await;
    database.batch_execute(STAND_IN).await.unwrap();
    (database, config)
}

async fn connect(config: &tokio_postgres::Config) -> Client {
    let (client, connection) = config.connect(NoTls).await.expect("the Postgres of PGHOST answers");
    tokio::spawn(connection);
    client
}

/// Waits until something is so.
pub async fn wait_until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..1200 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("not within a minute: {what}");
}
