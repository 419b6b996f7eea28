//! Tables as people may have them, made up: which columns a mirror fills, of which types, and what else they have.

use fastrand::Rng;
use serde_json::{Map, Value};

use crate::support::*;

/// What the tables' columns are made of.
pub const TYPES: &str = r#"
    CREATE COLLATION own.anycase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
    CREATE DOMAIN own.words AS text;
    CREATE DOMAIN own.short AS varchar(12);
    CREATE DOMAIN own.shorter AS own.short CHECK (VALUE <> 'nobody');
    CREATE DOMAIN own.flag AS boolean;
    CREATE DOMAIN own.moment AS timestamptz;
    CREATE DOMAIN own.things AS jsonb CHECK (jsonb_typeof(VALUE) = 'object');
    CREATE DOMAIN own.list AS text[];
"#;

/// A declared type, the expression that gives its value (`{}` stands for the object's column), and how many characters
/// it holds, if there are texts at Clerk that are longer. What has another expression than the column itself cannot be mapped by name.
type Variant = (&'static str, &'static str, Option<usize>);

const TEXTS: &[Variant] = &[
    ("text", "{}", None),
    ("text COLLATE \"C\"", "{}", None),
    ("text COLLATE own.anycase", "{}", None),
    ("varchar", "{}", None),
    ("varchar(2000)", "{}", None),
    ("varchar(9)", "{}", Some(9)),
    ("char(2000)", "{}", None),
    ("char(11)", "{}", Some(11)),
    ("own.words", "{}", None),
    ("own.short", "{}", Some(12)),
    ("own.shorter", "{}", Some(12)),
    ("varchar(10)", "left({}, 10)", None),
    ("char(10)", "left(lower({}), 10)", None),
    ("text", "concat_ws(' ', {}, 'and', {})", None),
    ("int", "length({})", None),
];

const FLAGS: &[Variant] = &[
    ("boolean", "{}", None),
    ("own.flag", "{}", None),
    ("text", "{}", None),
    ("int", "{}::int", None),
    ("char(5)", "{}::text", None),
];

const TIMES: &[Variant] = &[
    ("timestamptz", "{}", None),
    ("timestamptz(3)", "{}", None),
    ("timestamptz(0)", "{}", None),
    ("timestamp(1)", "{}", None),
    ("own.moment", "{}", None),
    ("timestamp", "{}", None),
    ("date", "{}", None),
    ("date", "({})::date", None),
    ("bigint", "(extract(epoch FROM {}) * 1000)::bigint", None),
    ("char(10)", "to_char({}, 'YYYY-MM-DD')", None),
];

const NUMBERS: &[Variant] = &[
    ("bigint", "{}", None),
    ("int", "{}", None),
    ("smallint", "{}", None),
    ("numeric(12, 2)", "{}", None),
    ("varchar(20)", "{}", None),
];

const JSON: &[Variant] = &[
    ("jsonb", "{}", None),
    ("json", "{}", None),
    ("own.things", "{}", None),
    ("text", "{}", None),
    ("varchar(10)", "left({} ->> 'plan', 10)", None),
    ("int", "({} ->> 'seats')::int", None),
];

const LISTS: &[Variant] = &[
    ("text[]", "{}", None),
    ("varchar[]", "{}", None),
    ("own.list", "{}", None),
    ("text", "array_to_string({}, ' ')", None),
    ("jsonb", "to_jsonb({})", None),
];

/// The variants for a column of the foreign table.
fn variants(kind: &str) -> &'static [Variant] {
    match kind {
        "boolean" => FLAGS,
        "timestamp with time zone" => TIMES,
        "bigint" => NUMBERS,
        "jsonb" => JSON,
        "text[]" => LISTS,
        _ => TEXTS,
    }
}

/// Types of columns that take ids.
const KEYS: &[&str] = &["text", "text COLLATE \"C\"", "varchar(64)", "varchar", "own.words", "char(40)"];

/// Columns of the application: definition and the default that new rows get, if it is the same for all.
const OWN: &[(&str, Option<&str>)] = &[
    ("theme text DEFAULT 'dark'", Some("'dark'")),
    ("score int NOT NULL DEFAULT 0", Some("0")),
    ("token uuid NOT NULL DEFAULT gen_random_uuid()", None),
    ("tags text[] NOT NULL DEFAULT '{}'", Some("'{}'")),
    ("note char(7)", Some("NULL")),
];

/// A column that the mirror fills.
pub struct Mapped {
    pub name: String,
    pub kind: String,
    /// What it takes, over the columns of the object.
    pub expression: String,
    longest: Option<usize>,
}

/// A table that somebody made.
pub struct OwnTable {
    pub object: &'static str,
    /// With its schema.
    pub name: String,
    /// The column that takes the id, quoted; it is the first of `mapped`.
    pub id: String,
    pub synced_at: String,
    pub deleted_at: String,
    pub mapped: Vec<Mapped>,
    /// Names of the application's columns, and what new rows have there.
    pub own: Vec<(String, Option<&'static str>)>,
    /// Names of generated columns and what they are generated from.
    pub generated: Vec<(String, String)>,
    pub has_number: bool,
    /// The columns that are filled by their names: there is no map.
    is_by_name: bool,
    pub ddl: String,
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Mapped {
    pub fn column(&self) -> String {
        quoted(&self.name)
    }

    /// Whether a value of the object fits, as an expression: what is too long by blanks alone does.
    fn fits(&self) -> Option<String> {
        self.longest.map(|longest| format!("coalesce(length(rtrim({})), 0) <= {longest}", self.expression))
    }
}

impl OwnTable {
    /// Makes a table up for an object whose ids are known.
    pub fn new(random: &mut Rng, session: &Session, object: &'static str, ids: &[String]) -> OwnTable {
        let columns = session.rows(&format!(
            "SELECT attname::text, format_type(atttypid, NULL), attnum = 1 FROM pg_attribute
              WHERE attrelid = 'clerk.{object}'::regclass AND attnum > 0 ORDER BY attnum"
        ));
        let is_by_name = random.u8(..4) == 0;
        let is_tight = random.bool();
        let share = random.u8(20..100);
        let mut mapped = Vec::new();
        for (number, row) in columns.iter().enumerate() {
            let (column, kind, is_id): (String, String, bool) = (row.get(0), row.get(1), row.get(2));
            // What belongs to somebody is looked for by whom it belongs to.
            let is_owner = !is_id && column.ends_with("_id") && column != "external_id";
            if !is_id && random.u8(..100) >= share && !is_owner {
                continue;
            }
            let takes = |(_, expression, longest): &&Variant| {
                let has_room = longest.is_none() || (is_tight && column.ends_with("name"));
                (!is_by_name || *expression == "{}") && has_room
            };
            let possible: Vec<&Variant> = variants(&kind).iter().filter(takes).collect();
            let (mut kind, expression, mut longest) = **random.choice(&possible).expect("a type");
            let mut expression = expression.replace("{}", &column);
            if is_id || is_owner {
                (kind, expression, longest) = (KEYS[random.usize(..KEYS.len())], column.clone(), None);
            }
            let name = match (is_by_name, is_id) {
                (true, true) if random.bool() => "clerk_id".to_owned(),
                (true, _) => column,
                (false, _) => match random.u8(..4) {
                    0 => format!("Column {number}"),
                    1 => format!("é\"{number}"),
                    _ => format!("c{number}"),
                },
            };
            mapped.push(Mapped { name, kind: kind.to_owned(), expression, longest });
        }
        let mut special = |expression: &str| match !is_by_name && random.u8(..4) == 0 {
            true => {
                let name = format!("{expression} of ours");
                let kind = "timestamptz".to_owned();
                mapped.push(Mapped { name: name.clone(), kind, expression: expression.to_owned(), longest: None });
                quoted(&name)
            }
            false => format!("clerk_{expression}"),
        };
        let (synced_at, deleted_at) = (special("synced_at"), special("deleted_at"));
        let id = mapped[0].column();
        let mut table = OwnTable {
            object,
            name: format!("own.{object}"),
            id,
            synced_at,
            deleted_at,
            mapped,
            own: Vec::new(),
            generated: Vec::new(),
            has_number: false,
            is_by_name,
            ddl: String::new(),
        };
        table.ddl = table.define(random, ids);
        table
    }

    /// The statements that make the table. Fills in what it has beside the mapped columns.
    fn define(&mut self, random: &mut Rng, ids: &[String]) -> String {
        let mut columns: Vec<String> =
            self.mapped.iter().map(|mapped| format!("{} {}", mapped.column(), mapped.kind)).collect();
        for (definition, default) in OWN.iter().filter(|_| random.bool()) {
            columns.push((*definition).to_owned());
            let name = definition.split(' ').next().unwrap_or_default();
            self.own.push((name.to_owned(), *default));
        }
        for (number, mapped) in self.mapped.iter().enumerate() {
            if matches!(&*mapped.expression, "synced_at" | "deleted_at") || random.u8(..6) > 0 {
                continue;
            }
            let column = mapped.column();
            let (kind, expression) = match mapped.kind.split(['(', ' ']).next().unwrap_or_default() {
                "text" | "varchar" | "char" | "own.words" | "own.short" | "own.shorter" => match random.bool() {
                    true => ("int", format!("length({column})")),
                    false => ("text", format!("{column} || '!'")),
                },
                "bigint" | "int" => ("bigint", format!("{column}::bigint * 2")),
                "jsonb" | "own.things" => ("text", format!("{column} ->> 'plan'")),
                _ => ("boolean", format!("({column} IS NULL)")),
            };
            columns.push(format!("g{number} {kind} GENERATED ALWAYS AS ({expression}) STORED"));
            self.generated.push((format!("g{number}"), expression));
        }
        let is_partitioned = random.bool();
        let id = &self.id;
        let constraint = ["UNIQUE", "PRIMARY KEY", "PRIMARY KEY"][random.usize(..3)];
        let mut number = None;
        if random.bool() {
            self.has_number = true;
            let when = ["ALWAYS", "BY DEFAULT"][random.usize(..2)];
            let can_be_key = !is_partitioned && constraint == "UNIQUE";
            let key = if can_be_key && random.bool() { " PRIMARY KEY" } else { "" };
            number = Some(format!("n bigint GENERATED {when} AS IDENTITY{key}"));
        }
        let mut all: Vec<String> = columns.iter().cloned().chain(number).collect();
        random.shuffle(&mut all);
        let (name, all) = (&self.name, format!("{}, {constraint} ({id})", all.join(", ")));
        if !is_partitioned {
            return format!("CREATE TABLE {name} ({all});\n");
        }
        if self.has_number {
            columns.push("n bigint NOT NULL".to_owned());
        }
        if constraint == "PRIMARY KEY" {
            columns[0] += " NOT NULL";
        }
        let (kind, bounds) = bounds(random, ids);
        let mut ddl = format!("CREATE TABLE {name} ({all}) PARTITION BY {kind} ({id});\n");
        for (number, bound) in bounds.iter().enumerate() {
            ddl += &self.partition(random, number, bound, &mut columns);
        }
        ddl
    }

    /// The statements that make one partition.
    fn partition(&self, random: &mut Rng, number: usize, bound: &str, columns: &mut [String]) -> String {
        let (table, id) = (&self.name, &self.id);
        let name = format!("{table}_{number}");
        match random.u8(..4) {
            0 => [
                format!("CREATE TABLE {name} PARTITION OF {table} {bound} PARTITION BY HASH ({id});\n"),
                format!("CREATE TABLE {name}_a PARTITION OF {name} FOR VALUES WITH (MODULUS 2, REMAINDER 0);\n"),
                format!("CREATE TABLE {name}_b PARTITION OF {name} FOR VALUES WITH (MODULUS 2, REMAINDER 1);\n"),
            ]
            .concat(),
            // A table that came later has its columns in another order, and had others.
            1 => {
                random.shuffle(columns);
                [
                    format!("CREATE TABLE {name} (gone int, {});\n", columns.join(", ")),
                    format!("ALTER TABLE {name} DROP COLUMN gone;\n"),
                    format!("ALTER TABLE {table} ATTACH PARTITION {name} {bound};\n"),
                ]
                .concat()
            }
            _ => format!("CREATE TABLE {name} PARTITION OF {table} {bound};\n"),
        }
    }

    /// What `create_mirror` is told of the columns; nothing if they are filled by their names.
    pub fn map(&self) -> Option<Value> {
        let entry = |mapped: &Mapped| (mapped.name.clone(), Value::from(&*mapped.expression));
        (!self.is_by_name).then(|| Value::from(self.mapped.iter().map(entry).collect::<Map<_, _>>()))
    }

    /// The object's column that holds its id.
    pub fn clerks_id(&self) -> &str {
        &self.mapped[0].expression
    }

    /// The id of a row as an expression, whatever its type.
    pub fn id_text(&self) -> String {
        format!("{}::text COLLATE \"C\"", self.id)
    }

    /// The columns of the object that the mapped columns need. Those that are not asked for change what others hold.
    pub fn needed(&self, session: &Session) -> Vec<String> {
        let columns = format!(
            "SELECT attname::text FROM pg_attribute WHERE attrelid = 'clerk.{}'::regclass AND attnum > 0",
            self.object
        );
        let mut columns: Vec<String> = session.column(&columns);
        columns.retain(|column| self.mapped.iter().any(|mapped| mapped.expression.contains(&**column)));
        columns
    }

    /// The mapped columns whose values are Clerk's.
    pub fn clerks(&self) -> impl Iterator<Item = &Mapped> {
        self.mapped.iter().filter(|mapped| !matches!(&*mapped.expression, "synced_at" | "deleted_at"))
    }

    /// Whether its `updated_at` has milliseconds, which tell apart two states of the same second or day.
    pub fn tells_order(&self) -> bool {
        let coarse = ["timestamptz(0)", "timestamp(1)", "date"];
        self.clerks().all(|mapped| mapped.expression != "updated_at" || !coarse.contains(&&*mapped.kind))
    }

    /// Whether an object fits into the table, as an expression.
    pub fn fits(&self) -> String {
        let all: Vec<_> = self.mapped.iter().filter_map(Mapped::fits).collect();
        if all.is_empty() { "true".to_owned() } else { all.join(" AND ") }
    }

    /// The values of the application's columns as one text.
    pub fn kept(&self) -> String {
        let own = self.own.iter().map(|(name, _)| &**name).chain(self.has_number.then_some("n"));
        format!("ROW({})::text", own.collect::<Vec<_>>().join(", "))
    }
}

/// A way to partition by the id, and the partitions' bounds. The ids that stand there are some of those that are known.
fn bounds(random: &mut Rng, ids: &[String]) -> (&'static str, Vec<String>) {
    let mut some: Vec<_> = (0..3).filter_map(|_| random.choice(ids)).map(|id| format!("'{id}'")).collect();
    some.sort();
    some.dedup();
    match random.u8(..3) {
        0 => {
            let modulus = random.usize(1..5);
            let bound = |remainder| format!("FOR VALUES WITH (MODULUS {modulus}, REMAINDER {remainder})");
            ("HASH", (0..modulus).map(bound).collect())
        }
        1 => {
            let mut bounds: Vec<_> = some.iter().map(|id| format!("FOR VALUES IN ({id})")).collect();
            bounds.push("DEFAULT".to_owned());
            ("LIST", bounds)
        }
        _ => {
            let (least, most) = ("MINVALUE".to_owned(), "MAXVALUE".to_owned());
            let edges: Vec<_> = [least].into_iter().chain(some).chain([most]).collect();
            let mut bounds: Vec<_> =
                edges.windows(2).map(|pair| format!("FOR VALUES FROM ({}) TO ({})", pair[0], pair[1])).collect();
            bounds.pop();
            bounds.push("DEFAULT".to_owned());
            ("RANGE", bounds)
        }
    }
}
