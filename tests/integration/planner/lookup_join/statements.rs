//! Where joins stand in a statement, and how statements are kept and run again.

use super::*;

/// Views, CTEs and subqueries hide nothing.
#[test]
fn views_and_subqueries() {
    let oracle = orders();
    oracle.run(
        "CREATE VIEW clerk.shown AS SELECT user_id, email, upper(first_name) AS name FROM clerk.users WHERE NOT banned;
         CREATE VIEW copy.shown AS SELECT user_id, email, upper(first_name) AS name FROM copy.users WHERE NOT banned;
         CREATE VIEW clerk.joined AS SELECT o.id, o.note, u.email FROM own.orders o LEFT JOIN clerk.users u USING (user_id);
         CREATE VIEW copy.joined AS SELECT o.id, o.note, u.email FROM own.orders o LEFT JOIN copy.users u USING (user_id);
         CREATE VIEW clerk.barrier WITH (security_barrier) AS SELECT * FROM clerk.users WHERE first_name IS NOT NULL;
         CREATE VIEW copy.barrier AS SELECT * FROM copy.users WHERE first_name IS NOT NULL",
    );
    check(
        &oracle,
        &[
            ("a view of Clerk's table", "SELECT o.id, s.name FROM own.orders o JOIN clerk.shown s USING (user_id)"),
            ("LEFT to a view", "SELECT o.id, s.name FROM own.orders o LEFT JOIN clerk.shown s USING (user_id)"),
            ("a view that joins", "SELECT * FROM clerk.joined WHERE id < 100"),
            ("a view that joins, counted", "SELECT note, count(email) FROM clerk.joined GROUP BY note"),
            (
                "a subquery",
                "SELECT o.id, s.email FROM own.orders o JOIN (SELECT user_id, email FROM clerk.users WHERE NOT banned) s USING (user_id)",
            ),
            (
                "a subquery as the outer side",
                "SELECT s.id, u.email FROM (SELECT DISTINCT ON (user_id) id, user_id FROM own.orders ORDER BY user_id, id LIMIT 40) s JOIN clerk.users u USING (user_id)",
            ),
            (
                "a CTE",
                "WITH s AS (SELECT id, user_id FROM own.orders WHERE flag) SELECT s.id, u.email FROM s JOIN clerk.users u USING (user_id)",
            ),
            (
                "a materialized CTE",
                "WITH s AS MATERIALIZED (SELECT id, user_id FROM own.orders) SELECT s.id, u.email FROM s JOIN clerk.users u USING (user_id)",
            ),
            (
                "a CTE that joins, read twice",
                "WITH s AS MATERIALIZED (SELECT o.id, u.email FROM own.orders o JOIN clerk.users u USING (user_id)) SELECT a.id, b.id FROM s a JOIN s b ON b.id = a.id + 1",
            ),
            (
                "VALUES",
                "SELECT v.k, u.email FROM (VALUES ('user_ada'), ('user_bob'), (NULL), ('user_ada'), ('')) v(k) LEFT JOIN clerk.users u ON u.user_id = v.k",
            ),
            (
                "unnest",
                "SELECT k, u.email FROM unnest('{user_ada,user_x,NULL,user_cyd}'::text[]) k JOIN clerk.users u ON u.user_id = k",
            ),
            (
                "a function",
                "SELECT n, u.email FROM generate_series(1, 5) n JOIN clerk.users u ON u.user_id = 'user_' || (ARRAY['ada', 'bob', 'cyd'])[n]",
            ),
            (
                "a UNION ALL as the outer side",
                "SELECT s.k, u.email FROM (SELECT user_id AS k FROM own.orders WHERE flag UNION ALL SELECT external_id FROM own.orders) s JOIN clerk.users u ON u.user_id = s.k",
            ),
            (
                "a subquery in the target",
                "SELECT o.id, u.email, (SELECT count(*) FROM own.orders p WHERE p.user_id = u.user_id) FROM own.orders o JOIN clerk.users u USING (user_id)",
            ),
        ],
    );
    check_several(
        &oracle,
        &[
            (
                "a security barrier",
                "SELECT o.id, b.email FROM own.orders o JOIN clerk.barrier b USING (user_id) WHERE b.email LIKE '%e%'",
                0,
            ),
            (
                "an outer join's subquery",
                "SELECT o.id, s.c FROM own.orders o LEFT JOIN (SELECT user_id, coalesce(first_name, '?') AS c FROM clerk.users) s USING (user_id)",
                1,
            ),
        ],
    );
}

/// Several of Clerk's tables, and one of them several times, in one query.
#[test]
fn several_clerk_tables() {
    let oracle = orders();
    check_several(
        &oracle,
        &[
            (
                "users and organizations",
                "SELECT o.id, u.email, g.name FROM own.orders o JOIN clerk.users u USING (user_id) JOIN clerk.organizations g ON g.organization_id = o.organization_id",
                2,
            ),
            (
                "LEFT both",
                "SELECT o.id, u.email, g.name FROM own.orders o LEFT JOIN clerk.users u USING (user_id) LEFT JOIN clerk.organizations g USING (organization_id)",
                2,
            ),
            (
                "one after the other",
                "SELECT o.id, m.role, g.name FROM own.orders o JOIN clerk.organization_memberships m ON m.user_id = o.user_id JOIN clerk.organizations g ON g.organization_id = m.organization_id",
                2,
            ),
            (
                "users twice",
                "SELECT o.id, u.email, w.email FROM own.orders o JOIN clerk.users u ON u.user_id = o.user_id LEFT JOIN clerk.users w ON w.user_id = o.user_ids[2]",
                2,
            ),
            (
                "a join and EXISTS",
                "SELECT o.id, u.email FROM own.orders o JOIN clerk.users u USING (user_id) WHERE NOT EXISTS (SELECT FROM clerk.organization_memberships m WHERE m.user_id = o.user_id)",
                2,
            ),
            (
                "a condition over both",
                "SELECT o.id FROM own.orders o JOIN clerk.users u ON u.user_id = o.user_id JOIN clerk.users w ON w.email = o.email AND w.created_at >= u.created_at",
                2,
            ),
            (
                "an outer join inside another",
                "SELECT o.id, u.email, g.name FROM own.orders o LEFT JOIN (clerk.organizations g JOIN own.orders p ON p.organization_id = g.organization_id AND p.id < 9) ON p.id = o.id LEFT JOIN clerk.users u ON u.user_id = o.user_id",
                2,
            ),
        ],
    );
}

/// A prepared statement gives the right rows however often it runs and whichever plan is chosen.
#[test]
fn prepared() {
    let oracle = orders();
    for mode in ["auto", "force_custom_plan", "force_generic_plan"] {
        oracle.run(&format!("SET plan_cache_mode = {mode}"));
        oracle.run(
            "PREPARE few(int) AS SELECT o.id, u.email FROM own.orders o LEFT JOIN clerk.users u USING (user_id) WHERE o.amount = $1 ORDER BY o.id;
             PREPARE suffixed(text) AS SELECT o.id, u.email FROM own.orders o JOIN clerk.users u ON u.user_id = o.user_id || $1 ORDER BY o.id;
             PREPARE given(text[]) AS SELECT k, u.email FROM unnest($1) k JOIN clerk.users u ON u.user_id = k ORDER BY k;
             PREPARE short(int) AS SELECT count(*) FROM (SELECT o.id FROM own.orders o JOIN clerk.users u USING (user_id) LIMIT $1) s;
             PREPARE few_copied(int) AS SELECT o.id, u.email FROM own.orders o LEFT JOIN copy.users u USING (user_id) WHERE o.amount = $1 ORDER BY o.id;
             PREPARE suffixed_copied(text) AS SELECT o.id, u.email FROM own.orders o JOIN copy.users u ON u.user_id = o.user_id || $1 ORDER BY o.id;
             PREPARE given_copied(text[]) AS SELECT k, u.email FROM unnest($1) k JOIN copy.users u ON u.user_id = k ORDER BY k;
             PREPARE short_copied(int) AS SELECT count(*) FROM (SELECT o.id FROM own.orders o JOIN copy.users u USING (user_id) LIMIT $1) s",
        );
        for round in 0..10 {
            for (name, value) in [
                ("few", (round % 6).to_string()),
                ("suffixed", ["''", "'x'", "NULL"][round % 3].to_owned()),
                (
                    "given",
                    ["'{user_ada,NULL,user_bob}'", "'{}'", "NULL", "'{user_x,user_ada,user_ada}'"][round % 4]
                        .to_owned(),
                ),
                ("short", (round * 9).to_string()),
            ] {
                let found = oracle.texts(&format!("EXECUTE {name}({value})"));
                let expected = oracle.texts(&format!("EXECUTE {name}_copied({value})"));
                assert_eq!(found, expected, "{mode}: {name}({value})");
            }
        }
        assert!(
            plan_of(&oracle, "EXECUTE few(1)").contains(NODE)
                && plan_of(&oracle, "EXECUTE given('{a}')").contains(NODE)
        );
        oracle.run("DEALLOCATE ALL");
    }
}

/// A function's query is planned once and run in every turn of its loop, each with its own keys.
#[test]
fn plpgsql_loop() {
    let oracle = orders();
    for schema in ["clerk", "copy"] {
        oracle.run(&format!(
            "CREATE FUNCTION {schema}.totals(most int) RETURNS TABLE (step int, place int, email text) LANGUAGE plpgsql AS $$
             BEGIN
               FOR turn IN 0..most LOOP
                 FOR place, email IN SELECT o.id, u.email FROM own.orders o JOIN {schema}.users u USING (user_id) WHERE o.amount = turn % 5 ORDER BY o.id LOOP
                   EXIT WHEN place > 200 AND turn % 2 = 0;
                   IF place % 20 = 1 AND NOT EXISTS (SELECT FROM own.orders o WHERE o.id = place AND o.email IN (SELECT u.email FROM {schema}.users u)) THEN
                     email := '?';
                   END IF;
                   step := turn; RETURN NEXT;
                 END LOOP;
               END LOOP;
             END $$"
        ));
    }
    let query = "SELECT * FROM clerk.totals(6) WITH ORDINALITY t(step, place, email, n) ORDER BY n";
    for mode in ["auto", "force_custom_plan", "force_generic_plan"] {
        oracle.run(&format!("SET plan_cache_mode = {mode}"));
        assert!(oracle.rows(query).len() > 100);
        assert_eq!(oracle.difference(query), None, "{mode}");
    }
}

/// A recursive function has the same join open at every depth.
#[test]
fn recursive_function() {
    let oracle = orders();
    for schema in ["clerk", "copy"] {
        oracle.run(&format!(
            "CREATE FUNCTION {schema}.tree(depth int, after int) RETURNS bigint LANGUAGE plpgsql AS $$
             DECLARE branch record; leaves bigint := 0;
             BEGIN
               IF depth = 0 THEN RETURN 1; END IF;
               FOR branch IN SELECT o.id, u.email FROM own.orders o JOIN {schema}.users u USING (user_id) WHERE o.id > after ORDER BY o.id LIMIT 3 LOOP
                 leaves := leaves + {schema}.tree(depth - 1, branch.id) + length(branch.email);
               END LOOP;
               RETURN leaves;
             END $$"
        ));
    }
    assert_eq!(oracle.difference("SELECT * FROM clerk.tree(4, 9)"), None);
}

/// Whole rows of both sides, and the table a row is from, are what they are without a join.
#[test]
fn whole_rows() {
    let oracle = orders();
    check(
        &oracle,
        &[
            ("u", "SELECT o.id, u::text FROM own.orders o JOIN clerk.users u USING (user_id)"),
            (
                "row_to_json",
                "SELECT o.id, row_to_json(u), row_to_json(o) FROM own.orders o JOIN clerk.users u USING (user_id)",
            ),
            (
                "LEFT",
                "SELECT o.id, u::text, u IS NULL, row_to_json(u) FROM own.orders o LEFT JOIN clerk.users u USING (user_id)",
            ),
            (
                "counted",
                "SELECT count(u), count(o), count(DISTINCT u.user_id) FROM own.orders o LEFT JOIN clerk.users u USING (user_id)",
            ),
            (
                "compared",
                "SELECT o.id FROM own.orders o JOIN clerk.users u ON u.user_id = o.user_id WHERE u IS NOT NULL OR to_jsonb(u) ->> 'email' LIKE '%e%'",
            ),
            (
                "aggregated",
                "SELECT o.note, json_agg(u.user_id ORDER BY o.id) FROM own.orders o JOIN clerk.users u USING (user_id) GROUP BY o.note",
            ),
            ("u.*", "SELECT o.id, u.* FROM own.orders o LEFT JOIN clerk.users u USING (user_id)"),
            ("o.*", "SELECT o.*, u.email FROM own.orders o LEFT JOIN clerk.users u USING (user_id)"),
            (
                "ctid of the outer row",
                "SELECT o.ctid, o.tableoid::regclass, u.email FROM own.orders o JOIN clerk.users u USING (user_id)",
            ),
            (
                "as a key",
                "SELECT o.id, u.email FROM own.orders o JOIN clerk.users u ON u.user_id = row_to_json(o) ->> 'user_id'",
            ),
        ],
    );
    let from = "SELECT DISTINCT u.tableoid::regclass::text FROM own.orders o JOIN clerk.users u USING (user_id)";
    assert_eq!(oracle.column::<String>(from), ["clerk.users"]);
    let from = "SELECT count(*) FROM own.orders o LEFT JOIN clerk.users u USING (user_id) WHERE u.tableoid IS NULL AND u.user_id IS NOT NULL";
    assert_eq!(oracle.one::<i64>(from), 0);
}

/// The outer side may be a partitioned table, a foreign table of another server, or read by parallel workers.
#[test]
fn outer_sides() {
    let oracle = orders();
    oracle.run(
        "CREATE TABLE own.parted (id int, user_id text) PARTITION BY HASH (id);
         CREATE TABLE own.parted_0 PARTITION OF own.parted FOR VALUES WITH (MODULUS 2, REMAINDER 0);
         CREATE TABLE own.parted_1 PARTITION OF own.parted FOR VALUES WITH (MODULUS 2, REMAINDER 1);
         INSERT INTO own.parted SELECT id, user_id FROM own.orders;
         CREATE TABLE own.much AS SELECT g AS id, o.user_id, repeat('x', 200) AS filler FROM generate_series(1, 20000) g JOIN own.orders o ON o.id = g % 250 + 1;
         ANALYZE own.parted; ANALYZE own.much",
    );
    check(
        &oracle,
        &[
            ("partitions", "SELECT p.id, u.email FROM own.parted p LEFT JOIN clerk.users u USING (user_id)"),
            (
                "partitions joined one by one",
                "SELECT p.id, u.email FROM own.parted p JOIN clerk.users u USING (user_id) WHERE p.id < 90",
            ),
        ],
    );
    oracle.run("SET enable_partitionwise_join = on; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2");
    for query in [
        "SELECT count(*), count(u.email), sum(m.id) FROM own.much m LEFT JOIN clerk.users u USING (user_id)",
        "SELECT p.id, u.email FROM own.parted p JOIN clerk.users u USING (user_id)",
        "SELECT u.user_id, count(*) FROM own.much m JOIN clerk.users u USING (user_id) GROUP BY u.user_id",
    ] {
        assert_eq!(oracle.difference(query), None, "{query}\n{}", plan_of(&oracle, query));
    }
}

/// A kept plan follows what is changed about the tables and the server.
#[test]
fn changes_of_tables() {
    let oracle = orders();
    oracle.run("SET plan_cache_mode = force_generic_plan; PREPARE q AS SELECT o.id, u.email FROM own.orders o JOIN clerk.users u USING (user_id) ORDER BY o.id");
    let rows = oracle.texts("EXECUTE q").unwrap();
    oracle.run("ALTER FOREIGN TABLE clerk.users OPTIONS (ADD page_size '7')");
    assert_eq!(oracle.texts("EXECUTE q").unwrap(), rows);
    oracle.run("ALTER FOREIGN TABLE clerk.users DROP COLUMN username; ALTER TABLE own.orders DROP COLUMN at, ADD COLUMN more int");
    assert_eq!(oracle.texts("EXECUTE q").unwrap(), rows);
    assert_eq!(
        oracle
            .texts("SELECT o.id, u.email FROM own.orders o JOIN clerk.users u USING (user_id) ORDER BY o.id")
            .unwrap(),
        rows
    );
    oracle.run("ALTER FOREIGN TABLE clerk.users ALTER COLUMN email OPTIONS (ADD path 'id')");
    let ids = oracle
        .texts("SELECT o.id, o.user_id FROM own.orders o JOIN copy.users u USING (user_id) ORDER BY o.id")
        .unwrap();
    assert_eq!(oracle.texts("EXECUTE q").unwrap(), ids);
}
