//! What goes wrong on the way: the right rows after another try, or an error; never rows that are not all.

use std::time::Duration;

use clerk_sim::{Config, Fault, Sim};

use crate::support::*;

/// A list as a query reads it.
struct List {
    query: &'static str,
    path: &'static str,
    all: fn(&Sim) -> Vec<clerk_sim::Object>,
}

const USERS: List = List { query: "SELECT user_id FROM clerk.users", path: "/v1/users", all: Sim::users };

const ORGANIZATIONS: List = List {
    query: "SELECT organization_id FROM clerk.organizations",
    path: "/v1/organizations",
    all: Sim::organizations,
};

const MEMBERSHIPS: List = List {
    query: "SELECT membership_id FROM clerk.organization_memberships",
    path: "/v1/organization_memberships",
    all: Sim::memberships,
};

/// Every kind of fault, whether another try mends it, and the SQLSTATEs it may end with.
fn kinds() -> Vec<(&'static str, Fault, bool, &'static [&'static str])> {
    vec![
        ("404", Fault::status(404), false, &["HV000"]),
        ("422", Fault::status(422), false, &["HV000"]),
        ("500", Fault::status(500), true, &["08006"]),
        ("503", Fault::status(503), true, &["08006"]),
        ("429", Fault::too_many_requests(1), true, &["08006"]),
        ("reset", Fault::reset(), true, &["08006"]),
        ("cut body", Fault::cut(), true, &["08006"]),
        ("cut JSON", Fault::cut_json(), false, &["HV00L", "HV000"]),
        ("HTML", Fault::html(), false, &["HV00L", "HV000"]),
        ("repeated page", Fault::repeat_page(), false, &["HV000"]),
        ("silence", Fault::silence(), true, &["08006"]),
        ("null", Fault::body(200, "null"), false, &["HV00L", "HV000"]),
        ("a number", Fault::body(200, "7"), false, &["HV00L", "HV000"]),
        ("other objects", Fault::body(200, r#"[{"object":"cat"}]"#), false, &["HV00L", "HV000"]),
        ("an empty object", Fault::body(200, "{}"), false, &["HV00L", "HV000"]),
        ("nothing", Fault::body(200, ""), false, &["HV00L", "HV000"]),
    ]
}

/// The first page whatever is asked for, as from a cache that looks at nothing but the path.
fn first_page(sim: &Sim, page_size: u32, list: &List) -> Fault {
    let objects = (list.all)(sim);
    let page: Vec<_> = objects.iter().take(page_size as usize).map(|object| object.json.as_str()).collect();
    let page = page.join(",");
    Fault::body(
        200,
        match list.path == USERS.path {
            true => format!("[{page}]"),
            false => format!(r#"{{"data":[{page}],"total_count":{}}}"#, objects.len()),
        },
    )
}

/// How requests time out that are to meet a fault. All answers come but for silence, which ends with the timeout: only
/// there it is short, and more tries make up for those that a busy machine does not answer within it.
fn set_timeout(world: &World, kind: &str) {
    let (timeout, retries) = if kind == "silence" { ("500", "3") } else { ("10000", "1") };
    world.run(&format!("ALTER SERVER clerk OPTIONS (SET timeout_ms '{timeout}', SET max_retries '{retries}')"));
}

/// Every fault at the first, a middle and the last request of a list, once and from then on.
fn every_fault(config: Config, page_size: u32, list: &List) {
    let options = format!("page_size '{page_size}', max_retries '1', timeout_ms '10000', rate_limit_timeout_ms '2500'");
    let world = World::with(config, &options);
    let all = ids(&(list.all)(&world.sim));
    assert_same_ids(world.column(list.query), &all, "without a fault");
    let pages = world.requests().iter().filter(|request| request.path == list.path).count() as u64;
    assert!(pages > 2, "{pages} pages");

    let mut kinds = kinds();
    // The page last sent to a reader of users may be another reader's, or a question for the newest one.
    kinds.retain(|(kind, ..)| *kind != "repeated page" || list.path != USERS.path);
    kinds.push(("first page again", first_page(&world.sim, page_size, list), false, &["HV000"]));
    for (kind, fault, passes, codes) in kinds {
        set_timeout(&world, kind);
        for nth in [1, pages / 2 + 1, pages].into_iter().filter(|nth| *nth > 1 || kind != "repeated page") {
            for lasting in [false, true] {
                let place = format!(
                    "{kind} at request {nth} of {pages} to {}, {}",
                    list.path,
                    ["once", "for ever"][usize::from(lasting)]
                );
                let fault = fault.clone().on_path(list.path).nth(nth);
                world.wait_until_idle();
                world.sim.clear_requests();
                world.sim.fault(if lasting { fault.always() } else { fault });
                match world.try_column::<String>(list.query) {
                    Ok(rows) => {
                        assert_same_ids(rows, &all, &place);
                        // Readers side by side may do with fewer requests than the last time, and never meet it; or
                        // what meets it only asks whether the last user is still there.
                        let requests = world.requests();
                        let mut of_list = requests.iter().filter(|request| request.path == list.path);
                        let met = of_list.nth(nth as usize - 1).is_some_and(|met| met.parameter("order_by").is_some());
                        assert!(!lasting || !met, "{place}: where do the rows come from?");
                    }
                    Err(error) => {
                        assert!(codes.contains(&error.code().code()), "{place}: {error:?}");
                        assert!(lasting || !passes, "{place}: another try would have done: {error:?}");
                        assert!(error.message().contains(&list.path["/v1".len()..]), "{place}: {error:?}");
                        assert!(!error_text(&error).contains(KEY), "{place}");
                    }
                }
                world.sim.clear_faults();
            }
        }
        // Whatever it was, it is over.
        set_timeout(&world, "none");
        assert_same_ids(world.column(list.query), &all, &format!("after {kind}"));
    }
}

/// Users read one page after the other come whole or not at all, whatever goes wrong.
#[test]
fn every_fault_on_few_users() {
    every_fault(Config { users: 130, ..small() }, 40, &USERS);
}

/// Users read in ranges of time side by side come whole or not at all, whatever goes wrong.
#[test]
fn every_fault_on_many_users() {
    every_fault(Config { users: 600, ..small() }, 30, &USERS);
}

/// Organizations, a list by offset, come whole or not at all, whatever goes wrong.
#[test]
fn every_fault_on_organizations() {
    every_fault(Config { organizations: 60, ..small() }, 10, &ORGANIZATIONS);
}

/// Memberships, the other list by offset, come whole or not at all, whatever goes wrong.
#[test]
fn every_fault_on_memberships() {
    every_fault(Config { users: 100, memberships: 350, ..small() }, 50, &MEMBERSHIPS);
}

/// The members of one organization, whose endpoint's 404 could mean that there is no such organization.
#[test]
fn every_fault_on_members_of_one_organization() {
    let world = World::with(
        Config { organizations: 1, ..small() },
        "page_size '20', max_retries '1', timeout_ms '10000', rate_limit_timeout_ms '2500'",
    );
    let id = world.sim.organizations()[0].id.clone();
    let all = ids(&world.sim.memberships());
    let query = format!("SELECT membership_id FROM clerk.organization_memberships WHERE organization_id = '{id}'");
    let path = format!("/v1/organizations/{id}/memberships");
    for (kind, fault, passes, codes) in kinds() {
        set_timeout(&world, kind);
        for nth in [1, 2, 3].into_iter().filter(|nth| *nth > 1 || kind != "repeated page") {
            world.wait_until_idle();
            world.sim.fault(fault.clone().on_path(&path).nth(nth));
            match world.try_column::<String>(&query) {
                Ok(rows) => assert_same_ids(rows, &all, &format!("{kind} at {nth}")),
                Err(error) => {
                    assert!(!passes, "{kind} at {nth}: {error:?}");
                    assert!(codes.contains(&error.code().code()), "{kind} at {nth}: {error:?}");
                }
            }
            world.sim.clear_faults();
        }
    }
}

/// Counting users decides how they are read, never which.
#[test]
fn wrong_count_changes_no_rows() {
    let options = "page_size '30', max_retries '1', timeout_ms '10000', rate_limit_timeout_ms '2500'";
    let world = World::with(Config { users: 600, ..small() }, options);
    let all = ids(&world.sim.users());
    let wrong = ["0", "1", "599", "601", "7", "100000", "18446744073709551615"];
    let wrong =
        wrong.map(|count| ("wrong", Fault::body(200, format!(r#"{{"object":"total_count","total_count":{count}}}"#))));
    let broken = kinds().into_iter().map(|(kind, fault, ..)| (kind, fault));
    for (kind, fault) in broken.chain(wrong) {
        set_timeout(&world, kind);
        for (nth, lasting) in [(1, false), (2, false), (1, true), (3, true)] {
            let fault = fault.clone().on_path("/v1/users/count").nth(nth);
            let place = format!("{fault:?} at {nth}, {}", ["once", "for ever"][usize::from(lasting)]);
            world.sim.fault(if lasting { fault.always() } else { fault });
            match world.try_column::<String>(USERS.query) {
                Ok(rows) => assert_same_ids(rows, &all, &place),
                Err(error) => {
                    assert!(["HV000", "HV00L", "08006"].contains(&error.code().code()), "{place}: {error:?}");
                }
            }
            world.sim.clear_faults();
        }
    }
}

/// What a query writes from a failing scan is rolled back whole.
#[test]
fn failed_scan_writes_nothing() {
    let world = World::with(Config { users: 300, ..small() }, "page_size '20', max_retries '0'");
    world.run("CREATE TABLE copy (user_id text)");
    world.sim.fault(Fault::status(500).on_path("/v1/users").nth(9).always());
    world.error("INSERT INTO copy SELECT user_id FROM clerk.users");
    world.error("CREATE TABLE other AS SELECT user_id FROM clerk.users");
    assert_eq!(world.one::<i64>("SELECT count(*) FROM copy"), 0);
    assert!(world.one::<bool>("SELECT to_regclass('other') IS NULL"));

    // In a transaction with a savepoint, what came before stays.
    world.run("BEGIN; INSERT INTO copy VALUES ('before'); SAVEPOINT s");
    world.error("INSERT INTO copy SELECT user_id FROM clerk.users");
    world.run("ROLLBACK TO s; COMMIT");
    assert_eq!(world.column::<String>("SELECT user_id FROM copy"), ["before"]);

    // A function that catches the error goes on.
    world.run(
        "CREATE FUNCTION caught() RETURNS text LANGUAGE plpgsql AS $$
         BEGIN PERFORM user_id FROM clerk.users; RETURN 'no error';
         EXCEPTION WHEN connection_failure THEN RETURN SQLERRM; END $$",
    );
    for _ in 0..10 {
        assert!(world.one::<String>("SELECT caught()").contains("500"));
    }
    world.sim.clear_faults();
    assert_eq!(world.one::<String>("SELECT caught()"), "no error");
}

/// Each failure has its SQLSTATE, Clerk's own words and advice.
#[test]
fn sqlstates_messages_and_hints() {
    let options = "page_size '20', max_retries '2', timeout_ms '10000'";
    let world = World::with(small(), options);
    let id = world.sim.users()[0].id.clone();
    let by_id = format!("SELECT * FROM clerk.users WHERE user_id = '{id}'");
    let error = |fault: Fault, query: &str| {
        world.sim.fault(fault.always());
        let error = world.error(query);
        world.sim.clear_faults();
        error
    };
    for status in [401, 403] {
        let refused = error(Fault::status(status), USERS.query);
        assert_eq!(refused.code().code(), "28000");
        assert_eq!(refused.hint(), Some("Check the key of server \"clerk\"."));
        assert!(refused.message().contains("clerk_trace_id"), "{}", refused.message());
    }

    let body = r#"{"errors":[{"message":"short","long_message":"limit is too long","code":"too_long"}],"clerk_trace_id":"t1"}"#;
    let refused = error(Fault::body(422, body), USERS.query);
    assert_eq!(refused.code().code(), "HV000");
    for part in ["limit is too long", "too_long", "t1", "GET /users?", "422"] {
        assert!(refused.message().contains(part), "{part} in {}", refused.message());
    }

    let gone = error(Fault::status(503), &by_id);
    assert_eq!(gone.code().code(), "08006");
    assert!(gone.message().contains("503") && gone.message().contains("3 tries"), "{}", gone.message());

    world.run("ALTER SERVER clerk OPTIONS (SET timeout_ms '500')");
    let silent = error(Fault::silence(), &by_id);
    world.run("ALTER SERVER clerk OPTIONS (SET timeout_ms '10000')");
    assert_eq!(silent.code().code(), "08006");
    assert!(silent.message().contains("no answer in time"), "{}", silent.message());

    let page = error(Fault::html(), &by_id);
    assert_eq!(page.code().code(), "HV00L");
    assert!(page.message().contains("<!DOCTYPE html>"), "{}", page.message());

    // One object that is not there is no row; a list that is not there is an error.
    world.sim.fault(Fault::status(404).always());
    assert_eq!(world.rows(&by_id).len(), 0);
    assert_eq!(world.error(MEMBERSHIPS.query).code().code(), "HV000");
    world.sim.clear_faults();

    world.run("ALTER SERVER clerk OPTIONS (SET api_url 'http://127.0.0.1:1/v1')");
    let nobody = world.error(USERS.query);
    assert_eq!(nobody.code().code(), "08006");
    assert!(nobody.message().contains("3 tries"), "{}", nobody.message());

    world.run("DROP USER MAPPING FOR CURRENT_USER SERVER clerk");
    let keyless = world.error(USERS.query);
    assert_eq!(keyless.code().code(), "HV00N");
    assert!(keyless.detail().is_some_and(|detail| detail.contains("user mapping")), "{keyless:?}");
    assert!(keyless.hint().is_some_and(|hint| hint.contains("CREATE USER MAPPING")), "{keyless:?}");
}

/// A slow Clerk is no fault, as long as each answer comes in time.
#[test]
fn slow_answer_within_timeout() {
    let world = World::with(small(), "page_size '20', max_retries '0', timeout_ms '20000'");
    world.sim.fault(Fault::slow(Duration::from_millis(700)).on_path("/v1/users").nth(2));
    assert_eq!(sorted(world.column::<String>(USERS.query)), ids(&world.sim.users()));
}
