//! A client so plain that it hides nothing, for the simulator's own tests.

#![allow(dead_code, reason = "not every test uses all of it")]

pub mod description;
pub mod events;
#[path = "../../../../tests/integration/support/skip.rs"]
pub mod skip;
#[path = "../../../../tests/integration/support/waiting.rs"]
pub mod waiting;
pub mod writing;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use clerk_sim::{Config, RateLimit, Sim};
use serde_json::Value;

pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (known, value) = line.split_once(": ")?;
            known.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub fn json(&self) -> Value {
        parse(&self.body)
    }

    /// The objects of a list, in either shape.
    pub fn objects(&self) -> Vec<Value> {
        assert_eq!(self.status, 200, "{}", self.body);
        let json = self.json();
        let list = json.get("data").unwrap_or(&json);
        list.as_array().expect("a list").clone()
    }

    pub fn ids(&self) -> Vec<String> {
        self.objects().iter().map(id).collect()
    }

    pub fn total(&self) -> u64 {
        self.json()["total_count"].as_u64().expect("a total_count")
    }

    /// The code of the only error.
    pub fn code(&self) -> String {
        let json = self.json();
        assert_eq!(json["errors"].as_array().map(Vec::len), Some(1));
        json["errors"][0]["code"].as_str().expect("a code").to_owned()
    }
}

pub fn id(object: &Value) -> String {
    object["id"].as_str().expect("an id").to_owned()
}

/// A simulator without a rate limit.
pub fn start(users: usize, organizations: usize, memberships: usize) -> Sim {
    let config = Config { users, organizations, memberships, rate_limit: RateLimit::Off, ..Config::default() };
    Sim::start(config).expect("a simulator")
}

/// GET of a path under `/v1`, with the key.
pub fn get(sim: &Sim, target: &str) -> Reply {
    let head = format!("Authorization: Bearer {}\r\n", sim.key());
    request(sim, "GET", &format!("/v1{target}"), &head, "").expect("an answer")
}

/// A request to the simulator's own interface.
pub fn control(sim: &Sim, method: &str, target: &str, body: &str) -> Reply {
    request(sim, method, &format!("/_sim{target}"), "", body).expect("an answer")
}

/// A request to a path under `/v1` with the key and a JSON body, unless that is null.
pub fn write(sim: &Sim, method: &str, target: &str, body: &Value) -> Reply {
    let head = format!("Authorization: Bearer {}\r\nContent-Type: application/json\r\n", sim.key());
    let body = if body.is_null() { String::new() } else { body.to_string() };
    request(sim, method, &format!("/v1{target}"), &head, &body).expect("an answer")
}

pub fn request(sim: &Sim, method: &str, target: &str, head: &str, body: &str) -> std::io::Result<Reply> {
    let answer = String::from_utf8(exchange(sim, method, target, head, body)?).expect("UTF-8");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok(Reply { status: status.expect("a status"), head: head.to_owned(), body: body.to_owned() })
}

/// All bytes of the answer, until the connection ends.
pub fn exchange(sim: &Sim, method: &str, target: &str, head: &str, body: &str) -> std::io::Result<Vec<u8>> {
    let mut stream = send(sim, method, target, head, body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

pub fn send(sim: &Sim, method: &str, target: &str, head: &str, body: &str) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(sim.address())?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let length = body.len();
    write!(
        stream,
        "{method} {target} HTTP/1.1\r\nHost: simulator\r\nConnection: close\r\n\
         Content-Length: {length}\r\n{head}\r\n{body}"
    )?;
    Ok(stream)
}

/// Reads JSON that a `Value` can hold only without surrogates: those become U+FFFD.
pub fn parse(json: &str) -> Value {
    let mut text = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(place) = rest.find('\\') {
        let (before, escape) = rest.split_at(place);
        text.push_str(before);
        let length = if escape[1..].starts_with('u') { 6 } else { 2 };
        let (escape, after) = escape.split_at(length);
        let surrogate = length == 6 && matches!(&escape[2..4], "d8" | "d9" | "da" | "db" | "dc" | "dd" | "de" | "df");
        text.push_str(if surrogate { r"\ufffd" } else { escape });
        rest = after;
    }
    text.push_str(rest);
    serde_json::from_str(&text).expect("JSON")
}

/// A value for a query string.
pub fn encode(value: &str) -> String {
    form_urlencoded::byte_serialize(value.as_bytes()).collect()
}
