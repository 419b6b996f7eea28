//! Lists of so many values that one request cannot carry them: what is found by several of them comes once.

use clerk_sim::Sim;
use fastrand::Rng;
use serde_json::json;

use super::values::{Column, Maker, Table};

use crate::support::*;

/// Tables of such small pages that a request for each of many values is fewer than one for each page: else Clerk is
/// asked for the whole table.
pub const TABLES: &str = r#"
    CREATE FOREIGN TABLE clerk.organizations_small (organization_id text, name text, slug text, created_at timestamptz)
        SERVER clerk OPTIONS (object 'organizations', page_size '1');
    CREATE FOREIGN TABLE clerk.members_small (organization_id text, user_id text, role text, created_at timestamptz)
        SERVER clerk OPTIONS (object 'organization_memberships', page_size '1');
"#;

/// How many people with several addresses and numbers there are.
const CROWD: usize = 80;

/// Signs up people who are found by several addresses and numbers each, some of which are written in both cases.
pub fn crowd(sim: &Sim, random: &mut Rng) {
    for n in 0..CROWD {
        let addresses = ["", "+work", "+home"].map(|tag| match random.u8(..6) {
            0 => format!("Eve{n}{tag}@Example.com"),
            _ => format!("eve{n}{tag}@example.com"),
        });
        let numbers = [1, 2, 3].map(|line| format!("+1555{line}{n:06}"));
        let (addresses, numbers) = (&addresses[..random.usize(1..=3)], &numbers[..random.usize(1..=3)]);
        let first_name = ["Eve", "Eva", "Çelia"][n % 3];
        let fields = json!({
            "email_address": addresses, "phone_number": numbers, "username": format!("eve_{n}"),
            "external_id": format!("Eve-{n}"), "first_name": first_name, "last_name": format!("eve_{n}"),
        });
        sim.create_user(fields).expect("a user");
    }
}

/// Texts by which Clerk may find rows in which the column shows another text, or none: secondary addresses, and slugs
/// where ids are asked for.
pub fn strangers(oracle: &Oracle, table: &Table, column: &Column) -> Vec<String> {
    let is_of_users = table.name.starts_with("users") || column.name == "user_id";
    let texts = match &*column.name {
        "email" => "SELECT e ->> 'email_address' FROM copy.users, jsonb_array_elements(attrs -> 'email_addresses') e",
        "phone_number" => {
            "SELECT n ->> 'phone_number' FROM copy.users, jsonb_array_elements(attrs -> 'phone_numbers') n"
        }
        _ if is_of_users => "SELECT unnest(ARRAY[user_id, username, external_id, last_name]) FROM copy.users",
        _ => "SELECT unnest(ARRAY[organization_id, slug, name]) FROM copy.organizations",
    };
    oracle.column(&format!("SELECT DISTINCT x FROM ({texts}) s(x) WHERE x IS NOT NULL ORDER BY x"))
}

/// A column and what lists are made of that it is compared with.
pub struct Listed {
    column: Column,
    strangers: Vec<String>,
}

/// The text columns of a table that Clerk knows conditions on.
pub fn listed(oracle: &Oracle, table: &Table) -> Vec<Listed> {
    let is_listed = |column: &&Column| column.is_known && column.is_text() && column.name != "role";
    let columns = table.columns.iter().filter(is_listed);
    columns.map(|column| Listed { strangers: strangers(oracle, table, column), column: column.clone() }).collect()
}

impl Maker {
    /// One of the columns, likely one of those by whose values Clerk finds what has another value there.
    fn listed<'l>(&mut self, listed: &'l [Listed]) -> &'l Listed {
        let is_found_by_more = |one: &&Listed| matches!(&*one.column.name, "email" | "phone_number" | "slug");
        let some: Vec<_> = listed.iter().filter(is_found_by_more).collect();
        match some.len() {
            many @ 1.. if self.chance(60) => some[self.random.usize(..many)],
            _ => &listed[self.random.usize(..listed.len())],
        }
    }

    /// Texts with repetitions, in other letters, beside what the column has, and NULLs.
    fn many(&mut self, listed: &Listed) -> Vec<Option<String>> {
        let length = self.random.usize(150..=400);
        let text = |maker: &mut Maker| match maker.random.u32(..50) {
            0 => None,
            1..30 if !listed.strangers.is_empty() => {
                let text = listed.strangers[maker.random.usize(..listed.strangers.len())].clone();
                Some(if maker.chance(10) { text.to_uppercase() } else { text })
            }
            _ => Some(maker.raw(&listed.column)),
        };
        let has_nulls = self.chance(20);
        (0..length).map(|_| text(self)).filter(|text| has_nulls || text.is_some()).collect()
    }

    /// The same as expressions.
    fn many_quoted(&mut self, listed: &Listed) -> Vec<String> {
        let quoted = |text: Option<String>| text.map_or("NULL".to_owned(), |text| Maker::quoted(&text));
        self.many(listed).into_iter().map(quoted).collect()
    }

    /// The same as an array, where it stands or as a parameter.
    fn many_in_array(&mut self, listed: &Listed) -> String {
        let list = self.many_quoted(listed);
        self.array(&list)
    }

    fn array(&mut self, list: &[String]) -> String {
        self.value("text[]", format!("ARRAY[{}]::text[]", list.join(", ")))
    }

    /// A condition that compares a column with many values.
    fn about_many(&mut self, listed: &Listed, alias: &str) -> String {
        let name = &format!("{alias}.{}", listed.column.name);
        let not = self.one(&["", "", "", "NOT "]);
        match self.random.u32(..16) {
            0..3 => format!("{name} {not}IN ({})", self.many_quoted(listed).join(", ")),
            3 => {
                let list: Vec<_> =
                    self.many_quoted(listed).into_iter().map(|value| self.value("text", value)).collect();
                format!("{name} {not}IN ({})", list.join(", "))
            }
            4..8 => format!("{name} = ANY ({})", self.many_in_array(listed)),
            8 => format!("{name} {} ({})", self.one(&["<> ALL", "<> ANY", "= ALL"]), self.many_in_array(listed)),
            9 => format!("{name} = ANY (ARRAY(SELECT x FROM unnest({}) x))", self.many_in_array(listed)),
            // Postgres 15 takes each spelling for another value here if a collation does not tell them apart.
            10 if listed.column.has_patterns => {
                format!("{name} {not}IN (SELECT x FROM unnest({}) x)", self.many_in_array(listed))
            }
            11 => {
                let parts: Vec<_> =
                    self.many_quoted(listed).into_iter().map(|value| format!("{name} = {value}")).collect();
                format!("{not}({})", parts.join(" OR "))
            }
            12..14 if listed.column.has_patterns => {
                // A pattern that ends in a single backslash is an error.
                let patterns: Vec<_> = self.many_quoted(listed).iter().map(|text| text.replace('\\', "\\\\")).collect();
                let array = self.array(&patterns);
                format!("{name} {} ({array})", self.one(&["LIKE ANY", "ILIKE ANY", "ILIKE ANY", "NOT ILIKE ALL"]))
            }
            14 if listed.column.has_patterns => {
                format!("EXISTS (SELECT FROM unnest({}) x WHERE x = {name})", self.many_in_array(listed))
            }
            _ => format!("{name} IN ({})", self.many_quoted(listed).join(", ")),
        }
    }

    /// A query over one table, with one or two such conditions and perhaps another.
    pub fn query_of_many(&mut self, table: &Table, listed: &[Listed]) -> String {
        let (one, other) = (self.listed(listed), self.listed(listed));
        let condition = self.about_many(one, "t");
        let condition = match self.random.u32(..8) {
            0 | 1 => format!("{condition} AND {}", self.about_many(other, "t")),
            2 => format!("({condition} OR {})", self.about_many(other, "t")),
            3 => format!("{condition} AND {}", self.conditions(table, "t", 1)),
            4 => format!("({condition} OR {})", self.condition(table, "t")),
            _ => condition,
        };
        let (name, column) = (&table.name, &one.column.name);
        match self.random.u32(..8) {
            0 => format!("SELECT DISTINCT t.{column} FROM clerk.{name} t WHERE {condition}"),
            1 => format!(
                "SELECT t.{column}, count(*) FROM clerk.{name} t WHERE {condition} GROUP BY t.{column} HAVING count(*) <> 2"
            ),
            _ => self.query_where(table, &condition),
        }
    }

    /// A join of many local values with the rows that have them.
    pub fn join_of_many(&mut self, table: &Table, listed: &[Listed]) -> String {
        let one = self.listed(listed);
        let (name, key, column) = (&table.name, &table.key, &one.column.name);
        let condition = self.condition(table, "t");
        let join = self.one(&["JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]);
        let wanted = match self.random.u32(..3) {
            0 => format!("unnest({})", self.many_in_array(one)),
            1 => format!("(VALUES ({}))", self.many_quoted(one).join("), (")),
            _ => format!("(SELECT x FROM own.wanted WHERE list = '{name}.{column}')"),
        };
        match self.random.u32(..6) {
            0 => {
                format!("SELECT w.x, t.* FROM {wanted} w(x) JOIN clerk.{name} t ON t.{column} = w.x WHERE {condition}")
            }
            1 => format!("SELECT w.x, t.{column} FROM {wanted} w(x) {join} clerk.{name} t ON t.{column} = w.x"),
            2 if one.column.has_patterns => format!(
                "SELECT t.* FROM clerk.{name} t WHERE t.{column} IN (SELECT w.x FROM {wanted} w(x)) AND {condition}"
            ),
            3 if one.column.has_patterns => format!(
                "SELECT w.x FROM {wanted} w(x) WHERE {}EXISTS (SELECT FROM clerk.{name} t WHERE t.{column} = w.x AND {condition})",
                self.one(&["", "NOT "])
            ),
            _ => format!(
                "SELECT {key} FROM clerk.{name} t JOIN {wanted} w(x) ON t.{column} = w.x WHERE {}",
                self.about_many(one, "t")
            ),
        }
    }

    /// Lists of values in a local table, one for each column.
    pub fn keep_wanted(&mut self, oracle: &Oracle, tables: &[(Table, Vec<Listed>)]) {
        oracle.run("CREATE SCHEMA own; CREATE TABLE own.wanted (list text, x text)");
        for (table, listed) in tables {
            for one in listed {
                let (values, column) = (self.many_quoted(one).join(", "), &one.column.name);
                oracle.run(&format!(
                    "INSERT INTO own.wanted SELECT '{}.{column}', x FROM unnest(ARRAY[{values}]) x",
                    table.name
                ));
            }
        }
        oracle.run("ANALYZE own.wanted");
    }
}
