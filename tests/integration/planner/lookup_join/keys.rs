//! Which columns and expressions can be keys.

use super::*;

/// Every column that Clerk takes lists of values for is a key.
#[test]
fn key_columns() {
    let oracle = orders();
    check(
        &oracle,
        &[
            (
                "user_id",
                "SELECT o.id, u.user_id, u.email FROM own.orders o JOIN clerk.users u ON u.user_id = o.user_id",
            ),
            ("email", "SELECT o.id, u.user_id, u.email FROM own.orders o JOIN clerk.users u ON u.email = o.email"),
            (
                "phone_number",
                "SELECT o.id, u.user_id FROM own.orders o JOIN clerk.users u ON u.phone_number = o.phone_number",
            ),
            ("username", "SELECT o.id, u.user_id FROM own.orders o JOIN clerk.users u ON u.username = o.username"),
            (
                "external_id",
                "SELECT o.id, u.user_id FROM own.orders o JOIN clerk.users u ON u.external_id = o.external_id",
            ),
            (
                "web3_wallet",
                "SELECT o.id, u.user_id FROM own.orders o JOIN clerk.users u ON u.web3_wallet = o.web3_wallet",
            ),
            (
                "organization_id",
                "SELECT o.id, g.* FROM own.orders o JOIN clerk.organizations g ON g.organization_id = o.organization_id",
            ),
            ("USING", "SELECT user_id, o.id, u.email FROM own.orders o JOIN clerk.users u USING (user_id)"),
            (
                "Clerk's table first",
                "SELECT o.id, u.email FROM clerk.users u JOIN own.orders o ON o.user_id = u.user_id",
            ),
            (
                "a WHERE clause",
                "SELECT o.id, u.email FROM own.orders o, clerk.users u WHERE o.user_id = u.user_id AND o.amount > 1",
            ),
            ("no column of the outer row", "SELECT u.email FROM own.orders o JOIN clerk.users u USING (user_id)"),
            ("no column at all", "SELECT count(*) FROM own.orders o JOIN clerk.users u USING (user_id)"),
            ("every column", "SELECT * FROM own.orders o JOIN clerk.users u USING (user_id)"),
            ("no outer row", "SELECT o.id, u.email FROM own.nothing o JOIN clerk.users u USING (user_id)"),
            (
                "only NULL keys",
                "SELECT o.id, u.email FROM own.orders o JOIN clerk.users u USING (user_id) WHERE o.id % 17 = 0",
            ),
            (
                "only unknown keys",
                "SELECT o.id, u.email FROM own.orders o JOIN clerk.users u USING (user_id) WHERE o.id % 19 = 0",
            ),
        ],
    );
}

/// Secondary addresses and numbers find users of which another one is shown: those rows do not join, nor does one that
/// is written in other letters.
#[test]
fn secondary_addresses_and_case_variants() {
    let oracle = orders();
    oracle.run(
        "CREATE TABLE own.addresses AS
           SELECT row_number() OVER () AS id, address FROM (
             SELECT e ->> 'email_address' FROM copy.users, jsonb_array_elements(attrs -> 'email_addresses') e
             UNION ALL SELECT upper(e ->> 'email_address') FROM copy.users, jsonb_array_elements(attrs -> 'email_addresses') e
             UNION ALL SELECT lower(e ->> 'email_address') FROM copy.users, jsonb_array_elements(attrs -> 'email_addresses') e
             UNION ALL SELECT n ->> 'phone_number' FROM copy.users, jsonb_array_elements(attrs -> 'phone_numbers') n) a(address);
         ANALYZE own.addresses",
    );
    check(
        &oracle,
        &[
            (
                "email",
                "SELECT a.id, a.address, u.user_id FROM own.addresses a JOIN clerk.users u ON u.email = a.address",
            ),
            (
                "phone_number",
                "SELECT a.id, u.user_id FROM own.addresses a JOIN clerk.users u ON u.phone_number = a.address",
            ),
            ("LEFT", "SELECT a.id, u.user_id FROM own.addresses a LEFT JOIN clerk.users u ON u.email = a.address"),
            (
                "NOT EXISTS",
                "SELECT a.id FROM own.addresses a WHERE NOT EXISTS (SELECT FROM clerk.users u WHERE u.email = a.address)",
            ),
            (
                "user names",
                "SELECT o.id, u.user_id FROM own.orders o LEFT JOIN clerk.users u ON u.username = upper(o.username)",
            ),
        ],
    );
    // The letters of both sides made alike are no value that Clerk could be asked for; any join will do.
    check_several(
        &oracle,
        &[(
            "both lower",
            "SELECT a.id, u.user_id FROM own.addresses a JOIN clerk.users u ON lower(u.email) = lower(a.address)",
            0,
        )],
    );
}

/// The outer side of a key may be any expression over the outer row.
#[test]
fn expressions() {
    let oracle = orders();
    oracle.run(
        "CREATE FUNCTION own.suffixed(text) RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN $1 || ''; END $$;
         CREATE FUNCTION own.changing(text) RETURNS text LANGUAGE plpgsql VOLATILE AS $$ BEGIN RETURN $1 || ''; END $$;
         CREATE TABLE own.typed AS
           SELECT id, user_id::varchar(200) AS varied, user_id::char(40) AS padded, user_id::name AS named, email FROM own.orders WHERE id <> 6;
         ANALYZE own.typed",
    );
    check(
        &oracle,
        &[
            ("lower", "SELECT o.id, u.user_id FROM own.orders o JOIN clerk.users u ON u.email = lower(o.email)"),
            (
                "concatenation",
                "SELECT o.id, u.user_id FROM own.orders o JOIN clerk.users u ON u.user_id = 'user_' || substr(o.user_id, 6)",
            ),
            (
                "coalesce",
                "SELECT o.id, u.user_id FROM own.orders o JOIN clerk.users u ON u.user_id = coalesce(o.user_id, 'user_bob')",
            ),
            (
                "CASE",
                "SELECT o.id, u.user_id FROM own.orders o JOIN clerk.users u ON u.email = CASE WHEN o.flag THEN o.email ELSE 'ada@example.com' END",
            ),
            (
                "nullif",
                "SELECT o.id, u.user_id FROM own.orders o LEFT JOIN clerk.users u ON u.external_id = nullif(o.external_id, '')",
            ),
            ("trim", "SELECT o.id, u.user_id FROM own.orders o JOIN clerk.users u ON u.user_id = trim(o.user_id)"),
            ("an element", "SELECT o.id, u.user_id FROM own.orders o JOIN clerk.users u ON u.user_id = o.user_ids[2]"),
            (
                "a JSON member",
                "SELECT o.id, u.user_id FROM own.orders o JOIN clerk.users u ON u.user_id = to_jsonb(o) ->> 'user_id'",
            ),
            (
                "a function",
                "SELECT o.id, u.user_id FROM own.orders o JOIN clerk.users u ON u.user_id = own.suffixed(o.user_id)",
            ),
            ("varchar", "SELECT t.id, u.user_id FROM own.typed t JOIN clerk.users u ON u.user_id = t.varied"),
            (
                "char as text",
                "SELECT t.id, u.user_id FROM own.typed t JOIN clerk.users u ON u.user_id = t.padded::text",
            ),
            (
                "a column of a subquery",
                "SELECT s.k, u.email FROM (SELECT o.id, 'user_' || substr(o.user_id, 6) AS k FROM own.orders o) s JOIN clerk.users u ON u.user_id = s.k",
            ),
            (
                "an aggregate",
                "SELECT s.*, u.email FROM (SELECT o.amount, max(o.user_id) AS k FROM own.orders o GROUP BY o.amount) s JOIN clerk.users u ON u.user_id = s.k",
            ),
            (
                "two tables' columns",
                "SELECT o.id, p.id, u.email FROM own.orders o JOIN own.orders p ON p.id = o.id + 1 JOIN clerk.users u ON u.user_id = coalesce(o.user_id, p.user_id)",
            ),
        ],
    );
    // What a volatile function gives is no key: it may be another value when it is compared. Blanks at the end do not count where char is compared, and what is compared with name is no text.
    check_several(
        &oracle,
        &[
            (
                "a volatile function",
                "SELECT o.id, u.user_id FROM own.orders o JOIN clerk.users u ON u.user_id = own.changing(o.user_id)",
                0,
            ),
            ("char", "SELECT t.id, u.user_id FROM own.typed t JOIN clerk.users u ON u.user_id = t.padded", 0),
            ("name", "SELECT t.id, u.user_id FROM own.typed t JOIN clerk.users u ON u.user_id = t.named", 0),
        ],
    );
}

/// Further conditions, on one side or on both, leave the rows that they leave over local tables.
#[test]
fn composite_conditions() {
    let oracle = orders();
    check(
        &oracle,
        &[
            (
                "two keys",
                "SELECT o.id, u.user_id FROM own.orders o JOIN clerk.users u ON u.user_id = o.user_id AND u.email = o.email",
            ),
            (
                "rows compared",
                "SELECT o.id, u.user_id FROM own.orders o JOIN clerk.users u ON (u.user_id, u.external_id) = (o.user_id, o.external_id)",
            ),
            (
                "a column that is no key",
                "SELECT o.id FROM own.orders o JOIN clerk.users u ON u.user_id = o.user_id AND u.created_at = o.at",
            ),
            (
                "not equal",
                "SELECT o.id, u.user_id FROM own.orders o JOIN clerk.users u ON u.user_id = o.user_id AND u.created_at <> o.at",
            ),
            (
                "greater",
                "SELECT o.id, u.user_id FROM own.orders o JOIN clerk.users u ON u.email = o.email AND length(u.user_id) > o.amount",
            ),
            (
                "of Clerk's row",
                "SELECT o.id, u.user_id FROM own.orders o JOIN clerk.users u ON u.user_id = o.user_id WHERE NOT u.banned AND u.first_name LIKE '%a%'",
            ),
            (
                "evaluated by Clerk",
                "SELECT o.id, u.user_id FROM own.orders o JOIN clerk.users u USING (user_id) WHERE u.created_at > '2024-03-10' AND u.email ILIKE '%example%'",
            ),
            (
                "of the outer row",
                "SELECT o.id, u.user_id FROM own.orders o JOIN clerk.users u USING (user_id) WHERE o.flag AND o.note LIKE 'note 1%'",
            ),
            (
                "LEFT: of Clerk's row",
                "SELECT o.id, u.user_id FROM own.orders o LEFT JOIN clerk.users u ON u.user_id = o.user_id AND u.first_name LIKE '%a%'",
            ),
            (
                "LEFT: of the outer row",
                "SELECT o.id, u.user_id FROM own.orders o LEFT JOIN clerk.users u ON u.user_id = o.user_id AND o.flag",
            ),
            (
                "LEFT: of both",
                "SELECT o.id, u.user_id FROM own.orders o LEFT JOIN clerk.users u ON u.user_id = o.user_id AND length(u.user_id) > o.amount * 8",
            ),
            (
                "LEFT: after the join",
                "SELECT o.id, u.user_id FROM own.orders o LEFT JOIN clerk.users u ON u.user_id = o.user_id WHERE u.user_id IS NULL OR o.flag",
            ),
            (
                "a subquery",
                "SELECT o.id, u.user_id FROM own.orders o JOIN clerk.users u USING (user_id) WHERE o.amount = (SELECT max(amount) FROM own.orders)",
            ),
            (
                "never true",
                "SELECT o.id, u.user_id FROM own.orders o LEFT JOIN clerk.users u ON u.user_id = o.user_id AND u.created_at < '1970-01-01'",
            ),
        ],
    );
}
