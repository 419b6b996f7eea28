//! Changes while requests fail: each is made once, or an error says that nobody knows whether it was made.

mod common;

use std::io::{Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use clerk_api::catalog::{Method, Update, object};
use clerk_api::write::{Outcome, RowWriter, Sending, TableColumn};
use clerk_api::{Client, Error, Locator, Request, Settings};
use clerk_sim::{Fault, Sim};
use common::*;
use serde_json::{Value, json};

/// Sends requests to the end, or until `watch` has seen enough.
async fn send(
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

async fn send_one(client: &Arc<Client>, request: &Request) -> Outcome {
    send(client, vec![request.clone()], false, |_| {}).await.remove(0)
}

fn new_organization(name: &str) -> Request {
    let insert = object("organizations").unwrap().writes.insert.unwrap();
    Request::write(&insert, &[], Some(json!({"name": name}).to_string())).unwrap()
}

fn new_organizations(names: std::ops::Range<usize>) -> Vec<Request> {
    names.map(|name| new_organization(&name.to_string())).collect()
}

/// The kinds of requests.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    Insert,
    Patch,
    Delete,
    Act,
}

const CHANGES: [Change; 4] = [Change::Insert, Change::Patch, Change::Delete, Change::Act];

impl Change {
    /// A request to the only organization or user that there is.
    fn request(self, sim: &Sim) -> Request {
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
    fn made(self, sim: &Sim) -> usize {
        let members = |json: &str, name: &str| serde_json::from_str::<Value>(json).unwrap()[name].clone();
        match self {
            Change::Insert => sim.organizations().len() - 1,
            Change::Patch => usize::from(members(&sim.organizations()[0].json, "name") == "changed"),
            Change::Delete => 1 - sim.organizations().len(),
            Change::Act => usize::from(members(&sim.users()[0].json, "banned") == true),
        }
    }

    /// Whether a request whose answer was lost is repeated.
    fn is_repeated(self) -> bool {
        self != Change::Insert
    }
}

/// A simulator with one user and one organization.
fn instance() -> Sim {
    simulator(1, 1, 0)
}

/// A client that does not wait long where there is no answer.
fn client_for(case: &Case, sim: &Sim) -> Arc<Client> {
    with(sim, |settings| {
        if matches!(case.name, "silence" | "answer withheld") {
            settings.timeout = Duration::from_millis(1500);
        }
    })
}

/// A fault, and what it does to a request.
struct Case {
    name: &'static str,
    fault: fn() -> Fault,
    /// Whether Clerk has made the change.
    makes: bool,
    /// Whether it is certain that Clerk has not made it.
    is_certain: bool,
}

const CASES: &[Case] = &[
    Case { name: "500", fault: || Fault::status(500), makes: false, is_certain: false },
    Case { name: "503", fault: || Fault::status(503), makes: false, is_certain: false },
    Case { name: "503, later", fault: || Fault::status(503).retry_after(1), makes: false, is_certain: false },
    Case { name: "429", fault: || Fault::status(429), makes: false, is_certain: true },
    Case { name: "429, later", fault: || Fault::too_many_requests(1), makes: false, is_certain: true },
    Case { name: "reset", fault: Fault::reset, makes: false, is_certain: false },
    Case { name: "answer lost", fault: Fault::lose_answer, makes: true, is_certain: false },
    Case { name: "answer cut", fault: Fault::cut, makes: true, is_certain: false },
    Case { name: "silence", fault: Fault::silence, makes: false, is_certain: false },
    Case { name: "answer withheld", fault: Fault::withhold_answer, makes: true, is_certain: false },
];

/// Tries all cases with all kinds of requests, those of different kinds beside each other.
async fn try_all<F: Future<Output = ()> + Send>(attempt: impl Fn(Change, &'static Case) -> F + Copy + Send + 'static) {
    let tasks = CHANGES.map(|change| {
        tokio::spawn(async move {
            for case in CASES {
                attempt(change, case).await;
            }
        })
    });
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn a_change_is_made_once_in_spite_of_a_fault() {
    try_all(|change, case| async move {
        let sim = instance();
        let request = change.request(&sim);
        sim.fault((case.fault)());
        let started = Instant::now();
        let outcome = send_one(&client_for(case, &sim), &request).await;
        let context = format!("{change:?}, {}: {outcome:?}", case.name);
        let is_repeated = case.is_certain || change.is_repeated();
        assert_eq!(sim.request_count(), if is_repeated { 2 } else { 1 }, "{context}");
        if is_repeated {
            assert!(matches!(outcome, Outcome::Done(_)), "{context}");
            assert_eq!(change.made(&sim), 1, "{context}");
        } else {
            let Outcome::Failed(Error::Unknown { tries: 1, .. }) = outcome else { panic!("{context}") };
            assert_eq!(change.made(&sim), usize::from(case.makes), "{context}");
        }
        if case.name.ends_with("later") && is_repeated {
            assert!(started.elapsed() >= Duration::from_secs(1), "{context}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn a_fault_that_lasts_ends_in_the_honest_error() {
    try_all(|change, case| async move {
        if case.name.ends_with("later") {
            return;
        }
        let sim = instance();
        let request = change.request(&sim);
        sim.fault((case.fault)().always());
        let outcome = send_one(&client_for(case, &sim), &request).await;
        let context = format!("{change:?}, {}: {outcome:?}", case.name);
        let made = change.made(&sim);
        match &outcome {
            Outcome::Failed(Error::Unavailable { tries: 3, .. }) if case.is_certain => assert_eq!(made, 0, "{context}"),
            Outcome::Failed(Error::Unknown { tries, .. }) if !case.is_certain => {
                assert_eq!(*tries, if change.is_repeated() { 3 } else { 1 }, "{context}");
                assert_eq!(made, usize::from(case.makes), "{context}");
            }
            // Of a cut answer there is the status, and 404 says that an earlier try has deleted it.
            Outcome::Done(_) if change == Change::Delete && case.name == "answer cut" => assert_eq!(made, 1),
            _ => panic!("{context}"),
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_whose_answer_was_lost_is_done() {
    let sim = instance();
    let request = Change::Delete.request(&sim);
    sim.fault(Fault::lose_answer());
    let outcome = send_one(&client(&sim), &request).await;
    assert!(matches!(&outcome, Outcome::Done(body) if body.is_empty()), "{outcome:?}");
    let statuses: Vec<_> = sim.requests().iter().map(clerk_sim::Request::status).collect();
    assert_eq!(statuses, [None, Some(404)]);
    // Without an earlier try it is somebody else who has deleted it, or a wrong id.
    let outcome = send_one(&client(&sim), &request).await;
    assert!(matches!(outcome, Outcome::Failed(Error::Refused { status: 404, .. })), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_after_a_lost_answer_does_not_say_that_nothing_was_done() {
    for status in [400, 401, 403, 404] {
        let sim = instance();
        let request = Change::Patch.request(&sim);
        sim.fault(Fault::lose_answer());
        sim.fault(Fault::status(status).nth(2));
        let outcome = send_one(&client(&sim), &request).await;
        let Outcome::Failed(error @ Error::Unknown { tries: 2, .. }) = &outcome else { panic!("{outcome:?}") };
        let expected = format!("an earlier try had no answer, and the last one status {status}: ");
        assert!(error.to_string().contains(&expected), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_neither_repeated_nor_followed() {
    for change in CHANGES {
        for status in [301, 302, 307, 308, 400, 401, 403, 404, 409, 422] {
            let sim = instance();
            let request = change.request(&sim);
            let fault = match status {
                ..400 => Fault::body(status, "elsewhere"),
                _ => Fault::status(status),
            };
            sim.fault(fault.always());
            let outcome = send_one(&client(&sim), &request).await;
            assert!(
                matches!(outcome, Outcome::Failed(Error::Refused { .. } | Error::Unauthorized { .. })),
                "{change:?} {status}: {outcome:?}"
            );
            assert_eq!((sim.request_count(), change.made(&sim)), (1, 0), "{change:?} {status}");
        }
    }
}

/// It may come from a proxy, or from Clerk, which has made the change.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_garbage_is_no_reason_to_repeat() {
    for change in CHANGES {
        for fault in [Fault::html, Fault::cut_json] {
            let sim = instance();
            let request = change.request(&sim);
            sim.fault(fault().always());
            let outcome = send_one(&client(&sim), &request).await;
            let Outcome::Failed(error @ Error::Unknown { tries: 1, .. }) = &outcome else {
                panic!("{change:?}: {outcome:?}");
            };
            assert!(error.to_string().contains("the answer is not JSON"), "{error}");
            assert_eq!(sim.request_count(), 1);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_listens_nothing_is_done() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let sim = instance();
    for change in CHANGES {
        let request = change.request(&sim);
        let client = with(&sim, |settings| settings.api_url = format!("http://{closed}/v1"));
        let outcome = send_one(&client, &request).await;
        assert!(matches!(outcome, Outcome::Failed(Error::Unavailable { tries: 3, .. })), "{change:?}: {outcome:?}");
    }
}

/// A firewall that drops what is sent looks the same.
#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_accepts_connections_nothing_is_done() {
    let full = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = full.local_addr().unwrap();
    let wait = Duration::from_millis(500);
    let waiting: Vec<_> = std::iter::from_fn(|| TcpStream::connect_timeout(&address, wait).ok()).take(10_000).collect();
    assert!(waiting.len() < 10_000, "the queue of connections is never full");
    let sim = instance();
    let client = with(&sim, |settings| {
        settings.api_url = format!("http://{address}/v1");
        settings.timeout = wait;
    });
    let outcome = send_one(&client, &new_organization("x")).await;
    let Outcome::Failed(error @ Error::Unavailable { tries: 3, .. }) = &outcome else { panic!("{outcome:?}") };
    assert!(error.to_string().contains("no connection in time"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_that_is_too_long_is_not_begun() {
    let sim = instance();
    sim.fault(Fault::too_many_requests(301));
    let outcome = send_one(&client(&sim), &new_organization("x")).await;
    assert!(matches!(outcome, Outcome::Failed(Error::Unavailable { tries: 1, .. })), "{outcome:?}");
}

/// A server that answers each request on a connection with an organization and then closes the connection, without
/// having said so, a little later.
fn closing(after: Duration) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&requests);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, seen) = (stream.unwrap(), Arc::clone(&seen));
            thread::spawn(move || {
                let request = read_request(&mut stream);
                seen.lock().unwrap().push(request);
                let body = r#"{"id":"org_1"}"#;
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                let _ = stream.write_all((head + body).as_bytes());
                thread::sleep(after);
            });
        }
    });
    (url, requests)
}

/// A request with a short body.
fn read_request(stream: &mut TcpStream) -> String {
    let (mut text, mut buffer) = (String::new(), [0; 4096]);
    loop {
        let count = stream.read(&mut buffer).unwrap_or(0);
        text += &String::from_utf8_lossy(&buffer[..count]);
        if count == 0 || text.ends_with('}') || (text.ends_with("\r\n\r\n") && !text.contains("content-length")) {
            return text;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_was_closed_meanwhile_is_not_used() {
    let (url, requests) = closing(Duration::ZERO);
    let settings = Settings { api_url: url, max_retries: 0, ..Settings::default() };
    let client = Arc::new(Client::new(settings, "sk_live_x".into()).unwrap());
    for number in 0..20 {
        let outcome = send_one(&client, &new_organization(&number.to_string())).await;
        assert!(matches!(outcome, Outcome::Done(_)), "{number}: {outcome:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let names: Vec<_> =
        requests.lock().unwrap().iter().map(|text| text.rsplit("\r\n").next().unwrap().to_owned()).collect();
    assert_eq!(names, (0..20).map(|number| json!({"name": number.to_string()}).to_string()).collect::<Vec<_>>());
}

/// A connection is closed at the very moment at which the next request is written to it: it is made once or lost, and
/// never made twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_closed_right_now_repeats_nothing() {
    let (url, requests) = closing(Duration::from_millis(1));
    let settings =
        Settings { api_url: url, rate_limit: 100_000.try_into().ok(), max_retries: 5, ..Settings::default() };
    let client = Arc::new(Client::new(settings, "sk_live_x".into()).unwrap());
    let mut done = 0;
    for number in 0..200 {
        match send_one(&client, &new_organization(&number.to_string())).await {
            Outcome::Done(_) => done += 1,
            Outcome::Failed(Error::Unknown { tries: 1, .. }) => {}
            outcome => panic!("{number}: {outcome:?}"),
        }
    }
    let mut bodies: Vec<_> =
        requests.lock().unwrap().iter().map(|text| text.rsplit("\r\n").next().unwrap().to_owned()).collect();
    bodies.retain(|body| !body.is_empty());
    let count = bodies.len();
    bodies.sort();
    bodies.dedup();
    assert_eq!(bodies.len(), count, "a request came twice");
    assert!(done > 0 && count >= done);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_start_in_their_order_and_no_more_at_once_than_allowed() {
    let sim = simulator(0, 0, 0);
    sim.set_latency(Duration::from_millis(10));
    for max_concurrency in [1, 4] {
        sim.clear_requests();
        let client = with(&sim, |settings| settings.max_concurrency = max_concurrency);
        let outcomes = send(&client, new_organizations(0..40), false, |_| {}).await;
        for (number, outcome) in outcomes.iter().enumerate() {
            let Outcome::Done(body) = outcome else { panic!("{outcome:?}") };
            let answer: Value = serde_json::from_slice(body).unwrap();
            assert_eq!(answer["name"], number.to_string(), "an answer is at the place of its request");
        }
        assert_eq!(sim.in_flight_peak(), max_concurrency);
        let numbers = sim.requests().into_iter().map(|request| {
            let body: Value = serde_json::from_str(&request.body.unwrap()).unwrap();
            body["name"].as_str().unwrap().parse::<usize>().unwrap()
        });
        for (position, number) in numbers.enumerate() {
            assert!(position.abs_diff(number) < max_concurrency, "{number} came as the {position}th");
        }
    }
}

/// Which requests are done (`D`), failed (`F`), on their way (`W`) or not sent (`-`).
fn letters(outcomes: &[Outcome]) -> String {
    let letter = |outcome: &Outcome| match outcome {
        Outcome::Done(_) => 'D',
        Outcome::Failed(_) => 'F',
        Outcome::OnItsWay => 'W',
        Outcome::NotSent => '-',
    };
    outcomes.iter().map(letter).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failure_nothing_is_started_unless_refusals_are_expected() {
    for (fault, goes_on, expected) in [
        (Fault::status(422), false, "DDF---"),
        (Fault::status(422), true, "DDFDDD"),
        (Fault::status(500), true, "DDF---"),
        (Fault::status(401), true, "DDF---"),
        (Fault::lose_answer(), false, "DDF---"),
        (Fault::lose_answer(), true, "DDF---"),
        (Fault::too_many_requests(0), false, "DDDDDD"),
    ] {
        let sim = simulator(0, 0, 0);
        sim.fault(fault.clone().nth(3));
        let client = with(&sim, |settings| settings.max_concurrency = 1);
        let outcomes = send(&client, new_organizations(0..6), goes_on, |_| {}).await;
        assert_eq!(letters(&outcomes), expected, "{fault:?}");
        let made = expected.matches('D').count()
            + usize::from(
                matches!(outcomes[2], Outcome::Failed(Error::Unknown { .. }))
                    && !format!("{fault:?}").contains("Status"),
            );
        assert_eq!(sim.organizations().len(), made, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn those_beside_a_failure_come_back() {
    let sim = simulator(0, 0, 0);
    sim.fault(Fault::slow(Duration::from_millis(300)).times(2));
    sim.fault(Fault::status(422).nth(3));
    let client = with(&sim, |settings| settings.max_concurrency = 3);
    let outcomes = send(&client, new_organizations(0..9), false, |_| {}).await;
    assert_eq!(letters(&outcomes).matches('D').count(), 2, "{outcomes:?}");
    assert_eq!(letters(&outcomes).matches('F').count(), 1);
    assert_eq!(letters(&outcomes[3..]), "------");
    assert_eq!(sim.organizations().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_lets_those_on_their_way_come_back() {
    let sim = simulator(0, 0, 0);
    sim.set_latency(Duration::from_millis(300));
    let client = with(&sim, |settings| settings.max_concurrency = 2);
    let mut seen = String::new();
    let outcomes = send(&client, new_organizations(0..6), false, |sending| {
        if sim.request_count() == 2 && seen.is_empty() {
            seen = letters(&sending.outcomes());
            sending.stop();
        }
    })
    .await;
    assert_eq!(seen, "WW----");
    assert_eq!(letters(&outcomes), "DD----");
    assert_eq!(sim.organizations().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_what_waits() {
    for (fault, change) in [
        (Fault::too_many_requests(200), Change::Insert),
        (Fault::too_many_requests(200), Change::Patch),
        (Fault::status(503).retry_after(200), Change::Patch),
    ] {
        let sim = instance();
        let request = change.request(&sim);
        sim.fault(fault.clone().always());
        let started = Instant::now();
        let outcomes = send(&client(&sim), vec![request.clone(), request], false, |sending| {
            if sim.request_count() >= 1 && started.elapsed() > Duration::from_millis(200) {
                sending.stop();
            }
        })
        .await;
        assert!(started.elapsed() < Duration::from_secs(5));
        // A 503 may come after the change.
        let is_unknown = format!("{fault:?}").contains("503");
        for outcome in outcomes {
            match outcome {
                Outcome::NotSent if !is_unknown => {}
                Outcome::Failed(Error::Unknown { tries: 1, .. }) if is_unknown => {}
                outcome => panic!("{fault:?}: {outcome:?}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_it_starts_nothing_more() {
    let sim = simulator(0, 0, 0);
    sim.set_latency(Duration::from_millis(100));
    let client = with(&sim, |settings| settings.max_concurrency = 2);
    let sending = Sending::start(new_organizations(0..6), Arc::clone(&client), false, || {});
    while sim.request_count() < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(letters(&sending.outcomes()), "WW----");
    drop(sending);
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(sim.request_count(), 2);
    // What they held is free for others.
    let outcomes = send(&client, new_organizations(10..14), false, |_| {}).await;
    assert_eq!(letters(&outcomes), "DDDD");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_requests_are_through_at_once() {
    let sim = simulator(0, 0, 0);
    assert!(send(&client(&sim), Vec::new(), false, |_| {}).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_error_has_a_secret_that_a_server_repeats() {
    let secret = r#"pass"word\ ü😀"#;
    let body = json!({"password": secret, "first_name": "Ada", "private_metadata": {"client_secret": "hushhush"}});
    let key = "sk_test_simulator";
    let ascii = r#"pass\"word\\ \u00fc\ud83d\ude00"#;
    let odd = r#"p\u0061ss\u0022word\u005C \u00FC\uD83D\uDE00"#;
    let echoes = [
        json!({"errors": [{"message": secret, "long_message": format!("{secret} {key} hushhush"), "code": secret}],
               "clerk_trace_id": secret})
        .to_string(),
        format!(r#"{{"errors":[{{"message":"{ascii}","code":"{odd}"}}]}}"#),
        format!(r#"{{"errors":[{{"message":"{odd}"}}]}}"#),
        format!(r#"{{"sent":"{ascii}"}}"#),
        body.to_string(),
        format!("<p>{secret} {key} hushhush</p>"),
    ];
    for echo in &echoes {
        for status in [400, 401, 403, 404, 429, 500, 503] {
            let sim = instance();
            let request = Request::to_path(Method::Post, "/users", &Value::Null, Some(body.to_string())).unwrap();
            sim.fault(Fault::body(status, echo.clone()).always());
            let client = with(&sim, |settings| settings.max_retries = 0);
            let outcome = send_one(&client, &request).await;
            let Outcome::Failed(error) = &outcome else { panic!("{outcome:?}") };
            for text in [error.to_string(), format!("{error:?}"), format!("{outcome:?}")] {
                for part in ["word", "hushhush", key, "Ada"] {
                    let is_shown = part == "Ada" && echo.contains("Ada");
                    assert!(is_shown || !text.replace("password", "").contains(part), "{status}: {text}");
                }
            }
        }
    }
}

/// From a row of a table to Clerk and back.
#[tokio::test(flavor = "multi_thread")]
async fn rows_become_objects() {
    let sim = simulator(0, 0, 0);
    let organizations = object("organizations").unwrap();
    let names = ["organization_id", "name", "public_metadata"];
    let columns = names.map(|name| {
        let column = organizations.column(name, true).unwrap();
        TableColumn { name: name.to_owned(), column: Some(column), locator: Locator::from(column.source) }
    });
    let writer = RowWriter::new(organizations, columns.to_vec());
    let row = |id: Option<&str>, name: &str, metadata: Value| {
        vec![id.map(|id| json!(id).to_string()), Some(json!(name).to_string()), Some(metadata.to_string())]
    };
    let new = writer.insert(&row(None, "Acme", json!({"a": 1, "b": {"c": 2}}))).unwrap().request().unwrap();
    let client = client(&sim);
    let Outcome::Done(answer) = send_one(&client, &new).await else { panic!("it is not made") };
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let id = answer["id"].as_str().unwrap();
    let changes = writer
        .update(
            &row(Some(id), "Acme", json!({"a": 1, "b": {"c": 2}})),
            &row(Some(id), "Acme Inc.", json!({"b": {"c": 3, "d": []}})),
        )
        .unwrap();
    let requests: Vec<_> = changes.into_iter().map(|(_, request)| request).collect();
    assert_eq!(letters(&send(&client, requests, false, |_| {}).await), "DD");
    let stored: Value = serde_json::from_str(&sim.organizations()[0].json).unwrap();
    assert_eq!(stored["name"], "Acme Inc.");
    assert_eq!(stored["public_metadata"], json!({"b": {"c": 3, "d": []}}));
    let delete = writer.delete(&row(Some(id), "Acme Inc.", json!({}))).unwrap();
    assert_eq!(letters(&[send_one(&client, &delete).await]), "D");
    assert!(sim.organizations().is_empty());
}
