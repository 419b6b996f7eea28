//! Queries that nobody thought of: random conditions, orders, limits, counts and joins, over Clerk and over a copy.
//!
//! A failure prints the seed and the queries. `CLERK_FDW_RANDOM_SEED` runs one seed again, `CLERK_FDW_RANDOM_COUNT`
//! chooses how many queries each test makes.

mod conditions;
mod joins;
mod lists;
mod mirror_changes;
mod mirror_tables;
mod objects;
mod queries;
pub mod values;

use clerk_sim::{Config, Sim};
use fastrand::Rng;

use self::values::{Maker, Table};

use crate::support::*;

const TABLES: &str = r#"
    CREATE COLLATION anycase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
    CREATE DOMAIN label AS varchar;
    CREATE FOREIGN TABLE clerk.users_old (user_id text, email text, phone_numbers bigint, username text, created_at bigint,
        updated_at bigint, last_sign_in_at bigint, last_active_at bigint, banned boolean)
        SERVER clerk OPTIONS (object 'users');
    CREATE FOREIGN TABLE clerk.users_plain (id varchar, email label, username varchar(200), first_name text COLLATE anycase,
        external_id text COLLATE anycase, created_at timestamp, last_sign_in_at timestamp(0), last_active_at timestamp,
        updated_at date, banned text, city text OPTIONS (path 'public_metadata.city'))
        SERVER clerk OPTIONS (object 'users');
    CREATE FOREIGN TABLE clerk.users_days (id text, created_at date, last_sign_in_at date, last_active_at date)
        SERVER clerk OPTIONS (object 'users');
    CREATE FOREIGN TABLE clerk.organizations_old (id text, name varchar, slug text COLLATE anycase, created_at bigint,
        updated_at timestamp, members_count bigint) SERVER clerk OPTIONS (object 'organizations');
    CREATE FOREIGN TABLE clerk.members_old (organization_id varchar, user_id label, role text, created_at bigint)
        SERVER clerk OPTIONS (object 'organization_memberships');
"#;

/// Local rows that joins find users and memberships for.
pub const OWN_ROWS: &str = "
    CREATE SCHEMA own;
    CREATE TABLE own.many AS
      SELECT row_number() OVER () AS n, u.user_id, u.email, u.external_id, u.username, u.phone_number, u.created_at, o.organization_id
      FROM copy.users u, (SELECT * FROM copy.organizations ORDER BY created_at LIMIT 8) o;
    CREATE TABLE own.few AS SELECT * FROM own.many ORDER BY hashint8(n) LIMIT 12;
    INSERT INTO own.few VALUES (1, NULL, NULL, NULL, NULL, NULL, NULL, NULL), (2, 'user_nobody', '', '', '', '', 'infinity', 'org_nobody');
    INSERT INTO own.few (n, user_id, external_id) VALUES (3, '+user_ada', '+ada'), (4, 'user_ada', '-bob');
    INSERT INTO own.few SELECT * FROM own.few;
    ANALYZE own.many; ANALYZE own.few";

/// Runs queries, one for each of so many that the environment asks for, and tells of all that are wrong.
#[track_caller]
fn hold(organizations: usize, of_many: usize, make: impl FnMut(&Oracle, &mut Maker) -> String) {
    let config = Config { users: 120, organizations, memberships: 300, ..small() };
    hold_over(config, lists::crowd, of_many, make);
}

/// The same over an instance of this size, to which `settle` adds whom the queries need.
#[track_caller]
fn hold_over(
    config: Config,
    settle: fn(&Sim, &mut Rng),
    of_many: usize,
    mut make: impl FnMut(&Oracle, &mut Maker) -> String,
) {
    hold_each(config, settle, of_many, |oracle, maker| {
        let query = make(oracle, maker);
        let statements = maker.statements(query);
        oracle.run("RESET ALL");
        let difference = oracle.difference(&statements)?;
        Some(format!("\n{statements}\n   gave {difference}\n"))
    });
}

/// Makes something up and looks at it so many times that the environment asks for, and tells of all that are wrong: of
/// whatever `wrong_in` gives.
#[track_caller]
fn hold_each(
    config: Config,
    settle: fn(&Sim, &mut Rng),
    of_many: usize,
    mut wrong_in: impl FnMut(&Oracle, &mut Maker) -> Option<String>,
) {
    if skip_without_icu() {
        return;
    }
    let seed = seed_from_environment("CLERK_FDW_RANDOM_SEED").unwrap_or_else(|| Rng::new().u64(..1_000_000));
    let count = seed_from_environment("CLERK_FDW_RANDOM_COUNT").unwrap_or(250) as usize / of_many;
    let mut maker = Maker { random: Rng::with_seed(seed), parameters: None, needs_nested_loops: false };
    let config = Config { seed, lone_surrogates: false, ..config };
    let page_size = [5, 20, 500][maker.random.usize(..3)];
    let world = World::with(config, &format!("page_size '{page_size}', max_concurrency '3'"));
    create_people(&world);
    settle(&world.sim, &mut maker.random);
    let oracle = Oracle::of(world, &[TABLES, lists::TABLES].concat());
    let mut wrong = String::new();
    for _ in 0..count {
        maker.parameters = maker.chance(50).then(Vec::new);
        wrong.extend(wrong_in(&oracle, &mut maker));
    }
    assert!(wrong.is_empty(), "with CLERK_FDW_RANDOM_SEED={seed}:\n{wrong}");
}

fn of_tables(tables: &'static [(&'static str, &'static str)]) {
    let mut known = Vec::new();
    hold(25, 1, |oracle, maker| {
        if known.is_empty() {
            known.extend(tables.iter().map(|(table, key)| Table::new(oracle, table, key)));
        }
        let table = maker.random.usize(..known.len());
        maker.query(&known[table])
    });
}

/// Random queries over users give what they give over a copy.
#[test]
fn queries_over_users() {
    of_tables(&[("users", "user_id"), ("users_old", "user_id"), ("users_plain", "id"), ("users_days", "id")]);
}

/// Random queries over organizations give what they give over a copy.
#[test]
fn queries_over_organizations() {
    of_tables(&[("organizations", "organization_id"), ("organizations_old", "id")]);
}

/// Random queries over memberships give what they give over a copy.
#[test]
fn queries_over_memberships() {
    of_tables(&[("organization_memberships", "membership_id"), ("members_old", "user_id || organization_id")]);
}

/// Random joins give what they give over copies.
#[test]
fn joins() {
    let mut tables = None;
    hold(25, 1, |oracle, maker| {
        let (users, memberships) = tables.get_or_insert_with(|| {
            oracle.run(OWN_ROWS);
            (Table::new(oracle, "users", "user_id"), Table::new(oracle, "organization_memberships", "membership_id"))
        });
        maker.join(users, memberships)
    });
}

/// Queries with lists of many values, over tables with their keys.
fn of_lists(tables: &[(&'static str, &'static str)]) {
    let mut known = Vec::new();
    hold(120, 3, |oracle, maker| {
        if known.is_empty() {
            for (table, key) in tables {
                let table = Table::new(oracle, table, key);
                let listed = lists::listed(oracle, &table);
                known.push((table, listed));
            }
            maker.keep_wanted(oracle, &known);
        }
        let (table, listed) = &known[maker.random.usize(..known.len())];
        match maker.chance(30) {
            true => maker.join_of_many(table, listed),
            false => maker.query_of_many(table, listed),
        }
    });
}

/// Users that are asked for by many values come as they do from a copy.
#[test]
fn in_lists_over_users() {
    of_lists(&[("users", "user_id"), ("users_old", "user_id"), ("users_plain", "id")]);
}

/// Organizations that are asked for by many values come as they do from a copy.
#[test]
fn in_lists_over_organizations() {
    of_lists(&[
        ("organizations", "organization_id"),
        ("organizations_small", "organization_id"),
        ("organizations_old", "id"),
    ]);
}

/// Memberships that are asked for by many values come as they do from a copy.
#[test]
fn in_lists_over_memberships() {
    of_lists(&[
        ("organization_memberships", "membership_id"),
        ("members_small", "user_id || organization_id"),
        ("members_old", "user_id || organization_id"),
    ]);
}
