//! Reads a list of each kind of paging while connections fail and objects change: each object comes once, or reading is
//! an error.

mod common;

use std::time::Duration;

use clerk_api::Fetch;
use clerk_sim::{Fault, When};
use common::lists::{List, lists, world};
use common::*;
use serde_json::json;

/// A name, the fault, and whether a retry must correct it if it happens once. Otherwise it must be an error, unless the
/// answer is asked for again for another reason.
type Kind = (&'static str, fn() -> Fault, bool);

const FAULTS: &[Kind] = &[
    ("500", || Fault::status(500), true),
    ("429", || Fault::too_many_requests(0), true),
    ("reset", Fault::reset, true),
    ("cut", Fault::cut, true),
    ("silence", Fault::silence, true),
    ("404", || Fault::status(404), false),
    ("422", || Fault::status(422), false),
    ("cut JSON", Fault::cut_json, false),
    ("HTML", Fault::html, false),
    ("null", || Fault::body(200, "null"), false),
    ("an empty object", || Fault::body(200, "{}"), false),
    ("other objects", || Fault::body(200, r#"[{"object":"cat"}]"#), false),
];

/// Every fault at the first, a middle and the last request of every list, once and from then on.
#[test]
fn a_fault_in_any_list_is_corrected_or_an_error() {
    let sim = world();
    let client = with(&sim, |settings| {
        settings.timeout = Duration::from_millis(400);
        settings.max_retries = 1;
        settings.rate_limit_timeout = Duration::from_millis(200);
    });
    // The same lists in another order are read by the same requests.
    let is_other_order = |list: &List| matches!(list.name, "users in order" | "the newest users" | "the newest");
    for list in lists(&sim).into_iter().filter(|list| !is_other_order(list)) {
        let read = || ids(&client, Fetch { page_size: 30, ..list.read.clone() });
        sim.clear_requests();
        assert_eq!(sorted(read().expect(list.name)), list.expected, "{}", list.name);
        let pages = sim.requests().iter().filter(|request| request.path == list.path).count() as u64;
        let mut places = vec![1, 2, pages.div_ceil(2), pages];
        places.sort();
        places.dedup();
        for (kind, fault, passes) in FAULTS {
            for nth in places.iter().copied().filter(|nth| *nth <= pages) {
                for lasting in [false, true] {
                    // Waiting for silence takes time.
                    if *kind == "silence" && (lasting || nth > 2) {
                        continue;
                    }
                    let fault = fault().on_path(&list.path).nth(nth);
                    sim.fault(if lasting { fault.always() } else { fault });
                    let result = read();
                    sim.clear_faults();
                    let context = format!("{}: {kind} in answer {nth} of {pages}, lasting: {lasting}", list.name);
                    match result {
                        Ok(ids) => assert_eq!(sorted(ids), list.expected, "{context}"),
                        Err(error) => assert!(lasting || !passes, "{context}: {error}"),
                    }
                }
            }
        }
    }
}

/// Deletes and creates objects while each list is read, chosen by a seed.
#[test]
fn concurrent_changes_neither_lose_nor_repeat_objects_of_any_list() {
    let (mut errors, mut readings) = (0, 0);
    let count = lists(&world()).len();
    for seed in 0..4 {
        for number in 0..count {
            let sim = world();
            let list = &lists(&sim)[number];
            if !list.changes() {
                continue;
            }
            let mut random = fastrand::Rng::with_seed(seed * 100 + number as u64);
            let most = [2, 6, 40][random.usize(..3)];
            for _ in 0..random.usize(1..5) {
                list.change_before(&sim, random.u64(1..12), most, random.fork());
            }
            let client = with(&sim, |settings| settings.max_concurrency = random.usize(1..9));
            readings += 1;
            match ids(&client, Fetch { page_size: random.u32(3..40), ..list.read.clone() }) {
                Ok(read) => assert_eq!(list.harm(&sim, &read), None, "seed {seed}: {}", list.name),
                Err(_) => errors += 1,
            }
        }
    }
    assert!(errors * 10 < readings, "{errors} of {readings} readings failed");
}

/// An invitation that is revoked while the two parts of the list are read moves from one part to the other. It comes
/// once.
#[test]
fn an_object_that_moves_to_the_other_part_comes_once() {
    for max_concurrency in [1, 8] {
        for nth in 1..=8 {
            let sim = world();
            let list = lists(&sim).into_iter().find(|list| list.name == "in two parts").expect("the list");
            let pending = sim.objects("invitations");
            let pending: Vec<_> = pending.into_iter().filter(|one| one.json.contains(r#""pending""#)).collect();
            sim.before(When::path(&list.path).nth(nth), move |state| {
                for invitation in &pending {
                    state.update("invitations", &invitation.id, json!({"status": "revoked"})).expect("an invitation");
                }
            });
            let client = with(&sim, |settings| settings.max_concurrency = max_concurrency);
            let Ok(read) = ids(&client, Fetch { page_size: 20, ..list.read.clone() }) else { continue };
            let context = format!("revoked before request {nth}, {max_concurrency} at once");
            assert_eq!(list.harm(&sim, &read), None, "{context}");
        }
    }
}

/// A page has no more objects than the endpoint allows, whatever the page size is, and all objects come.
#[test]
fn pages_are_no_larger_than_the_endpoint_allows() {
    let sim = world();
    for list in lists(&sim) {
        sim.clear_requests();
        let read = ids(&client(&sim), Fetch { page_size: 500, ..list.read.clone() }).expect(list.name);
        assert_eq!(sorted(read), list.expected, "{}", list.name);
        let is_small = list.path.ends_with("api_keys") || list.path.ends_with("m2m_tokens");
        for request in sim.requests().iter().filter(|request| request.path == list.path) {
            let limit = request.parameter("limit").and_then(|limit| limit.parse::<u32>().ok());
            assert!(!is_small || limit == Some(100), "{}: {}", list.name, request.target);
        }
    }
}

/// Several parents are read side by side, and each object comes once.
#[test]
fn several_parents_are_read_side_by_side() {
    let sim = world();
    sim.set_latency(Duration::from_millis(5));
    let object = clerk_api::catalog::object("organization_memberships").expect("memberships");
    for (column, owners) in [("organization_id", every("organizations", &sim)), ("user_id", every("users", &sim))] {
        sim.clear_requests();
        let key = object.key_column(column).expect(column);
        let query = clerk_api::Query::Lookup { key, values: owners, filters: vec![], order: None };
        let read = ids(&client(&sim), Fetch { query, ..all("organization_memberships", 500) }).expect(column);
        assert_eq!(sorted(read), every("organization_memberships", &sim), "by {column}");
        assert!(sim.in_flight_peak() > 2, "at most {} requests at once by {column}", sim.in_flight_peak());
    }
}
