//! The interface under `/_sim` that controls the simulator, for programs that cannot use the library.
//!
//! | request | what it does |
//! | --- | --- |
//! | `GET /_sim/requests` | the requests to `/v1` so far |
//! | `GET /_sim/requests/count` | `{"count":n,"in_flight_peak":n}` |
//! | `DELETE /_sim/requests` | forgets them |
//! | `POST /_sim/faults` | adds a fault: `{"kind":"status","status":500,"path":"/v1/users","nth":3,"times":2}` |
//! | | the kinds: `status`, `reset`, `cut`, `cut_json`, `html`, `silence`, `lose_answer`, `withhold_answer`, `slow`, `body`, `repeat_page`, and those that look right: `short_page` (`objects`), `unstable_ties`, `miscount` (`by`), `no_count` |
//! | | for `lose_answer` and `withhold_answer` a change is made all the same; `"method":"POST"` leaves out other methods |
//! | `DELETE /_sim/faults` | removes all faults |
//! | `PUT /_sim/latency` | `{"ms":100}` before every answer |
//! | `PUT /_sim/instance` | `{"id":"ins_…"}`: the keys belong to another instance |
//! | `PUT /_sim/quota` | `{"users":100}`: the API refuses to create more users; `null` lets it create any number |
//! | `GET /_sim/webhooks` | the events so far: `[{"id":"msg_…","timestamp":n,"type":"user.created","body":"…"}]` |
//! | `DELETE /_sim/webhooks` | forgets them |
//! | `PUT /_sim/receiver` | `{"url":"http://…","secret":"whsec_…"}`: events are POSTed there from now on |
//! | `DELETE /_sim/receiver` | events are POSTed nowhere |
//! | `POST /_sim/users`, `…/organizations`, `…/memberships`, `…/invitations`, … | creates one from the fields given, answers with it |
//! | `GET`, `PATCH`, `DELETE /_sim/users/{id}`, … | reads, changes or deletes one |
//!
//! The names of the objects are those of [`State::create`].

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper::http::request::Parts;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::answer::Answer;
use crate::error::ClerkError;
use crate::fault::Fault;
use crate::lock::{lock, read, write};
use crate::memberships;
use crate::object::Fields;
use crate::organizations::Extras;
use crate::request::decode;
use crate::resources;
use crate::shared::Shared;
use crate::state::State;
use crate::webhook::Receiver;

pub(crate) async fn answer(shared: &Shared, head: &Parts, body: Incoming) -> Answer {
    let body = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return refuse(&ClerkError::bad_body(error)),
    };
    let segments: Vec<String> = head.uri.path().split('/').skip(2).map(decode).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let done = match (head.method.as_str(), segments.as_slice()) {
        ("GET", ["requests"]) => {
            let log = lock(&shared.log);
            serde_json::to_vec(log.requests()).map_err(ClerkError::bad_body)
        }
        ("GET", ["requests", "count"]) => {
            let log = lock(&shared.log);
            let count = log.requests().len();
            let count = json!({ "count": count, "in_flight_peak": log.max_in_flight() });
            Ok(count.to_string().into_bytes())
        }
        ("DELETE", ["requests"]) => {
            lock(&shared.log).clear();
            Ok(Vec::new())
        }
        ("POST", ["faults"]) => parse::<Fault>(&body).map(|fault| {
            lock(&shared.plan).add_fault(fault);
            Vec::new()
        }),
        ("DELETE", ["faults"]) => {
            lock(&shared.plan).clear();
            Ok(Vec::new())
        }
        ("PUT", ["latency"]) => parse::<NewLatency>(&body).map(|latency| {
            shared.latency.set(Duration::from_millis(latency.ms));
            Vec::new()
        }),
        ("PUT", ["instance"]) => parse::<NewInstance>(&body).map(|instance| {
            write(&shared.state).set_instance(instance.id);
            Vec::new()
        }),
        ("PUT", ["quota"]) => parse::<NewQuota>(&body).map(|quota| {
            write(&shared.state).user_quota = quota.users;
            Vec::new()
        }),
        ("GET", ["webhooks"]) => {
            serde_json::to_vec(read(&shared.state).dispatcher.deliveries()).map_err(ClerkError::bad_body)
        }
        ("DELETE", ["webhooks"]) => {
            write(&shared.state).dispatcher.clear();
            Ok(Vec::new())
        }
        ("PUT", ["receiver"]) => new_receiver(&body).map(|receiver| {
            write(&shared.state).dispatcher.set_receiver(Some(receiver));
            Vec::new()
        }),
        ("DELETE", ["receiver"]) => {
            write(&shared.state).dispatcher.set_receiver(None);
            Ok(Vec::new())
        }
        ("POST", [object]) => create(&mut write(&shared.state), object, &body),
        ("GET", [object, id]) => show(&read(&shared.state), object, id),
        ("PATCH", [object, id]) => update(&mut write(&shared.state), object, id, &body),
        ("DELETE", [object, id]) => delete(&mut write(&shared.state), object, id),
        _ => Err(ClerkError::no_such_route()),
    };
    match done {
        Ok(json) if json.is_empty() => Answer::json(204, json),
        Ok(json) => Answer::json(200, json),
        Err(error) => refuse(&error),
    }
}

#[derive(Deserialize)]
struct NewLatency {
    ms: u64,
}

#[derive(Deserialize)]
struct NewInstance {
    id: String,
}

#[derive(Deserialize)]
struct NewQuota {
    users: Option<usize>,
}

#[derive(Deserialize)]
struct NewReceiver {
    url: String,
    secret: String,
}

fn refuse(error: &ClerkError) -> Answer {
    Answer::error(error, "simulator")
}

fn parse<'a, T: Deserialize<'a>>(body: &'a Bytes) -> Result<T, ClerkError> {
    serde_json::from_slice(body).map_err(ClerkError::bad_body)
}

fn new_receiver(body: &Bytes) -> Result<Receiver, ClerkError> {
    let new: NewReceiver = parse(body)?;
    Receiver::new(&new.url, &new.secret).map_err(ClerkError::bad_body)
}

fn create(state: &mut State, object: &str, body: &Bytes) -> Result<Vec<u8>, ClerkError> {
    let id = state.create(object, parse::<Fields>(body)?)?;
    show(state, object, &id)
}

fn show(state: &State, object: &str, id: &str) -> Result<Vec<u8>, ClerkError> {
    let (noun, json) = match object {
        "users" => ("user", state.users.get(id).map(|user| user.json.clone().into_bytes())),
        "organizations" => {
            let organization = state.organizations.get(id);
            ("organization", organization.map(|organization| organization.json.clone().into_bytes()))
        }
        "organization_memberships" | "memberships" => {
            let membership = state.memberships.get(id).map(|membership| {
                let mut json = Vec::new();
                memberships::write(state, membership, Extras::NONE, &mut json);
                json
            });
            ("membership", membership)
        }
        _ => {
            let kind = resources::kind_named(object).ok_or_else(ClerkError::no_such_route)?;
            let entry = state.entry(kind.name, id);
            (kind.noun, entry.map(|entry| kind.shown(state, entry).into_bytes()))
        }
    };
    json.ok_or_else(|| ClerkError::not_found(noun, id))
}

fn update(state: &mut State, object: &str, id: &str, body: &Bytes) -> Result<Vec<u8>, ClerkError> {
    let fields: &RawValue = parse(body)?;
    state.update(object, id, fields)?;
    show(state, object, id)
}

fn delete(state: &mut State, object: &str, id: &str) -> Result<Vec<u8>, ClerkError> {
    state.delete(object, id)?;
    Ok(Vec::new())
}
