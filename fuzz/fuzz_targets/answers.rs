//! Whatever a server answers, a query ends with all rows once or with an error, in time, and shows no key.
//!
//! The first line is `users`, `organizations` or `user` (one user by its id). Answers follow, each after a line `---`. The
//! first is for requests that count, the others for lists in the order of requests. The first line of an answer is its
//! status and the value of `Retry-After`; after `raw`, the answer is sent as it is.
#![no_main]

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::Poll;
use std::time::Duration;

use clerk_api::catalog::object;
use clerk_api::{Client, Error, Fetch, Locator, PageStream, Query, Settings};
use clerk_fuzz::storable;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::sync::Notify;

const KEY: &str = "sk_test_simulator";

fuzz_target!(|data: &[u8]| {
    let mut parts = split(data).into_iter();
    let fetch = match parts.next() {
        Some(b"users") => Fetch { page_size: 3, ..all("users") },
        Some(b"organizations") => Fetch { page_size: 3, ..all("organizations") },
        _ => one_user(),
    };
    let count = parts.next();
    let server = server();
    *server.script.lock().expect("no panic with the script") =
        Script { count: count.map(<[u8]>::to_vec), pages: parts.map(<[u8]>::to_vec).collect(), ..Script::default() };
    let is_single = matches!(fetch.query, Query::Lookup { .. });
    let (ids, error) = server.read(fetch);
    let script = server.script.lock().expect("no panic with the script");
    let distinct: HashSet<_> = ids.iter().collect();
    assert!(distinct.len() == ids.len() || is_contradictory(&script.answered), "an object came twice: {ids:?}");
    assert!(!is_single || ids.len() <= 1, "there is one user of an id: {ids:?}");
    if let Some(error) = &error {
        let (shown, debug) = (error.to_string(), format!("{error:?}"));
        assert!(!shown.is_empty() && !shown.contains(KEY) && !debug.contains(KEY), "the key shows in {shown:?}");
        assert!(!matches!(**error, Error::BrokenOff), "the reading broke off");
    }
    let answered: Vec<_> = script.answered.iter().map(|body| String::from_utf8_lossy(body)).collect();
    for id in &ids {
        // Ids are written with escapes, or not.
        let is_there = answered.iter().any(|body| body.contains(id.as_str()) || body.contains('\\'));
        assert!(is_there, "nobody has sent {id:?}");
    }
});

/// Whether the answers have an object twice in one page, or with several times of creation. Lists that are sorted by these
/// times promise nothing then.
fn is_contradictory(answered: &[Vec<u8>]) -> bool {
    let mut times: HashMap<String, Value> = HashMap::new();
    answered.iter().any(|answer| {
        let body = answer.iter().position(|byte| *byte == b'\n').map_or(&answer[..0], |end| &answer[end + 1..]);
        let Ok(page) = serde_json::from_slice::<Value>(&storable(body)) else { return !body.is_empty() };
        let page = page.get("data").unwrap_or(&page).as_array().cloned().unwrap_or_default();
        let mut seen = HashSet::new();
        page.iter().any(|object| {
            let (id, time) = (object["id"].to_string(), object["created_at"].clone());
            let is_other = times.insert(id.clone(), time.clone()).is_some_and(|other| other != time);
            !seen.insert(id) || is_other
        })
    })
}

/// The parts between lines `---`.
fn split(data: &[u8]) -> Vec<&[u8]> {
    const SEPARATOR: &[u8] = b"\n---\n";
    let mut parts = Vec::new();
    let mut rest = data;
    while let Some(at) = rest.windows(SEPARATOR.len()).position(|window| window == SEPARATOR) {
        parts.push(&rest[..at]);
        rest = &rest[at + SEPARATOR.len()..];
    }
    parts.push(rest);
    // Every answer can lead to another request, and these take their time.
    parts.truncate(12);
    parts
}

fn all(name: &str) -> Fetch {
    Fetch::all(object(name).expect("the catalogue has it"), vec![Locator::Whole])
}

fn one_user() -> Fetch {
    let users = all("users");
    let key = users.object.key_column("user_id").expect("users are found by their id");
    let query = Query::Lookup { key, values: vec!["user_1".to_owned()], filters: Vec::new(), order: None };
    Fetch { query, ..users }
}

#[derive(Default)]
struct Script {
    count: Option<Vec<u8>>,
    pages: Vec<Vec<u8>>,
    /// The bodies that were sent.
    answered: Vec<Vec<u8>>,
    /// Whether one of the answers was a 429.
    is_busy: bool,
}

/// A server that answers by a script, and who asks it.
struct Server {
    url: String,
    script: Arc<Mutex<Script>>,
    runtime: Runtime,
    client: Mutex<Arc<Client>>,
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let script = Arc::new(Mutex::new(Script::default()));
        let shared = Arc::clone(&script);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let script = Arc::clone(&shared);
                std::thread::spawn(move || answer(stream, &script));
            }
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let client = Mutex::new(client(&url));
        Server { url, script, runtime, client }
    })
}

fn client(url: &str) -> Arc<Client> {
    let settings = Settings {
        api_url: url.to_owned(),
        rate_limit: 1_000_000.try_into().ok(),
        max_concurrency: 2,
        timeout: Duration::from_secs(2),
        // Waiting is what other tests look at.
        max_retries: 0,
        rate_limit_timeout: Duration::ZERO,
        ..Settings::default()
    };
    Arc::new(Client::new(settings, KEY.into()).expect("the settings are right"))
}

impl Server {
    /// The ids of the rows that a query gives, and the error that it ends with.
    fn read(&self, fetch: Fetch) -> (Vec<String>, Option<Box<Error>>) {
        let mut client = self.client.lock().expect("no panic with the client");
        let (ids, error) = self.runtime.block_on(async {
            let changed = Arc::new(Notify::new());
            let wake = Arc::clone(&changed);
            let mut stream = PageStream::start(fetch, Arc::clone(&client), move || wake.notify_one());
            let mut ids = Vec::new();
            let read = async {
                loop {
                    match stream.poll_page() {
                        Poll::Ready(None) => return None,
                        Poll::Ready(Some(Err(error))) => return Some(Box::new(error)),
                        Poll::Ready(Some(Ok(page))) => {
                            ids.extend((0..page.len()).map(|object| page.id(object).into_owned()));
                        }
                        Poll::Pending => changed.notified().await,
                    }
                }
            };
            let error = tokio::time::timeout(Duration::from_secs(15), read).await.expect("the query ends");
            (ids, error)
        });
        if self.script.lock().expect("no panic with the script").is_busy {
            // This one would wait before its next request.
            *client = self::client(&self.url);
        }
        (ids, error)
    }
}

/// Answers the requests of one connection.
fn answer(stream: TcpStream, script: &Mutex<Script>) {
    let Ok(mut writer) = stream.try_clone() else { return };
    let mut reader = BufReader::new(stream);
    loop {
        let mut target = String::new();
        let mut line = String::new();
        while reader.read_line(&mut line).is_ok_and(|bytes| bytes > 2) {
            if target.is_empty() {
                target = line.split(' ').nth(1).unwrap_or_default().to_owned();
            }
            line.clear();
        }
        if target.is_empty() {
            return;
        }
        let is_count = target.contains("/count");
        let next = {
            let mut script = script.lock().expect("no panic with the script");
            let next = match is_count {
                true => script.count.clone(),
                false if script.pages.is_empty() => None,
                false => Some(script.pages.remove(0)),
            };
            script.answered.extend(next.clone());
            next
        };
        let end = if is_count { b"200\n{\"total_count\":0}".to_vec() } else { b"200\n[]".to_vec() };
        let next = next.unwrap_or(end);
        if let Some(raw) = next.strip_prefix(b"raw\n") {
            let _ = writer.write_all(raw);
            let _ = writer.shutdown(std::net::Shutdown::Both);
            return;
        }
        let end = next.iter().position(|byte| *byte == b'\n').unwrap_or(next.len());
        let head = String::from_utf8_lossy(&next[..end]);
        let (status, retry_after) = head.split_once(' ').unwrap_or((&head, ""));
        let status = status.parse::<u16>().ok().filter(|status| (200..600).contains(status)).unwrap_or(200);
        let body = next.get(end + 1..).unwrap_or_default();
        script.lock().expect("no panic with the script").is_busy |= status == 429;
        let retry_after: String = retry_after.chars().filter(char::is_ascii_graphic).collect();
        let mut answer = format!("HTTP/1.1 {status} x\r\n");
        if !retry_after.is_empty() {
            answer += &format!("retry-after: {retry_after}\r\n");
        }
        if status != 204 {
            answer += &format!("content-length: {}\r\n", body.len());
        }
        let mut answer = (answer + "\r\n").into_bytes();
        if !matches!(status, 204 | 304) {
            answer.extend_from_slice(body);
        }
        if writer.write_all(&answer).is_err() {
            return;
        }
    }
}
