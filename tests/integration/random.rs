//! Queries that nobody thought of: random conditions, orders, limits, counts and joins, over Clerk and over a copy.
//!
//! A failure prints the seed and the queries. `CLERK_FDW_RANDOM_SEED` runs one seed again, `CLERK_FDW_RANDOM_COUNT`
//! chooses how many queries each test makes.

use clerk_sim::Config;
use fastrand::Rng;

use crate::common::*;
use crate::twin::*;

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

/// Columns that Clerk knows conditions on, under any of the tables' names.
const KNOWN: &[&str] = &[
    "user_id",
    "id",
    "email",
    "phone_number",
    "username",
    "external_id",
    "first_name",
    "banned",
    "created_at",
    "last_sign_in_at",
    "last_active_at",
    "organization_id",
    "slug",
    "name",
    "role",
];

/// A column that conditions can be about, and some of its values.
#[derive(Clone)]
struct Column {
    name: String,
    /// Such as `timestamp with time zone`; the type below a domain.
    kind: String,
    /// Whether its collation lets it be compared with a pattern.
    has_patterns: bool,
    /// Texts, or Unix milliseconds.
    values: Vec<String>,
}

struct Table {
    name: &'static str,
    key: &'static str,
    columns: Vec<Column>,
}

impl Table {
    fn new(twin: &Twin, name: &'static str, key: &'static str) -> Table {
        let described = format!(
            "SELECT a.attname::text, format_type(coalesce(nullif(t.typbasetype, 0), t.oid), NULL), coalesce(c.collisdeterministic, true)
             FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_collation c ON c.oid = a.attcollation
             WHERE a.attrelid = 'copy.{name}'::regclass AND a.attnum > 0 ORDER BY a.attnum"
        );
        let mut columns = Vec::new();
        for row in twin.rows(&described) {
            let (column, kind): (String, String) = (row.get(0), row.get(1));
            if kind.contains("json") || kind.contains("[]") || column == "image_url" {
                continue;
            }
            let shown = match &*kind {
                "timestamp with time zone" | "timestamp without time zone" | "date" => {
                    format!("(extract(epoch FROM {column}) * 1000)::bigint::text")
                }
                _ => format!("{column}::text"),
            };
            let some = format!(
                "SELECT DISTINCT {shown} COLLATE \"C\" FROM copy.{name} WHERE {column} IS NOT NULL ORDER BY 1 LIMIT 400"
            );
            columns.push(Column { values: twin.column(&some), name: column, kind, has_patterns: row.get(2) });
        }
        Table { name, key, columns }
    }
}

/// What makes the queries up.
struct Maker {
    random: Rng,
    /// Types and values of the parameters; none if the query is no prepared statement.
    parameters: Option<Vec<(String, String)>>,
}

impl Maker {
    fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.random.usize(..of.len())]
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.random.u32(..100) < percent
    }

    fn quoted(text: &str) -> String {
        format!("'{}'", text.replace('\'', "''"))
    }

    /// A value where it stands, as a parameter or in a subquery of its own.
    fn value(&mut self, kind: &str, value: String) -> String {
        let value = if self.chance(3) { "NULL".to_owned() } else { value };
        if self.parameters.is_some() && self.chance(70) {
            let parameters = self.parameters.get_or_insert_default();
            parameters.push((kind.to_owned(), value));
            return format!("${}", parameters.len());
        }
        match self.chance(8) {
            true => format!("(SELECT {value}::{kind})"),
            false => format!("{value}::{kind}"),
        }
    }

    /// A text, likely one of the column's.
    fn raw(&mut self, column: &Column) -> String {
        let known = match column.values.len() {
            0 => String::new(),
            many => column.values[self.random.usize(..many)].clone(),
        };
        match self.random.u32(..20) {
            0 => self
                .one(&["", " ", "nobody", "+ada", "-bob", "true", "false", "a,b", "中村", "..", "%", "_", "\\", "'"])
                .to_owned(),
            1 => known.to_uppercase(),
            2 => format!("{known} "),
            3 => format!("{}{known}", self.one(&["+", "-", " "])),
            _ => known,
        }
    }

    /// A LIKE pattern, likely one that some of the column's texts match.
    fn pattern(&mut self, column: &Column) -> String {
        let characters: Vec<char> = self.raw(column).chars().collect();
        let begin = self.random.usize(..=characters.len());
        let end = self.random.usize(begin..=characters.len());
        let mut pattern = self.one(&["", "%", "%", "_"]).to_owned();
        for character in &characters[begin..end] {
            match self.random.u32(..30) {
                0 => pattern.push('_'),
                1 => pattern.push('%'),
                _ if matches!(character, '%' | '_' | '\\') => pattern.extend(['\\', *character]),
                2 => pattern.extend(character.to_uppercase()),
                _ => pattern.push(*character),
            }
        }
        pattern + self.one(&["", "%", "%", "%", "_"])
    }

    /// A time near one of the column's, of whichever type it can be compared with.
    fn time(&mut self, column: &Column) -> String {
        let known: i64 = match column.values.len() {
            0 => NOON,
            many => column.values[self.random.usize(..many)].parse().unwrap_or(NOON),
        };
        let near =
            known * 1000 + [0, 0, 1, -1, 999, 1000, -1000, 86_400_000_000, -3_600_000_000][self.random.usize(..9)];
        if column.kind == "bigint" {
            let far = [i64::MAX, i64::MIN, 0, -1][self.random.usize(..4)];
            return match self.random.u32(..12) {
                0 => self.value("bigint", Maker::quoted(&far.to_string())),
                1 => self.value("integer", (near as i32).to_string()),
                2 => self.value("numeric", format!("{}.5", near / 1000)),
                3 => self.value("smallint", "7".to_owned()),
                _ => self.value("bigint", Maker::quoted(&(near / 1000).to_string())),
            };
        }
        let kind = self.one(&[&*column.kind, &column.kind, "timestamptz", "timestamp", "date"]).to_owned();
        let far = ["infinity", "-infinity", "0044-03-15 BC", "9999-12-31"];
        let text = match self.chance(6) {
            true => self.one(&far).to_owned(),
            false => moment(near),
        };
        self.value(&kind, Maker::quoted(&text))
    }

    /// One of the table's columns, likely one that Clerk knows conditions on.
    fn column<'t>(&mut self, table: &'t Table) -> &'t Column {
        let known: Vec<_> = table.columns.iter().filter(|column| KNOWN.contains(&&*column.name)).collect();
        match known.len() {
            many @ 1.. if self.chance(75) => known[self.random.usize(..many)],
            _ => &table.columns[self.random.usize(..table.columns.len())],
        }
    }

    /// A condition on one column.
    fn condition(&mut self, table: &Table, alias: &str) -> String {
        let column = self.column(table);
        let name = format!("{alias}.{}", column.name);
        let operator = self.one(&["=", "=", "=", "<>", "<", "<=", ">", ">="]);
        if self.chance(4) {
            return format!("{name} IS {}NULL", self.one(&["", "NOT "]));
        }
        match &*column.kind {
            "boolean" => match self.random.u32(..6) {
                0 => name,
                1 => format!("NOT {name}"),
                2 => format!("{name} IS {}{}", self.one(&["", "NOT "]), self.one(&["TRUE", "FALSE", "UNKNOWN"])),
                3 => format!("{name} IS DISTINCT FROM {}", self.value("boolean", "true".to_owned())),
                _ => {
                    let value = self.one(&["true", "false"]).to_owned();
                    format!("{name} {} {}", self.one(&["=", "<>", ">="]), self.value("boolean", value))
                }
            },
            "text" | "character varying" => self.about_text(column, &name, operator),
            "integer" => {
                let value = self.random.i32(0..5).to_string();
                format!("{name} {operator} {}", self.value("integer", value))
            }
            _ => match self.random.u32(..10) {
                0 | 1 => format!("{name} BETWEEN {} AND {}", self.time(column), self.time(column)),
                2 => format!("{} {operator} {name}", self.time(column)),
                3 => format!("{name} IN ({}, {})", self.time(column), self.time(column)),
                4 => format!("{name} IS NOT DISTINCT FROM {}", self.time(column)),
                _ => format!("{name} {operator} {}", self.time(column)),
            },
        }
    }

    fn about_text(&mut self, column: &Column, name: &str, operator: &str) -> String {
        let many = 1 + self.random.usize(..5);
        let mut list: Vec<_> = (0..many).map(|_| Maker::quoted(&self.raw(column))).collect();
        let one = Maker::quoted(&self.raw(column));
        let not = self.one(&["", "", "", "NOT "]);
        match self.random.u32(..20) {
            0..4 => format!("{name} = {}", self.value("text", one)),
            4 => format!("{} {operator} {name}", self.value("text", one)),
            5 | 6 => {
                let list: Vec<_> = list.into_iter().map(|value| self.value("text", value)).collect();
                format!("{name} {not}IN ({})", list.join(", "))
            }
            7..10 => {
                if self.chance(20) {
                    list.push("NULL".to_owned());
                }
                if self.chance(5) {
                    list.clear();
                }
                let array = self.value("text[]", format!("ARRAY[{}]::text[]", list.join(", ")));
                format!("{name} {} ({array})", self.one(&["= ANY", "= ANY", "= ANY", "<> ALL", "= ALL", "<> ANY"]))
            }
            10..13 if column.has_patterns => {
                let pattern = Maker::quoted(&self.pattern(column));
                format!("{name} {not}{} {}", self.one(&["LIKE", "ILIKE"]), self.value("text", pattern))
            }
            13 => format!("{name} IS {not}DISTINCT FROM {}", self.value("text", one)),
            14 => format!("coalesce({name}, '') = {}", self.value("text", one)),
            15 => format!(
                "CASE WHEN {name} = {} THEN {} ELSE true END",
                self.value("text", one),
                self.one(&["NULL", "false"])
            ),
            16 => format!("({name}, 1) {operator} ({}, 2)", self.value("text", one)),
            17 => format!("({name} = {}) IS NOT {}", self.value("text", one), self.one(&["TRUE", "FALSE", "NULL"])),
            18 => format!("{name} = ANY(ARRAY(SELECT x FROM unnest(ARRAY[{}]) x))", list.join(", ")),
            _ => format!("{name} {operator} {}", self.value("text", one)),
        }
    }

    /// Conditions and what AND, OR and NOT make of them.
    fn conditions(&mut self, table: &Table, alias: &str, depth: u32) -> String {
        match self.random.u32(..10) {
            0 | 1 if depth > 0 => {
                let parts: Vec<_> = (0..2).map(|_| self.conditions(table, alias, depth - 1)).collect();
                format!("({})", parts.join(" OR "))
            }
            2..6 if depth > 0 => {
                let parts: Vec<_> =
                    (0..2 + self.random.usize(..2)).map(|_| self.conditions(table, alias, depth - 1)).collect();
                format!("({})", parts.join(" AND "))
            }
            6 if depth > 0 => format!("NOT ({})", self.conditions(table, alias, depth - 1)),
            // Several values of one column.
            7 => {
                let column = self.column(table);
                let one = Table { columns: vec![column.clone()], ..*table };
                let parts: Vec<_> = (0..2).map(|_| self.condition(&one, alias)).collect();
                format!("({})", parts.join(self.one(&[" OR ", " AND "])))
            }
            _ => self.condition(table, alias),
        }
    }

    fn page(&mut self) -> String {
        let limit = [0, 1, 3, 10, 20, 21, 100][self.random.usize(..7)];
        let offset = [0, 0, 2, 25][self.random.usize(..4)];
        match self.chance(80) {
            true if offset > 0 => format!(" LIMIT {limit} OFFSET {offset}"),
            true => format!(" LIMIT {limit}"),
            false if limit > 0 => format!(" FETCH FIRST {limit} ROWS WITH TIES"),
            false => String::new(),
        }
    }

    /// A query over one table.
    fn query(&mut self, table: &Table) -> String {
        let (name, key) = (table.name, table.key);
        let condition = match self.random.u32(..12) {
            0 => "true".to_owned(),
            1..4 => self.condition(table, "t"),
            4..7 => format!("{} AND {}", self.condition(table, "t"), self.condition(table, "t")),
            _ => self.conditions(table, "t", 3),
        };
        // Lists below an owner are asked for when the owner is known.
        let owner = table.columns.iter().find(|column| column.name == self.one(&["organization_id", "user_id"]));
        let condition = match owner.filter(|_| table.name.contains("members") && self.chance(50)) {
            Some(owner) => {
                let known = Maker::quoted(&owner.values[self.random.usize(..owner.values.len())]);
                format!("{condition} AND t.{} = {}", owner.name, self.value("text", known))
            }
            None => condition,
        };
        let column = &table.columns[self.random.usize(..table.columns.len())].name;
        let mut sorts = vec!["created_at", "created_at", "created_at", column];
        for sort in ["updated_at", "members_count"] {
            sorts.extend(table.columns.iter().any(|column| column.name == sort).then_some(sort));
        }
        let sort = self.one(&sorts).to_owned();
        let way = self.one(&["", "DESC", "DESC", "NULLS FIRST", "DESC NULLS LAST"]).to_owned();
        match self.random.u32(..12) {
            0..4 => format!("SELECT t.* FROM clerk.{name} t WHERE {condition}"),
            4 | 5 => {
                format!("SELECT {sort} FROM clerk.{name} t WHERE {condition} ORDER BY {sort} {way}{}", self.page())
            }
            6 => format!(
                "SELECT {key}, {sort} FROM clerk.{name} t WHERE {condition} ORDER BY {sort} {way}, {key}{}",
                self.page()
            ),
            7 | 8 => format!("SELECT count(*) FROM clerk.{name} t WHERE {condition}"),
            9 => format!(
                "SELECT count(*), count(*) FILTER (WHERE {column} IS NULL), count(DISTINCT {column}), max(created_at) FROM clerk.{name} t WHERE {condition}"
            ),
            10 => format!(
                "SELECT count(*) FROM (SELECT 1 FROM clerk.{name} t WHERE {condition} FETCH FIRST {} ROWS ONLY) s",
                self.random.u32(..30)
            ),
            _ => format!(
                "SELECT EXISTS (SELECT FROM clerk.{name} t WHERE {condition}), {column}, count(*) FROM clerk.{name} t GROUP BY {column}"
            ),
        }
    }

    /// A query that joins users with local rows, with memberships and organizations, or each with itself.
    fn join(&mut self, users: &Table, memberships: &Table) -> String {
        let condition = self.conditions(users, "u", 1);
        let other = self.conditions(memberships, "m", 1);
        let by = self.one(&["user_id", "user_id", "email", "external_id", "username", "created_at", "phone_number"]);
        let rows = self.one(&["few", "few", "many"]);
        let join = self.one(&["JOIN", "LEFT JOIN", "FULL JOIN", "RIGHT JOIN"]);
        let not = self.one(&["", "NOT "]);
        let users_of = format!("clerk.users u WHERE u.{by} = r.{by} AND {condition}");
        match self.random.u32(..12) {
            0 => format!("SELECT r.n, u.user_id FROM own.{rows} r JOIN clerk.users u ON u.{by} = r.{by} WHERE {condition}"),
            1 => format!("SELECT r.n, u.user_id FROM own.{rows} r {join} clerk.users u USING ({by})"),
            2 => format!("SELECT r.n, u.user_id FROM own.{rows} r LEFT JOIN clerk.users u ON u.{by} = r.{by} AND {condition}"),
            3 => format!("SELECT r.n, s.* FROM own.{rows} r, LATERAL (SELECT u.user_id, u.email FROM {users_of}) s"),
            4 => format!("SELECT r.n, s FROM own.few r LEFT JOIN LATERAL (SELECT created_at FROM {users_of} ORDER BY created_at DESC LIMIT 1) s ON true ORDER BY r.n"),
            5 => format!("SELECT r.n FROM own.{rows} r WHERE {not}EXISTS (SELECT FROM {users_of})"),
            6 => format!("SELECT r.n FROM own.{rows} r WHERE r.{by} {not}IN (SELECT u.{by} FROM clerk.users u WHERE {condition})"),
            7 => format!(
                "SELECT r.n, (SELECT count(*) FROM clerk.organization_memberships m WHERE m.organization_id = r.organization_id AND {other}),
                   (SELECT count(*) FROM clerk.organization_memberships m WHERE m.organization_id = r.organization_id AND m.user_id = r.user_id),
                   (SELECT count(*) FROM {users_of}) FROM own.few r"
            ),
            8 => format!(
                "SELECT u.user_id, m.membership_id, o.name FROM clerk.users u {join} clerk.organization_memberships m USING (user_id)
                   LEFT JOIN clerk.organizations o USING (organization_id) WHERE {condition} AND {other}"
            ),
            9 => format!(
                "SELECT u.user_id, w.user_id FROM clerk.users u JOIN clerk.users w ON w.{by} = u.{by} WHERE {condition}
                   UNION ALL SELECT m.role, u.email FROM clerk.organization_memberships m, clerk.users u WHERE u.user_id = m.user_id AND {other}"
            ),
            10 => format!(
                "WITH s AS (SELECT u.* FROM clerk.users u WHERE {condition}) SELECT s.user_id, r.n, m.role FROM s JOIN own.few r USING ({by})
                   JOIN clerk.organization_memberships m ON m.user_id = s.user_id AND m.organization_id = r.organization_id"
            ),
            _ => format!("SELECT u.user_id, r.n FROM clerk.users u JOIN own.{rows} r USING ({by}) WHERE {condition} FOR UPDATE OF u"),
        }
    }

    /// The query, prepared if it has parameters, under some of the settings that shape plans.
    fn statements(&mut self, query: String) -> String {
        let mut statements = String::new();
        for setting in ["hashjoin", "mergejoin", "nestloop", "sort", "memoize", "material", "hashagg"] {
            if self.chance(12) {
                statements += &format!("SET enable_{setting} = off; ");
            }
        }
        if self.chance(50) {
            statements += &format!(
                "SET TimeZone = '{}'; ",
                self.one(&["Asia/Kolkata", "America/New_York", "Pacific/Kiritimati"])
            );
        }
        let Some(parameters) = self.parameters.take() else { return statements + &query };
        statements += &format!("SET plan_cache_mode = {}; ", self.one(&["force_custom_plan", "force_generic_plan"]));
        let in_parentheses = |list: Vec<&str>| match list.is_empty() {
            true => String::new(),
            false => format!("({})", list.join(", ")),
        };
        let types = in_parentheses(parameters.iter().map(|(kind, _)| &**kind).collect());
        let values = in_parentheses(parameters.iter().map(|(_, value)| &**value).collect());
        format!("{statements}PREPARE q{types} AS {query}; EXECUTE q{values}")
    }
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs queries until one is wrong, or there were enough.
#[track_caller]
fn hold(name: &str, mut make: impl FnMut(&Twin, &mut Maker) -> String) {
    let seed = from_environment("CLERK_FDW_RANDOM_SEED").unwrap_or_else(|| Rng::new().u64(..1_000_000));
    let count = from_environment("CLERK_FDW_RANDOM_COUNT").unwrap_or(250);
    let mut maker = Maker { random: Rng::with_seed(seed), parameters: None };
    let config = Config { users: 200, organizations: 25, memberships: 300, seed, ..small() };
    let page_size = [5, 20, 500][maker.random.usize(..3)];
    let twin = Twin::with(name, config, &format!("page_size '{page_size}', max_concurrency '3'"), TABLES);
    let mut wrong = String::new();
    for _ in 0..count {
        maker.parameters = maker.chance(50).then(Vec::new);
        let query = make(&twin, &mut maker);
        let statements = maker.statements(query);
        twin.run("RESET ALL");
        if let Some(difference) = twin.difference(&statements) {
            wrong += &format!("\n{statements}\n   gave {difference}\n");
        }
    }
    assert!(wrong.is_empty(), "with CLERK_FDW_RANDOM_SEED={seed}:\n{wrong}");
}

fn of_tables(name: &str, tables: &'static [(&'static str, &'static str)]) {
    let mut known = Vec::new();
    hold(name, |twin, maker| {
        if known.is_empty() {
            known.extend(tables.iter().map(|(table, key)| Table::new(twin, table, key)));
        }
        let table = maker.random.usize(..known.len());
        maker.query(&known[table])
    });
}

#[test]
fn random_queries_over_users() {
    of_tables(
        "random_users",
        &[("users", "user_id"), ("users_old", "user_id"), ("users_plain", "id"), ("users_days", "id")],
    );
}

#[test]
fn random_queries_over_organizations() {
    of_tables("random_orgs", &[("organizations", "organization_id"), ("organizations_old", "id")]);
}

#[test]
fn random_queries_over_memberships() {
    of_tables(
        "random_members",
        &[("organization_memberships", "membership_id"), ("members_old", "user_id || organization_id")],
    );
}

#[test]
fn random_joins() {
    let mut tables = None;
    hold("random_joins", |twin, maker| {
        let (users, memberships) = tables.get_or_insert_with(|| {
            twin.run(
                "CREATE SCHEMA own;
                 CREATE TABLE own.many AS
                   SELECT row_number() OVER () AS n, u.user_id, u.email, u.external_id, u.username, u.phone_number, u.created_at, o.organization_id
                   FROM copy.users u, copy.organizations o;
                 CREATE TABLE own.few AS SELECT * FROM own.many ORDER BY hashint8(n) LIMIT 12;
                 INSERT INTO own.few VALUES (1, NULL, NULL, NULL, NULL, NULL, NULL, NULL), (2, 'user_nobody', '', '', '', '', 'infinity', 'org_nobody');
                 INSERT INTO own.few (n, user_id, external_id) VALUES (3, '+user_ada', '+ada'), (4, 'user_ada', '-bob');
                 INSERT INTO own.few SELECT * FROM own.few;
                 ANALYZE own.many; ANALYZE own.few",
            );
            (Table::new(twin, "users", "user_id"), Table::new(twin, "organization_memberships", "membership_id"))
        });
        maker.join(users, memberships)
    });
}
