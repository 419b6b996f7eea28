//! Plans that Postgres copies, keeps and runs again.

use clerk_sim::{Config, Sim};

use crate::support::*;

const MODES: [&str; 3] = ["auto", "force_custom_plan", "force_generic_plan"];

/// A prepared statement gives the right rows however often it runs and whichever plan is chosen.
#[test]
fn prepared_statement_runs_ten_times() {
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

/// A statement that a driver prepares through the protocol gives the right rows however often it runs.
#[test]
fn driver_prepared_statement_runs_ten_times() {
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
fn plpgsql_loop_runs_one_plan() {
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
fn recursive_function_runs_one_plan() {
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

/// A prepared statement follows ALTER SERVER, ALTER USER MAPPING and ALTER FOREIGN TABLE at once.
#[test]
fn alter_server_and_table_take_effect() {
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
