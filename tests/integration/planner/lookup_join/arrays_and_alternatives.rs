//! Keys of which an outer row has several: arrays, lists and OR.

use super::*;

/// An array on the outer side has as many keys as it has elements; each of Clerk's rows joins an outer row once.
#[test]
fn arrays() {
    let oracle = orders();
    check(
        &oracle,
        &[
            ("= ANY", "SELECT o.id, u.user_id FROM own.orders o JOIN clerk.users u ON u.user_id = ANY (o.user_ids)"),
            (
                "LEFT",
                "SELECT o.id, u.user_id FROM own.orders o LEFT JOIN clerk.users u ON u.user_id = ANY (o.user_ids)",
            ),
            (
                "EXISTS",
                "SELECT o.id FROM own.orders o WHERE EXISTS (SELECT FROM clerk.users u WHERE u.user_id = ANY (o.user_ids))",
            ),
            (
                "NOT EXISTS",
                "SELECT o.id FROM own.orders o WHERE NOT EXISTS (SELECT FROM clerk.users u WHERE u.user_id = ANY (o.user_ids))",
            ),
            (
                "an array of columns",
                "SELECT o.id, u.user_id FROM own.orders o JOIN clerk.users u ON u.email = ANY (ARRAY[o.email, 'ada@example.com', NULL])",
            ),
            (
                "IN",
                "SELECT o.id, u.user_id FROM own.orders o JOIN clerk.users u ON u.user_id IN (o.user_id, o.user_ids[2], 'user_bob')",
            ),
            (
                "more conditions",
                "SELECT o.id, u.user_id FROM own.orders o JOIN clerk.users u ON u.user_id = ANY (o.user_ids) AND u.email > o.email",
            ),
            (
                "an array and a key",
                "SELECT o.id, u.user_id FROM own.orders o JOIN clerk.users u ON u.user_id = ANY (o.user_ids) AND u.email = o.email",
            ),
            (
                "split text",
                "SELECT o.id, u.user_id FROM own.orders o JOIN clerk.users u ON u.user_id = ANY (string_to_array(array_to_string(o.user_ids, ' '), ' '))",
            ),
        ],
    );
    oracle.run(
        "CREATE TABLE own.arrays AS
           SELECT 1 AS id, array_agg(user_id) AS user_ids FROM copy.users
           UNION ALL SELECT 2, '{}' UNION ALL SELECT 3, NULL UNION ALL SELECT 4, '{NULL,NULL}'
           UNION ALL SELECT 5, '{{user_ada,user_bob},{user_cyd,user_ada}}'
           UNION ALL SELECT 6, array_agg('user_' || n) || 'user_ada'::text FROM generate_series(1, 250) n;
         ANALYZE own.arrays",
    );
    check(
        &oracle,
        &[
            (
                "of any length",
                "SELECT a.id, u.user_id FROM own.arrays a LEFT JOIN clerk.users u ON u.user_id = ANY (a.user_ids)",
            ),
            (
                "two arrays",
                "SELECT a.id, b.id, u.user_id FROM own.arrays a JOIN own.arrays b ON b.id >= a.id JOIN clerk.users u ON u.user_id = ANY (a.user_ids) AND u.user_id = ANY (b.user_ids)",
            ),
        ],
    );
    // These compare with every element, or with none, so that no list of values finds the rows.
    check_several(
        &oracle,
        &[
            (
                "<> ALL",
                "SELECT a.id, u.user_id FROM own.arrays a JOIN clerk.users u ON u.user_id <> ALL (a.user_ids)",
                0,
            ),
            ("= ALL", "SELECT a.id, u.user_id FROM own.arrays a JOIN clerk.users u ON u.user_id = ALL (a.user_ids)", 0),
            (
                "NOT IN",
                "SELECT o.id, u.user_id FROM own.orders o JOIN clerk.users u ON u.user_id NOT IN (o.user_id, o.user_ids[2])",
                0,
            ),
        ],
    );
}

/// Where one of several conditions is enough, each of Clerk's rows still joins an outer row once.
#[test]
fn alternatives() {
    let oracle = orders();
    check(
        &oracle,
        &[(
            "of one column",
            "SELECT o.id, u.user_id FROM own.orders o JOIN clerk.users u ON u.user_id = o.user_id OR u.user_id = o.user_ids[2]",
        )],
    );
    check_several(
        &oracle,
        &[
            (
                "of two columns",
                "SELECT o.id, u.user_id FROM own.orders o JOIN clerk.users u ON u.user_id = o.user_id OR u.email = o.email",
                0,
            ),
            (
                "LEFT",
                "SELECT o.id, u.user_id FROM own.orders o LEFT JOIN clerk.users u ON u.user_id = o.user_id OR u.external_id = o.external_id",
                0,
            ),
            (
                "EXISTS",
                "SELECT o.id FROM own.orders o WHERE EXISTS (SELECT FROM clerk.users u WHERE u.user_id = o.user_id OR u.email = o.email)",
                0,
            ),
            (
                "NOT EXISTS",
                "SELECT o.id FROM own.orders o WHERE NOT EXISTS (SELECT FROM clerk.users u WHERE u.user_id = o.user_id OR u.email = o.email)",
                0,
            ),
            (
                "with the outer row's",
                "SELECT o.id, u.user_id FROM own.orders o JOIN clerk.users u ON (u.user_id = o.user_id AND o.flag) OR (u.email = o.email AND NOT o.flag)",
                0,
            ),
            (
                "with another column's",
                "SELECT o.id, u.user_id FROM own.orders o JOIN clerk.users u ON u.user_id = o.user_id OR u.created_at = o.at",
                0,
            ),
            (
                "NULL in one",
                "SELECT o.id, u.user_id FROM own.orders o JOIN clerk.users u ON u.email = o.email OR u.user_id = NULL",
                0,
            ),
        ],
    );
}
