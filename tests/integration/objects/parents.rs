//! Objects that Clerk lists below parents only: with the parents they come, without them there is an error.

use std::time::Duration;

use clerk_sim::{Config, Fault, Sim};
use serde_json::json;

use crate::support::*;

/// An object that is listed below parents.
struct Below {
    table: &'static str,
    id: &'static str,
    parent: &'static str,
    /// The path of one parent's objects, in which the parent's id stands for `{}`.
    path: &'static str,
    /// The parents that the simulator has.
    parents: fn(&Sim) -> Vec<String>,
}

const BELOW: &[Below] = &[
    Below {
        table: "sessions",
        id: "session_id",
        parent: "user_id",
        path: "/v1/sessions?user_id={}",
        parents: |sim| ids(&sim.users()),
    },
    Below {
        table: "api_keys",
        id: "api_key_id",
        parent: "subject",
        path: "/v1/api_keys?subject={}",
        parents: |sim| ids(&sim.users()),
    },
    Below {
        table: "m2m_tokens",
        id: "m2m_token_id",
        parent: "subject",
        path: "/v1/m2m_tokens?subject={}",
        parents: |sim| ids(&sim.objects("machines")),
    },
    Below {
        table: "billing_payment_attempts",
        id: "billing_payment_attempt_id",
        parent: "statement_id",
        path: "/v1/billing/statements/{}/payment_attempts",
        parents: |sim| ids(&sim.objects("billing_statements")),
    },
    Below {
        table: "user_billing_subscriptions",
        id: "user_billing_subscription_id",
        parent: "user_id",
        path: "/v1/users/{}/billing/subscription",
        parents: |sim| ids(&sim.users()),
    },
    Below {
        table: "organization_billing_subscriptions",
        id: "organization_billing_subscription_id",
        parent: "organization_id",
        path: "/v1/organizations/{}/billing/subscription",
        parents: |sim| ids(&sim.organizations()),
    },
];

fn world() -> World {
    World::with(Config { users: 20, organizations: 8, ..small() }, "max_retries '0'")
}

/// The parents that a request asks about.
fn parents_of(below: &Below, requests: &[clerk_sim::Request]) -> Vec<String> {
    let (path, parameter) = below.path.split_once('?').unwrap_or((below.path, ""));
    let parameter = parameter.split('=').next().unwrap_or_default();
    let (before, behind) = path.split_once("{}").unwrap_or((path, ""));
    let of_one = requests.iter().filter_map(|request| match parameter {
        "" => request.path.strip_prefix(before)?.strip_suffix(behind),
        _ => request.parameter(parameter).filter(|_| request.path == path),
    });
    let mut parents: Vec<String> = of_one.map(str::to_owned).collect();
    parents.sort();
    parents.dedup();
    parents
}

/// This list of the objects without a list of all of them is complete.
#[test]
fn every_object_below_parents_is_here() {
    let world = world();
    let below = world.column::<String>("SELECT object FROM clerk_fdw.objects() WHERE endpoint IS NULL");
    assert_eq!(sorted(below), sorted(BELOW.iter().map(|below| below.table.to_owned()).collect::<Vec<_>>()));
}

/// Without a parent there is an error that says which condition is missing, never an empty result.
#[test]
fn without_a_parent_there_is_an_error() {
    let world = world();
    for Below { table, parent, .. } in BELOW {
        for query in [
            format!("SELECT * FROM clerk.{table}"),
            format!("SELECT count(*) FROM clerk.{table}"),
            format!("SELECT * FROM clerk.{table} LIMIT 1"),
            format!("SELECT * FROM clerk.{table} WHERE {parent} <> 'x'"),
            format!("SELECT * FROM clerk.{table} WHERE {parent} = 'x' OR attrs IS NULL"),
            format!("SELECT * FROM clerk.{table} WHERE {parent} LIKE 'user%' ORDER BY {parent}"),
            format!("SELECT EXISTS (SELECT FROM clerk.{table})"),
            format!("SELECT a.{parent} FROM clerk.{table} a JOIN clerk.{table} b USING ({parent})"),
        ] {
            world.requests();
            let error = world.error(&query);
            let words = format!("{table} can only be read by {parent}");
            assert!(error.message().starts_with(&words), "{query}: {error:?}");
            assert!(error.hint().is_some_and(|hint| hint.contains(parent)), "{query}: {error:?}");
            assert_eq!(world.requests().len(), 0, "{query}");
        }
        // Nothing can come from here, so nothing is missing.
        for query in [
            format!("SELECT * FROM clerk.{table} WHERE {parent} = 'x' AND {parent} = 'y'"),
            format!("SELECT * FROM clerk.{table} WHERE {parent} = NULL"),
        ] {
            assert_eq!(world.rows(&query).len(), 0, "{query}");
            assert_eq!(world.requests().len(), 0, "{query}");
        }
    }
}

/// Given or joined, several parents are asked for side by side, and no others.
#[test]
fn parents_are_asked_for_side_by_side() {
    let world = world();
    world.run("CREATE TABLE wanted (parent text)");
    for below in BELOW {
        let Below { table, parent, .. } = below;
        let mut wanted = (below.parents)(&world.sim);
        wanted.truncate(6);
        world.run(&format!("TRUNCATE wanted; INSERT INTO wanted VALUES ('{}'); ANALYZE wanted", wanted.join("'), ('")));
        let list = wanted.join("', '");
        let one: Vec<i64> = wanted
            .iter()
            .map(|id| {
                world.one(&format!("SELECT count(*) FROM (SELECT * FROM clerk.{table} WHERE {parent} = '{id}') s"))
            })
            .collect();
        let all: i64 = one.iter().sum();
        for (query, is_join) in [
            (format!("SELECT {parent} FROM clerk.{table} WHERE {parent} IN ('{list}')"), false),
            (
                format!("SELECT {parent} FROM clerk.{table} WHERE {parent} = ANY (ARRAY(SELECT parent FROM wanted))"),
                false,
            ),
            (format!("SELECT {parent} FROM clerk.{table} WHERE {parent} IN (SELECT parent FROM wanted)"), true),
            (format!("SELECT t.{parent} FROM wanted JOIN clerk.{table} t ON t.{parent} = parent"), true),
            (
                format!(
                    "SELECT t.{parent} FROM wanted, LATERAL (SELECT * FROM clerk.{table} t WHERE t.{parent} = parent) t"
                ),
                true,
            ),
        ] {
            world.wait_until_idle();
            world.sim.set_latency(Duration::from_millis(20));
            world.requests();
            let rows = world.column::<String>(&query);
            world.sim.set_latency(Duration::ZERO);
            assert_eq!(rows.len() as i64, all, "{query}");
            assert!(rows.iter().all(|row| wanted.contains(row)), "{query}");
            let peak = world.sim.in_flight_peak();
            assert_eq!(parents_of(below, &world.requests()), wanted, "{query}");
            assert!(is_join || peak > 1, "{query}: {peak} at once");
        }
    }
}

/// A parent that does not exist has no rows.
#[test]
fn unknown_parents_have_no_rows() {
    let world = world();
    for Below { table, parent, .. } in BELOW {
        for value in ["nobody", "", "..", "a/b", "a?b=c", "ü"] {
            for query in [
                format!("SELECT * FROM clerk.{table} WHERE {parent} = '{value}'"),
                format!("SELECT t.* FROM (VALUES ('{value}'), ('other')) v(x) JOIN clerk.{table} t ON t.{parent} = x"),
            ] {
                assert_eq!(world.rows(&query).len(), 0, "{query}");
            }
            let count = format!("SELECT count(*) FROM clerk.{table} WHERE {parent} = '{value}'");
            assert_eq!(world.one::<i64>(&count), 0, "{count}");
        }
    }
}

/// Whatever goes wrong with one of several parents is an error: its objects are not left out silently.
#[test]
fn a_fault_with_one_parent_is_an_error() {
    let world = world();
    for below in BELOW {
        let Below { table, parent, id, path, .. } = below;
        let wanted = (below.parents)(&world.sim).join("', '");
        let query = format!("SELECT {id}, {parent} FROM clerk.{table} WHERE {parent} IN ('{wanted}')");
        let all = sorted(world.column::<String>(&query));
        let one: String = world.rows(&query)[0].get(1);
        for (kind, fault) in [
            ("500", Fault::status(500)),
            ("422", Fault::status(422)),
            ("reset", Fault::reset()),
            ("cut body", Fault::cut()),
            ("cut JSON", Fault::cut_json()),
            ("HTML", Fault::html()),
            ("null", Fault::body(200, "null")),
        ] {
            let target = path.replace("{}", &one);
            let fault = match target.split_once('?') {
                Some((path, parameter)) => {
                    let (name, value) = parameter.split_once('=').expect("a parameter");
                    fault.on_path(path).with(name, value)
                }
                None => fault.on_path(target),
            };
            world.sim.fault(fault.always());
            let error = world.try_column::<String>(&query);
            world.sim.clear_faults();
            assert!(error.is_err(), "{kind}: {query}");
            assert_eq!(sorted(world.column::<String>(&query)), all, "after {kind}: {query}");
        }
    }
}

/// A parent's own list that is not there, though the parent is, is an error.
#[test]
fn status_404_of_a_known_parents_list_is_an_error() {
    let world = world();
    let statement = ids(&world.sim.objects("billing_statements")).remove(0);
    let user = ids(&world.sim.users()).remove(0);
    for (table, condition, path) in [
        (
            "billing_payment_attempts",
            format!("statement_id = '{statement}'"),
            format!("/v1/billing/statements/{statement}/payment_attempts"),
        ),
        ("sessions", format!("user_id = '{user}'"), "/v1/sessions".to_owned()),
        ("api_keys", format!("subject = '{user}'"), "/v1/api_keys".to_owned()),
    ] {
        world.sim.fault(Fault::status(404).on_path(path).always());
        let error = world.error(&format!("SELECT * FROM clerk.{table} WHERE {condition}"));
        world.sim.clear_faults();
        assert_eq!(error.code().code(), "HV000", "{table}: {error:?}");
    }
}

/// More keys than one page holds come all.
#[test]
fn many_objects_of_one_parent() {
    let world = world();
    let user = ids(&world.sim.users()).remove(0);
    let machine = ids(&world.sim.objects("machines")).remove(0);
    world.sim.change(|state| {
        for n in 0..260 {
            state.create("api_keys", json!({"subject": user, "revoked": n % 3 == 0})).expect("a key");
            state.create("m2m_tokens", json!({"subject": machine, "expired": n % 3 == 0})).expect("a token");
            state.create("sessions", json!({"user_id": user})).expect("a session");
        }
    });
    for (object, parent, of) in
        [("api_keys", "subject", &user), ("m2m_tokens", "subject", &machine), ("sessions", "user_id", &user)]
    {
        let belongs = |one: &&clerk_sim::Object| one.json.contains(&format!(r#""{parent}":"{of}""#));
        let all = world.sim.objects(object).iter().filter(belongs).count() as i64;
        assert!(all >= 260, "{all} {object}");
        let counted = format!(
            "SELECT count(*), count(DISTINCT attrs ->> 'id') FROM clerk.{object} WHERE {parent} = '{of}' AND attrs IS NOT NULL"
        );
        let row = &world.rows(&counted)[0];
        assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (all, all), "{object}");
        let count = format!("SELECT count(*) FROM clerk.{object} WHERE {parent} = '{of}'");
        assert_eq!(world.one::<i64>(&count), all, "{object}");
    }
}
