//! Reads lists while Clerk's answers look right but are wrong: the result must be every object once, or an error.

mod common;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clerk_api::{Client, Fetch, Query};
use clerk_sim::{Fault, Sim, When};
use common::lists::{List, lists, world};
use common::*;
use serde_json::json;

const COUNT: &str = "/v1/users/count";

/// The result of reading a list.
#[derive(Debug, PartialEq)]
enum Reading {
    /// Every object came once.
    Complete,
    /// Objects are missing or came twice.
    Wrong(String),
    Error(String),
}

/// Reads a list and compares its objects with those expected.
fn read(client: &Arc<Client>, list: &List, page_size: u32) -> Reading {
    // A longer list has no more pages than the others.
    let page_size = page_size * (list.expected.len() as u32 / 80).max(1);
    let read = match ids(client, Fetch { page_size, ..list.read.clone() }) {
        Ok(read) => read,
        Err(error) => return Reading::Error(error.to_string()),
    };
    match sorted(read.clone()) == list.expected {
        true => Reading::Complete,
        false => {
            let came: HashSet<_> = read.iter().collect();
            Reading::Wrong(format!("{} of {} came, {} of them once", read.len(), list.expected.len(), came.len()))
        }
    }
}

/// A client with several requests in flight and one with a single one, each with a page size.
fn clients(sim: &Sim) -> [(Arc<Client>, u32); 2] {
    [(3, 8), (1, 30)].map(|(max_concurrency, page_size)| {
        (with(sim, |settings| settings.max_concurrency = max_concurrency), page_size)
    })
}

type WrongAnswer = (&'static str, fn() -> Fault);

const WRONG_ANSWERS: &[WrongAnswer] = &[
    ("an empty page", || Fault::short_page(0)),
    ("a page of one", || Fault::short_page(1)),
    ("a page of two", || Fault::short_page(2)),
    ("a short page", || Fault::short_page(7)),
    ("ties", Fault::unstable_ties),
    ("one too few", || Fault::miscount(-1)),
    ("far too few", || Fault::miscount(-1000)),
    ("one too many", || Fault::miscount(1)),
    ("far too many", || Fault::miscount(i64::MAX)),
    ("no count", Fault::no_count),
];

#[test]
fn a_single_wrong_answer_changes_no_rows() {
    let sim = world();
    let clients = clients(&sim);
    for list in lists(&sim) {
        for (wrong, fault) in WRONG_ANSWERS {
            for (client, page_size) in &clients {
                for nth in [1, 2, 6] {
                    sim.fault(fault().on_path(&list.path).nth(nth));
                    let result = read(client, &list, *page_size);
                    sim.clear_faults();
                    let context = format!("{}: {wrong} in answer {nth}, {page_size} in a page", list.name);
                    assert_eq!(result, Reading::Complete, "{context}");
                }
            }
        }
    }
}

#[test]
fn a_wrong_answer_that_stays_is_corrected_or_an_error() {
    let sim = world();
    let clients = clients(&sim);
    for list in lists(&sim) {
        for (wrong, fault) in WRONG_ANSWERS {
            for (client, page_size) in &clients {
                for nth in [1, 3] {
                    sim.fault(fault().on_path(&list.path).nth(nth).always());
                    let result = read(client, &list, *page_size);
                    sim.clear_faults();
                    let context = format!("{}: {wrong} from answer {nth} on, {page_size} in a page", list.name);
                    // Where every page of a list without any count ends after one moment, it looks like the list's end.
                    let is_hidden = list.is_uncounted() && wrong.contains("page");
                    assert!(is_hidden || !matches!(result, Reading::Wrong(_)), "{context}: {result:?}");
                    // Counts that are too low or missing must be corrected, and so must changing orders of ties, but
                    // the latter only in lists that are sorted by creation. A list without pages has as many objects
                    // as it counts, or is an error.
                    let is_by_time = list.is_sorted_by_time();
                    let is_corrected = matches!(*wrong, "one too few" | "far too few") && list.name != "unpaged";
                    let is_corrected = is_corrected || *wrong == "no count" || (*wrong == "ties" && is_by_time);
                    assert!(!is_corrected || result == Reading::Complete, "{context}: {result:?}");
                }
            }
        }
    }
}

/// Users are counted by an endpoint of its own, whose answer is wrong here.
#[test]
fn a_wrong_count_of_users_changes_no_rows() {
    let sim = world();
    let client = client(&sim);
    for list in lists(&sim).into_iter().filter(|list| list.path == USERS) {
        // In an order by a column that can change, only the count can show that the list has ended, so an error is
        // allowed.
        let is_sure = !list.name.contains("change");
        for (wrong, fault) in WRONG_ANSWERS.iter().filter(|(wrong, _)| wrong.contains("too")) {
            for page_size in [3, 8, 500] {
                sim.fault(fault().on_path(COUNT).always());
                let result = read(&client, &list, page_size);
                sim.clear_faults();
                let is_right = result == Reading::Complete || (matches!(result, Reading::Error(_)) && !is_sure);
                assert!(is_right, "{}: {wrong} counted, {page_size} in a page: {result:?}", list.name);
            }
        }
    }
}

/// Checks which requests are needed to verify the end of a list of users.
#[test]
fn the_end_of_a_bare_list_costs_a_request() {
    let sim = world();
    let client = client(&sim);
    let requests_of = |read: Fetch| {
        sim.clear_requests();
        assert_eq!(ids(&client, read).expect("users").len(), 80);
        let requests = sim.requests();
        sorted(requests.iter().map(|request| request.target.replace("/v1", "")).collect())
    };
    let page = "/users?order_by=created_at&limit=500";
    assert_eq!(requests_of(all("users", 500)), ["/users/count", page]);
    sim.fault(Fault::status(404).on_path(COUNT).always());
    let newest = "/users?order_by=-created_at&limit=3";
    assert_eq!(requests_of(all("users", 500)), ["/users/count", newest, page]);
    sim.clear_faults();

    // The end of a lookup by value is not verified.
    sim.clear_requests();
    let query = Query::List { filters: vec![("email_address", "nobody@example.com".to_owned())], order: None };
    assert_eq!(ids(&client, Fetch { query, ..all("users", 500) }).expect("nobody"), [""; 0]);
    assert_eq!(sim.request_count(), 1);
}

/// One more page is requested if the last page of a list is full, and only then.
#[test]
fn a_full_page_is_not_the_end() {
    let sim = simulator(0, 0, 0);
    for _ in 0..20 {
        sim.create_organization(json!({})).expect("an organization");
    }
    for (page_size, requests) in [(20, 2), (21, 1)] {
        sim.clear_requests();
        assert_eq!(ids(&client(&sim), all("organizations", page_size)).expect("organizations").len(), 20);
        assert_eq!(sim.request_count(), requests, "{page_size} in a page");
    }
}

/// Combines wrong answers with objects that are created and deleted meanwhile, both chosen by a seed.
#[test]
fn wrong_answers_with_concurrent_changes_neither_lose_nor_repeat_objects() {
    let mut errors = 0;
    for seed in 0..60 {
        let mut random = fastrand::Rng::with_seed(seed);
        let sim = world();
        let lists = lists(&sim);
        let sure: Vec<_> = lists.iter().filter(|list| list.changes() && list.is_sorted_by_time()).collect();
        let list = sure[random.usize(..sure.len())];
        // A short page together with a total that is too low to show it, or in a list without a total, cannot be
        // detected, so the two are not combined.
        let left_out = if list.is_uncounted() { "page" } else { ["few", "page"][random.usize(..2)] };
        let faults: Vec<_> = WRONG_ANSWERS.iter().filter(|(wrong, _)| !wrong.contains(left_out)).collect();
        for _ in 0..random.usize(1..4) {
            let (wrong, fault) = faults[random.usize(..faults.len())];
            let when = When::path(&list.path).nth(random.u64(1..12));
            let fault = fault().when(if *wrong == "ties" { when.always() } else { when.times(random.u64(1..3)) });
            sim.fault(fault);
        }
        for _ in 0..random.usize(0..4) {
            list.change_before(&sim, random.u64(1..10), 6, random.fork());
        }
        let client = with(&sim, |settings| settings.max_concurrency = random.usize(1..9));
        let read = ids(&client, Fetch { page_size: random.u32(3..40), ..list.read.clone() });
        let Ok(read) = read else {
            errors += 1;
            continue;
        };
        assert_eq!(list.harm(&sim, &read), None, "seed {seed}: {}", list.name);
    }
    assert!(errors < 15, "{errors} of 60 readings failed");
}

/// A page of the end of a list, sent instead of those before it, is not taken for the list's beginning.
#[test]
fn a_later_page_at_offset_0_is_an_error() {
    let sim = simulator(60, 60, 0);
    let client = with(&sim, |settings| settings.max_retries = 1);
    let late: Vec<_> = sim.organizations().iter().skip(48).take(10).map(|object| object.json.clone()).collect();
    let body = format!(r#"{{"data":[{}],"total_count":60}}"#, late.join(","));
    let offset = |request: &clerk_sim::Request| {
        request.parameter("offset").and_then(|offset| offset.parse::<u64>().ok()).unwrap_or(0)
    };
    let is_on = AtomicBool::new(false);
    let replaced = When::path(ORGANIZATIONS).test(move |request| {
        let on = is_on.load(Ordering::Relaxed) || offset(request) == 40;
        is_on.store(on, Ordering::Relaxed);
        on && ![48, 56].contains(&offset(request))
    });
    sim.fault(Fault::body(200, body).when(replaced.always()));
    if let Ok(found) = ids(&client, all("organizations", 10)) {
        assert_eq!(sorted(found), every("organizations", &sim));
    }
}

/// Whatever comes again and again, reading ends.
#[test]
fn a_first_page_for_ever_ends_with_an_error() {
    let sim = simulator(600, 0, 0);
    let expected = every("users", &sim);
    let first: Vec<_> = sim.users().iter().take(30).map(|object| object.json.clone()).collect();
    for nth in (1..20).chain((0..60).map(|n| 20 + n % 12)) {
        let client = with(&sim, |settings| settings.max_concurrency = 8);
        sim.clear_faults();
        sim.fault(Fault::body(200, format!("[{}]", first.join(","))).on_path(USERS).nth(nth).always());
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || sender.send(ids(&client, all("users", 30))));
        let found = receiver.recv_timeout(Duration::from_secs(20)).expect("reading goes on for ever");
        if let Ok(found) = found {
            assert_eq!(sorted(found), expected, "from request {nth} on");
        }
    }
}
