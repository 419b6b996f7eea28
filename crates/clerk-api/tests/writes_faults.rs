//! Changes while requests fail: each is made once, or an error says that nobody knows whether it was made.

mod common;

use std::io::{Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use clerk_api::write::Outcome;
use clerk_api::{Client, Error, Settings};
use clerk_sim::{Fault, Sim};
use common::writes::*;
use common::*;
use serde_json::json;

/// A client that does not wait long where there is no answer.
fn client_for(case: &Case, sim: &Sim) -> Arc<Client> {
    with(sim, |settings| {
        if matches!(case.name, "silence" | "answer withheld") {
            settings.timeout = Duration::from_millis(1500);
        }
        if case.name == "429" {
            settings.rate_limit_timeout = Duration::from_millis(500);
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
            Outcome::Failed(Error::RateLimited { .. }) if case.name == "429" => assert_eq!(made, 0, "{context}"),
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
    assert!(matches!(outcome, Outcome::Failed(Error::RateLimited { tries: 1, .. })), "{outcome:?}");
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
