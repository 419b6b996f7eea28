//! IN and = ANY with many values: how they fall into requests, and that rows come once all the same.

use serde_json::json;

use crate::support::*;

/// A list of texts as SQL has it.
fn list(values: &[String]) -> String {
    values.iter().map(|value| format!("'{}'", value.replace('\'', "''"))).collect::<Vec<_>>().join(", ")
}

#[test]
fn users_are_found_once_by_their_many_addresses() {
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

#[test]
fn an_organization_is_found_once_by_its_slug_and_its_id() {
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
