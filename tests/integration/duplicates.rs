//! Rows come once, however the values that find them fall into requests.

use clerk_sim::Fault;
use serde_json::json;

use crate::common::*;

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

/// An answer without the count that was asked for is an error, not a count of nothing.
#[test]
fn a_count_that_is_missing_is_an_error() {
    let world = World::new(small());
    world.sim.fault(Fault::body(200, r#"{"data": []}"#).on_path("/v1/organizations").always());
    world.sim.fault(Fault::body(200, r#"{"object": "total_count"}"#).on_path("/v1/users/count").always());
    for table in ["organizations", "users"] {
        let error = world.error(&format!("SELECT count(*) FROM clerk.{table}"));
        assert_eq!(error.code().code(), "HV00L", "{table}: {error:?}");
    }
}

/// The planner's questions may meet a column whose name is no text in UTF-8: an error, if at all, and not the server's end.
#[test]
fn a_column_name_that_is_not_utf_8_does_not_end_the_server() {
    let words = "ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'";
    let world = World::of_encoding(small(), "", words);
    world.run(
        "DO $$ BEGIN EXECUTE 'CREATE FOREIGN TABLE odd (user_id text, \"' || chr(233) || '\" text) SERVER clerk OPTIONS (object ''users'')';
           EXECUTE 'CREATE VIEW odd_view AS SELECT user_id, \"' || chr(233) || '\" AS e FROM odd'; END $$;
         CREATE TABLE local (e text)",
    );
    let _ = world.try_column::<String>("SELECT o.user_id FROM odd_view o JOIN local l ON l.e = o.e");
    assert_eq!(world.one::<i32>("SELECT 1"), 1);
}
