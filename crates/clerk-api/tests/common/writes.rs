//! Sends changes, and makes requests for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use clerk_api::catalog::{Update, object};
use clerk_api::write::{Outcome, Sending};
use clerk_api::{Client, Request};
use clerk_sim::Sim;
use serde_json::{Value, json};

use super::simulator;

/// Sends requests to the end, or until `watch` has seen enough.
pub async fn send(
    client: &Arc<Client>,
    requests: Vec<Request>,
    goes_on: bool,
    mut watch: impl FnMut(&Sending),
) -> Vec<Outcome> {
    let woken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&woken);
    let wake = move || {
        count.fetch_add(1, Ordering::SeqCst);
    };
    let sending = Sending::start(requests, Arc::clone(client), goes_on, wake);
    let deadline = Instant::now() + Duration::from_secs(60);
    while !sending.is_finished() {
        assert!(Instant::now() < deadline, "it does not end: {:?}", sending.outcomes());
        watch(&sending);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    while woken.load(Ordering::SeqCst) == 0 {
        assert!(Instant::now() < deadline, "nobody was woken");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(woken.load(Ordering::SeqCst), 1);
    sending.outcomes()
}

pub async fn send_one(client: &Arc<Client>, request: &Request) -> Outcome {
    send(client, vec![request.clone()], false, |_| {}).await.remove(0)
}

pub fn new_organization(name: &str) -> Request {
    let insert = object("organizations").unwrap().writes.insert.unwrap();
    Request::write(&insert, &[], Some(json!({"name": name}).to_string())).unwrap()
}

pub fn new_organizations(names: std::ops::Range<usize>) -> Vec<Request> {
    names.map(|name| new_organization(&name.to_string())).collect()
}

/// A simulator with one user and one organization.
pub fn instance() -> Sim {
    simulator(1, 1, 0)
}

/// The kinds of requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    Insert,
    Patch,
    Delete,
    Act,
}

pub const CHANGES: [Change; 4] = [Change::Insert, Change::Patch, Change::Delete, Change::Act];

impl Change {
    /// A request to the only organization or user that there is.
    pub fn request(self, sim: &Sim) -> Request {
        let (organization, user) = (sim.organizations()[0].id.clone(), sim.users()[0].id.clone());
        let organizations = object("organizations").unwrap().writes;
        match self {
            Change::Insert => new_organization("new"),
            Change::Patch => {
                let write = organizations.updates[0].write();
                Request::write(write, &[organization], Some(r#"{"name":"changed"}"#.to_owned())).unwrap()
            }
            Change::Delete => Request::write(&organizations.delete.unwrap(), &[organization], None).unwrap(),
            Change::Act => {
                let mut updates = object("users").unwrap().writes.updates.iter();
                let ban = updates.find_map(|update| match update {
                    Update::Action { column: "banned", value: "true", write } => Some(write),
                    _ => None,
                });
                Request::write(ban.unwrap(), &[user], None).unwrap()
            }
        }
    }

    /// How often it has been made. What is repeated without effect counts once.
    pub fn made(self, sim: &Sim) -> usize {
        let members = |json: &str, name: &str| serde_json::from_str::<Value>(json).unwrap()[name].clone();
        match self {
            Change::Insert => sim.organizations().len() - 1,
            Change::Patch => usize::from(members(&sim.organizations()[0].json, "name") == "changed"),
            Change::Delete => 1 - sim.organizations().len(),
            Change::Act => usize::from(members(&sim.users()[0].json, "banned") == true),
        }
    }

    /// Whether a request whose answer was lost is repeated.
    pub fn is_repeated(self) -> bool {
        self != Change::Insert
    }
}
