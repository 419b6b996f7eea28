//! The tables of random joins: Clerk's, and local rows with every kind of key.

use crate::random::lists;
use crate::random::values::{Maker, Table};
use crate::support::*;

/// One of Clerk's tables, whose alias in queries is `u`.
pub struct Side {
    pub table: Table,
    /// The columns that tell its rows apart.
    pub ids: &'static [&'static str],
    /// The columns that can be looked up, and which column of the local rows has such values.
    pub keys: &'static [(&'static str, &'static str)],
}

/// Name, ids and keys of the tables that are joined.
pub type Form = (&'static str, &'static [&'static str], &'static [(&'static str, &'static str)]);

pub const PEOPLE: &[Form] = &[
    (
        "users",
        &["user_id"],
        &[
            ("user_id", "user_id"),
            ("email", "email"),
            ("phone_number", "phone_number"),
            ("username", "username"),
            ("external_id", "external_id"),
            ("web3_wallet", "web3_wallet"),
        ],
    ),
    ("users_old", &["user_id"], &[("user_id", "user_id"), ("email", "email"), ("username", "username")]),
    (
        "users_plain",
        &["id"],
        &[("id", "user_id"), ("email", "email"), ("username", "username"), ("external_id", "external_id")],
    ),
    ("user_email_addresses", &["user_email_address_id"], &[("user_id", "user_id"), ("email_address", "email")]),
];

pub const ORGANIZATIONS: &[Form] = &[
    ("organizations", &["organization_id"], &[("organization_id", "organization_id")]),
    ("organizations_old", &["id"], &[("id", "organization_id")]),
    ("organization_memberships", &["membership_id"], &[("organization_id", "organization_id"), ("user_id", "user_id")]),
    ("members_old", &["user_id", "organization_id"], &[("organization_id", "organization_id"), ("user_id", "user_id")]),
    ("users", &["user_id"], &[("user_id", "user_id")]),
];

/// The columns of local rows that are keys.
const KEYS: &[&str] =
    &["user_id", "email", "phone_number", "username", "external_id", "web3_wallet", "organization_id"];

/// How many local rows the tables have.
const ROWS: &[(&str, usize)] = &[("none", 0), ("few", 25), ("many", 320)];

impl Side {
    pub fn ids(&self, alias: &str) -> String {
        self.ids.iter().map(|id| format!("{alias}.{id}")).collect::<Vec<_>>().join(", ")
    }
}

impl Maker {
    /// A key as local rows have it: likely one of those known, else none, an unknown one, one that is written in another
    /// way, or one that finds rows which show another value.
    pub fn local_key(&mut self, known: Option<&str>, strangers: &[String]) -> String {
        let known = known.unwrap_or("nobody");
        let text = match self.random.u32(..24) {
            0 | 1 => return "NULL".to_owned(),
            2 => String::new(),
            3 => "x".repeat([300, 2500, 9000][self.random.usize(..3)]),
            4 => format!("user_{}", self.random.u32(..)),
            5 => known.to_uppercase(),
            6 => known.to_lowercase(),
            7 => format!("{}{known}", self.one(&["+", "-", " "])),
            8 => format!("{known} "),
            9 => self.one(&["a,b", "100%_sure", "中村", "..", "\\", "'", "true", "c d&e=f#?"]).to_owned(),
            10..13 if !strangers.is_empty() => strangers[self.random.usize(..strangers.len())].clone(),
            _ => known.to_owned(),
        };
        Maker::quoted(&text)
    }

    /// Creates the local tables, whose rows take their values from the users and organizations that there are.
    pub fn create_rows(&mut self, oracle: &Oracle, users: &Table) {
        let columns = "user_id, email, phone_number, username, external_id, web3_wallet";
        let known = oracle.texts(&format!("SELECT {columns} FROM copy.users ORDER BY user_id")).expect("users");
        let organizations: Vec<String> = oracle.column("SELECT organization_id FROM copy.organizations ORDER BY 1");
        let strangers: Vec<_> = KEYS
            .iter()
            .map(|key| {
                let column = users.columns.iter().find(|column| column.name == *key);
                column.map(|column| lists::strangers(oracle, users, column)).unwrap_or_default()
            })
            .collect();
        oracle.run("CREATE SCHEMA own");
        for (name, count) in ROWS {
            oracle.run(&format!(
                "CREATE TABLE own.{name} (n int PRIMARY KEY, part int, amount int, flag boolean, user_id text, email text,
                   phone_number varchar, username text, external_id varchar, web3_wallet text, organization_id label, other text, ids text[])"
            ));
            for n in 0..*count {
                // Some users come again and again.
                let user = match self.chance(40) {
                    true => self.random.usize(..12),
                    false => self.random.usize(..known.len()),
                };
                let organization = &organizations[self.random.usize(..organizations.len())];
                let mut values: Vec<_> =
                    (0..6).map(|column| self.local_key(known[user][column].as_deref(), &strangers[column])).collect();
                values.push(self.local_key(Some(organization), &[]));
                let another = &known[self.random.usize(..known.len())];
                let other = self.local_key(another[0].as_deref(), &[]);
                let many = self.random.usize(..6);
                let ids: Vec<_> = (0..many)
                    .map(|_| {
                        let user = &known[self.random.usize(..known.len())];
                        let column = [0, 0, 0, 1][self.random.usize(..4)];
                        self.local_key(user[column].as_deref(), &[])
                    })
                    .collect();
                let ids = match self.chance(5) {
                    true => "NULL".to_owned(),
                    false => format!("ARRAY[{}]::text[]", ids.join(", ")),
                };
                oracle.run(&format!(
                    "INSERT INTO own.{name} VALUES ({n}, {}, {}, {}, {}, {other}, {ids})",
                    self.random.u32(..5),
                    self.random.u32(..6),
                    self.one(&["true", "false", "false", "NULL"]),
                    values.join(", ")
                ));
            }
            oracle.run(&format!("ANALYZE own.{name}"));
        }
    }
}
