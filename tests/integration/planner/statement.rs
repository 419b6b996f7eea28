//! Foreign tables within other statements: subqueries, locks, INSERT, UPDATE and DELETE of local tables.

use crate::support::*;

/// A subquery that runs once for each row asks each time with that row's value.
#[test]
fn correlated_subquery_asks_with_each_value() {
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
fn for_update_insert_update_and_delete() {
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
