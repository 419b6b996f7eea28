//! Lists below an owner, such as the members of an organization: one request for each owner, several at a time.

use std::time::Duration;

use super::*;

/// Memberships are looked up by their organizations or their users.
#[test]
fn memberships_by_owner() {
    let oracle = orders();
    check(
        &oracle,
        &[
            (
                "by organization",
                "SELECT o.id, m.membership_id, m.role FROM own.orders o JOIN clerk.organization_memberships m ON m.organization_id = o.organization_id",
            ),
            (
                "by user",
                "SELECT o.id, m.membership_id FROM own.orders o JOIN clerk.organization_memberships m USING (user_id)",
            ),
            (
                "by both",
                "SELECT o.id, m.role FROM own.orders o JOIN clerk.organization_memberships m ON m.organization_id = o.organization_id AND m.user_id = o.user_id",
            ),
            (
                "LEFT",
                "SELECT o.id, m.membership_id FROM own.orders o LEFT JOIN clerk.organization_memberships m ON m.organization_id = o.organization_id AND m.role = 'org:admin'",
            ),
            (
                "EXISTS",
                "SELECT o.id FROM own.orders o WHERE EXISTS (SELECT FROM clerk.organization_memberships m WHERE m.organization_id = o.organization_id AND m.role = o.note)",
            ),
            (
                "EXISTS by user",
                "SELECT o.id FROM own.orders o WHERE EXISTS (SELECT FROM clerk.organization_memberships m WHERE m.user_id = o.user_id)",
            ),
            (
                "NOT EXISTS",
                "SELECT o.id FROM own.orders o WHERE NOT EXISTS (SELECT FROM clerk.organization_memberships m WHERE m.user_id = o.user_id)",
            ),
            (
                "IN",
                "SELECT m.membership_id FROM clerk.organization_memberships m WHERE m.organization_id IN (SELECT o.organization_id FROM own.orders o WHERE o.amount < 3)",
            ),
            (
                "a further condition",
                "SELECT o.id, m.membership_id FROM own.orders o JOIN clerk.organization_memberships m ON m.organization_id = o.organization_id AND m.user_id <> o.user_id",
            ),
            (
                "an expression",
                "SELECT o.id, m.role FROM own.orders o JOIN clerk.organization_memberships m ON m.organization_id = coalesce(o.organization_id, 'org_acme')",
            ),
            (
                "grouped",
                "SELECT o.organization_id, m.role, count(*) FROM own.orders o JOIN clerk.organization_memberships m USING (organization_id) GROUP BY 1, 2",
            ),
        ],
    );
}

/// Lists of several pages are read to their ends, and no row comes twice.
#[test]
fn several_pages_of_an_owner() {
    let config = Config { users: 150, organizations: 6, memberships: 500, lone_surrogates: false, ..small() };
    let world = World::with(config, "page_size '10', max_concurrency '3'");
    settle(&world);
    let oracle = Oracle::of(world, "");
    oracle.run(ORDERS);
    oracle.run(ONLY_LOOKUPS);
    check(
        &oracle,
        &[
            (
                "memberships",
                "SELECT o.id, m.membership_id FROM own.orders o JOIN clerk.organization_memberships m USING (organization_id) WHERE o.id < 60",
            ),
            ("users", "SELECT o.id, u.email FROM own.orders o JOIN clerk.users u USING (user_id)"),
            ("users by address", "SELECT o.id, u.user_id FROM own.orders o LEFT JOIN clerk.users u USING (email)"),
            (
                "in order",
                "SELECT o.id, m.membership_id FROM own.orders o LEFT JOIN clerk.organization_memberships m USING (organization_id) ORDER BY o.id, m.membership_id LIMIT 200",
            ),
        ],
    );
}

/// Each owner is asked for once, with several requests in flight.
#[test]
fn one_request_per_owner_side_by_side() {
    let world = crowd(2000, "max_concurrency '8'");
    world.run(ONLY_LOOKUPS);
    world.run("CREATE TABLE own.parts AS SELECT n, organization_id FROM generate_series(1, 20) n, (SELECT organization_id FROM clerk.organizations LIMIT 30) o; ANALYZE own.parts");
    world.sim.set_latency(Duration::from_millis(100));
    let query = "SELECT p.n, m.role FROM own.parts p JOIN clerk.organization_memberships m ON m.organization_id = p.organization_id";
    let plan = plan_of(&world, query);
    assert!(plan.contains(NODE), "{plan}");
    world.assert_quiet(query);
    world.rows(query);
    let requests = asked(&world);
    assert_eq!(requests.len(), 30, "{requests:?}");
    let peak = requests.iter().map(|request| request.in_flight).max();
    assert!(peak > Some(3) && peak <= Some(8), "{peak:?} in flight");
}
