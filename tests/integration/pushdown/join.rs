//! Joins: a lookup for each of few values, one reading of the list for many.

use clerk_sim::Config;

use crate::support::*;

/// A world with local orders of its users: 5,000 of them, of which number 42 is Ada's.
fn world() -> Oracle {
    let oracle = Oracle::new(Config { users: 1200, organizations: 30, memberships: 600, ..small() }, "");
    oracle.run(
        "CREATE SCHEMA own;
         CREATE TABLE own.orders AS
           SELECT n AS id, u.user_id, u.email, u.external_id, u.username, u.created_at AS at,
             (ARRAY['org_acme', 'org_zoo', NULL, 'org_x'])[n % 4 + 1] AS organization_id
           FROM (SELECT n, (n * 7919) % 1204 AS place FROM generate_series(1, 5000) n) n
           JOIN (SELECT row_number() OVER (ORDER BY user_id) - 1 AS place, * FROM copy.users) u USING (place);
         UPDATE own.orders SET (user_id, email, external_id, username, at) = ('user_ada', 'ada@example.com', '+ada', 'ada', '2024-03-10 12:00Z') WHERE id = 42;
         UPDATE own.orders SET user_id = NULL, email = NULL WHERE id = 43;
         ALTER TABLE own.orders ADD PRIMARY KEY (id);
         ANALYZE own.orders; ANALYZE clerk.users; ANALYZE clerk.organizations; ANALYZE clerk.organization_memberships",
    );
    oracle.requests();
    oracle
}

/// A row's value is looked up in one request; a row that was looked up before, or has no value, in none.
#[test]
fn lookup_join_of_few_rows() {
    let oracle = world();
    let ada: &[&str] = &["/users/user_ada"];
    oracle.check(
        "",
        &[
            ("SELECT o.id, u.email FROM own.orders o JOIN clerk.users u ON u.user_id = o.user_id WHERE o.id = 42", ada),
            ("SELECT o.id, u.email FROM own.orders o JOIN clerk.users u USING (user_id) WHERE o.id IN (42, 43)", ada),
            ("SELECT o.id, u.email FROM own.orders o LEFT JOIN clerk.users u ON u.user_id = o.user_id WHERE o.id = 42", ada),
            ("SELECT o.id, u.email FROM own.orders o LEFT JOIN clerk.users u ON u.user_id = o.user_id WHERE o.id = 43", &[]),
            ("SELECT o.id FROM own.orders o LEFT JOIN clerk.users u ON u.user_id = o.user_id AND u.banned WHERE o.id = 42", ada),
            ("SELECT u.user_id FROM own.orders o JOIN clerk.users u ON u.email = o.email WHERE o.id = 42", &["/users?email_address=ada@example.com"]),
            ("SELECT u.user_id FROM own.orders o JOIN clerk.users u ON u.external_id = o.external_id WHERE o.id = 42", &["/users?external_id=++ada"]),
            ("SELECT u.user_id FROM own.orders o JOIN clerk.users u ON u.username = o.username WHERE o.id = 42", &["/users?username=ada"]),
            ("SELECT m.role FROM own.orders o JOIN clerk.organization_memberships m ON m.organization_id = o.organization_id WHERE o.id = 4", &["/organizations/org_acme/memberships"]),
            ("SELECT g.name FROM own.orders o JOIN clerk.organizations g USING (organization_id) WHERE o.id = 4", &["/organizations/org_acme"]),
            ("SELECT u.email FROM own.orders o, LATERAL (SELECT * FROM clerk.users u WHERE u.user_id = o.user_id) u WHERE o.id = 42", ada),
            ("SELECT u.created_at FROM own.orders o, LATERAL (SELECT u.created_at FROM clerk.users u WHERE u.created_at >= o.at ORDER BY u.created_at LIMIT 1) u WHERE o.id = 42", &["/users?created_at_after=1710071999999&limit=1"]),
            ("SELECT (SELECT u.email FROM clerk.users u WHERE u.user_id = o.user_id) FROM own.orders o WHERE o.id = 42", ada),
            ("SELECT o.id FROM own.orders o WHERE o.id = 42 AND EXISTS (SELECT FROM clerk.users u WHERE u.user_id = o.user_id)", ada),
            ("SELECT o.id FROM own.orders o WHERE o.id = 42 AND NOT EXISTS (SELECT FROM clerk.users u WHERE u.user_id = o.user_id)", ada),
            ("SELECT o.id FROM own.orders o WHERE o.id = 42 AND o.user_id IN (SELECT u.user_id FROM clerk.users u)", ada),
            ("SELECT u.email FROM clerk.users u WHERE u.user_id IN (SELECT o.user_id FROM own.orders o WHERE o.id = 42)", ada),
            ("SELECT u.email FROM clerk.users u WHERE u.user_id = ANY(ARRAY(SELECT o.user_id FROM own.orders o WHERE o.id IN (42, 43)))", ada),
            ("SELECT u.email, m.role FROM clerk.organization_memberships m JOIN clerk.users u USING (user_id) WHERE m.organization_id = 'org_acme' AND m.user_id = 'user_ada'",
                &["/organizations/org_acme/memberships?user_id=user_ada", "/users/user_ada"]),
            ("SELECT o.id, m.role, g.name FROM own.orders o JOIN clerk.organization_memberships m USING (user_id) JOIN clerk.organizations g ON g.organization_id = m.organization_id
                WHERE o.id = 42 AND g.organization_id = 'org_zoo'", &["/organizations/org_zoo", "/organizations/org_zoo/memberships?user_id=user_ada"]),
            ("SELECT n, u.email FROM generate_series(1, 6) n JOIN own.orders o ON o.id = 42 JOIN clerk.users u ON u.user_id = o.user_id", ada),
            ("PREPARE q(int) AS SELECT u.email FROM own.orders o JOIN clerk.users u USING (user_id) WHERE o.id = $1; EXECUTE q(42)", ada),
            ("SET plan_cache_mode = force_generic_plan; PREPARE q(int) AS SELECT u.email FROM own.orders o JOIN clerk.users u USING (user_id) WHERE o.id = $1; EXECUTE q(42)", ada),
        ],
    );
}

/// Where many rows are joined, Clerk's list is read once.
#[test]
fn join_of_many_rows_reads_the_list_once() {
    let oracle = world();
    for query in [
        "SELECT o.id, u.email FROM own.orders o JOIN clerk.users u ON u.user_id = o.user_id",
        "SELECT o.id, u.email FROM own.orders o LEFT JOIN clerk.users u USING (user_id)",
        "SELECT o.id, u.user_id FROM own.orders o JOIN clerk.users u ON u.email = o.email",
        "SELECT o.id, u.user_id FROM own.orders o FULL JOIN clerk.users u ON u.external_id = o.external_id",
        "SELECT o.id FROM own.orders o WHERE NOT EXISTS (SELECT FROM clerk.users u WHERE u.user_id = o.user_id AND NOT u.banned)",
        "SELECT u.user_id FROM clerk.users u WHERE u.user_id IN (SELECT o.user_id FROM own.orders o)",
        "SELECT u.user_id, o.id FROM clerk.users u JOIN own.orders o ON o.user_id = u.user_id WHERE u.email LIKE '%@example.com'",
        "SELECT u.user_id, m.role, g.name FROM clerk.users u JOIN clerk.organization_memberships m USING (user_id) JOIN clerk.organizations g USING (organization_id)",
        "SELECT g.name, count(*) FROM own.orders o JOIN clerk.organizations g USING (organization_id) GROUP BY g.name",
        "SELECT a.user_id, b.user_id FROM clerk.users a JOIN clerk.users b USING (email)",
    ] {
        oracle.requests();
        let answer = oracle.texts(query).map(|_| ());
        let requests = oracle.requests().len();
        assert!(requests <= 20, "{requests} requests for {query}\n{}", oracle.plan(query));
        assert_eq!((answer, oracle.difference(query)), (Ok(()), None), "{query}");
    }
}

/// Values that come again are looked up once: Postgres remembers what a lookup gave.
#[test]
fn memoized_lookup_join() {
    let oracle = world();
    oracle.run("SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off");
    oracle.run("CREATE TABLE own.visits AS SELECT n, 'user_' || (ARRAY['ada', 'bob', 'cyd'])[n % 3 + 1] AS user_id FROM generate_series(1, 300) n; ANALYZE own.visits");
    oracle.requests();
    let query = "SELECT v.n, u.email FROM own.visits v JOIN clerk.users u ON u.user_id = v.user_id";
    assert_eq!(oracle.rows(query).len(), 300);
    let requests = oracle.asked();
    assert!(requests.len() <= 10, "{} requests\n{}", requests.len(), oracle.plan(query));
    assert_eq!(oracle.difference(query), None);
}
