//! The webhooks against Clerk's description of them, and their way to a receiver.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{self, Receiver as Received};
use std::thread;
use std::time::Duration;

use clerk_sim::webhook::{self, Delivery, Receiver};
use clerk_sim::{Config, Sim};
use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use support::description::{self, Schemas};
use support::{control, get, id, parse, start};

const SECRET: &str = "whsec_dGhlIHNpbXVsYXRvcidzIHNpZ25pbmcga2V5";

fn kinds(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries.iter().map(|delivery| delivery.kind.as_str()).collect()
}

fn data(delivery: &Delivery) -> Value {
    parse(&delivery.body)["data"].clone()
}

/// Whether the crate that receivers use takes the message for a good one.
fn is_signed(body: &str, headers: &[(impl AsRef<str>, impl AsRef<str>)]) -> bool {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| {
            let name = name.as_ref().to_lowercase().replace("svix-", "webhook-");
            let name = HeaderName::try_from(name).expect("a name");
            (name, HeaderValue::try_from(value.as_ref()).expect("a value"))
        })
        .collect();
    Webhook::new(SECRET).expect("a secret").verify(body.as_bytes(), &headers).is_ok()
}

/// Makes a change of every kind; gives the user and the organization that it was made to.
fn make_every_change(sim: &Sim) -> (String, String) {
    let user = sim
        .create_user(json!({ "email_address": "ada@example.com", "external_id": "7", "first_name": "Ada" }))
        .expect("a user");
    sim.update_user(&user, json!({ "first_name": "Grace" })).expect("a user");
    let organization = sim.create_organization(json!({ "slug": "engines" })).expect("an organization");
    sim.update_organization(&organization, json!({ "name": "Motors" })).expect("an organization");
    let membership = sim.create_membership(&user, &organization, json!({})).expect("a membership");
    sim.update_membership(&membership, json!({ "role": "org:admin" })).expect("a membership");
    sim.delete_membership(&membership).expect("a membership");
    sim.create_membership(&user, &organization, json!({})).expect("a membership");
    sim.delete_user(&user).expect("a user");
    sim.create_membership(&sim.users()[0].id, &organization, json!({})).expect("a membership");
    sim.delete_organization(&organization).expect("an organization");
    sim.delete_user(&user).expect_err("it is gone, and no event tells of it again");
    (user, organization)
}

/// Every change makes the event that Clerk describes.
#[test]
fn every_change_makes_its_event() {
    let sim = start(2, 1, 2);
    assert!(sim.webhooks().is_empty(), "what was there at first is no news");
    let (user, organization) = make_every_change(&sim);
    let told = sim.webhooks();
    assert_eq!(
        kinds(&told),
        [
            "user.created",
            "user.updated",
            "organization.created",
            "organization.updated",
            "organizationMembership.created",
            "organizationMembership.updated",
            "organizationMembership.deleted",
            "organizationMembership.created",
            "organizationMembership.deleted",
            "user.deleted",
            "organizationMembership.created",
            "organizationMembership.deleted",
            "organization.deleted",
        ]
    );
    assert_eq!(data(&told[1])["first_name"], "Grace");
    assert_eq!(data(&told[3])["members_count"], 0);
    assert_eq!(data(&told[4])["organization"]["members_count"], 1);
    assert_eq!(data(&told[6])["role"], "org:admin");
    assert_eq!(data(&told[8])["public_user_data"]["user_id"], user);
    assert_eq!(data(&told[9]), json!({ "object": "user", "id": user, "external_id": "7", "deleted": true }));
    assert_eq!(
        data(&told[12]),
        json!({ "object": "organization", "id": organization, "slug": "engines", "deleted": true })
    );
    for pair in told.windows(2) {
        assert_ne!(pair[0].id, pair[1].id);
        assert!(parse(&pair[0].body)["timestamp"].as_i64() <= parse(&pair[1].body)["timestamp"].as_i64());
    }
    let first = parse(&told[0].body);
    assert_eq!((&first["timestamp"], &first["instance_id"]), (&first["data"]["created_at"], &json!(sim.instance())));
}

/// Every event is as Clerk's description of its webhooks says.
#[test]
fn events_match_the_description() {
    let Some(description) = description::read("webhooks-2025-04-15.yml") else {
        return;
    };
    let sim = start(2, 1, 2);
    make_every_change(&sim);
    let told = sim.webhooks();
    let schemas = Schemas::of(&description);
    let errors = |kind: &str, event: &Value| -> Vec<String> {
        let post = &description["x-webhooks"][kind]["post"];
        assert!(post.is_object(), "{kind} is documented");
        schemas.errors(&post["requestBody"]["content"]["application/json"]["schema"], event)
    };
    for delivery in &told {
        let wrong = errors(&delivery.kind, &parse(&delivery.body));
        assert!(wrong.is_empty(), "{}: {wrong:#?}", delivery.kind);
    }
    let mut wrong = parse(&told[0].body);
    wrong["data"]["banned"] = json!("perhaps");
    assert_eq!(errors("user.created", &wrong).len(), 1, "the check has teeth");
}

/// An event has the object as the API shows it.
#[test]
fn event_data_is_the_apis() {
    let sim = start(0, 0, 0);
    sim.create_user(json!({ "first_name": "Ada" })).expect("a user");
    let lone = control(&sim, "POST", "/users", r#"{"unsafe_metadata":{"lone":"\ud800"}}"#).body;
    let told = sim.webhooks();
    assert_eq!(data(&told[0]), get(&sim, "/users?order_by=created_at").objects()[0]);
    assert!(told[1].body.starts_with(&format!(r#"{{"data":{lone},"event_attributes":"#)), "to the byte");
    sim.set_instance("ins_other");
    sim.create_organization(json!({})).expect("an organization");
    assert_eq!(parse(&sim.webhooks()[2].body)["instance_id"], "ins_other");
    sim.clear_webhooks();
    assert!(sim.webhooks().is_empty());
}

/// A signature is of the id, the time and the body.
#[test]
fn signature() {
    let sim = start(0, 0, 0);
    sim.create_user(json!({ "first_name": "Zoë" })).expect("a user");
    let delivery = sim.webhooks().remove(0);
    assert_eq!(delivery.id.len(), "msg_".len() + 27);
    let headers = delivery.headers(SECRET).expect("headers");
    assert_eq!(headers[0], ("svix-id", delivery.id.clone()));
    assert!(is_signed(&delivery.body, &headers));
    assert!(!is_signed(&delivery.body.replace('Z', "S"), &headers));
    let late = Delivery { timestamp: delivery.timestamp - 600, ..delivery.clone() };
    assert!(!is_signed(&late.body, &late.headers(SECRET).expect("headers")));
    assert!(!is_signed(&delivery.body, &delivery.headers("whsec_b3RoZXI=").expect("headers")));
    assert!(delivery.headers("whsec_?").is_err());
}

/// Events can be of any type.
#[test]
fn events_of_any_type() {
    let event = webhook::event("weather.changed", json!({ "sky": "blue" }), 1_700_000_000_123).expect("an event");
    let told = parse(&event.body);
    assert_eq!((&told["type"], &told["object"]), (&json!("weather.changed"), &json!("event")));
    assert_eq!((&told["data"]["sky"], &told["timestamp"]), (&json!("blue"), &json!(1_700_000_000_123_i64)));
    assert_eq!(told["instance_id"], start(3, 0, 0).instance(), "the seed is the default one");
    assert!(is_signed(&event.body, &event.headers(SECRET).expect("headers")));

    let sim = Sim::start(Config { instance: Some("ins_mine".to_owned()), ..Config::default() }).expect("a simulator");
    let event = sim.event("user.updated", json!({}), 0).expect("an event");
    assert_eq!(parse(&event.body)["instance_id"], "ins_mine");
    assert!(sim.webhooks().is_empty(), "it has not happened");
}

/// A message as it arrived.
struct Message {
    headers: Vec<(String, String)>,
    body: String,
}

impl Message {
    fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// A receiver that answers with these statuses, one connection each, and then is gone.
fn receiver(statuses: &'static [u16]) -> (String, Received<Message>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        for status in statuses {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
            let lines = reader.by_ref().lines().map(|line| line.expect("a line"));
            let headers: Vec<(String, String)> = lines
                .take_while(|line| !line.is_empty())
                .filter_map(|line| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned())))
                .collect();
            let mut message = Message { headers, body: String::new() };
            let length = message.header("content-length").and_then(|length| length.parse().ok()).expect("a length");
            reader.take(length).read_to_string(&mut message.body).expect("a body");
            write!(stream, "HTTP/1.1 {status} -\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").expect("an answer");
            tell.send(message).expect("a test");
        }
    });
    (url, told)
}

fn next(told: &Received<Message>) -> Message {
    told.recv_timeout(Duration::from_secs(20)).expect("a message")
}

/// A message is sent again until it is taken.
#[test]
fn delivery_is_retried() {
    let (url, told) = receiver(&[500, 302, 204]);
    let receiver = Some(Receiver::new(&url, SECRET).expect("a receiver"));
    let sim = Sim::start(Config { receiver, ..Config::default() }).expect("a simulator");
    sim.create_user(json!({ "first_name": "Ada" })).expect("a user");
    let sent = &sim.webhooks()[0];
    for _ in 0..3 {
        let message = next(&told);
        assert_eq!(message.header("svix-id"), Some(sent.id.as_str()));
        assert_eq!(message.header("content-type"), Some("application/json"));
        assert_eq!(message.body, sent.body);
        let signature: Vec<_> = message.headers.iter().filter(|(name, _)| name.starts_with("svix-")).collect();
        let signature: Vec<(&str, &str)> =
            signature.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert!(is_signed(&message.body, &signature));
    }
    assert!(told.recv_timeout(Duration::from_secs(2)).is_err(), "it was taken");
}

/// Other programs can read webhooks and set the receiver.
#[test]
fn webhooks_over_http() {
    let sim = start(0, 0, 0);
    let user = id(&control(&sim, "POST", "/users", r#"{"first_name":"Ada"}"#).json());
    let told = control(&sim, "GET", "/webhooks", "").json();
    assert_eq!((&told[0]["type"], told[0]["timestamp"].is_i64()), (&json!("user.created"), true));
    assert_eq!(parse(told[0]["body"].as_str().expect("a body"))["data"]["id"], user);
    assert_eq!(control(&sim, "DELETE", "/webhooks", "").status, 204);
    assert_eq!(control(&sim, "GET", "/webhooks", "").body, "[]");

    let (url, received) = receiver(&[200]);
    let body = json!({ "url": url, "secret": SECRET }).to_string();
    assert_eq!(control(&sim, "PUT", "/receiver", &body).status, 204);
    assert_eq!(control(&sim, "DELETE", &format!("/users/{user}"), "").status, 204);
    assert_eq!(parse(&next(&received).body)["type"], "user.deleted");
    assert_eq!(control(&sim, "DELETE", "/receiver", "").status, 204);
    for (url, secret) in [(url.as_str(), "not base64"), ("nowhere", SECRET)] {
        let body = json!({ "url": url, "secret": secret }).to_string();
        assert_eq!(control(&sim, "PUT", "/receiver", &body).status, 400, "{body}");
    }
}
