//! A world whose tables have local copies: what a query gives over Clerk is held against what it gives over the copies.

use std::ops::Deref;

use clerk_sim::{Config, Request};
use serde_json::json;

use super::*;

/// Noon of 10 March 2024 in UTC, when Ada signed up.
pub const NOON: i64 = 1_710_072_000_000;

/// The imported tables that every oracle has copies of.
const COPIED: &[&str] = &["users", "organizations", "organization_memberships"];

/// A world that a few users and organizations with known names live in, each of whose foreign tables `clerk.x` has a
/// copy `copy.x`.
pub struct Oracle {
    world: World,
}

impl Deref for Oracle {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl Oracle {
    pub fn new(config: Config, options: &str) -> Oracle {
        Oracle::with(config, options, "")
    }

    /// With more tables: what `tables` creates in the schema `clerk`.
    pub fn with(config: Config, options: &str, tables: &str) -> Oracle {
        let world = World::with(Config { lone_surrogates: false, ..config }, options);
        create_people(&world);
        Oracle::of(world, tables)
    }

    /// Of a world that is settled already.
    pub fn of(world: World, tables: &str) -> Oracle {
        let existing =
            "SELECT relname::text FROM pg_class WHERE relnamespace = 'clerk'::regnamespace AND relkind = 'f'";
        let imported = world.column::<String>(existing);
        world.run(tables);
        world.run("CREATE SCHEMA copy");
        let mut copied = world.column::<String>(existing);
        copied.retain(|table| COPIED.contains(&&**table) || !imported.contains(table));
        let oracle = Oracle { world };
        copied.iter().for_each(|table| oracle.copy(table, "true"));
        oracle.requests();
        oracle.notices();
        oracle
    }

    /// Copies the rows of another foreign table that meet a condition.
    pub fn copy(&self, table: &str, condition: &str) {
        self.run(&format!(
            "CREATE TABLE copy.{table} AS SELECT * FROM clerk.{table} WHERE {condition}; ANALYZE copy.{table}"
        ));
    }

    /// The rows of the last of these statements that has any, as text.
    pub fn texts(&self, statements: &str) -> Result<Texts, String> {
        self.try_texts(statements).map_err(|error| match error.as_db_error() {
            Some(error) => format!("{}: {}", error.code().code(), error.message()),
            None => error.to_string(),
        })
    }

    /// What Clerk was asked since this was last asked, in alphabetical order; without the counts that bear out where
    /// lists of users end.
    pub fn asked(&self) -> Vec<String> {
        self.wait_until_idle();
        let mut requests = self.requests();
        let lists: Vec<_> = requests.iter().filter(|request| request.path == "/v1/users").map(filters).collect();
        for list in lists {
            let bears_out = |request: &Request| request.path == "/v1/users/count" && filters(request) == list;
            if let Some(count) = requests.iter().position(bears_out) {
                requests.remove(count);
            }
        }
        sorted(requests.iter().map(short).collect())
    }

    /// Why the query does not give what it gives over the copies; none if it does.
    pub fn difference(&self, query: &str) -> Option<String> {
        self.difference_by(query, |query| self.texts(query))
    }

    /// The same of rows that are read in another way than all at once.
    pub fn difference_by(&self, query: &str, read: impl Fn(&str) -> Result<Texts, String>) -> Option<String> {
        self.notices();
        let found = read(query);
        self.run("DEALLOCATE ALL");
        let expected = read(&over_copies(query));
        self.run("DEALLOCATE ALL");
        let notices = self.notices();
        if !notices.is_empty() {
            return Some(format!("it said {notices:?}"));
        }
        difference_between(query, found, expected)
    }

    /// Each query, and what Clerk shall be asked for it; what it gives has to be what it gives over the copies. The
    /// queries are written from where `begin` ends. All that is wrong is told at once.
    #[track_caller]
    pub fn check(&self, begin: &str, cases: &[(&str, &[&str])]) {
        let mut wrong = String::new();
        for (query, expected) in cases {
            let query = format!("{begin}{query}");
            self.run("DEALLOCATE ALL; RESET ALL");
            self.requests();
            let mut answer = self.texts(&query).err();
            let mut asked = self.asked();
            self.run("DEALLOCATE ALL; RESET ALL");
            if asked != *expected && answer.is_none() {
                // On a busy machine, what the query before had on its way may come in only now.
                self.assert_quiet(&query);
                answer = self.texts(&query).err();
                asked = self.asked();
                self.run("DEALLOCATE ALL; RESET ALL");
            }
            if asked != *expected || answer.is_some() {
                wrong += &format!("\n{query}\n   asked {asked:?}\n   not   {expected:?}\n");
            }
            let difference = self.difference(&query);
            if let Some(difference) = answer.or(difference) {
                wrong += &format!("\n{query}\n   gave {difference}\n");
            }
        }
        assert!(wrong.is_empty(), "{wrong}");
    }

    /// The plan in words.
    pub fn plan(&self, query: &str) -> String {
        self.column::<String>(&format!("EXPLAIN (COSTS OFF) {query}")).join("\n")
    }
}

/// The same query over the copies.
pub fn over_copies(query: &str) -> String {
    query.replace(" clerk.", " copy.")
}

/// How what a query gave differs from what it gave over the copies; none if it does not.
pub fn difference_between(
    query: &str,
    mut found: Result<Texts, String>,
    mut expected: Result<Texts, String>,
) -> Option<String> {
    if !query.contains("ORDER BY") {
        for rows in [&mut found, &mut expected].into_iter().flatten() {
            rows.sort();
        }
        // Which rows a LIMIT takes is nobody's business then.
        if query.contains(" LIMIT ") {
            [&mut found, &mut expected].into_iter().flatten().for_each(|rows| rows.fill(Vec::new()));
        }
    }
    (found != expected).then(|| match (&found, &expected) {
        (Ok(found), Ok(expected)) => {
            let missing: Vec<_> = expected.iter().filter(|row| !found.contains(row)).take(3).collect();
            let foreign: Vec<_> = found.iter().filter(|row| !expected.contains(row)).take(3).collect();
            format!("{} rows, not {}; missing {missing:?}; too many {foreign:?}", found.len(), expected.len())
        }
        _ => format!("{:?}, not {:?}", found.map(|rows| rows.len()), expected.map(|rows| rows.len())),
    })
}

/// Which objects a request is about.
fn filters(request: &Request) -> Vec<(String, String)> {
    let mut parameters = sorted(request.query.clone());
    parameters.retain(|(name, _)| !matches!(&**name, "limit" | "offset" | "order_by" | "starting_after"));
    parameters
}

/// A request in short: without what most lists are asked for, and many values of one parameter only counted.
fn short(request: &Request) -> String {
    let mut text = request.path.strip_prefix("/v1").unwrap_or(&request.path).to_owned();
    let mut parameters = sorted(request.query.clone());
    parameters.retain(|(name, value)| !matches!((&**name, &**value), ("limit", "500") | ("order_by", "created_at")));
    let mut separator = '?';
    for of_one in parameters.chunk_by(|one, other| one.0 == other.0) {
        let name = &of_one[0].0;
        match of_one.len() {
            many @ 4.. => text += &format!("{separator}{name}*{many}"),
            _ => {
                for (_, value) in of_one {
                    text += &format!("{separator}{name}={value}");
                    separator = '&';
                }
            }
        }
        separator = '&';
    }
    text
}

/// A time, given in Unix microseconds, as Postgres reads it in UTC.
pub fn timestamp_text(microseconds: i64) -> String {
    let (days, rest) = (microseconds.div_euclid(86_400_000_000), microseconds.rem_euclid(86_400_000_000));
    // Days since 1 March of the year 0; see Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, year) = if month < 10 { (month + 3, year) } else { (month - 9, year + 1) };
    let (seconds, fraction) = (rest / 1_000_000, rest % 1_000_000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{fraction:06}+00", year + era * 400)
}

/// Those whom the tests know by name.
pub fn create_people(world: &World) {
    let sim = &world.sim;
    let user = |fields| sim.create_user(fields).expect("a user");
    user(json!({
        "id": "user_ada", "username": "ada", "first_name": "Ada", "last_name": "Lovelace", "external_id": "+ada",
        "email_address": ["ada@example.com", "ada@work.example"], "phone_number": ["+15550100001", "+15550100002"],
        "created_at": NOON, "updated_at": NOON + 5, "last_sign_in_at": NOON + 10, "last_active_at": NOON - NOON % 86_400_000,
    }));
    user(json!({
        "id": "user_bob", "username": "true", "first_name": "bob", "external_id": "-bob", "banned": true,
        "email_address": ["bob@example.com", "ada@other.example"], "phone_number": "+15550100003",
        "created_at": NOON + 1, "updated_at": NOON + 1, "last_sign_in_at": NOON + 11,
    }));
    user(json!({
        "id": "user_cyd", "username": "100%_sure", "first_name": "Çyd", "last_name": "ΟΔΥΣΣΕΥΣ", "external_id": "a,b",
        "email_address": "cyd%100@example.com", "created_at": NOON + 1000, "updated_at": NOON + 1001,
    }));
    user(json!({
        "id": "user_dot", "first_name": "", "last_name": " ", "external_id": "Ada", "username": "中村",
        "created_at": NOON + 86_400_000, "updated_at": NOON + 86_400_000,
    }));
    let organization = |fields| sim.create_organization(fields).expect("an organization");
    organization(json!({"id": "org_acme", "name": "Acme 100%", "slug": "acme", "created_at": NOON}));
    organization(json!({"id": "org_zoo", "name": "Zoölogie & Co", "slug": "zoo", "created_at": NOON + 7}));
    organization(json!({"id": "org_alone", "name": "Nobody", "slug": "alone", "created_at": NOON + 9}));
    let member = |user, organization, role: &str| {
        sim.create_membership(user, organization, json!({"role": role})).expect("a membership");
    };
    member("user_ada", "org_acme", "org:admin");
    member("user_bob", "org_acme", "org:member");
    member("user_ada", "org_zoo", "org:member");
}
