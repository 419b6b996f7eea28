//! INNER, LEFT, SEMI and ANTI joins, and the order in which their rows come.

use super::*;

/// Each type of join gives what it gives over local tables.
#[test]
fn inner_left_semi_anti() {
    let oracle = orders();
    check(
        &oracle,
        &[
            ("INNER", "SELECT o.id, u.email FROM own.orders o JOIN clerk.users u USING (user_id)"),
            ("LEFT", "SELECT o.id, u.email FROM own.orders o LEFT JOIN clerk.users u USING (user_id)"),
            ("RIGHT, turned", "SELECT o.id, u.email FROM clerk.users u RIGHT JOIN own.orders o USING (user_id)"),
            (
                "EXISTS",
                "SELECT o.* FROM own.orders o WHERE EXISTS (SELECT FROM clerk.users u WHERE u.user_id = o.user_id)",
            ),
            (
                "EXISTS with more",
                "SELECT o.id FROM own.orders o WHERE EXISTS (SELECT FROM clerk.users u WHERE u.user_id = o.user_id AND u.first_name > o.note)",
            ),
            ("IN", "SELECT o.id FROM own.orders o WHERE o.user_id IN (SELECT u.user_id FROM clerk.users u)"),
            (
                "IN by address",
                "SELECT o.id FROM own.orders o WHERE o.email IN (SELECT u.email FROM clerk.users u WHERE NOT u.banned)",
            ),
            (
                "= ANY",
                "SELECT o.id FROM own.orders o WHERE o.external_id = ANY (SELECT u.external_id FROM clerk.users u)",
            ),
            (
                "NOT EXISTS",
                "SELECT o.id FROM own.orders o WHERE NOT EXISTS (SELECT FROM clerk.users u WHERE u.user_id = o.user_id)",
            ),
            (
                "NOT EXISTS with more",
                "SELECT o.id FROM own.orders o WHERE NOT EXISTS (SELECT FROM clerk.users u WHERE u.email = o.email AND length(u.user_id) > o.amount)",
            ),
            (
                "LEFT with IS NULL",
                "SELECT o.id FROM own.orders o LEFT JOIN clerk.users u ON u.user_id = o.user_id WHERE u.user_id IS NULL",
            ),
            (
                "both EXISTS and NOT",
                "SELECT o.id FROM own.orders o WHERE EXISTS (SELECT FROM clerk.users u WHERE u.user_id = o.user_id)
               AND NOT EXISTS (SELECT FROM clerk.users u WHERE u.email = o.email)",
            ),
            (
                "EXISTS in a join's condition",
                "SELECT o.id, p.id FROM own.orders o JOIN own.orders p ON p.id = o.id + 1 AND EXISTS (SELECT FROM clerk.users u WHERE u.user_id = p.user_id)",
            ),
        ],
    );
    // A NULL in the list makes NOT IN unknown, which is no join; and a FULL join shows users whom nobody asked for.
    check_several(
        &oracle,
        &[
            ("NOT IN", "SELECT o.id FROM own.orders o WHERE o.user_id NOT IN (SELECT u.user_id FROM clerk.users u)", 0),
            (
                "NOT IN with NULL",
                "SELECT o.id FROM own.orders o WHERE o.external_id NOT IN (SELECT u.external_id FROM clerk.users u)",
                0,
            ),
            ("FULL", "SELECT o.id, u.user_id FROM own.orders o FULL JOIN clerk.users u USING (user_id)", 0),
            (
                "LEFT, Clerk's first",
                "SELECT o.id, u.user_id FROM clerk.users u LEFT JOIN own.orders o USING (user_id)",
                0,
            ),
            (
                "NOT EXISTS, Clerk's first",
                "SELECT u.user_id FROM clerk.users u WHERE NOT EXISTS (SELECT FROM own.orders o WHERE o.user_id = u.user_id)",
                0,
            ),
            (
                "OR with EXISTS",
                "SELECT o.id FROM own.orders o WHERE o.flag OR EXISTS (SELECT FROM clerk.users u WHERE u.user_id = o.user_id)",
                0,
            ),
            ("CROSS", "SELECT count(*) FROM own.orders o CROSS JOIN clerk.users u", 0),
        ],
    );
}

/// Clerk's rows that local rows name come once each, however often they are named.
#[test]
fn unique_outer() {
    let oracle = orders();
    check(
        &oracle,
        &[
            (
                "IN",
                "SELECT u.user_id, u.email FROM clerk.users u WHERE u.user_id IN (SELECT o.user_id FROM own.orders o)",
            ),
            (
                "IN with a condition",
                "SELECT u.user_id FROM clerk.users u WHERE u.user_id IN (SELECT o.user_id FROM own.orders o WHERE o.flag) AND NOT u.banned",
            ),
            (
                "IN by address",
                "SELECT u.user_id FROM clerk.users u WHERE u.email IN (SELECT o.email FROM own.orders o)",
            ),
            (
                "IN DISTINCT",
                "SELECT u.user_id FROM clerk.users u WHERE u.user_id IN (SELECT DISTINCT o.user_id FROM own.orders o)",
            ),
            (
                "EXISTS",
                "SELECT u.user_id FROM clerk.users u WHERE EXISTS (SELECT FROM own.orders o WHERE o.user_id = u.user_id)",
            ),
            (
                "of a union",
                "SELECT u.user_id FROM clerk.users u WHERE u.user_id IN (SELECT o.user_id FROM own.orders o WHERE o.flag UNION ALL SELECT 'user_ada')",
            ),
            (
                "organizations",
                "SELECT g.organization_id, g.name FROM clerk.organizations g WHERE g.organization_id IN (SELECT o.organization_id FROM own.orders o)",
            ),
            (
                "with a join beside",
                "SELECT u.user_id, o.id FROM clerk.users u JOIN own.orders o USING (user_id) WHERE u.user_id IN (SELECT p.user_id FROM own.orders p WHERE p.amount = 3)",
            ),
        ],
    );
    check_several(
        &oracle,
        &[(
            "EXISTS with more",
            "SELECT u.user_id FROM clerk.users u WHERE EXISTS (SELECT FROM own.orders o WHERE o.user_id = u.user_id AND length(u.email) > o.amount)",
            0,
        )],
    );
}

/// Joined rows come in the order of the outer rows, so that nothing has to sort them once more.
#[test]
fn order_of_the_outer_rows() {
    let oracle = orders();
    oracle.run("SET enable_sort = off");
    for join in ["JOIN", "LEFT JOIN"] {
        let query =
            format!("SELECT o.id, u.email FROM own.orders o {join} clerk.users u USING (user_id) ORDER BY o.id");
        let plan = plan_of(&oracle, &query);
        assert!(plan.contains(NODE) && !plan.contains("Sort"), "{plan}");
        assert_eq!(oracle.difference(&query), None, "{query}");
    }
    let query = "SELECT o.id FROM own.orders o WHERE NOT EXISTS (SELECT FROM clerk.users u WHERE u.user_id = o.user_id) ORDER BY o.id DESC";
    assert_eq!(oracle.difference(query), None);
}

/// What stands above the join gets the right rows.
#[test]
fn below_other_nodes() {
    let oracle = orders();
    check(
        &oracle,
        &[
            (
                "GROUP BY",
                "SELECT u.banned, count(*), max(o.id), min(u.email) FROM own.orders o JOIN clerk.users u USING (user_id) GROUP BY u.banned",
            ),
            ("DISTINCT", "SELECT DISTINCT u.user_id, o.note FROM own.orders o LEFT JOIN clerk.users u USING (user_id)"),
            (
                "ORDER BY Clerk's column",
                "SELECT o.id, u.email FROM own.orders o JOIN clerk.users u USING (user_id) ORDER BY u.email DESC NULLS FIRST, o.id",
            ),
            (
                "LIMIT and OFFSET",
                "SELECT o.id, u.email FROM own.orders o JOIN clerk.users u USING (user_id) ORDER BY u.email, o.id LIMIT 20 OFFSET 30",
            ),
            (
                "a window",
                "SELECT o.id, row_number() OVER (PARTITION BY u.user_id ORDER BY o.id) FROM own.orders o JOIN clerk.users u USING (user_id)",
            ),
            (
                "GROUPING SETS",
                "SELECT u.user_id, o.note, count(*) FROM own.orders o JOIN clerk.users u USING (user_id) GROUP BY ROLLUP (u.user_id, o.note)",
            ),
            (
                "UNION",
                "SELECT o.id, u.email FROM own.orders o JOIN clerk.users u USING (user_id) UNION SELECT o.id, u.email FROM own.orders o JOIN clerk.users u USING (email)",
            ),
            (
                "a set-returning target",
                "SELECT o.id, unnest(ARRAY[u.email, o.email]) FROM own.orders o JOIN clerk.users u USING (user_id)",
            ),
            (
                "the outer of a join",
                "SELECT s.id, p.id FROM (SELECT o.id, u.email FROM own.orders o JOIN clerk.users u USING (user_id) OFFSET 0) s JOIN own.orders p ON p.email = s.email",
            ),
            (
                "the inner of a join",
                "SELECT p.id, s.id FROM own.orders p LEFT JOIN (own.orders o JOIN clerk.users u USING (user_id)) s ON s.id = p.id + 1",
            ),
            (
                "below a lookup",
                "SELECT o.id, w.email FROM own.orders o JOIN clerk.users u ON u.user_id = o.user_id JOIN clerk.users w ON w.user_id = 'user_' || substr(u.user_id, 6)",
            ),
            (
                "Clerk's own rows",
                "SELECT m.membership_id, u.email FROM clerk.organization_memberships m JOIN clerk.users u ON u.user_id = m.user_id",
            ),
        ],
    );
}
