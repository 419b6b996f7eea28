//! Reads whole lists from the simulator: no object is missed or returned twice, and a fault never leads to a short
//! list.

mod common;

use std::collections::HashSet;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use clerk_api::catalog::{Access, Mirroring, Object, object};
use clerk_api::{Client, Error, Fetch, Filters, OrderBy, PageStream, Query, Settings};
use clerk_sim::{Fault, State, When};
use common::*;

#[test]
fn every_object_comes_once_whatever_the_page_size() {
    let sim = simulator(731, 40, 700);
    let client = client(&sim);
    for name in ["users", "organizations", "organization_memberships"] {
        let expected = every(name, &sim);
        for page_size in [1, 2, 7, 40, 100, 365, 500] {
            if page_size > 2 || name == "organizations" {
                assert_eq!(sorted(ids(&client, all(name, page_size)).unwrap()), expected, "{name} by {page_size}");
            }
        }
    }
}

#[test]
fn users_who_were_created_at_the_same_moment_come_once() {
    let sim = simulator(0, 0, 0);
    sim.change(|state: &mut State| {
        for _ in 0..900 {
            state.create_user(serde_json::json!({"created_at": 1_700_000_000_000_i64})).expect("a user");
        }
        state.create_user(serde_json::json!({"created_at": 1_500_000_000_000_i64})).expect("the first");
        state.create_user(serde_json::json!({"created_at": 1_790_000_000_000_i64})).expect("the last");
    });
    assert_eq!(sorted(ids(&client(&sim), all("users", 50)).unwrap()), every("users", &sim));
}

#[test]
fn users_are_read_without_a_count_as_well() {
    let sim = simulator(1200, 0, 0);
    sim.fault(Fault::status(404).on_path("/v1/users/count").always());
    assert_eq!(sorted(ids(&client(&sim), all("users", 100)).unwrap()), every("users", &sim));
}

#[test]
fn users_are_read_side_by_side() {
    let sim = simulator(4000, 0, 0);
    sim.set_latency(Duration::from_millis(20));
    ids(&client(&sim), all("users", 100)).unwrap();
    assert!(sim.in_flight_peak() >= 6, "at most {} requests at once", sim.in_flight_peak());
    assert!(sim.in_flight_peak() <= 8);
    let counts = sim.requests().iter().filter(|request| request.path.ends_with("/count")).count();
    assert!(counts <= 20, "{counts} requests only to find the ranges");
}

#[test]
fn max_concurrency_of_one_sends_one_request_at_a_time() {
    let sim = simulator(1000, 20, 900);
    let client = with(&sim, |settings| settings.max_concurrency = 1);
    assert_eq!(ids(&client, all("users", 100)).unwrap().len(), 1000);
    assert_eq!(ids(&client, all("organization_memberships", 100)).unwrap().len(), 900);
    assert_eq!(sim.in_flight_peak(), 1);
}

#[test]
fn limit_hint_fetches_one_small_page() {
    let sim = simulator(2000, 50, 1900);
    let client = client(&sim);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for name in ["users", "organization_memberships"] {
        sim.clear_requests();
        runtime.block_on(async {
            let read = Fetch { limit_hint: Some(10), ..all(name, 100) };
            let mut reader = PageStream::start(read, Arc::clone(&client), || {});
            let page = loop {
                match reader.poll_page() {
                    Poll::Ready(Some(page)) => break page.unwrap(),
                    Poll::Pending => tokio::time::sleep(Duration::from_millis(1)).await,
                    Poll::Ready(None) => panic!("no page"),
                }
            };
            assert_eq!(page.len(), 10);
            tokio::time::sleep(Duration::from_millis(100)).await;
        });
        assert_eq!(sim.request_count(), 1, "{name}: {:?}", sim.requests());
        let read = Fetch { limit_hint: Some(10), ..all(name, 100) };
        assert_eq!(sorted(ids(&client, read).unwrap()), every(name, &sim), "{name}: a small first page loses nothing");
    }
}

#[test]
fn streams_read_in_turns_do_not_block_each_other() {
    let sim = simulator(300, 10, 290);
    let client = client(&sim);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut readers = Vec::new();
        for n in 0..12 {
            let name = ["users", "organization_memberships"][n % 2];
            let mut reader = PageStream::start(all(name, 5), Arc::clone(&client), || {});
            // After two pages, the stream has sent all the requests that it can, and is not polled any more.
            let mut pages = 0;
            let started = Instant::now();
            while pages < 2 {
                match reader.poll_page() {
                    Poll::Ready(Some(page)) => pages += usize::from(page.is_ok()),
                    Poll::Pending => tokio::time::sleep(Duration::from_millis(1)).await,
                    Poll::Ready(None) => panic!("it ended early"),
                }
                assert!(started.elapsed() < Duration::from_secs(5), "reader {n} waits for the others");
            }
            readers.push(reader);
        }
    });
}

#[test]
fn a_missing_parent_has_no_rows_and_any_other_404_is_an_error() {
    let sim = simulator(200, 5, 190);
    let client = client(&sim);
    let organization = &sim.organizations()[0].id;
    let members = ids(&client, below(organization, 20)).unwrap();
    assert!(!members.is_empty());
    assert_eq!(ids(&client, below("org_nobody", 20)).unwrap(), [] as [&str; 0]);
    let slug = serde_json::from_str::<serde_json::Value>(&sim.organizations()[0].json).unwrap()["slug"].clone();
    for odd in [slug.as_str().unwrap(), "", ".", "..", "../users", "a/b", "a?b=c#d", "%2e%2e", "ü\n"] {
        sim.clear_requests();
        assert_eq!(ids(&client, below(odd, 20)).unwrap(), [] as [&str; 0], "{odd}");
        for request in sim.requests() {
            assert!(request.target.starts_with("/v1/organizations/"), "{odd}: {}", request.target);
        }
    }
    for nth in [1, 2] {
        sim.fault(Fault::status(404).on_path(format!("/v1/organizations/{organization}/memberships")).nth(nth));
        let error = ids(&client, below(organization, 20)).unwrap_err();
        assert!(matches!(*error, Error::Refused { status: 404, .. }), "{error}");
        sim.clear_faults();
    }
}

/// A name, the fault, and whether a retry must correct it if it happens once. Otherwise it must be an error.
type Kind = (&'static str, fn() -> Fault, bool);

fn faults() -> Vec<Kind> {
    vec![
        ("500", || Fault::status(500), true),
        ("503", || Fault::status(503), true),
        ("429", || Fault::too_many_requests(0), true),
        ("reset", Fault::reset, true),
        ("cut", Fault::cut, true),
        ("silence", Fault::silence, true),
        ("404", || Fault::status(404), false),
        ("422", || Fault::status(422), false),
        ("cut JSON", Fault::cut_json, false),
        ("HTML", Fault::html, false),
        ("an empty page of more", || Fault::body(200, r#"{"data":[],"total_count":1000}"#), false),
    ]
}

#[test]
fn a_fault_on_any_page_is_mended_or_an_error_but_never_a_short_list() {
    let sim = simulator(1000, 300, 1000);
    let client = with(&sim, |settings| settings.timeout = Duration::from_millis(300));
    for (name, path) in [("users", USERS), ("organizations", ORGANIZATIONS), ("organization_memberships", MEMBERSHIPS)]
    {
        let expected = every(name, &sim);
        sim.clear_requests();
        ids(&client, all(name, 100)).unwrap();
        let pages = sim.requests().iter().filter(|request| request.path == path).count() as u64;
        for (kind, fault, mended) in faults() {
            if name == "users" && kind == "an empty page of more" {
                // An empty page of a list without a total is a valid end of the list.
                continue;
            }
            for nth in [1, 2, pages / 2, pages] {
                sim.fault(fault().on_path(path).nth(nth));
                let read = ids(&client, all(name, 100));
                sim.clear_faults();
                match read {
                    Ok(ids) if mended => assert_eq!(sorted(ids), expected, "{name}: {kind} on page {nth}"),
                    Err(error) if mended => panic!("{name}: {kind} on page {nth}: {error}"),
                    // An empty page in the middle may be requested again, but it must not end the list.
                    Ok(ids) => assert_eq!(sorted(ids), expected, "{name}: {kind} on page {nth} was believed"),
                    Err(_) => {}
                }
            }
        }
    }
}

#[test]
fn pages_that_repeat_are_an_error() {
    let sim = simulator(1000, 300, 1000);
    let client = client(&sim);
    for (name, path) in [("users", USERS), ("organizations", ORGANIZATIONS), ("organization_memberships", MEMBERSHIPS)]
    {
        sim.fault(
            Fault::repeat_page()
                .when(When::path(path).test(|request| {
                    request.parameter("offset").is_some() || request.parameter("starting_after").is_some()
                }))
                .always(),
        );
        let error = ids(&client, all(name, 100)).expect_err(name);
        assert!(matches!(*error, Error::Inconsistent { .. }), "{name}: {error}");
        sim.clear_faults();
    }
}

#[test]
fn a_429_makes_every_request_wait_as_long_as_clerk_says() {
    let sim = simulator(3000, 0, 0);
    sim.set_latency(Duration::from_millis(20));
    sim.fault(Fault::too_many_requests(2).on_path(USERS).nth(6));
    let started = Instant::now();
    assert_eq!(ids(&client(&sim), all("users", 100)).unwrap().len(), 3000);
    assert!(started.elapsed() >= Duration::from_secs(2));
    let requests = sim.requests();
    let refused = requests.iter().find(|request| request.status() == Some(429)).expect("a 429").at;
    let early = requests
        .iter()
        .filter(|request| request.at > refused + Duration::from_millis(100))
        .filter(|request| request.at < refused + Duration::from_millis(1950));
    assert_eq!(early.count(), 0, "requests during the pause");
}

#[test]
fn retries_end_with_an_error_that_says_why() {
    let sim = simulator(10, 0, 0);
    sim.fault(Fault::status(503).on_path(USERS).always());
    let error = ids(&client(&sim), all("users", 100)).unwrap_err().to_string();
    assert!(error.contains("status 503") && error.contains("3 tries"), "{error}");
    drop(sim);
    let gone = Settings { api_url: "http://127.0.0.1:1/v1".into(), max_retries: 1, ..Settings::default() };
    let gone = Arc::new(Client::new(gone, "sk_test_nobody".into()).unwrap());
    let error = ids(&gone, all("users", 100)).unwrap_err().to_string();
    assert!(error.contains("Connection refused") && error.contains("2 tries"), "{error}");
}

#[test]
fn a_refused_key_is_unauthorized() {
    let sim = simulator(10, 0, 0);
    let settings = Settings { api_url: sim.url(), ..Settings::default() };
    let client = Arc::new(Client::new(settings, "sk_test_someone_else".into()).unwrap());
    let error = ids(&client, all("users", 100)).unwrap_err();
    assert!(matches!(*error, Error::Unauthorized { status: 401, .. }), "{error}");
    assert!(!error.to_string().contains("someone_else"), "{error}");
}

#[test]
fn order_by_creation_either_way() {
    let sim = simulator(700, 40, 650);
    let client = client(&sim);
    for name in ["users", "organizations", "organization_memberships"] {
        for descending in [false, true] {
            let order = Some(OrderBy { parameter: "created_at", is_descending: descending });
            let read = Fetch { query: Query::List { filters: vec![], order }, limit_hint: Some(3), ..all(name, 20) };
            let mut expected: Vec<_> = match name {
                "users" => sim.users(),
                "organizations" => sim.organizations(),
                _ => sim.memberships(),
            };
            if descending {
                expected.reverse();
            }
            let expected: Vec<_> = expected.into_iter().map(|object| object.id).collect();
            assert_eq!(ids(&client, read).unwrap(), expected, "{name}, descending: {descending}");
        }
    }
}

#[test]
fn filters_and_times_go_together() {
    let sim = simulator(3000, 0, 0);
    let users = sim.users();
    let (first, last) = (users[400].created_at, users[2600].created_at);
    let expected = |keep: &dyn Fn(&str) -> bool| {
        let within = users.iter().filter(|user| (first..=last).contains(&user.created_at) && keep(&user.json));
        sorted(within.map(|user| user.id.clone()).collect())
    };
    let bounds = vec![("created_at_after", (first - 1).to_string()), ("created_at_before", (last + 1).to_string())];
    let banned = [bounds.clone(), vec![("banned", "false".to_owned())]].concat();
    for page_size in [50, 500] {
        let read = |filters: &Filters, order| Fetch {
            query: Query::List { filters: filters.clone(), order },
            ..all("users", page_size)
        };
        for order in [None, Some(OrderBy { parameter: "created_at", is_descending: true })] {
            assert_eq!(sorted(ids(&client(&sim), read(&bounds, order)).unwrap()), expected(&|_| true));
            let not_banned = expected(&|json| json.contains(r#""banned":false"#));
            assert_eq!(sorted(ids(&client(&sim), read(&banned, order)).unwrap()), not_banned);
        }
    }
}

#[test]
fn bounds_before_1970_are_bounds() {
    let sim = simulator(20, 0, 0);
    let imported: Vec<_> = [-86_400_000_i64, -1, 0, 1]
        .map(|at| sim.create_user(serde_json::json!({"created_at": at})).expect("a user"))
        .into();
    let read = |filters: &[(&'static str, i64)]| {
        let filters = filters.iter().map(|(name, at)| (*name, at.to_string())).collect();
        sorted(ids(&client(&sim), Fetch { query: Query::List { filters, order: None }, ..all("users", 5) }).unwrap())
    };
    let some = |ids: &[String]| sorted(ids.to_vec());
    assert_eq!(read(&[("created_at_after", -86_400_001)]), every("users", &sim));
    assert_eq!(read(&[("created_at_before", 0)]), some(&imported[..2]));
    assert_eq!(read(&[("created_at_after", -2), ("created_at_before", 2)]), some(&imported[1..]));
    assert_eq!(read(&[("created_at_before", -86_400_000)]), [] as [&str; 0]);
    assert_eq!(read(&[("created_at_before", i64::MIN)]), [] as [&str; 0]);
}

#[test]
fn values_are_batched_by_the_hundred() {
    let sim = simulator(600, 150, 500);
    let client = client(&sim);
    for (name, parameter) in [("users", "user_id"), ("organizations", "organization_id")] {
        let expected = every(name, &sim);
        let values: Vec<_> = expected.iter().cloned().chain(["nobody".to_owned()]).collect();
        sim.clear_requests();
        let query = Query::Batches { parameter, values: values.clone(), filters: vec![] };
        assert_eq!(sorted(ids(&client, Fetch { query, ..all(name, 500) }).unwrap()), expected);
        assert_eq!(sim.request_count(), values.len().div_ceil(100), "{name}");
    }
    let object = object("organization_memberships").unwrap();
    for (column, owners) in [("organization_id", every("organizations", &sim)), ("user_id", every("users", &sim))] {
        let key = object.key_column(column).unwrap();
        let query = Query::Lookup { key, values: owners, filters: vec![], order: None };
        let read = ids(&client, Fetch { query, ..all("organization_memberships", 7) }).unwrap();
        assert_eq!(sorted(read), every("organization_memberships", &sim), "by {column}");
    }
}

/// Deletes and creates objects while they are read, chosen by a seed.
#[test]
fn concurrent_changes_neither_lose_nor_repeat_objects() {
    for seed in 0..60 {
        let mut random = fastrand::Rng::with_seed(seed);
        let sim = simulator(600, 250, 500);
        let client = with(&sim, |settings| settings.max_concurrency = random.usize(1..9));
        let (name, path) = [("users", USERS), ("organizations", ORGANIZATIONS)][random.usize(..2)];
        let before: HashSet<String> = every(name, &sim).into_iter().collect();
        for _ in 0..random.usize(1..6) {
            let nth = random.u64(1..10);
            let deletions = if random.u8(..4) == 0 { random.usize(50..200) } else { random.usize(0..5) };
            let creations = if random.bool() { deletions } else { random.usize(0..5) };
            let (mut random, ids) = (random.fork(), every(name, &sim));
            sim.before(When::path(path).nth(nth), move |state| {
                for _ in 0..deletions {
                    let id = &ids[random.usize(..ids.len())];
                    // The object may already be deleted.
                    let _ = match name {
                        "users" => state.delete_user(id),
                        _ => state.delete_organization(id),
                    };
                }
                for _ in 0..creations {
                    match name {
                        "users" => state.create_user(serde_json::json!({})),
                        _ => state.create_organization(serde_json::json!({})),
                    }
                    .expect("another one");
                }
            });
        }
        let read = ids(&client, all(name, 20)).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let received: HashSet<String> = read.iter().cloned().collect();
        assert_eq!(received.len(), read.len(), "seed {seed}: a row came twice");
        let after: HashSet<String> = every(name, &sim).into_iter().collect();
        let missed: Vec<_> = before.intersection(&after).filter(|id| !received.contains(*id)).collect();
        assert!(missed.is_empty(), "seed {seed}: {name} missed {missed:?}");
    }
}

/// Creates organizations with old times among those that are being read, and deletes a few, chosen by a seed: objects
/// whose position changes because of that must not be returned twice.
#[test]
fn imports_with_old_times_neither_lose_nor_repeat_objects() {
    for seed in 0..200 {
        let mut random = fastrand::Rng::with_seed(seed);
        let sim = simulator(10, 80, 20);
        let client = with(&sim, |settings| settings.max_concurrency = 1);
        let organizations = sim.organizations();
        let mut times: Vec<i64> = organizations.iter().map(|organization| organization.created_at).collect();
        times.sort();
        for nth in 2..9 {
            let mut random = random.fork();
            let (times, place) = (times.clone(), random.usize(0..80));
            let gone = organizations[random.usize(..80)].id.clone();
            sim.before(When::path(ORGANIZATIONS).nth(nth), move |state| {
                for _ in 0..random.usize(0..14) {
                    let near = random.usize(place.saturating_sub(6)..place + 3).min(79);
                    let created_at = times[near] + random.i64(0..2);
                    state.create_organization(serde_json::json!({"created_at": created_at})).expect("another one");
                }
                if random.bool() {
                    // The object may already be deleted.
                    let _ = state.delete_organization(&gone);
                }
            });
        }
        let before: HashSet<String> = every("organizations", &sim).into_iter().collect();
        let read = ids(&client, all("organizations", 10)).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let received: HashSet<String> = read.iter().cloned().collect();
        let twice = read.len() - received.len();
        assert_eq!(twice, 0, "seed {seed}: {twice} of {} came twice", read.len());
        let after: HashSet<String> = every("organizations", &sim).into_iter().collect();
        let missed: Vec<_> = before.intersection(&after).filter(|id| !received.contains(*id)).collect();
        assert!(missed.is_empty(), "seed {seed}: missed {missed:?}");
    }
}

/// Stops reading after a few pages and resumes from their checkpoints, until all is read.
#[test]
fn reading_resumes_from_checkpoints() {
    let sim = simulator(900, 130, 900);
    for seed in 0..30 {
        let mut random = fastrand::Rng::with_seed(seed);
        let name = ["users", "organizations", "organization_memberships"][random.usize(..3)];
        let client = with(&sim, |settings| settings.max_concurrency = random.usize(1..9));
        let (mut checkpoints, mut received, mut read, mut left) = (Vec::new(), Vec::new(), 0, usize::MAX);
        while left > 0 {
            left = random.usize(3..12);
            for fetch in clerk_api::remaining(&all(name, 20), checkpoints.clone()) {
                let pages = pages(&client, fetch, left).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
                (read, left) = (read + pages.len(), left - pages.len());
                received
                    .extend(pages.iter().flat_map(|page| (0..page.len()).map(|object| page.id(object).into_owned())));
                checkpoints.extend(pages.iter().filter_map(|page| page.checkpoint().cloned()));
            }
            // Reading is complete if fewer pages were needed than allowed.
            left = usize::from(left == 0);
        }
        received.sort();
        received.dedup();
        assert_eq!(received, every(name, &sim), "seed {seed}: {name}");
        let fewest = received.len().div_ceil(19);
        assert!(read <= 2 * fewest + 20, "seed {seed}: {read} pages of {name}");
    }
}

/// Objects of equal times of creation come once in pages that are smaller than such a moment, or hardly larger.
#[test]
fn equal_times_in_small_pages() {
    for seed in 0..6 {
        let mut random = fastrand::Rng::with_seed(seed);
        let sim = simulator(1, 0, 0);
        let mut at = 1_700_000_000_000_i64;
        for _ in 0..40 {
            at += 1;
            let many = random.u8(..10) == 0;
            for _ in 0..random.usize(if many { 10..20 } else { 1..5 }) {
                sim.create_organization(serde_json::json!({"created_at": at})).expect("an organization");
            }
        }
        let client = client(&sim);
        for page_size in 1..=4 {
            let found = ids(&client, all("organizations", page_size)).expect("every organization");
            assert_eq!(sorted(found), every("organizations", &sim), "seed {seed}, {page_size} in a page");
        }
    }
}

/// An object that can only be listed below a parent has an error for a query of all objects, not an empty result.
#[test]
fn objects_without_a_list_are_an_error() {
    let users = object("users").unwrap();
    let child: &'static Object = Box::leak(Box::new(Object {
        name: "children",
        aliases: &[],
        description: "Objects below a user.",
        list: None,
        elements: None,
        key_columns: users.key_columns,
        sort_columns: &[],
        columns: users.columns,
        writes: users.writes,
        events: &[],
        access: Access::Nobody,
        mirroring: Mirroring::Never,
    }));
    let sim = simulator(1, 0, 0);
    for query in [
        Query::all(),
        Query::Batches { parameter: "user_id", values: vec!["a".to_owned()], filters: vec![] },
        Query::Count { parent: None, filters: vec![] },
        Query::Sample { wanted: 1, total: 2 },
    ] {
        let error = pages(&client(&sim), Fetch { query, ..Fetch::all(child, vec![]) }, usize::MAX).unwrap_err();
        assert!(error.to_string().contains("children can only be listed below a parent"), "{error}");
    }
    assert_eq!(sim.request_count(), 0);
}
