//! Lookup joins that run again and again within one query.

use super::*;

/// A lookup join inside a nested loop gives the rows of each turn, whether the turns ask for other rows or for the same.
#[test]
fn lateral() {
    let oracle = orders();
    oracle.run("CREATE TABLE own.turns AS SELECT * FROM (VALUES (1, 0), (2, 1), (3, 1), (4, NULL), (5, 3), (6, 3), (7, 99)) t(id, amount); ANALYZE own.turns");
    check(
        &oracle,
        &[
            (
                "parameter of the outer rows",
                "SELECT t.id, s.* FROM own.turns t, LATERAL (SELECT o.id AS order_id, u.email FROM own.orders o JOIN clerk.users u USING (user_id) WHERE o.amount = t.amount OFFSET 0) s",
            ),
            (
                "parameter of Clerk's rows",
                "SELECT t.id, s.* FROM own.turns t, LATERAL (SELECT o.id AS order_id, u.email FROM own.orders o JOIN clerk.users u USING (user_id) WHERE length(u.email) % 5 = t.amount OFFSET 0) s",
            ),
            (
                "parameter in the key",
                "SELECT t.id, s.* FROM own.turns t, LATERAL (SELECT o.id AS order_id, u.email FROM own.orders o JOIN clerk.users u ON u.user_id = o.user_ids[t.amount] OFFSET 0) s",
            ),
            (
                "parameter in the condition of both",
                "SELECT t.id, s.* FROM own.turns t, LATERAL (SELECT o.id AS order_id, u.email FROM own.orders o LEFT JOIN clerk.users u ON u.user_id = o.user_id AND length(u.user_id) > o.amount + t.amount WHERE o.id < 30 OFFSET 0) s",
            ),
            (
                "unchanged",
                "SELECT t.id, s.* FROM own.turns t LEFT JOIN LATERAL (SELECT o.id AS order_id, u.email FROM own.orders o JOIN clerk.users u USING (user_id) WHERE o.id < 40 OFFSET 0) s ON s.order_id % 7 = t.amount",
            ),
            (
                "with LIMIT",
                "SELECT t.id, s.* FROM own.turns t LEFT JOIN LATERAL (SELECT o.id AS order_id, u.email FROM own.orders o JOIN clerk.users u USING (user_id) WHERE o.amount = t.amount ORDER BY o.id LIMIT 3) s ON true ORDER BY t.id, s.order_id",
            ),
            (
                "EXISTS",
                "SELECT t.id FROM own.turns t WHERE EXISTS (SELECT FROM own.orders o JOIN clerk.users u USING (user_id) WHERE o.amount = t.amount OFFSET 0)",
            ),
            (
                "a scalar subquery",
                "SELECT t.id, (SELECT count(*) FROM own.orders o JOIN clerk.users u USING (user_id) WHERE o.amount = t.amount), (SELECT max(u.email) FROM own.orders o LEFT JOIN clerk.users u USING (user_id)) FROM own.turns t",
            ),
            (
                "owners",
                "SELECT t.id, s.* FROM own.turns t, LATERAL (SELECT o.id AS order_id, m.role FROM own.orders o JOIN clerk.organization_memberships m USING (organization_id) WHERE o.amount = t.amount AND o.id < 60 OFFSET 0) s",
            ),
            (
                "anti",
                "SELECT t.id, (SELECT count(*) FROM own.orders o WHERE o.amount = t.amount AND NOT EXISTS (SELECT FROM clerk.users u WHERE u.user_id = o.user_id)) FROM own.turns t",
            ),
        ],
    );
}

/// A rescan does not ask again for what the scan remembers.
#[test]
fn rescan_remembers() {
    let world = crowd(3000, "");
    world.run(ONLY_LOOKUPS);
    world.run("SET enable_material = off; SET enable_memoize = off");
    let of = |where_clause: &str| {
        format!(
            "SELECT t, s.* FROM generate_series(1, 20) t, LATERAL (SELECT k.n, u.email FROM own.known k JOIN clerk.users u USING (user_id) WHERE {where_clause} OFFSET 0) s"
        )
    };
    for (what, query, requests) in
        [("the same keys", of("k.n <= 50 AND k.n + t > 0"), 1), ("some keys more each time", of("k.n <= 40 + t"), 20)]
    {
        world.assert_quiet(what);
        assert!(!world.rows(&query).is_empty());
        let asked = asked(&world);
        assert!(asked.len() <= requests, "{what}: {} requests\n{}", asked.len(), plan_of(&world, &query));
        let keys: usize = asked.iter().map(ids_in).sum();
        assert!(keys <= 60, "{what}: {keys} keys, no more than 60 of which are distinct");
    }
}

/// A join that is given up in the middle, and started again, starts from the beginning.
#[test]
fn rescan_before_the_end() {
    let oracle = orders();
    check(
        &oracle,
        &[
            ("semi-join over it", "SELECT p.id FROM own.orders p WHERE EXISTS (SELECT FROM own.orders o JOIN clerk.users u USING (user_id) WHERE u.email > p.email OFFSET 0)"),
            ("first row", "SELECT p.id, (SELECT o.id FROM own.orders o JOIN clerk.users u USING (user_id) WHERE o.amount = p.amount ORDER BY o.id LIMIT 1) FROM own.orders p WHERE p.id < 80"),
            ("a recursive query", "WITH RECURSIVE chain AS (SELECT 1 AS id, 'user_ada' AS user_id UNION ALL
               SELECT c.id + 1, o.user_id FROM chain c JOIN own.orders o ON o.id = c.id * 3 JOIN clerk.users u ON u.user_id = o.user_id WHERE c.id < 20) SELECT * FROM chain"),
        ],
    );
    check_several(
        &oracle,
        &[("Clerk's row by each turn", "WITH RECURSIVE chain AS (SELECT 1 AS step, u.user_id FROM clerk.users u WHERE u.user_id = 'user_ada' UNION ALL
            SELECT c.step + 1, u.user_id FROM chain c JOIN clerk.users u ON u.user_id = CASE c.step WHEN 1 THEN 'user_bob' WHEN 2 THEN 'user_cyd' END) SELECT * FROM chain", 0)],
    );
}
