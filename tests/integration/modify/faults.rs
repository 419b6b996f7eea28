//! What goes wrong on the way to Clerk: exactly one object, or an error that says what is not known; never two objects.

use std::time::{Duration, Instant};

use clerk_sim::Fault;
use postgres::error::{DbError, SqlState};

use crate::support::*;

const INSERT: &str = "INSERT INTO clerk.organizations (name) VALUES ('fault')";

/// A kind of fault at an insert.
struct Case {
    name: &'static str,
    fault: Fault,
    /// How many of these organizations may be there afterwards.
    made: &'static [usize],
    /// The SQLSTATE of the error; none if it succeeds.
    code: Option<&'static str>,
    /// How many requests are sent.
    requests: usize,
}

fn cases() -> Vec<Case> {
    let case = |name, fault, made, code, requests| Case { name, fault, made, code, requests };
    vec![
        case("429", Fault::too_many_requests(1), &[1][..], None, 2),
        case("500", Fault::status(500), &[0], Some("08007"), 1),
        case("502", Fault::status(502), &[0], Some("08007"), 1),
        case("503", Fault::status(503), &[0], Some("08007"), 1),
        case("403", Fault::status(403), &[0], Some("28000"), 1),
        case("422", Fault::status(422), &[0], Some("HV000"), 1),
        case("reset", Fault::reset(), &[0], Some("08007"), 1),
        case("lost answer", Fault::lose_answer(), &[1], Some("08007"), 1),
        case("withheld answer", Fault::withhold_answer(), &[1], Some("08007"), 1),
        case("silence", Fault::silence(), &[0], Some("08007"), 1),
        case("cut", Fault::cut(), &[1], Some("08007"), 1),
    ]
}

fn failing(world: &World, statement: &str) -> Option<Box<DbError>> {
    world.try_column::<String>(statement).err()
}

/// One object or an honest error after every fault, with RETURNING, without it, and through COPY.
#[test]
fn inserts() {
    let world = writable_with(small(), "timeout_ms '1500', max_retries '3'");
    for returning in ["", " RETURNING name"] {
        for case in cases() {
            let context = format!("{}{returning}", case.name);
            world.requests();
            world.sim.fault(case.fault.on_method("POST"));
            let error = failing(&world, &format!("{INSERT}{returning}"));
            world.sim.clear_faults();
            assert_eq!(
                error.as_ref().map(|error| error.code().code().to_owned()).as_deref(),
                case.code,
                "{context}: {error:?}"
            );
            assert_eq!(count_writes(&world), case.requests, "{context}");
            let made = named(&world, "fault");
            assert!(case.made.contains(&made), "{context}: {made} were made");
            if let Some(error) = error.filter(|error| error.code().code() == "08007") {
                let text = error_text(&error);
                assert!(text.contains("POST /organizations"), "{context}: {text}");
                assert!(
                    text.contains("No row of this statement had reached Clerk; row 1 was next."),
                    "{context}: {text}"
                );
                assert!(error.hint().is_some_and(|hint| hint.contains("SELECT")), "{context}: {text}");
            }
            world.run("DELETE FROM clerk.organizations WHERE name = 'fault'");
        }
    }
}

/// Requests that can be repeated are, until they succeed: PATCH, DELETE, and POST that brings something into a state.
#[test]
fn repeatable() {
    let world = writable_with(small(), "timeout_ms '1500', max_retries '2'");
    let faults = [
        ("429", Fault::too_many_requests(1)),
        ("500", Fault::status(500)),
        ("reset", Fault::reset()),
        ("lost answer", Fault::lose_answer()),
        ("cut", Fault::cut()),
        ("silence", Fault::silence()),
    ];
    for (name, fault) in faults {
        world.run("INSERT INTO clerk.organizations (name, slug) VALUES ('before', 'slug-of-it')");
        let user = world.sim.users()[0].id.clone();
        let statements = [
            (
                "PATCH",
                "UPDATE clerk.organizations SET name = 'after' WHERE slug = 'slug-of-it' RETURNING name".to_owned(),
            ),
            (
                "POST",
                format!("UPDATE clerk.users SET banned = NOT banned WHERE user_id = '{user}' RETURNING banned::text"),
            ),
            ("DELETE", "DELETE FROM clerk.organizations WHERE slug = 'slug-of-it' RETURNING name".to_owned()),
        ];
        for (method, statement) in statements {
            let context = format!("{method} after {name}");
            world.requests();
            world.sim.fault(fault.clone().on_method(method));
            let rows = world.try_column::<String>(&statement);
            world.sim.clear_faults();
            assert_eq!(count_writes(&world), 2, "{context}");
            match rows {
                Ok(rows) => assert_eq!(rows.len(), 1, "{context}"),
                Err(error) => panic!("{context}: {error:?}"),
            }
        }
        assert_eq!((named(&world, "before"), named(&world, "after")), (0, 0));
    }
    // For ever is too long.
    world.sim.fault(Fault::status(500).on_method("DELETE").always());
    world.run("INSERT INTO clerk.organizations (name, slug) VALUES ('before', 'slug-of-it')");
    let error = world.error("DELETE FROM clerk.organizations WHERE slug = 'slug-of-it'");
    assert!(["08006", "08007"].contains(&error.code().code()), "{error:?}");
    world.sim.clear_faults();
}

/// Of rows in flight side by side each is made once or told, whatever the fault is and whichever request meets it.
#[test]
fn beside_each_other() {
    let world = writable_with(small(), "timeout_ms '1500', max_concurrency '4'");
    let values: Vec<_> = (0..12).map(|number| format!("('row {number}')")).collect();
    let statement = format!("INSERT INTO clerk.organizations (name) VALUES {}", values.join(", "));
    for case in cases() {
        for nth in [1, 5, 12] {
            let context = format!("{} at request {nth}", case.name);
            world.sim.fault(case.fault.clone().on_method("POST").nth(nth));
            world.requests();
            world.notices();
            let error = failing(&world, &statement);
            world.sim.clear_faults();
            let count: Vec<usize> = (0..12).map(|number| named(&world, &format!("row {number}"))).collect();
            assert!(count.iter().all(|count| *count <= 1), "{context}: {count:?}");
            let made: usize = count.iter().sum();
            match error {
                None => assert_eq!((made, case.code), (12, None), "{context}"),
                Some(error) => {
                    assert_eq!(Some(error.code().code()), case.code, "{context}: {error:?}");
                    let detail = error.detail().unwrap_or_default();
                    let told = match detail.split(' ').next() {
                        Some("No") => 0,
                        Some(number) => number.parse::<usize>().unwrap_or(99),
                        None => 99,
                    };
                    // Whatever is not known of one row is known of all others.
                    let lost = usize::from(case.made == [1] && case.code.is_some());
                    assert_eq!(told + lost, made, "{context}: {detail}");
                }
            }
            world.run("DELETE FROM clerk.organizations WHERE name LIKE 'row %'");
        }
    }
}

/// A cancel during a slow answer waits for it, so that it is known what has happened.
#[test]
fn cancel() {
    let world = writable_with(small(), "timeout_ms '30000'");
    for way in ["cancel", "timeout"] {
        world.sim.fault(Fault::slow(Duration::from_millis(3000)).on_method("POST"));
        world.requests();
        let (error, took, told) = interrupted(&world, way, INSERT);
        assert_eq!(error.code(), Some(&SqlState::QUERY_CANCELED), "{error:?}");
        assert!(took >= Duration::from_millis(1500), "{way}: it did not wait for the answer: {took:?}");
        assert_eq!(count_writes(&world), 1);
        assert_eq!(named(&world, "fault"), 1, "{way}");
        assert_eq!(
            told.last().map(String::as_str),
            Some(
                "WARNING: the transaction was rolled back, but what it wrote to Clerk stays there (rows inserted into \
                 organizations: 1)"
            ),
            "{way}: {told:?}"
        );
        world.sim.clear_faults();
        world.run("DELETE FROM clerk.organizations WHERE name = 'fault'");
    }
}

/// A cancel does not wait for an answer that does not come: then it is not known, and that is told.
#[test]
fn cancel_in_silence() {
    let world = writable_with(small(), "timeout_ms '60000'");
    world.sim.fault(Fault::withhold_answer().on_method("POST"));
    let (error, took, told) = interrupted(&world, "cancel", INSERT);
    assert_eq!(error.code(), Some(&SqlState::QUERY_CANCELED), "{error:?}");
    assert!(took < Duration::from_secs(12), "{took:?}");
    assert!(told.iter().any(|told| told.contains("it is not known whether Clerk did this")), "{told:?}");
    assert!(told.iter().any(|told| told.contains("perhaps rows inserted into organizations: 1")), "{told:?}");
    assert_eq!(named(&world, "fault"), 1);
    world.assert_quiet("after the cancel");
}

/// Of many rows those in flight come back, and no other is sent.
#[test]
fn cancel_many() {
    let world = writable_with(small(), "max_concurrency '2'");
    world.sim.set_latency(Duration::from_millis(400));
    world.requests();
    let insert = "INSERT INTO clerk.organizations (name) SELECT 'fault' FROM generate_series(1, 50)";
    let (error, _, told) = interrupted(&world, "cancel", insert);
    assert_eq!(error.code(), Some(&SqlState::QUERY_CANCELED), "{error:?}");
    world.sim.set_latency(Duration::ZERO);
    let sent = count_writes(&world);
    assert!((2..=6).contains(&sent), "{sent} were sent");
    assert_eq!(named(&world, "fault"), sent);
    let warning = format!("(rows inserted into organizations: {sent})");
    assert!(told.last().is_some_and(|told| told.ends_with(&warning)), "{told:?}");
    world.assert_quiet("after the cancel");
}

/// While a write only waits for its turn, nothing has to be waited for.
#[test]
fn cancel_while_pacing() {
    let world = writable_with(small(), "rate_limit '1'");
    world.run("INSERT INTO clerk.organizations (name) VALUES ('first')");
    world.requests();
    let insert = "INSERT INTO clerk.organizations (name) SELECT 'paced' FROM generate_series(1, 200)";
    let (error, took, _) = interrupted(&world, "cancel", insert);
    assert_eq!(error.code(), Some(&SqlState::QUERY_CANCELED), "{error:?}");
    assert!(took < Duration::from_millis(2500), "{took:?}");
    assert_eq!(named(&world, "paced"), count_writes(&world));
}

/// A backend that is to end does so, with what it has sent done once.
#[test]
fn terminate() {
    let world = writable_with(small(), "timeout_ms '60000'");
    world.sim.fault(Fault::slow(Duration::from_millis(1000)).on_method("POST"));
    let (error, took, _) = interrupted(&world, "terminate", INSERT);
    // The client may see the connection's end before the words that precede it.
    assert!(error.is_closed() || error.code() == Some(&SqlState::ADMIN_SHUTDOWN), "{error:?}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(named(&world, "fault"), 1);
    // After the crash of a backend the server would have ended this connection, too.
    assert_eq!(world.one::<i32>("SELECT 1"), 1);
}

/// A statement that is interrupted while its request is on the way: its error, how long it went on after the interruption,
/// and what was said.
fn interrupted(world: &World, way: &str, statement: &str) -> (postgres::Error, Duration, Vec<String>) {
    let session = world.connect();
    if way == "timeout" {
        session.run("SET statement_timeout = '500ms'");
    }
    let (pid, canceller) = (session.pid(), session.canceller());
    let (error, session, took) = std::thread::scope(|scope| {
        let writing = scope.spawn(move || {
            let error = session.client().batch_execute(statement).unwrap_err();
            (error, session)
        });
        wait_until("it writes", || world.sim.requests().iter().any(|request| request.method == "POST"));
        std::thread::sleep(Duration::from_millis(300));
        let start = Instant::now();
        match way {
            "cancel" => canceller.cancel_query(postgres::NoTls).unwrap(),
            "terminate" => drop(world.rows(&format!("SELECT pg_terminate_backend({pid})"))),
            _ => {}
        }
        let (error, session) = writing.join().unwrap();
        (error, session, start.elapsed())
    });
    if way == "timeout" {
        session.run("RESET statement_timeout");
    }
    let _ = session.client().batch_execute("");
    (error, took, session.notices())
}
