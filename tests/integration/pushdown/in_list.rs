//! IN and = ANY with many values: how they fall into requests, and that rows come once all the same.

use serde_json::json;

use crate::support::*;

/// The whole list, which a few rows make one request.
const ALL: &[&str] = &["/users"];
const NOTHING: &[&str] = &[];

/// A list of texts as SQL has it.
fn list(values: &[String]) -> String {
    values.iter().map(|value| format!("'{}'", value.replace('\'', "''"))).collect::<Vec<_>>().join(", ")
}

/// A user who is found by several addresses, which fall into several requests, comes once.
#[test]
fn users_by_many_addresses_come_once() {
    let world = World::new(small());
    let mut random = fastrand::Rng::with_seed(7);
    let (mut users, mut addresses) = (Vec::new(), Vec::new());
    for n in 0..80 {
        let own: Vec<_> = ["", "+work", "+home"].map(|tag| format!("ada{n}{tag}@example.com")).into();
        users.push(world.sim.create_user(json!({"email_address": own})).unwrap());
        addresses.extend(own);
    }
    for round in 0..6 {
        random.shuffle(&mut addresses);
        let mut asked: Vec<String> = addresses[..random.usize(150..=addresses.len())].to_vec();
        // The same address in other letters, and the same again, may fall into another request.
        asked.extend(addresses[..40].iter().map(|address| address.to_uppercase()));
        asked.extend_from_slice(&addresses[100..140]);
        random.shuffle(&mut asked);
        world.run("DROP TABLE IF EXISTS copy; CREATE TABLE copy AS SELECT user_id, email FROM clerk.users");
        world.requests();
        for condition in [format!("email IN ({})", list(&asked)), format!("email ILIKE ANY (ARRAY[{}])", list(&asked))]
        {
            let [found, expected] = ["clerk.users", "copy"]
                .map(|table| sorted(world.column::<String>(&format!("SELECT user_id FROM {table} WHERE {condition}"))));
            assert_eq!(found, expected, "round {round}: {}", &condition[..20]);
        }
    }
    assert_eq!(world.one::<i64>("SELECT count(*) FROM clerk.users WHERE email LIKE 'ada%'"), 80);
    assert_eq!(users.len(), 80);
}

/// An organization that is found by its slug and by its id comes once.
#[test]
fn organization_by_slug_and_id_comes_once() {
    let world = World::new(small());
    let rows = world.rows("SELECT slug, organization_id FROM clerk.organizations ORDER BY created_at LIMIT 3");
    let slugs: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let ids: Vec<String> = rows.iter().map(|row| row.get(1)).collect();
    let both = list(&[slugs.clone(), ids.clone()].concat());
    let found: Vec<String> = world.column(&format!("SELECT slug FROM clerk.organizations WHERE slug IN ({both})"));
    assert_eq!(sorted(found), sorted(slugs.clone()));
    let both = format!("slug IN ({}) AND organization_id IN ({})", list(&slugs), list(&ids));
    let found: Vec<String> = world.column(&format!("SELECT slug FROM clerk.organizations WHERE {both}"));
    assert_eq!(sorted(found), sorted(slugs));
}

/// Several users by their ids are one request for each hundred of them; one value is a request for just that one.
#[test]
fn user_id_in_list() {
    let oracle = Oracle::new(small(), "");
    oracle.check(
        "SELECT user_id, email, attrs FROM clerk.users WHERE ",
        &[
            ("user_id IN ('user_ada')", &["/users/user_ada"]),
            ("user_id IN ('user_ada', 'user_bob')", &["/users?user_id=user_ada&user_id=user_bob"]),
            ("user_id IN ('user_ada', 'user_ada', NULL)", &["/users/user_ada"]),
            (
                "user_id = 'user_ada' OR user_id IN ('user_bob', 'user_ada')",
                &["/users?user_id=user_ada&user_id=user_bob"],
            ),
            ("user_id = ANY('{user_ada,user_bob}')", &["/users?user_id=user_ada&user_id=user_bob"]),
            ("user_id = ANY('{{user_ada},{user_bob}}')", &["/users?user_id=user_ada&user_id=user_bob"]),
            ("user_id = ANY('{user_ada,NULL}')", &["/users/user_ada"]),
            (
                "user_id = ANY(ARRAY(SELECT 'user_' || n FROM unnest('{ada,bob}'::text[]) n))",
                &["/users?user_id=user_ada&user_id=user_bob"],
            ),
            ("user_id IN ('user_ada', 'user_bob') AND user_id IN ('user_bob', 'user_cyd')", &["/users/user_bob"]),
            ("user_id IN ('+user_ada', 'user_bob')", &["/users/user_bob"]),
            ("user_id IN ('-user_ada', '', 'user_bob', 'user_cyd')", &["/users?user_id=user_bob&user_id=user_cyd"]),
            ("user_id IN ('-user_ada', '+user_ada')", NOTHING),
            ("user_id IN ('a,b', 'c d&e=f', 'ü🦀')", &["/users?user_id=a,b&user_id=c d&e=f&user_id=ü🦀"]),
            ("user_id IN ('user_ada', 'user_bob') AND user_id = 'user_cyd'", NOTHING),
            ("user_id = ANY('{}')", NOTHING),
            ("user_id = ANY('{NULL,NULL}')", NOTHING),
            ("user_id = ANY(NULL)", NOTHING),
            ("user_id <> ALL('{user_ada,user_bob}')", ALL),
            ("user_id NOT IN ('user_ada', NULL)", ALL),
            ("user_id = ALL('{user_ada}')", ALL),
        ],
    );
    let id = "'user_' || n";
    let many = |count: usize| format!("user_id = ANY(ARRAY(SELECT {id} FROM generate_series(1, {count}) n))");
    let batches = ["/users?user_id*100", "/users?user_id*100", "/users?user_id*50"];
    oracle.check("SELECT * FROM clerk.users WHERE ", &[(&many(250), &batches), (&many(100), &batches[..1])]);
    // A whole table of 64 is less to read than 10,000 values.
    oracle.check("SELECT * FROM clerk.users WHERE ", &[(&many(10_000), ALL)]);
}
