//! Requests side by side, and connections that are kept.

use std::io::copy;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use clerk_sim::Config;

use crate::support::*;

/// Reading stops when Postgres stops asking.
#[test]
fn prefetch_stops_without_demand() {
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
        wait_until("nothing more is read though nobody asks", || {
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
fn connections_are_kept_alive() {
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
fn max_concurrency() {
    let config = Config { users: 1000, organizations: 200, latency: Duration::from_millis(10), ..small() };
    let world = World::with(config, "page_size '10', max_concurrency '3'");
    for table in ["users", "organizations"] {
        world.rows(&format!("SELECT * FROM clerk.{table}"));
        assert_eq!(world.sim.in_flight_peak(), 3, "{table}");
    }
}

const BACKENDS: usize = 16;

/// Sixteen backends at once, without any limit, each with queries of its own.
#[test]
fn sixteen_backends_at_once() {
    let world = World::with(Config { users: 400, memberships: 500, ..small() }, "page_size '50'");
    let users = ids(&world.sim.users());
    let sessions: Vec<_> = (0..BACKENDS).map(|_| world.connect()).collect();
    thread::scope(|scope| {
        for (number, session) in sessions.into_iter().enumerate() {
            let users = &users;
            scope.spawn(move || {
                for round in 0..5 {
                    let context = format!("backend {number}, round {round}");
                    let id = &users[(number * 31 + round * 7) % users.len()];
                    let one = format!("SELECT user_id FROM clerk.users WHERE user_id = '{id}'");
                    assert_eq!(session.column::<String>(&one), [id.as_str()], "{context}");
                    assert_eq!(session.rows("SELECT * FROM clerk.users LIMIT 7").len(), 7, "{context}");
                    assert_same_ids(session.column("SELECT user_id FROM clerk.users"), users, &context);
                }
            });
        }
    });
}
