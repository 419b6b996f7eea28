//! What is asked of Clerk, and how fast.

use std::io::copy;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use clerk_sim::{Config, Fault};

use crate::common::*;

/// A LIMIT on a whole table asks for as many objects as it needs, in one request.
#[test]
fn limit_asks_for_as_many_objects_as_it_needs() {
    let world = World::new(Config { users: 1200, organizations: 30, ..small() });
    for (table, path) in [
        ("users", "/v1/users"),
        ("organizations", "/v1/organizations"),
        ("organization_memberships", "/v1/organization_memberships"),
    ] {
        for (limit, asked) in [("LIMIT 10", 10), ("LIMIT 3 OFFSET 4", 7), ("FETCH FIRST ROW ONLY", 1)] {
            world.rows(&format!("SELECT * FROM clerk.{table} {limit}"));
            let requests = world.requests();
            assert_eq!(requests.len(), 1, "{table} {limit}: {requests:?}");
            assert_eq!(requests[0].path, path);
            assert_eq!(requests[0].parameter("limit"), Some(asked.to_string().as_str()));
        }
    }
    world.run("PREPARE few(int) AS SELECT user_id FROM clerk.users LIMIT $1");
    assert_eq!(world.rows("EXECUTE few(20)").len(), 20);
    assert_eq!(world.requests().len(), 1);
}

/// LIMIT 0 and conditions that are false ask for nothing.
#[test]
fn nothing_is_asked_for_nothing() {
    let world = World::new(small());
    world.run(
        "PREPARE by_id(text) AS SELECT * FROM clerk.users WHERE user_id = $1; SET plan_cache_mode = force_generic_plan",
    );
    for query in [
        "SELECT * FROM clerk.users LIMIT 0",
        "SELECT * FROM clerk.users WHERE user_id = NULL",
        "SELECT * FROM clerk.users WHERE false",
        "EXECUTE by_id(NULL)",
        "EXECUTE by_id(NULL)",
        "SELECT * FROM clerk.users WHERE user_id = (SELECT NULL::text)",
        "SELECT * FROM clerk.organization_memberships WHERE organization_id = (SELECT NULL::text)",
        "EXPLAIN (VERBOSE) SELECT * FROM clerk.users",
    ] {
        let _ = world.rows(query);
        assert_eq!(world.targets(), [""; 0], "{query}");
    }
}

/// One user or organization by its id is one request for just that one.
#[test]
fn one_object_by_id_is_one_request() {
    let world = World::new(small());
    let user = world.sim.users()[17].id.clone();
    let organization = world.sim.organizations()[3].id.clone();
    for (query, id, path) in [
        ("SELECT user_id FROM clerk.users WHERE user_id = '{}'", &user, "/v1/users"),
        ("SELECT user_id FROM clerk.users WHERE '{}' = user_id AND email <> ''", &user, "/v1/users"),
        ("SELECT user_id FROM clerk.users WHERE user_id = (SELECT '{}')", &user, "/v1/users"),
        (
            "SELECT organization_id FROM clerk.organizations WHERE organization_id = '{}' LIMIT 1",
            &organization,
            "/v1/organizations",
        ),
    ] {
        assert_eq!(world.column::<String>(&query.replace("{}", id)), [id.as_str()], "{query}");
        assert_eq!(world.targets(), [format!("{path}/{id}")], "{query}");
    }
    assert_eq!(world.rows("SELECT * FROM clerk.users WHERE user_id = 'user_nobody'").len(), 0);
    assert_eq!(world.targets(), ["/v1/users/user_nobody"]);
}

/// A slug in the place of an id finds the organization at Clerk, but it is not what the query asked for.
#[test]
fn postgres_has_the_last_word_on_ids() {
    let world = World::new(small());
    let slug: String = world.one("SELECT slug FROM clerk.organizations LIMIT 1");
    assert_eq!(world.rows(&format!("SELECT * FROM clerk.organizations WHERE organization_id = '{slug}'")).len(), 0);
    let members = format!("SELECT * FROM clerk.organization_memberships WHERE organization_id = '{slug}'");
    assert_eq!(world.rows(&members).len(), 0);
}

/// Whatever stands in a query as an id, it is data: it never reaches another endpoint.
#[test]
fn an_id_never_reaches_another_endpoint() {
    let world = World::new(small());
    let user = world.sim.users()[0].id.clone();
    let with_count = format!("{user}?include_members_count=true");
    let below = format!("{user}/organization_memberships");
    let hostile = [
        "",
        ".",
        "..",
        "../organizations",
        "../users",
        "..\\organizations",
        "%2e%2e",
        "..%2forganizations",
        "/",
        "//",
        "//example.com/",
        "a/b?c#d%2e",
        "?limit=500",
        "#",
        "&",
        "count",
        " ",
        "\t\n",
        "\u{1}",
        "é",
        "🦀",
        "user_%",
        "'\"",
        "@example.com",
        "http://example.com/",
        &with_count,
        &below,
    ];
    for (table, column, path) in [
        ("users", "user_id", "/v1/users/"),
        ("organizations", "organization_id", "/v1/organizations/"),
        ("organization_memberships", "organization_id", "/v1/organizations/"),
    ] {
        for id in hostile {
            let query = format!("SELECT * FROM clerk.{table} WHERE {column} = $1");
            let result = world.client().query(&query, &[&id]);
            // `count` is the one id that names another endpoint: what comes back is no user.
            match result {
                Ok(rows) => assert_eq!(rows.len(), 0, "{query} {id:?}"),
                Err(_) if id == "count" && table == "users" => {}
                Err(error) => panic!("{error:?} for {id:?}"),
            }
            for target in world.targets() {
                let rest = target.strip_prefix(path).unwrap_or_else(|| panic!("{id:?} became {target}"));
                let ours = ["/memberships?order_by=created_at&limit=500", "?include_members_count=true"];
                let rest = ours.iter().find_map(|ours| rest.strip_suffix(ours)).unwrap_or(rest);
                assert!(!rest.contains(['/', '?', '#', '\\', ' ']), "{id:?} became {target}");
                assert!(!["", ".", ".."].contains(&rest), "{id:?} became {target}");
            }
        }
    }
}

/// Members are counted by Clerk only for queries that use the count.
#[test]
fn members_are_counted_only_when_used() {
    let world = World::with(small(), "page_size '3'");
    world.rows("SELECT organization_id, name, attrs FROM clerk.organizations");
    assert!(world.requests().iter().all(|request| request.parameter("include_members_count").is_none()));

    let total: i64 = world.one("SELECT sum(members_count)::bigint FROM clerk.organizations");
    assert_eq!(total, world.sim.memberships().len() as i64);
    let requests = world.requests();
    assert!(requests.len() > 2 && requests.iter().all(|r| r.parameter("include_members_count") == Some("true")));

    world.rows("SELECT name FROM clerk.organizations WHERE members_count > 3");
    assert!(world.requests().iter().all(|request| request.parameter("include_members_count") == Some("true")));

    let id = world.sim.organizations()[0].id.clone();
    world.one::<i64>(&format!("SELECT members_count FROM clerk.organizations WHERE organization_id = '{id}'"));
    assert_eq!(world.targets(), [format!("/v1/organizations/{id}?include_members_count=true")]);
}

/// The members of one organization are read from that organization alone, however many they are.
#[test]
fn members_of_one_organization_are_read_from_it_alone() {
    let world = World::with(Config { users: 200, memberships: 700, ..small() }, "page_size '10'");
    let memberships = world.sim.memberships();
    for organization in world.sim.organizations() {
        let id = &organization.id;
        let expected: Vec<_> = memberships.iter().filter(|membership| membership.json.contains(id)).cloned().collect();
        let query = format!("SELECT membership_id FROM clerk.organization_memberships WHERE organization_id = '{id}'");
        assert_eq!(sorted(world.column::<String>(&query)), ids(&expected));
        let paths: Vec<_> = world.requests().into_iter().map(|request| request.path).collect();
        assert!(paths.iter().all(|path| *path == format!("/v1/organizations/{id}/memberships")), "{paths:?}");
    }
    let nobody = "SELECT * FROM clerk.organization_memberships WHERE organization_id = 'org_nobody'";
    assert_eq!(world.rows(nobody).len(), 0);
}

/// Reading stops when Postgres stops asking.
#[test]
fn reading_stops_when_postgres_stops_asking() {
    let config = Config { users: 2000, organizations: 200, memberships: 2000, ..small() };
    let world = World::with(config, "page_size '10', max_concurrency '4'");
    for table in ["users", "organizations", "organization_memberships"] {
        world.rows(&format!("SELECT * FROM clerk.{table} WHERE attrs IS NOT NULL LIMIT 1"));
        // Users may be counted beside their first page.
        let pages = world.requests().iter().filter(|request| request.path != "/v1/users/count").count();
        assert_eq!(pages, 1, "{table}: the first page was enough");

        // A cursor that has read two pages and waits.
        world.run(&format!("BEGIN; DECLARE c CURSOR FOR SELECT * FROM clerk.{table}"));
        assert_eq!(world.rows("FETCH 15 FROM c").len(), 15);
        let mut so_far = 0;
        until("nothing more is read though nobody asks", || {
            let before = std::mem::replace(&mut so_far, world.sim.request_count());
            thread::sleep(Duration::from_millis(300));
            before == so_far
        });
        // Cutting 2,000 users into ranges takes some requests for counts beside those for pages.
        let pages = world.requests().iter().filter(|request| request.path != "/v1/users/count").count();
        assert!(pages <= 14, "{table}: {pages} pages for two");
        world.run("ROLLBACK");
        assert_eq!(world.requests().len(), 0, "{table}");
    }
}

/// TCP connections stay open from query to query.
#[test]
fn connections_survive_from_query_to_query() {
    let world = World::new(Config { users: 1200, ..small() });
    let relay = Relay::start(world.sim.address());
    world.run(&format!("ALTER SERVER clerk OPTIONS (SET api_url 'http://{}/v1')", relay.address));
    let id = &world.sim.users()[0].id;
    for _ in 0..20 {
        world.rows("SELECT user_id FROM clerk.users LIMIT 10");
        world.rows(&format!("SELECT user_id FROM clerk.users WHERE user_id = '{id}'"));
    }
    assert_eq!(relay.connections(), 1, "for {} requests one after the other", world.requests().len());
    for _ in 0..5 {
        assert_eq!(world.one::<i64>("SELECT count(*) FROM clerk.users"), 1200);
    }
    assert!(relay.connections() <= 10, "{} connections for 8 requests at once", relay.connections());
}

/// Passes connections on and counts them.
struct Relay {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Relay {
    fn start(to: SocketAddr) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let relay = Relay { address: listener.local_addr().unwrap(), connections: Arc::default() };
        let connections = Arc::clone(&relay.connections);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                connections.fetch_add(1, Ordering::Relaxed);
                let server = TcpStream::connect(to).unwrap();
                pass(client.try_clone().unwrap(), server.try_clone().unwrap());
                pass(server, client);
            }
        });
        relay
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        let _ = copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
}

/// No more requests are in flight than max_concurrency says.
#[test]
fn requests_in_flight_are_limited() {
    let config = Config { users: 1000, organizations: 200, latency: Duration::from_millis(10), ..small() };
    let world = World::with(config, "page_size '10', max_concurrency '3'");
    for table in ["users", "organizations"] {
        world.rows(&format!("SELECT * FROM clerk.{table}"));
        assert_eq!(world.sim.in_flight_peak(), 3, "{table}");
    }
}

/// request_interval_ms separates the starts of requests.
#[test]
fn an_interval_separates_requests() {
    let world = World::with(Config { users: 200, ..small() }, "page_size '10', request_interval_ms '50'");
    world.rows("SELECT user_id FROM clerk.users");
    world.rows("SELECT organization_id FROM clerk.organizations");
    let requests = world.requests();
    assert!(requests.len() > 20);
    let gaps: Vec<_> = requests.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
    // They start 50 ms apart; on the way one may lose what the next one does not, and on a busy machine some lose much.
    let short = gaps.iter().filter(|gap| **gap < Duration::from_millis(35)).count();
    assert!(short * 4 < gaps.len(), "{gaps:?}");
    let all = requests[requests.len() - 1].at - requests[0].at;
    assert!(all >= Duration::from_millis(50) * (requests.len() as u32 - 1) - Duration::from_millis(250), "{all:?}");
}

/// rate_limit is a token bucket: so many at once, then as many in ten seconds.
#[test]
fn the_rate_limit_is_kept() {
    let world = World::with(Config { organizations: 60, ..small() }, "page_size '2', rate_limit '40'");
    world.rows("SELECT organization_id FROM clerk.organizations");
    let at: Vec<_> = world.requests().into_iter().map(|request| request.at).collect();
    assert!(at.len() >= 50, "{} requests", at.len());
    assert!(at[39] - at[0] < Duration::from_secs(5), "the burst took {:?}", at[39] - at[0]);
    for late in 50..at.len() {
        // From the 41st on, one each 250 ms.
        let least = Duration::from_millis(250) * (late as u32 - 39) - Duration::from_millis(250);
        assert!(at[late] - at[0] >= least, "request {late} came after {:?}", at[late] - at[0]);
    }
}

/// A key of a development instance is paced by what Clerk allows those, a live one by more.
#[test]
fn the_rate_limit_follows_the_key() {
    let keys = vec!["sk_test_simulator".to_owned(), KEY.to_owned()];
    let config = Config { organizations: 41, keys, ..small() };
    let world = World::with(config, "page_size '2'");
    world.run("ALTER SERVER clerk OPTIONS (DROP rate_limit)");
    world.rows("SELECT organization_id FROM clerk.organizations");
    let at: Vec<_> = world.requests().into_iter().map(|request| request.at).collect();
    let last = at[at.len() - 1] - at[0];
    assert!(last >= Duration::from_millis(400) * (at.len() as u32 - 25) - Duration::from_millis(400), "{last:?}");

    world.run(&format!("ALTER USER MAPPING FOR CURRENT_USER SERVER clerk OPTIONS (SET api_key '{KEY}')"));
    world.rows("SELECT organization_id FROM clerk.organizations");
    let requests = world.requests();
    assert!(requests.iter().all(|request| request.key == Some(1)), "the new key is used at once");
    assert!(requests[requests.len() - 1].at - requests[0].at < Duration::from_secs(4));
}

/// After a 429 nothing is asked until the Retry-After is over, by whichever scan of the backend.
#[test]
fn retry_after_makes_everything_wait() {
    let latency = Duration::from_millis(20);
    let config = Config { users: 1000, organizations: 200, memberships: 500, latency, ..small() };
    let world = World::with(config, "page_size '10'");
    for (table, path) in [
        ("users", "/v1/users"),
        ("organizations", "/v1/organizations"),
        ("organization_memberships", "/v1/organization_memberships"),
    ] {
        world.sim.fault(Fault::too_many_requests(3).on_path(path).nth(12));
        let rows = world.rows(&format!("SELECT * FROM clerk.{table}")).len();
        let expected = match table {
            "users" => world.sim.users(),
            "organizations" => world.sim.organizations(),
            _ => world.sim.memberships(),
        };
        assert_eq!(rows, expected.len());
        let requests = world.requests();
        let refused = requests.iter().find(|request| request.status() == Some(429)).expect("a 429");
        // Those in flight may have been on their way when it was answered.
        let from = refused.at + latency + Duration::from_secs(1);
        let to = refused.at + latency + Duration::from_secs(3);
        let early: Vec<_> = requests.iter().filter(|request| from < request.at && request.at < to).collect();
        assert!(early.is_empty(), "{} requests for {table} came too early", early.len());
        assert!(requests.iter().any(|request| request.at >= to));
    }
}

/// Clerk is told which version of its API is meant and who asks.
#[test]
fn requests_say_which_version_they_mean() {
    let world = World::new(small());
    world.rows("SELECT * FROM clerk.users LIMIT 1");
    let requests = world.requests();
    assert_eq!(requests[0].api_version.as_deref(), Some("2026-05-12"));
    assert!(requests[0].user_agent.as_deref().is_some_and(|agent| agent.starts_with("clerk_fdw/")));
    world.run("ALTER SERVER clerk OPTIONS (ADD api_version '2025-04-10')");
    world.rows("SELECT * FROM clerk.users LIMIT 1");
    assert_eq!(world.requests()[0].api_version.as_deref(), Some("2025-04-10"));
}
