//! Several changes beside each other: when they start, what stops them, and what becomes of each.

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use clerk_api::catalog::{Method, object};
use clerk_api::write::{Outcome, RowWriter, Sending, TableColumn};
use clerk_api::{Error, Locator, Request};
use clerk_sim::Fault;
use common::writes::*;
use common::*;
use serde_json::{Value, json};

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
        (Fault::too_many_requests(50), Change::Insert),
        (Fault::too_many_requests(50), Change::Patch),
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
            let client = with(&sim, |settings| {
                settings.max_retries = 0;
                settings.rate_limit_timeout = Duration::ZERO;
            });
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
