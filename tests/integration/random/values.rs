//! What random queries are about: the columns of tables, and values, patterns and times to compare them with.

use fastrand::Rng;

use crate::support::*;

/// A column that conditions can be about, and some of its values.
#[derive(Clone)]
pub struct Column {
    pub name: String,
    /// Such as `timestamp with time zone`; the type below a domain.
    pub kind: String,
    /// Whether its collation lets it be compared with a pattern.
    pub has_patterns: bool,
    /// Whether Clerk knows conditions on it or sorts by it.
    pub is_known: bool,
    /// Texts, or Unix milliseconds.
    pub values: Vec<String>,
}

impl Column {
    pub fn is_text(&self) -> bool {
        matches!(&*self.kind, "text" | "character varying")
    }
}

pub struct Table {
    pub name: String,
    pub key: String,
    pub columns: Vec<Column>,
    /// The columns by which Clerk sorts.
    pub sorts: Vec<String>,
    /// The columns one of which a query has to compare, if Clerk has no list of all objects.
    pub parents: Vec<String>,
}

impl Table {
    pub fn new(oracle: &Oracle, name: &str, key: &str) -> Table {
        // What a foreign table of an object calls its columns may be another name of theirs.
        let known = format!(
            "SELECT o.parent, array_agg(n) FILTER (WHERE c.column_name = ANY (o.key_columns || o.filters || o.orders)),
                    array_agg(n) FILTER (WHERE c.column_name = ANY (o.orders))
               FROM pg_foreign_table f, pg_options_to_table(f.ftoptions) option
               JOIN clerk_fdw.objects() o ON o.object = option.option_value
               JOIN clerk_fdw.columns() c ON c.object = o.object, unnest(c.column_name || c.aliases) n
              WHERE f.ftrelid = 'clerk.{name}'::regclass AND option.option_name = 'object' GROUP BY o.parent"
        );
        let known = &oracle.rows(&known)[0];
        let (parents, sorts): (Vec<String>, Option<Vec<String>>) = (known.get(0), known.get(2));
        let known: Vec<String> = known.get::<_, Option<_>>(1).unwrap_or_default();
        let described = format!(
            "SELECT a.attname::text, format_type(coalesce(nullif(t.typbasetype, 0), t.oid), NULL), coalesce(c.collisdeterministic, true)
             FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_collation c ON c.oid = a.attcollation
             WHERE a.attrelid = 'copy.{name}'::regclass AND a.attnum > 0 ORDER BY a.attnum"
        );
        let mut columns = Vec::new();
        for row in oracle.rows(&described) {
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
            let (values, is_known) = (oracle.column(&some), known.contains(&column));
            columns.push(Column { name: column, kind, has_patterns: row.get(2), is_known, values });
        }
        let mut sorts = sorts.unwrap_or_default();
        sorts.retain(|sort| columns.iter().any(|column| column.name == *sort));
        Table { name: name.to_owned(), key: key.to_owned(), columns, sorts, parents }
    }
}

/// What makes the queries up.
pub struct Maker {
    pub random: Rng,
    /// Types and values of the parameters; none if the query is no prepared statement.
    pub parameters: Option<Vec<(String, String)>>,
    /// Whether the query joins a table that can only be read below parents: only nested loops tell which ones.
    pub needs_nested_loops: bool,
}

impl Maker {
    pub fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.random.usize(..of.len())]
    }

    pub fn chance(&mut self, percent: u32) -> bool {
        self.random.u32(..100) < percent
    }

    pub fn quoted(text: &str) -> String {
        format!("'{}'", text.replace('\'', "''"))
    }

    /// A value where it stands, as a parameter or in a subquery of its own.
    pub fn value(&mut self, kind: &str, value: String) -> String {
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
    pub fn raw(&mut self, column: &Column) -> String {
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
    pub fn pattern(&mut self, column: &Column) -> String {
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
    pub fn time(&mut self, column: &Column) -> String {
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
            false => timestamp_text(near),
        };
        self.value(&kind, Maker::quoted(&text))
    }

    /// One of the table's columns, likely one that Clerk knows conditions on.
    pub fn column<'t>(&mut self, table: &'t Table) -> &'t Column {
        let known: Vec<_> = table.columns.iter().filter(|column| column.is_known).collect();
        match known.len() {
            many @ 1.. if self.chance(75) => known[self.random.usize(..many)],
            _ => &table.columns[self.random.usize(..table.columns.len())],
        }
    }
}
