//! Whose key a query is asked with.

use std::collections::BTreeSet;

use clerk_sim::{Config, Sim};

use crate::support::*;

/// Two servers with two keys in one query: each request carries the key of its own server.
#[test]
fn each_server_has_its_own_key() {
    let keys = ["sk_live_one", "sk_live_two", KEY].map(str::to_owned).to_vec();
    let world = World::new(Config { keys, ..small() });
    world.server("one", &world.sim, "sk_live_one", "page_size '20'");
    world.server("two", &world.sim, "sk_live_two", "page_size '3'");
    let query = "SELECT count(*) FROM one.users u LEFT JOIN two.organizations o ON o.created_by = u.user_id";
    for _ in 0..3 {
        assert!(world.one::<i64>(query) >= 60);
    }
    let requests = world.requests();
    for request in &requests {
        let expected = if request.path.starts_with("/v1/users") { 0 } else { 1 };
        assert_eq!(request.key, Some(expected), "{}", request.target);
    }
    assert!(requests.iter().any(|request| request.key == Some(1)));

    // Two instances with different data.
    let other = Sim::start(Config { users: 25, seed: 2, ..small() }).unwrap();
    world.server("other", &other, KEY, "");
    let both = "SELECT (SELECT count(*) FROM one.users), (SELECT count(*) FROM other.users),
                       (SELECT count(*) FROM one.users JOIN other.users USING (user_id))";
    let rows = world.rows(both);
    assert_eq!((rows[0].get::<_, i64>(0), rows[0].get::<_, i64>(1), rows[0].get::<_, i64>(2)), (60, 25, 0));
}

/// A view reads with its owner's key, a SECURITY DEFINER function with its owner's, everything else with the role's own.
#[test]
fn view_and_security_definer_use_the_owners_key() {
    let keys = [KEY, "sk_live_owner", "sk_live_reader"].map(str::to_owned).to_vec();
    let world = World::new(Config { keys, ..small() });
    let (owner, reader) = (&world.role("owner"), &world.role("reader"));
    world.run(&format!(
        "CREATE ROLE {owner}; CREATE ROLE {reader};
         GRANT USAGE ON SCHEMA clerk TO {owner}, {reader};
         GRANT SELECT ON ALL TABLES IN SCHEMA clerk TO {owner}, {reader};
         CREATE USER MAPPING FOR {owner} SERVER clerk OPTIONS (api_key 'sk_live_owner');
         CREATE SCHEMA shown; GRANT ALL ON SCHEMA shown TO {owner}, {reader};
         CREATE VIEW shown.users AS SELECT user_id FROM clerk.users;
         CREATE FUNCTION shown.count_users() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM clerk.users';
         ALTER VIEW shown.users OWNER TO {owner};
         ALTER FUNCTION shown.count_users() OWNER TO {owner};
         GRANT SELECT ON shown.users TO {reader};
         SET ROLE {reader}"
    ));
    let key = |query: &str| {
        world.one::<i64>(query);
        let keys: BTreeSet<_> = world.requests().into_iter().map(|request| request.key).collect();
        assert_eq!(keys.len(), 1, "{query}: {keys:?}");
        keys.first().copied().flatten()
    };
    assert_eq!(key("SELECT count(*) FROM shown.users"), Some(1));
    assert_eq!(key("SELECT shown.count_users()"), Some(1));
    let refused = world.error("SELECT count(*) FROM clerk.users");
    assert_eq!(refused.code().code(), "HV00N", "{refused:?}");
    assert_eq!(world.targets(), [""; 0]);

    world.run(&format!("RESET ROLE; CREATE USER MAPPING FOR {reader} SERVER clerk OPTIONS (api_key 'sk_live_reader')"));
    world.run("PREPARE count_users AS SELECT count(*) FROM clerk.users");
    assert_eq!(key("EXECUTE count_users"), Some(0));
    world.run(&format!("SET ROLE {reader}"));
    assert_eq!(key("EXECUTE count_users"), Some(2), "a plan belongs to no role");
    assert_eq!(key("SELECT count(*) FROM shown.users"), Some(1));

    // A mapping for everybody is what remains without one's own.
    world.run(&format!(
        "RESET ROLE; DROP USER MAPPING FOR {reader} SERVER clerk;
         CREATE USER MAPPING FOR PUBLIC SERVER clerk OPTIONS (api_key '{KEY}');
         SET ROLE {reader}"
    ));
    assert_eq!(key("SELECT count(*) FROM clerk.users"), Some(0));
    if world.one::<i32>("SELECT current_setting('server_version_num')::int") >= 150_000 {
        world
            .run(&format!("SET ROLE {owner}; ALTER VIEW shown.users SET (security_invoker = true); SET ROLE {reader}"));
        assert_eq!(key("SELECT count(*) FROM shown.users"), Some(0), "an invoker's view lends nothing");
    }
    world.run(&format!("RESET ROLE; DROP OWNED BY {owner}, {reader} CASCADE; DROP ROLE {owner}, {reader}"));
}
