//! Conditions on columns of every type, on times above all, and through views, partitions and prepared statements.

use crate::support::*;

const ALL: &[&str] = &["/users"];

const NOTHING: &[&str] = &[];

const TABLES: &str = r#"
    CREATE FOREIGN TABLE clerk.old (id text, created_at bigint, updated_at bigint, last_sign_in_at bigint, last_active_at bigint,
        phone_numbers bigint) SERVER clerk OPTIONS (object 'users');
    CREATE FOREIGN TABLE clerk.plain (id varchar, created_at timestamp, last_active_at timestamp) SERVER clerk OPTIONS (object 'users');
    CREATE FOREIGN TABLE clerk.rounded (id varchar(80), created_at timestamp(0)) SERVER clerk OPTIONS (object 'users');
    CREATE FOREIGN TABLE clerk.days (user_id text, created_at date) SERVER clerk OPTIONS (object 'users');
"#;

/// A table whose collation needs ICU.
const ODD: &str = r#"
    CREATE COLLATION anycase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
    CREATE DOMAIN mail AS varchar CHECK (VALUE LIKE '%@%');
    CREATE DOMAIN moment AS bigint;
    CREATE FOREIGN TABLE clerk.odd (user_id text COLLATE anycase, email mail, username text COLLATE "C", external_id jsonb,
        created_at moment, banned text, last_name text OPTIONS (path 'first_name'), who text OPTIONS (path 'id'))
        SERVER clerk OPTIONS (object 'users');
"#;

/// The bounds of a time, to the millisecond, whichever type the column and the value have.
#[test]
fn time_range() {
    let oracle = Oracle::with(small(), "", TABLES);
    let after = |milliseconds: i64| format!("/users?created_at_after={milliseconds}");
    let before = |milliseconds: i64| format!("/users?created_at_before={milliseconds}");
    let between = |after: i64, before: i64| format!("/users?created_at_after={after}&created_at_before={before}");
    let (from_noon, after_noon, to_noon, before_noon) = (after(NOON - 1), after(NOON), before(NOON + 1), before(NOON));
    let at_noon = between(NOON - 1, NOON + 1);
    let midnight = NOON - 43_200_000;
    let day = between(midnight - 1, midnight + 86_400_000);
    oracle.check(
        "SELECT id FROM clerk.old WHERE ",
        &[
            ("created_at >= 1710072000000", &[&from_noon]),
            ("created_at > 1710072000000", &[&after_noon]),
            ("created_at <= 1710072000000", &[&to_noon]),
            ("created_at < 1710072000000", &[&before_noon]),
            ("1710072000000 > created_at", &[&before_noon]),
            ("created_at = 1710072000000", &[&at_noon]),
            ("created_at BETWEEN 1710072000000 AND 1710072000001", &[&between(NOON - 1, NOON + 2)]),
            (
                "created_at > 1710072000000 AND created_at > 1710071000000 AND created_at < 1710073000000",
                &[&between(NOON, NOON + 1_000_000)],
            ),
            ("created_at > 1710072000000 AND created_at < 1710072000001", NOTHING),
            ("created_at = 1710072000000 AND created_at = 1710072000001", NOTHING),
            ("created_at >= 7", &[&after(6)]),
            ("created_at > 7::smallint", &[&after(7)]),
            ("created_at > 9223372036854775807", &[&after(i64::MAX - 1)]),
            ("created_at > NULL", NOTHING),
            ("created_at > 1710072000000.5", ALL),
            ("created_at + 1 > 1710072000000", ALL),
            ("created_at <> 1710072000000", ALL),
            ("created_at IN (1710072000000, 1710072000001)", ALL),
            ("created_at = 1710072000000 OR created_at = 1710072000001", ALL),
            ("last_sign_in_at > 1710072000010", &["/users?last_sign_in_at_after=1710072000010"]),
            ("last_sign_in_at <= 1710072000010", &["/users?last_sign_in_at_before=1710072000011"]),
            ("last_active_at >= 1710028800000", &["/users?last_active_at_after=1710028799999"]),
            ("last_active_at <= 1710028800000", &["/users?last_active_at_before=1710115200001"]),
            ("updated_at > 1710072000000", ALL),
            ("phone_numbers = 15550100001", ALL),
        ],
    );
    oracle.check(
        "SET TimeZone = 'Asia/Kolkata'; SELECT user_id FROM clerk.users WHERE ",
        &[
            ("created_at >= '2024-03-10 17:30'", &[&from_noon]),
            ("created_at >= '2024-03-10 12:00:00.0001Z'", &[&after_noon]),
            ("created_at > '2024-03-10 11:59:59.9999Z'", &[&from_noon]),
            ("created_at < '2024-03-10 12:00:00.0001Z'", &[&to_noon]),
            ("created_at <= '2024-03-10 11:59:59.9999Z'", &[&before_noon]),
            ("created_at = '2024-03-10 12:00Z'", &[&at_noon]),
            ("created_at = '2024-03-10 12:00:00.0001Z'", NOTHING),
            ("created_at > timestamp '2024-03-10 17:30'", &[&after_noon]),
            ("created_at < date '2024-03-11'", &[&before(midnight + 66_600_000)]),
            ("created_at > 'infinity'", NOTHING),
            ("created_at < '-infinity'", NOTHING),
            ("last_active_at IS NULL", ALL),
        ],
    );
    // Wherever the session is, a comparison that Postgres itself can make is made.
    for zone in ["UTC", "America/Los_Angeles", "Pacific/Kiritimati"] {
        for value in [
            "timestamptz 'infinity'",
            "timestamptz '-infinity'",
            "timestamp 'infinity'",
            "date '-infinity'",
            "date 'infinity'",
            "timestamp '294276-12-31 23:59'",
            "timestamp '4713-01-01 00:00 BC'",
            "date '5874897-01-01'",
            "date '4713-01-01 BC'",
            "date '294277-01-01'",
            "timestamp '2024-03-10 12:00'",
            "date '2024-03-10'",
            "timestamptz '9999-12-31'",
            "now()",
        ] {
            for table in ["users", "plain", "days", "rounded"] {
                for operator in ["<", "<=", "=", ">=", ">"] {
                    let query = format!(
                        "SET TimeZone = '{zone}'; SELECT created_at FROM clerk.{table} WHERE created_at {operator} {value}"
                    );
                    assert_eq!(oracle.difference(&query), None, "{query}");
                }
            }
        }
    }
    oracle.run("RESET ALL");
    oracle.check(
        "SET TimeZone = 'Asia/Kolkata'; SELECT id FROM clerk.plain WHERE ",
        &[
            ("created_at >= '2024-03-10 12:00'", &[&from_noon]),
            ("created_at < '2024-03-10 12:00:00.0001'", &[&to_noon]),
            ("created_at < date '2024-03-10'", &[&before(midnight)]),
            ("created_at < timestamptz '2024-03-10 12:00Z'", ALL),
            (
                "last_active_at = '2024-03-10'",
                &["/users?last_active_at_after=1710028799999&last_active_at_before=1710115200001"],
            ),
        ],
    );
    oracle.check(
        "SELECT user_id FROM clerk.days WHERE ",
        &[
            ("created_at = '2024-03-10'", &[&day]),
            ("created_at > '2024-03-10'", &[&after(midnight + 86_399_999)]),
            ("created_at <= '2024-03-10'", &[&before(midnight + 86_400_000)]),
            ("created_at BETWEEN '2024-03-10' AND '2024-03-10'", &[&day]),
            ("created_at < timestamp '2024-03-10 12:00'", ALL),
        ],
    );
    oracle.check(
        "SELECT id FROM clerk.rounded WHERE ",
        &[("created_at = '2024-03-10 12:00'", ALL), ("id = 'user_ada'", ALL)],
    );
}

/// Conditions are sent to Clerk on columns under other names, of other types, with other collations and with paths of
/// their own, where they mean the same there.
#[test]
fn renamed_retyped_and_collated_columns() {
    if skip_without_icu() {
        return;
    }
    let oracle = Oracle::with(small(), "", &[TABLES, ODD].concat());
    oracle.check(
        "SELECT * FROM clerk.plain WHERE ",
        &[("id = 'user_ada'", &["/users/user_ada"]), ("id IN ('a', 'b')", &["/users?user_id=a&user_id=b"])],
    );
    oracle.check(
        "SELECT * FROM clerk.odd WHERE ",
        &[
            ("user_id = 'USER_ADA'", ALL),
            ("user_id IN ('USER_ADA', 'x')", ALL),
            ("user_id COLLATE \"C\" = 'user_ada'", &["/users/user_ada"]),
            ("email = 'ada@example.com'", &["/users?email_address=ada@example.com"]),
            ("email::text LIKE 'ada@%'", &["/users?email_address_query=ada@"]),
            ("username = 'ada'", &["/users?username=ada"]),
            ("external_id = '\"a,b\"'", ALL),
            ("created_at = 1710072000000", &["/users?created_at_after=1710071999999&created_at_before=1710072000001"]),
            ("banned = 'true'", ALL),
            ("banned = 'x'", ALL),
            ("last_name = 'Ada'", ALL),
            ("last_name LIKE 'Ad%'", ALL),
            ("who = 'user_ada'", ALL),
        ],
    );
    assert_eq!(oracle.texts("SELECT count(*) FROM clerk.odd WHERE banned = 'x'"), Ok(vec![vec![Some("0".to_owned())]]));
}

/// Conditions reach a table through views, subqueries, unions, partitions, locks and prepared statements.
#[test]
fn views_partitions_and_prepared_statements() {
    let oracle = Oracle::with(small(), "", TABLES);
    for schema in ["clerk", "copy"] {
        let child = if schema == "clerk" { "FOREIGN TABLE clerk.part" } else { "TABLE copy.part" };
        let server = if schema == "clerk" { "SERVER clerk OPTIONS (object 'users')" } else { "" };
        oracle.run(&format!(
            "CREATE VIEW {schema}.seen WITH (security_barrier) AS SELECT user_id, email FROM {schema}.users WHERE NOT banned;
             CREATE TABLE {schema}.whole (user_id text, email text, created_at timestamptz) PARTITION BY LIST (email);
             CREATE {child} PARTITION OF {schema}.whole DEFAULT {server};
             CREATE TABLE {schema}.heirs () INHERITS ({schema}.days)"
        ));
    }
    oracle.run(
        "INSERT INTO copy.part SELECT user_id, email, created_at FROM copy.users;
         INSERT INTO clerk.heirs VALUES ('user_ada', '2024-03-10'); INSERT INTO copy.heirs SELECT * FROM clerk.heirs",
    );
    let ada: &[&str] = &["/users/user_ada"];
    let day: &[&str] = &["/users?created_at_after=1710028799999&created_at_before=1710115200000"];
    oracle.check(
        "",
        &[
            ("SELECT * FROM clerk.seen WHERE user_id = 'user_ada'", ada),
            ("SELECT count(*) FROM clerk.seen", &["/users?banned=false"]),
            ("SELECT * FROM (SELECT user_id, email FROM clerk.users) s WHERE user_id = 'user_ada'", ada),
            ("SELECT * FROM (SELECT user_id, email FROM clerk.users OFFSET 0) s WHERE user_id = 'user_ada'", ALL),
            ("WITH s AS (SELECT user_id, email FROM clerk.users) SELECT * FROM s WHERE user_id = 'user_ada'", ada),
            ("WITH s AS MATERIALIZED (SELECT user_id FROM clerk.users WHERE banned) SELECT * FROM s", &["/users?banned=true"]),
            ("SELECT user_id FROM clerk.users WHERE user_id = 'user_ada' UNION ALL SELECT user_id FROM clerk.users WHERE user_id = 'user_bob'", &["/users/user_ada", "/users/user_bob"]),
            ("SELECT * FROM (SELECT user_id FROM clerk.users UNION ALL SELECT user_id FROM clerk.days) s WHERE user_id = 'user_ada'", &["/users/user_ada", "/users/user_ada"]),
            ("SELECT * FROM clerk.whole WHERE user_id = 'user_ada'", ada),
            ("SELECT count(*) FROM clerk.whole WHERE created_at > '2024-03-10 12:00Z'", &["/users?created_at_after=1710072000000"]),
            ("SELECT * FROM clerk.days WHERE user_id = 'user_ada'", ada),
            ("SELECT count(*) FROM clerk.days WHERE created_at = '2024-03-10'", day),
            ("SELECT count(*) FROM ONLY clerk.days WHERE created_at = '2024-03-10'", &["/users/count?created_at_after=1710028799999&created_at_before=1710115200000"]),
            ("SELECT * FROM clerk.users WHERE user_id = 'user_ada' FOR UPDATE", ada),
            ("SELECT user_id FROM clerk.users AS other WHERE user_id = 'user_ada'", ada),
            ("PREPARE q(text) AS SELECT * FROM clerk.users WHERE user_id = $1; EXECUTE q('user_ada')", ada),
            ("SET plan_cache_mode = force_generic_plan; PREPARE q(text) AS SELECT * FROM clerk.users WHERE user_id = $1; EXECUTE q('user_ada')", ada),
            ("SET plan_cache_mode = force_generic_plan; PREPARE q(text[]) AS SELECT * FROM clerk.users WHERE email = ANY($1); EXECUTE q('{a@b.c,d@e.f}')", &["/users?email_address=a@b.c&email_address=d@e.f"]),
            ("SET plan_cache_mode = force_generic_plan; PREPARE q(text) AS SELECT * FROM clerk.users WHERE email ILIKE '%' || $1 || '%'; EXECUTE q('ada')", &["/users?email_address_query=ada"]),
            ("SET plan_cache_mode = force_generic_plan; PREPARE q(timestamptz) AS SELECT count(*) FROM clerk.users WHERE created_at >= $1; EXECUTE q('2024-03-10 12:00Z')", &["/users/count?created_at_after=1710071999999"]),
            ("SET plan_cache_mode = force_generic_plan; PREPARE q(timestamptz) AS SELECT count(*) FROM clerk.users WHERE created_at >= $1; EXECUTE q(NULL)", NOTHING),
        ],
    );
}

/// Users who were imported with times before 1970 are later than `-infinity`, in a count by Clerk as well.
#[test]
fn time_before_1970() {
    let world = World::new(small());
    world.sim.create_user(serde_json::json!({"created_at": -86_400_000})).expect("a user");
    let all: i64 = world.one("SELECT count(*) FROM clerk.users");
    for condition in ["created_at > '-infinity'", "created_at >= '-infinity'", "created_at < 'infinity'"] {
        let count: i64 = world.one(&format!("SELECT count(*) FROM clerk.users WHERE {condition}"));
        assert_eq!(count, all, "{condition}");
        let rows = world.column::<String>(&format!("SELECT user_id FROM clerk.users WHERE {condition}"));
        assert_eq!(rows.len() as i64, all, "{condition}");
    }
}
