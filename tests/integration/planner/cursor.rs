//! Cursors, several on one plan or on one connection.

use clerk_sim::Config;
use postgres::fallible_iterator::FallibleIterator;

use crate::support::*;

/// Two cursors on one cached plan, read in turns, each give their own rows.
#[test]
fn two_cursors_on_one_plan() {
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
fn with_hold_and_scroll() {
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

/// Two lists read in turns, neither to its end before the other, do not wait for each other.
#[test]
fn interleaved_cursors_do_not_block() {
    let config = Config { users: 1500, organizations: 300, ..small() };
    let world = World::with(config, "page_size '10', max_concurrency '2'");
    world.run("BEGIN");
    for cursor in 0..6 {
        let table = ["users", "organizations"][cursor % 2];
        world.run(&format!("DECLARE c{cursor} CURSOR FOR SELECT * FROM clerk.{table}"));
    }
    let mut rows = [0; 6];
    for turn in 0..240 {
        rows[turn % 6] += world.rows(&format!("FETCH {} FROM c{}", 1 + turn % 17, turn % 6)).len();
    }
    assert!(rows.iter().all(|rows| *rows > 200), "{rows:?}");
    world.run("ROLLBACK");
}
