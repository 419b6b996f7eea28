//! ORDER BY: which orders are Clerk's, and which are left to Postgres.

use clerk_sim::Config;

use crate::support::*;

fn world() -> Oracle {
    Oracle::new(Config { users: 120, organizations: 12, ..small() }, "page_size '50'")
}

/// Orders of Clerk's are read in that order; Postgres sorts nothing, or only what Clerk cannot.
#[test]
fn order_by() {
    let oracle = world();
    let sorts = |query: &str| {
        let plan = oracle.plan(query);
        match (plan.contains("Incremental Sort"), plan.contains("Sort")) {
            (true, _) => "more",
            (_, true) => "all",
            _ => "nothing",
        }
    };
    for (order, sorted) in [
        ("users ORDER BY created_at", "nothing"),
        ("users ORDER BY created_at DESC", "nothing"),
        ("users ORDER BY created_at NULLS FIRST", "nothing"),
        ("users ORDER BY created_at DESC LIMIT 10", "nothing"),
        ("users ORDER BY updated_at DESC LIMIT 10", "nothing"),
        ("users ORDER BY updated_at LIMIT 10", "nothing"),
        ("users WHERE banned ORDER BY created_at DESC", "nothing"),
        ("users ORDER BY created_at LIMIT 10 OFFSET 5", "nothing"),
        ("users ORDER BY created_at DESC, user_id LIMIT 10", "more"),
        ("users ORDER BY last_sign_in_at", "all"),
        ("users ORDER BY last_active_at DESC LIMIT 3", "all"),
        ("users ORDER BY email", "all"),
        ("users ORDER BY first_name DESC LIMIT 3", "all"),
        ("users ORDER BY created_at + interval '1 day'", "all"),
        ("users WHERE user_id IN ('user_ada', 'user_bob') ORDER BY created_at", "all"),
        ("organizations ORDER BY created_at", "nothing"),
        ("organizations ORDER BY created_at DESC LIMIT 3", "nothing"),
        ("organizations ORDER BY members_count DESC LIMIT 3", "nothing"),
        ("organizations ORDER BY name LIMIT 3", "all"),
        ("organization_memberships ORDER BY created_at", "nothing"),
        ("organization_memberships ORDER BY created_at DESC LIMIT 3", "nothing"),
        ("organization_memberships WHERE organization_id = 'org_acme' ORDER BY created_at DESC", "nothing"),
        ("organization_memberships WHERE user_id = 'user_ada' ORDER BY created_at", "all"),
        ("organization_memberships ORDER BY updated_at", "all"),
    ] {
        let (table, by) = order.split_once(" ").unwrap_or_default();
        let key = by.split("ORDER BY ").nth(1).and_then(|by| by.split(" LIMIT").next()).unwrap_or_default();
        let key = key.split(" DESC").next().and_then(|key| key.split(" NULLS").next()).unwrap_or_default();
        let query = format!("SELECT {key} FROM clerk.{table} {by}");
        // Several requests side by side and a sort may take less time than one request after the other.
        oracle.run(&format!("SET enable_sort = {}", if query.contains("LIMIT") { "on" } else { "off" }));
        assert_eq!(sorts(&query), sorted, "{}", oracle.plan(&query));
        assert_eq!(oracle.difference(&query), None, "{query}");
    }
}

/// An order is Clerk's only as long as the limit of this execution allows it and the operator is the usual one.
#[test]
fn order_by_with_other_limits_and_operators() {
    let oracle = world();
    oracle.run(
        "SET my.few = 10;
         PREPARE q AS SELECT user_id FROM clerk.users ORDER BY updated_at DESC LIMIT current_setting('my.few')::int;
         SET plan_cache_mode = force_generic_plan",
    );
    assert_eq!(oracle.rows("EXECUTE q").len(), 10);
    // The order of changes does not last while more than a page is read.
    oracle.run("SET my.few = 110");
    assert_eq!(oracle.rows("EXECUTE q").len(), 110);
    assert!(oracle.plan("EXECUTE q").contains("Sort"), "{}", oracle.plan("EXECUTE q"));

    oracle.run(
        "CREATE FUNCTION above(bigint, bigint) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT $1 > $2';
         CREATE FUNCTION below(bigint, bigint) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT $1 < $2';
         CREATE FUNCTION against(bigint, bigint) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT btint8cmp($2, $1)';
         CREATE OPERATOR <# (FUNCTION = above, LEFTARG = bigint, RIGHTARG = bigint, COMMUTATOR = #>);
         CREATE OPERATOR #> (FUNCTION = below, LEFTARG = bigint, RIGHTARG = bigint, COMMUTATOR = <#);
         CREATE OPERATOR CLASS backwards FOR TYPE bigint USING btree AS
           OPERATOR 1 <#, OPERATOR 3 =, OPERATOR 5 #>, FUNCTION 1 against(bigint, bigint);
         CREATE FOREIGN TABLE clerk.numbered (user_id text, created_at bigint) SERVER clerk OPTIONS (object 'users')",
    );
    let [newest, oldest] = ["<#", "#>"].map(|operator| {
        oracle
            .one::<i64>(&format!("SELECT created_at FROM clerk.numbered ORDER BY created_at USING {operator} LIMIT 1"))
    });
    assert_eq!(newest, oracle.one::<i64>("SELECT max(created_at) FROM (SELECT created_at FROM clerk.numbered) s"));
    assert_eq!(oldest, oracle.one::<i64>("SELECT min(created_at) FROM (SELECT created_at FROM clerk.numbered) s"));
}
