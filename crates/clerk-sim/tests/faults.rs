//! What goes wrong, as a client without any comfort sees it, and what changes between two requests.

mod support;

use std::io::{ErrorKind, Read};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use clerk_sim::{Config, Fault, Outcome, Sim, When};
use serde_json::json;
use support::waiting::wait_until;
use support::{control, exchange, get, id, parse, send, start};

/// The bytes or the error of `GET /v1/users`.
fn raw_users(sim: &Sim) -> std::io::Result<Vec<u8>> {
    let key = format!("Authorization: Bearer {}\r\n", sim.key());
    exchange(sim, "GET", "/v1/users", &key, "")
}

/// A status comes for the requests that are meant, as often as was asked for.
#[test]
fn status_nth_times_and_always() {
    let sim = start(50, 5, 10);
    sim.fault(Fault::status(500).on_path("/v1/users").nth(3).times(2));
    let statuses: Vec<u16> = (0..6).map(|_| get(&sim, "/users").status).collect();
    assert_eq!(statuses, [200, 200, 500, 500, 200, 200]);
    assert_eq!(get(&sim, "/organizations").status, 200);
    let seen: Vec<Option<u16>> = sim.requests().iter().map(|request| request.status()).collect();
    assert_eq!(seen[2], Some(500));

    sim.fault(Fault::status(503).under("/v1/").with("offset", "20").always());
    assert_eq!(get(&sim, "/users?offset=20").status, 503);
    assert_eq!(get(&sim, "/organizations?offset=20").status, 503);
    assert_eq!(get(&sim, "/users?offset=2").status, 200);
    sim.clear_faults();
    assert_eq!(get(&sim, "/users?offset=20").status, 200);

    let last_page = When::any().test(|request| request.parameter("offset").is_some_and(|offset| offset > "40"));
    sim.fault(Fault::too_many_requests(7).when(last_page));
    assert_eq!(get(&sim, "/users?offset=40").status, 200);
    let reply = get(&sim, "/users?offset=41");
    assert_eq!((reply.status, reply.header("retry-after")), (429, Some("7")));
    assert_eq!(reply.code(), "too_many_requests");
}

/// A reset comes before any byte of an answer.
#[test]
fn reset() {
    let sim = start(5, 0, 0);
    sim.fault(Fault::reset());
    let error = raw_users(&sim).expect_err("a reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(sim.requests()[0].outcome, Outcome::Reset);
    assert!(raw_users(&sim).is_ok());
}

/// A cut body is shorter than announced.
#[test]
fn cut_body() {
    for users in [5, 500] {
        let sim = start(users, 0, 0);
        let whole = raw_users(&sim).expect("an answer");
        sim.fault(Fault::cut());
        let cut = raw_users(&sim).expect("an answer that ends");
        let split = |bytes: &[u8]| -> (String, String) {
            let text = String::from_utf8_lossy(bytes);
            let (head, body) = text.split_once("\r\n\r\n").expect("a head");
            (head.to_owned(), body.to_owned())
        };
        let ((head, body), (whole_head, whole_body)) = (split(&cut), split(&whole));
        let length = |head: &str| head.lines().find(|line| line.starts_with("content-length")).map(str::to_owned);
        assert_eq!(length(&head), length(&whole_head));
        assert!(!body.is_empty() && body.len() < whole_body.len());
        assert!(whole_body.starts_with(body.trim_end_matches('\u{fffd}')));
    }
}

/// Wrong bodies are well framed.
#[test]
fn cut_json_html_and_other_bodies() {
    let sim = start(5, 0, 0);
    let whole = get(&sim, "/users").body;
    sim.fault(Fault::cut_json());
    let reply = get(&sim, "/users");
    assert_eq!((reply.status, reply.header("content-length")), (200, Some(reply.body.len().to_string().as_str())));
    assert_eq!(reply.body, whole[..whole.len() / 2]);

    sim.fault(Fault::html());
    let reply = get(&sim, "/users");
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("text/html; charset=utf-8")));

    sim.fault(Fault::body(200, r#"{"data":null}"#));
    assert_eq!(get(&sim, "/users").body, r#"{"data":null}"#);
}

/// Silence lasts until the client goes.
#[test]
fn silence() {
    let sim = start(5, 0, 0);
    sim.fault(Fault::silence());
    let mut stream = send(&sim, "GET", "/v1/users", "", "").expect("a connection");
    stream.set_read_timeout(Some(Duration::from_millis(300))).expect("a timeout");
    let error = stream.read(&mut [0; 1]).expect_err("nothing");
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
    assert_eq!(sim.requests()[0].outcome, Outcome::Pending);
    drop(stream);
    wait_until("the simulator notices", || sim.requests()[0].outcome == Outcome::Abandoned);
    assert_eq!(get(&sim, "/users").status, 200);
}

/// A simulator stops in the middle of silence.
#[test]
fn stop_during_silence() {
    let sim = start(5, 0, 0);
    sim.fault(Fault::silence());
    let mut stream = send(&sim, "GET", "/v1/users", "", "").expect("a connection");
    wait_until("the request has arrived", || sim.request_count() > 0);
    drop(sim);
    assert!(!matches!(stream.read(&mut [0; 1]), Ok(1)), "the connection has ended");
}

/// Answers can be slow, all of them or one.
#[test]
fn latency_and_slow_answers() {
    let sim = start(5, 0, 0);
    sim.set_latency(Duration::from_millis(100));
    sim.fault(Fault::slow(Duration::from_secs(2)));
    let time = || {
        let began = Instant::now();
        assert_eq!(get(&sim, "/users").status, 200);
        began.elapsed()
    };
    assert!(time() >= Duration::from_millis(2100));
    assert!((Duration::from_millis(100)..Duration::from_millis(2100)).contains(&time()));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| get(&sim, "/users").status);
        }
    });
    assert!(sim.in_flight_peak() > 1);
}

/// A page can repeat the one before.
#[test]
fn repeat_page() {
    let sim = start(50, 0, 0);
    sim.fault(Fault::repeat_page().has("offset"));
    let first = get(&sim, "/users?limit=10").body;
    assert_eq!(get(&sim, "/users?limit=10&offset=10").body, first);
    assert_ne!(get(&sim, "/users?limit=10&offset=20").body, first);
}

/// A page can end too early.
#[test]
fn short_page() {
    let sim = start(50, 20, 0);
    sim.fault(Fault::short_page(3).on_path("/v1/users"));
    let short = get(&sim, "/users?limit=10").ids();
    assert_eq!(short, get(&sim, "/users?limit=10").ids()[..3]);
    sim.fault(Fault::short_page(0).on_path("/v1/organizations"));
    let empty = get(&sim, "/organizations?limit=10");
    assert_eq!((empty.ids().len(), empty.total()), (0, 20));
}

/// A count can be wrong or missing.
#[test]
fn miscount_and_no_count() {
    let sim = start(50, 20, 0);
    sim.fault(Fault::miscount(-3).on_path("/v1/organizations"));
    sim.fault(Fault::miscount(7).on_path("/v1/users/count"));
    let reply = get(&sim, "/organizations?limit=10");
    assert_eq!((reply.ids().len(), reply.total()), (10, 17));
    assert_eq!(get(&sim, "/users/count").total(), 57);
    for target in ["/organizations", "/users/count"] {
        sim.fault(Fault::no_count());
        assert_eq!(get(&sim, target).json().get("total_count"), None, "{target}");
        assert!(get(&sim, target).total() > 0);
    }
    // Lies go together.
    sim.fault(Fault::short_page(4).always());
    sim.fault(Fault::miscount(1).always());
    let reply = get(&sim, "/organizations");
    assert_eq!((reply.ids().len(), reply.total()), (4, 21));
}

/// Objects that are equal in an order can change places.
#[test]
fn unstable_ties() {
    let sim = start(0, 0, 0);
    let user = |at: i64| sim.create_user(json!({ "created_at": at, "updated_at": 9 })).expect("a user");
    let first = user(1);
    let mut equals: Vec<String> = (0..20).map(|_| user(2)).collect();
    let last = user(3);
    equals.sort();
    let stable = get(&sim, "/users?order_by=created_at&limit=50").ids();
    sim.fault(Fault::unstable_ties().always());
    let one = get(&sim, "/users?order_by=created_at&limit=50").ids();
    let other = get(&sim, "/users?order_by=created_at&limit=50").ids();
    assert!(one != other && one != stable);
    assert_eq!((&one[0], &one[21]), (&first, &last));
    let mut middle = one[1..21].to_vec();
    middle.sort();
    assert_eq!(middle, equals);
    let behind = |id: &str| get(&sim, &format!("/users?order_by=created_at&limit=50&starting_after={id}")).ids();
    assert_eq!(behind(&first).len(), 21);
    assert_eq!(behind(&last).len(), 0);
    let lengths: Vec<usize> = (0..5).map(|_| behind(&equals[7]).len()).collect();
    assert!(lengths.iter().any(|length| *length != lengths[0]), "{lengths:?}");
    let by_change = || get(&sim, "/users?order_by=updated_at&limit=50").ids();
    assert_ne!(by_change(), by_change());
}

/// Requests are kept as they came.
#[test]
fn request_log() {
    let sim = start(5, 0, 0);
    get(&sim, "/users?user_id=a%2Bb&user_id=c&order_by=-created_at");
    let requests = sim.requests();
    let request = &requests[0];
    assert_eq!((request.method.as_str(), request.path.as_str(), request.key), ("GET", "/v1/users", Some(0)));
    assert_eq!(request.target, "/v1/users?user_id=a%2Bb&user_id=c&order_by=-created_at");
    assert_eq!(request.parameters("user_id"), ["a+b", "c"]);
    assert_eq!(request.parameter("order_by"), Some("-created_at"));
    assert_eq!(request.status(), Some(200));
    sim.clear_requests();
    assert_eq!(sim.request_count(), 0);
}

/// Objects can change just before a request.
#[test]
fn change_before_a_request() {
    let sim = start(20, 2, 10);
    let users = sim.users();
    let (gone, renamed) = (users[5].id.clone(), users[6].id.clone());
    let (tell, told) = mpsc::channel();
    let change = (gone.clone(), renamed.clone());
    sim.before(When::path("/v1/users").nth(2), move |state| {
        state.delete_user(&change.0).expect("a user");
        state.update_user(&change.1, json!({ "first_name": "Grace" })).expect("a user");
        let new = state.create_user(json!({ "username": "late" })).expect("a user");
        tell.send(new).expect("a listener");
    });
    let base = "/users?limit=5&order_by=created_at";
    let first = get(&sim, base).ids();
    let second = get(&sim, &format!("{base}&starting_after={}", first[4])).objects();
    assert_eq!(id(&second[0]), renamed);
    assert_eq!(second[0]["first_name"], "Grace");
    let new = told.recv().expect("an id");
    assert_eq!(get(&sim, "/users?limit=1").ids(), [new], "the newest");
    assert_eq!(get(&sim, &format!("/users/{gone}")).status, 404);
    assert_eq!(get(&sim, &format!("/users?starting_after={gone}")).code(), "form_resource_not_found");
}

/// Memberships follow changes of their user and organization.
#[test]
fn memberships_follow_user_and_organization() {
    let sim = start(0, 0, 0);
    let user = sim.create_user(json!({ "first_name": "Ada", "username": "ada" })).expect("a user");
    let other = sim.create_user(json!({ "created_at": 1_700_000_000_000_i64 })).expect("a user");
    let organization = sim.create_organization(json!({ "name": "Engines", "slug": "engines" })).expect("one");
    let membership = sim.create_membership(&user, &organization, json!({})).expect("one");
    sim.create_membership(&other, &organization, json!({ "role": "org:admin" })).expect("one");
    sim.update_user(&user, json!({ "first_name": "Grace" })).expect("a user");
    sim.update_organization("engines", json!({})).expect_err("changes are by id");
    sim.update_organization(&organization, json!({ "name": "Motors" })).expect("one");
    sim.update_membership(&membership, json!({ "role": "org:admin" })).expect("one");
    assert_eq!(get(&sim, "/users?order_by=created_at").ids()[0], other);

    let shown = &get(&sim, &format!("/users/{user}/organization_memberships")).objects()[0];
    assert_eq!(shown["public_user_data"]["first_name"], "Grace");
    assert_eq!(shown["public_user_data"]["identifier"], "ada");
    assert_eq!(shown["organization"]["name"], "Motors");
    assert_eq!((&shown["role"], &shown["role_name"]), (&json!("org:admin"), &json!("Admin")));
    assert!(shown["updated_at"].as_i64() > shown["created_at"].as_i64());

    sim.delete_user(&user).expect("a user");
    assert_eq!(get(&sim, "/organization_memberships").total(), 1);
    sim.delete_organization(&organization).expect("one");
    assert_eq!(get(&sim, "/organization_memberships").total(), 0);
    sim.delete_membership(&membership).expect_err("it went with its user");
    assert!(sim.create_membership(&user, &organization, json!({})).is_err());
    assert!(sim.create_user(json!({ "id": other })).is_err(), "the id is taken");
    assert!(sim.create_user(json!(["not", "an", "object"])).is_err());
    assert!(sim.create_user(json!({ "banned": "perhaps" })).is_err());
}

/// The keys can come to belong to another instance.
#[test]
fn set_instance() {
    let sim = start(5, 0, 0);
    let first = sim.instance();
    assert_eq!(first.len(), "ins_".len() + 27);
    assert_eq!(get(&sim, "/instance").json()["id"], first);
    assert_eq!(start(9, 0, 0).instance(), first);
    let other = Sim::start(Config { seed: 2, ..Config::default() }).expect("a simulator");
    assert_ne!(other.instance(), first);

    sim.before(When::path("/v1/instance").nth(2), |state| state.set_instance("ins_second"));
    assert_eq!(get(&sim, "/instance").json()["id"], first);
    assert_eq!(get(&sim, "/instance").json()["id"], "ins_second");
    assert_eq!(control(&sim, "PUT", "/instance", r#"{"id":"ins_third"}"#).status, 204);
    assert_eq!(sim.instance(), "ins_third");

    sim.fault(Fault::status(503).on_path("/v1/instance"));
    assert_eq!(get(&sim, "/instance").status, 503);
    assert_eq!(sim.request_count(), 4);
}

/// Other programs have the same control over HTTP.
#[test]
fn control_over_http() {
    let sim = start(3, 1, 1);
    let reply = control(&sim, "POST", "/users", r#"{"first_name":"Ada","unsafe_metadata":{"lone":"\ud800"}}"#);
    assert!(reply.body.contains(r#""unsafe_metadata":{"lone":"\ud800"}"#), "{}", reply.body);
    let user = id(&parse(&reply.body));
    let reply = control(&sim, "PATCH", &format!("/users/{user}"), r#"{"last_name":"Lovelace"}"#);
    assert_eq!((reply.status, reply.json()["last_name"].as_str()), (200, Some("Lovelace")));
    let organization = id(&control(&sim, "POST", "/organizations", r#"{"name":"Engines"}"#).json());
    let body = json!({ "user_id": user, "organization_id": organization, "role": "org:admin" });
    let membership = control(&sim, "POST", "/memberships", &body.to_string()).json();
    assert_eq!(membership["public_user_data"]["last_name"], "Lovelace");
    assert_eq!(membership["role_name"], "Admin");
    assert_eq!(control(&sim, "DELETE", &format!("/memberships/{}", id(&membership)), "").status, 204);

    let fault = r#"{"kind":"status","status":429,"retry_after":3,"path":"/v1/users","params":{"limit":null},"nth":2}"#;
    assert_eq!(control(&sim, "POST", "/faults", fault).status, 204);
    let statuses: Vec<u16> =
        ["", "?limit=1", "?limit=1", "?limit=1"].map(|q| get(&sim, &format!("/users{q}")).status).into();
    assert_eq!(statuses, [200, 200, 429, 200]);
    assert_eq!(control(&sim, "POST", "/faults", r#"{"kind":"short_page","objects":2}"#).status, 204);
    assert_eq!(get(&sim, "/users").ids().len(), 2);
    assert_eq!(control(&sim, "POST", "/faults", r#"{"kind":"reset","times":null}"#).status, 204);
    assert!(raw_users(&sim).is_err() && raw_users(&sim).is_err());
    assert_eq!(control(&sim, "DELETE", "/faults", "").status, 204);
    assert!(raw_users(&sim).is_ok());
    for wrong in [r#"{"kind":"earthquake"}"#, "{}", "nonsense"] {
        assert_eq!(control(&sim, "POST", "/faults", wrong).status, 400, "{wrong}");
    }

    assert_eq!(control(&sim, "PUT", "/latency", r#"{"ms":50}"#).status, 204);
    let began = Instant::now();
    get(&sim, "/users");
    assert!(began.elapsed() >= Duration::from_millis(50));
    let requests = control(&sim, "GET", "/requests", "").json();
    assert_eq!(requests[0]["path"], "/v1/users");
    assert_eq!(requests[2]["outcome"]["status"], 429);
    let count = control(&sim, "GET", "/requests/count", "").json();
    assert_eq!(count["count"], requests.as_array().map(Vec::len).unwrap_or_default());
    control(&sim, "DELETE", "/requests", "");
    assert_eq!(control(&sim, "GET", "/requests/count", "").json()["count"], 0);
}
