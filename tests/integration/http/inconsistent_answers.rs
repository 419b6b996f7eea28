//! Answers that look right and are not: whoever reads gets the right rows or an error, and so does a mirror.

use std::collections::BTreeSet;

use clerk_sim::{Config, Fault};
use serde_json::json;

use crate::support::*;

const IDS: [(&str, &str, &str); 3] = [
    ("users", "user_id", "/v1/users"),
    ("organizations", "organization_id", "/v1/organizations"),
    ("organization_memberships", "membership_id", "/v1/organization_memberships"),
];

fn lies() -> Vec<(&'static str, Fault)> {
    vec![
        ("counts too many", Fault::miscount(7)),
        ("counts too few", Fault::miscount(-7)),
        ("does not count", Fault::no_count()),
        ("short pages", Fault::short_page(4)),
        ("equal times in changing order", Fault::unstable_ties()),
    ]
}

/// What Clerk has, whatever it says.
fn truth(world: &World, object: &str) -> BTreeSet<String> {
    let objects = match object {
        "users" => world.sim.users(),
        "organizations" => world.sim.organizations(),
        _ => world.sim.memberships(),
    };
    objects.into_iter().map(|object| object.id).collect()
}

fn ids_or_none(world: &World, query: &str) -> Option<BTreeSet<String>> {
    let rows = world.client().query(query, &[]).ok()?;
    let ids: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let set: BTreeSet<_> = ids.iter().cloned().collect();
    assert_eq!(set.len(), ids.len(), "no row twice: {query}");
    Some(set)
}

fn world() -> World {
    let config = Config { users: 0, organizations: 0, memberships: 0, ..small() };
    let world = World::with(config, "page_size '10', max_concurrency '3', max_retries '0'");
    world.sim.change(|state| {
        // Several of each were created at the same moment.
        let at = |number: i64| 1_700_000_000_000 + number / 6 * 1000;
        for number in 0..130 {
            let user = json!({"email_address": [format!("u{number}@example.com")], "created_at": at(number)});
            state.create_user(user).unwrap();
        }
        for number in 0..45 {
            state
                .create_organization(json!({"name": format!("Organization {number}"), "created_at": at(number)}))
                .unwrap();
        }
    });
    let (users, organizations) = (world.sim.users(), world.sim.organizations());
    for number in 0..70 {
        world.sim.create_membership(&users[number].id, &organizations[number % 40].id, json!({})).unwrap();
    }
    world
}

/// A scan of lists that lie about their counts, pages or order gives the right rows or an error.
#[test]
fn scan_gives_all_rows_or_an_error() {
    let world = world();
    for (object, id, path) in IDS {
        let truth = truth(&world, object);
        let mut always_right = 0;
        for (lie, fault) in lies() {
            for nth in [1, 2, 4] {
                for fault in [fault.clone().times(1), fault.clone().always()] {
                    for query in ["", " ORDER BY created_at", " ORDER BY created_at DESC"] {
                        world.sim.fault(fault.clone().under(path).nth(nth));
                        let found = ids_or_none(&world, &format!("SELECT {id} FROM clerk.{object}{query}"));
                        world.sim.clear_faults();
                        always_right += usize::from(found.is_some());
                        assert!(found.is_none_or(|found| found == truth), "{object}: {lie} from {nth}{query}");
                    }
                }
            }
        }
        assert!(always_right > 40, "{object}: {always_right} scans of {} gave rows", 5 * 3 * 2 * 3);
        // A page that has rows comes without any.
        for (nth, empty) in
            [1, 2, 4, 6].into_iter().flat_map(|nth| [(nth, "[]"), (nth, r#"{"data": [], "total_count": 45}"#)])
        {
            if (object == "users") == empty.starts_with('[') {
                world.sim.fault(Fault::body(200, empty).under(path).nth(nth).times(1));
                let found = ids_or_none(&world, &format!("SELECT {id} FROM clerk.{object}"));
                world.sim.clear_faults();
                assert!(found.is_none_or(|found| found == truth), "{object}: empty page {nth}");
            }
        }
    }
}

/// A sync of lists that lie stores the right rows or fails, and the next ones make up for it.
#[test]
fn sync_stores_all_rows_or_fails() {
    let world = world();
    world.run("SELECT clerk_fdw.create_mirror('clerk', schema => 'm')");
    world.run("CALL clerk_fdw.sync('m')");
    let mut number = 0;
    let (mut succeeded, mut all) = (0, 0);
    for (lie, fault) in lies().into_iter().chain([("an empty page", Fault::body(200, "[]"))]) {
        for mode in ["full", "incremental"] {
            for nth in [1, 2, 5] {
                for fault in [fault.clone().times(1), fault.clone().always()] {
                    number += 1;
                    let users = world.sim.users();
                    world.sim.delete_user(&users[number * 7 % users.len()].id).unwrap();
                    let email = format!("new{number}@example.com");
                    world.sim.create_user(json!({"email_address": [email]})).unwrap();
                    world
                        .sim
                        .update_user(
                            &users[number * 11 % users.len()].id,
                            json!({"first_name": format!("Ada {number}")}),
                        )
                        .ok();
                    world.sim.fault(fault.under("/v1/users").nth(nth));
                    let done = world.client().batch_execute(&format!("CALL clerk_fdw.sync('m', '{mode}')"));
                    world.sim.clear_faults();
                    all += 1;
                    match done {
                        Ok(()) => succeeded += 1,
                        Err(_) => {
                            // One goes on where the other failed, and may find that it cannot rely on it; of two more the
                            // first reads what is there, and the second what has changed since the first began.
                            let _ = world.client().batch_execute("CALL clerk_fdw.sync('m')");
                            (0..2).for_each(|_| world.run("CALL clerk_fdw.sync('m')"));
                        }
                    }
                    assert_in_sync(&world, &format!("{mode} with {lie} from {nth}"));
                }
            }
        }
    }
    assert!(succeeded * 2 > all, "{succeeded} of {all} syncs succeeded");
    world.run("CALL clerk_fdw.sync('m')");
    assert_in_sync(&world, "without lies");
}
