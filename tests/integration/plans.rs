//! Plans that Postgres copies, keeps and runs again.

use clerk_sim::{Config, Sim};
use postgres::fallible_iterator::FallibleIterator;

use crate::common::*;

const MODES: [&str; 3] = ["auto", "force_custom_plan", "force_generic_plan"];

/// A prepared statement gives the right rows however often it runs and whichever plan is chosen.
#[test]
fn a_prepared_statement_runs_ten_times() {
    let world = World::with(small(), "page_size '10'");
    let users = world.sim.users();
    for mode in MODES {
        world.run(&format!("SET plan_cache_mode = {mode}"));
        world.run(
            "PREPARE one(text) AS SELECT user_id FROM clerk.users WHERE user_id = $1;
             PREPARE whole AS SELECT count(*) FROM clerk.users;
             PREPARE few(int) AS SELECT user_id FROM clerk.users LIMIT $1;
             PREPARE joined(text) AS
               SELECT count(*) FROM clerk.organization_memberships m JOIN clerk.users u USING (user_id) WHERE m.role <> $1",
        );
        for (round, user) in users.iter().enumerate().take(10) {
            assert_eq!(world.column::<String>(&format!("EXECUTE one('{}')", user.id)), [user.id.as_str()], "{mode}");
            assert_eq!(world.one::<i64>("EXECUTE whole"), 60, "{mode}");
            assert_eq!(world.rows(&format!("EXECUTE few({round})")).len(), round, "{mode}");
            assert_eq!(world.one::<i64>("EXECUTE joined('')"), 100, "{mode}");
        }
        world.run("DEALLOCATE ALL");
    }
}

/// The same through the protocol, as drivers prepare statements.
#[test]
fn a_drivers_prepared_statement_runs_ten_times() {
    let world = World::new(small());
    for mode in MODES {
        world.run(&format!("SET plan_cache_mode = {mode}"));
        let mut client = world.client();
        let statement = client.prepare("SELECT user_id, attrs::text FROM clerk.users WHERE user_id = $1").unwrap();
        for user in &world.sim.users()[..10] {
            let row = client.query_one(&statement, &[&user.id]).unwrap();
            assert_eq!(row.get::<_, &str>(0), user.id);
        }
    }
}

/// A function's queries are planned once and run in every turn of its loop.
#[test]
fn a_function_loops_over_a_query_with_a_parameter() {
    let world = World::new(small());
    world.run(
        "CREATE FUNCTION known(ids text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
         DECLARE id text; found text;
         BEGIN
           FOREACH id IN ARRAY ids LOOP
             SELECT u.user_id INTO found FROM clerk.users u WHERE u.user_id = id;
             RETURN NEXT found;
           END LOOP;
         END $$",
    );
    let known = ids(&world.sim.users());
    for mode in MODES {
        world.run(&format!("SET plan_cache_mode = {mode}"));
        world.requests();
        let rows = world.rows_of("SELECT known($1)", &[&known]);
        assert_eq!(rows.iter().map(|row| row.get(0)).collect::<Vec<String>>(), known, "{mode}");
        assert_eq!(world.requests().len(), known.len(), "{mode}: one request each");
    }
}

/// A recursive function has the same plan open at every depth.
#[test]
fn a_recursive_function_has_one_plan_open_many_times() {
    let world = World::with(small(), "page_size '2'");
    world.run(
        "CREATE FUNCTION tree(depth int) RETURNS bigint LANGUAGE plpgsql AS $$
         DECLARE branch record; leaves bigint := 0;
         BEGIN
           IF depth = 0 THEN RETURN 1; END IF;
           FOR branch IN SELECT user_id FROM clerk.users LIMIT 3 LOOP
             leaves := leaves + tree(depth - 1);
           END LOOP;
           RETURN leaves;
         END $$",
    );
    for mode in MODES {
        world.run(&format!("SET plan_cache_mode = {mode}"));
        assert_eq!(world.one::<i64>("SELECT tree(4)"), 81, "{mode}");
    }
}

/// Two cursors on one cached plan, read in turns, each give their own rows.
#[test]
fn two_cursors_share_a_plan() {
    let world = World::with(Config { memberships: 200, ..small() }, "page_size '3'");
    world.run(
        "SET plan_cache_mode = force_generic_plan;
         CREATE FUNCTION members(organization text) RETURNS refcursor LANGUAGE plpgsql AS $$
         DECLARE members refcursor;
         BEGIN
           OPEN members FOR SELECT membership_id FROM clerk.organization_memberships m WHERE m.organization_id = organization;
           RETURN members;
         END $$",
    );
    let organizations = world.sim.organizations();
    let expected = |id: &str| {
        let all = world.sim.memberships();
        ids(&all.into_iter().filter(|membership| membership.json.contains(id)).collect::<Vec<_>>())
    };
    let (one, two) = (&organizations[0].id, &organizations[1].id);
    world.run("BEGIN");
    let cursors = [one, two].map(|id| world.one::<String>(&format!("SELECT members('{id}')::text")));
    let mut found = [Vec::new(), Vec::new()];
    for turn in 0..200 {
        let of = turn % 2;
        found[of].extend(world.column::<String>(&format!("FETCH {} FROM \"{}\"", 1 + turn % 5, cursors[of])));
    }
    world.run("COMMIT");
    let [first, second] = found;
    assert_eq!(sorted(first), expected(one));
    assert_eq!(sorted(second), expected(two));

    // The same with portals of the protocol, on one statement.
    let mut client = world.client();
    let mut transaction = client.transaction().unwrap();
    let statement = transaction
        .prepare("SELECT membership_id FROM clerk.organization_memberships WHERE organization_id = $1")
        .unwrap();
    let portals = [one, two].map(|id| transaction.bind(&statement, &[id]).unwrap());
    let mut found = [Vec::new(), Vec::new()];
    for turn in 0..100 {
        let rows = transaction.query_portal_raw(&portals[turn % 2], 4).unwrap();
        found[turn % 2].extend(rows.map(|row| Ok(row.get::<_, String>(0))).collect::<Vec<_>>().unwrap());
    }
    let [first, second] = found;
    assert_eq!(sorted(first), expected(one));
    assert_eq!(sorted(second), expected(two));
}

/// A cursor WITH HOLD outlives its transaction, and one with SCROLL goes backwards.
#[test]
fn cursors_hold_and_scroll() {
    let world = World::with(small(), "page_size '10'");
    world.run("BEGIN; DECLARE held CURSOR WITH HOLD FOR SELECT user_id FROM clerk.users");
    let mut found: Vec<String> = world.column("FETCH 25 FROM held");
    world.run("COMMIT");
    found.extend(world.column::<String>("FETCH ALL FROM held"));
    assert_eq!(sorted(found), ids(&world.sim.users()));
    world.run("CLOSE held");

    world.run("BEGIN; DECLARE back SCROLL CURSOR FOR SELECT user_id FROM clerk.users");
    let first: Vec<String> = world.column("FETCH 15 FROM back");
    let again: Vec<String> = world.column("FETCH BACKWARD 14 FROM back");
    assert!(again.iter().eq(first[..14].iter().rev()));
    assert_eq!(world.rows("FETCH ALL FROM back").len(), 59);
    world.run("COMMIT");
}

/// A prepared statement follows ALTER SERVER, ALTER USER MAPPING and ALTER FOREIGN TABLE at once.
#[test]
fn prepared_statements_follow_alter() {
    let world = World::new(small());
    let other = Sim::start(Config { users: 33, ..small() }).unwrap();
    world.run(
        "SET plan_cache_mode = force_generic_plan;
         PREPARE whole AS SELECT count(attrs) FROM clerk.users;
         PREPARE names AS SELECT username FROM clerk.users;
         EXECUTE whole; EXECUTE names",
    );
    world.run(&format!("ALTER SERVER clerk OPTIONS (SET api_url '{}')", other.url()));
    assert_eq!(world.one::<i64>("EXECUTE whole"), 33);

    other.clear_requests();
    world.run("ALTER FOREIGN TABLE clerk.users OPTIONS (ADD page_size '7')");
    assert_eq!(world.one::<i64>("EXECUTE whole"), 33);
    let requests = other.requests();
    let limits: Vec<u32> = requests.iter().filter_map(|request| request.parameter("limit")?.parse().ok()).collect();
    assert_eq!(limits.iter().max(), Some(&7), "{limits:?}");

    world.run("ALTER FOREIGN TABLE clerk.users ALTER COLUMN username OPTIONS (ADD path 'id')");
    assert_eq!(sorted(world.column::<String>("EXECUTE names")), ids(&other.users()));

    world.run("ALTER USER MAPPING FOR CURRENT_USER SERVER clerk OPTIONS (SET api_key 'sk_live_wrong')");
    assert_eq!(world.error("EXECUTE whole").code().code(), "28000");
    world.run(&format!("ALTER USER MAPPING FOR CURRENT_USER SERVER clerk OPTIONS (SET api_key '{KEY}')"));

    world.run("ALTER FOREIGN TABLE clerk.users OPTIONS (SET object 'organizations')");
    assert_eq!(world.one::<i64>("EXECUTE whole"), other.organizations().len() as i64);
    world.run("ALTER FOREIGN TABLE clerk.users DROP COLUMN first_name, ADD COLUMN name text");
    assert_eq!(world.one::<i64>("EXECUTE whole"), other.organizations().len() as i64);
}

/// A subquery that runs once for each row asks each time with that row's value.
#[test]
fn a_correlated_subquery_asks_with_each_rows_value() {
    let world = World::with(small(), "page_size '4'");
    let memberships = world.sim.memberships();
    let rows = world.rows(
        "SELECT o.organization_id,
                (SELECT count(*) FROM clerk.organization_memberships m WHERE m.organization_id = o.organization_id),
                (SELECT u.user_id FROM clerk.users u WHERE u.user_id = o.created_by),
                o.created_by
         FROM clerk.organizations o",
    );
    assert_eq!(rows.len(), 8);
    for row in rows {
        let id: String = row.get(0);
        let expected = memberships.iter().filter(|membership| membership.json.contains(&id)).count();
        assert_eq!(row.get::<_, i64>(1), expected as i64, "{id}");
        assert_eq!(row.get::<_, Option<String>>(2), row.get(3));
    }
    let paths: Vec<_> = world.requests().into_iter().map(|request| request.path).collect();
    assert!(!paths.contains(&"/v1/organization_memberships".to_owned()) && !paths.contains(&"/v1/users".to_owned()));
}

/// Rows of a foreign table can be locked, written elsewhere and used in an UPDATE of a local table.
#[test]
fn rows_feed_other_statements() {
    let world = World::with(small(), "page_size '10'");
    assert_eq!(world.rows("SELECT * FROM clerk.users FOR UPDATE").len(), 60);
    world.run(
        "CREATE TABLE mirror AS SELECT user_id, first_name AS name, attrs FROM clerk.users;
         CREATE TABLE notes AS SELECT user_id, NULL::text AS email FROM clerk.users;
         UPDATE notes SET email = u.email FROM clerk.users u WHERE u.user_id = notes.user_id;
         INSERT INTO mirror SELECT user_id, 'again', attrs FROM clerk.users;
         DELETE FROM mirror USING clerk.users u WHERE u.user_id = mirror.user_id AND mirror.name = 'again'",
    );
    assert_eq!(sorted(world.column::<String>("SELECT user_id FROM mirror")), ids(&world.sim.users()));
    let wrong =
        "SELECT count(*) FROM notes JOIN clerk.users u USING (user_id) WHERE notes.email IS DISTINCT FROM u.email";
    assert_eq!(world.one::<i64>(wrong), 0);
    let refused = world.error("UPDATE clerk.users SET first_name = 'x'");
    assert!(refused.message().contains("users"), "{}", refused.message());
}
