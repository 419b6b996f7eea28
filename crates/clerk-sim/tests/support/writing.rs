//! Makes changes over the API, and checks the answers and the events against Clerk's description.

use std::cell::RefCell;
use std::collections::BTreeSet;

use clerk_sim::{Sim, WRITES, Write};
use serde_json::Value;

use super::description::{self, Checker};
use super::events::EventChecker;
use super::{Reply, start, write};

/// A simulator, and the description where there is one.
pub struct World {
    pub sim: Sim,
    checker: Option<Checker>,
    events: Option<EventChecker>,
    /// The method and path of every write that succeeded.
    done: RefCell<BTreeSet<(String, String)>>,
}

impl World {
    pub fn new(users: usize, organizations: usize, memberships: usize) -> World {
        let checker = description::read("bapi-2026-05-12.yml").map(Checker::new);
        let events = EventChecker::new();
        World { sim: start(users, organizations, memberships), checker, events, done: RefCell::default() }
    }

    /// A request whose answer has to be as described, whatever its status is.
    pub fn ask(&self, method: &str, target: &str, body: Value) -> Reply {
        let reply = write(&self.sim, method, target, &body);
        let form = form(method, target.split('?').next().unwrap_or_default());
        let is_done = (200..300).contains(&reply.status);
        if let Some(checker) = &self.checker {
            if reply.status == 204 {
                assert!(
                    reply.body.is_empty() && reply.header("content-type").is_none(),
                    "{method} {target}: {}",
                    reply.body
                );
            } else {
                let wrong = checker.errors_of(&method.to_lowercase(), form.path, reply.status, &reply.json());
                assert!(wrong.is_empty(), "{method} {target} {}: {wrong:#?} {}", reply.status, reply.body);
            }
            // That there may be no such object is often left out.
            let is_documented = checker.has_status(&method.to_lowercase(), form.path, reply.status);
            assert!(is_documented || reply.status == 404, "{method} {target} {}: {}", reply.status, reply.body);
        }
        if is_done {
            self.done.borrow_mut().insert((form.method.to_owned(), form.path.to_owned()));
        }
        reply
    }

    /// A request that has to succeed, with its answer and the events that it caused, which have to be as described.
    pub fn change(&self, method: &str, target: &str, body: Value) -> (Value, Vec<String>) {
        self.sim.clear_webhooks();
        let reply = self.ask(method, target, body);
        assert!((200..300).contains(&reply.status), "{method} {target}: {}", reply.body);
        let told = self.sim.webhooks();
        if let Some(checker) = &self.events {
            told.iter().for_each(|delivery| checker.check(delivery));
        }
        let events = told.into_iter().map(|delivery| delivery.kind).collect();
        (if reply.body.is_empty() { Value::Null } else { reply.json() }, events)
    }

    /// A request that has to be refused without any effect, with this status, code and parameter.
    #[track_caller]
    pub fn refuse(&self, method: &str, target: &str, body: Value, status: u16, code: &str, parameter: &str) {
        self.sim.clear_webhooks();
        let reply = self.ask(method, target, body.clone());
        let error = &reply.json()["errors"][0];
        let about = error["meta"]["param_name"].as_str().unwrap_or_default();
        let told = (reply.status, error["code"].as_str().unwrap_or_default(), about);
        assert_eq!(told, (status, code, parameter), "{method} {target} {body}: {}", reply.body);
        assert!(self.sim.webhooks().is_empty(), "{method} {target}: a refusal changes nothing");
    }

    /// Every write of these subjects was done.
    pub fn assert_all_done(&self, prefixes: &[&str]) {
        self.assert_done(prefixes, &[]);
    }

    /// As [`World::assert_all_done`], apart from those that another test does.
    pub fn assert_done(&self, prefixes: &[&str], others: &[&str]) {
        let done = self.done.borrow();
        let all = WRITES.iter().copied().flatten();
        let missing = all
            .filter(|write| prefixes.iter().any(|prefix| write.path.starts_with(prefix)))
            .filter(|write| !others.iter().any(|other| write.path.starts_with(other)))
            .map(|write| (write.method.to_owned(), write.path.to_owned()))
            .filter(|write| !done.contains(write));
        let missing: Vec<_> = missing.collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}

/// The write that a request is for.
pub fn form(method: &str, target: &str) -> &'static Write {
    let matches = |path: &str| {
        let (path, target): (Vec<&str>, Vec<&str>) = (path.split('/').collect(), target.split('/').collect());
        path.len() == target.len()
            && path.iter().zip(&target).all(|(part, given)| part.starts_with('{') || part == given)
    };
    let mut all = WRITES.iter().copied().flatten();
    all.find(|write| write.method == method && matches(write.path)).expect("a write")
}
