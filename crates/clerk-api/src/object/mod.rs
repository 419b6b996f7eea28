//! The catalogue: what Clerk has, one file per object.
//!
//! Everything that depends on an object (the tables that IMPORT FOREIGN SCHEMA makes, the validator, what a
//! condition turns into, the documentation) reads these forms. Adding an object means adding a file and
//! naming it in [`OBJECTS`].

use crate::request::Request;

mod instance;
mod organization_memberships;
mod organizations;
mod users;

pub use instance::INSTANCE;

/// The version of Clerk's Backend API that the catalogue describes, sent as `Clerk-API-Version`.
pub const API_VERSION: &str = "2026-05-12";

/// Every object that a foreign table can show.
pub const OBJECTS: &[&Object] =
    &[&users::USERS, &organizations::ORGANIZATIONS, &organization_memberships::ORGANIZATION_MEMBERSHIPS];

/// The object of that name.
pub fn object(name: &str) -> Option<&'static Object> {
    OBJECTS.iter().find(|object| object.name == name).copied()
}

/// One kind of object that Clerk keeps, and how it is read.
#[derive(Debug)]
pub struct Object {
    /// What the `object` option of a foreign table calls it, and the name of its imported table.
    pub name: &'static str,
    /// One sentence for the table's comment.
    pub description: &'static str,
    /// The endpoint that lists all of the instance's.
    pub list: &'static str,
    /// How that list is walked.
    pub paging: Paging,
    /// The columns whose value alone finds the objects that have it.
    pub keys: &'static [Key],
    /// In which orders Clerk gives the list.
    pub orders: &'static [Order],
    /// The columns of the imported table, in its order.
    pub columns: &'static [Column],
}

/// How a list is read from its first page to its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paging {
    /// `starting_after`, in ascending order of creation, within ranges of creation time that are read side by side;
    /// the named endpoint counts what a range holds.
    Cursor { count: &'static str },
    /// `offset`, oldest first; each page tells the `total_count`.
    Offset,
}

/// An endpoint that a column's value leads to.
#[derive(Debug)]
pub struct Key {
    /// The column's name.
    pub column: &'static str,
    /// The endpoint, with the column's value in braces.
    pub path: &'static str,
    /// What it answers with.
    pub answer: Answer,
    /// Columns by which the endpoint's list can be narrowed, and the parameter for each, which takes 100 values.
    pub filters: &'static [(&'static str, &'static str)],
}

/// What the endpoint of a [`Key`] answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The one object itself, or 404.
    One,
    /// A list by offset. A 404 means that the owner is unknown, if the owner's own endpoint says so too.
    List {
        owner: &'static str,
        /// Whether it takes `order_by`.
        orders: bool,
    },
}

/// An order in which Clerk gives a list.
#[derive(Debug)]
pub struct Order {
    /// A column that is never null.
    pub column: &'static str,
    /// What `order_by` calls it.
    pub parameter: &'static str,
    /// Whether an object keeps its place. A list whose objects change places can be trusted for one page alone.
    pub lasts: bool,
}

/// A condition on a column that Clerk can evaluate.
#[derive(Debug)]
pub struct Filter {
    pub test: Test,
    /// The parameter of the object's list.
    pub parameter: &'static str,
    /// Whether Clerk finds just what the condition means; else it may find more.
    pub exact: bool,
}

/// What kind of condition a [`Filter`] serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Test {
    /// `=`, `IN` and `= ANY`, with up to 100 values in one request. A `+` or `-` before a value includes or excludes
    /// where `signed`.
    Equal { signed: bool },
    /// `>=` and `>` on a time; Clerk excludes the bound.
    After,
    /// `<=` and `<` on a time; Clerk excludes the bound. Clerk looks at a time that is up to `within` milliseconds
    /// later than what it shows.
    Before { within: i64 },
    /// `LIKE` and `ILIKE` with a text somewhere inside; Clerk does not care for case.
    Contains,
    /// A boolean's value.
    Is,
}

/// How many values one parameter takes.
pub const MOST_VALUES: usize = 100;

/// One column of an imported table.
#[derive(Debug)]
pub struct Column {
    pub name: &'static str,
    /// Other names under which tables may declare it.
    pub aliases: &'static [&'static str],
    /// Names that mean this column when they are declared with a scalar type, and the field of that name otherwise.
    pub scalar_aliases: &'static [&'static str],
    pub kind: Kind,
    pub source: Source,
    /// One sentence for the column's comment.
    pub description: &'static str,
    /// The conditions on it that Clerk can evaluate in the object's list.
    pub filters: &'static [Filter],
    /// A query parameter without which Clerk does not send it, asked for only when a query uses the column.
    pub asks: Option<(&'static str, &'static str)>,
    /// Whose eyes it is for, of the application's own users.
    pub visibility: Visibility,
}

/// Whose eyes a column is for, of the application's own users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// The people who share an organization with the person that it is about: what a profile shows.
    Shared,
    /// That person alone.
    Own,
    /// The application's backend alone.
    Private,
}

impl Visibility {
    /// What SQL calls it.
    pub fn name(self) -> &'static str {
        match self {
            Visibility::Shared => "shared",
            Visibility::Own => "own",
            Visibility::Private => "private",
        }
    }
}

/// What a column holds, which decides the type that IMPORT FOREIGN SCHEMA declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// A phone number in E.164 form; as a number, its digits.
    Phone,
    Boolean,
    Integer,
    /// Unix milliseconds at Clerk.
    Time,
    Json,
    TextArray,
}

impl Kind {
    /// The SQL type that says most about it.
    pub fn sql_type(self) -> &'static str {
        match self {
            Kind::Text | Kind::Phone => "text",
            Kind::Boolean => "boolean",
            Kind::Integer => "bigint",
            Kind::Time => "timestamptz",
            Kind::Json => "jsonb",
            Kind::TextArray => "text[]",
        }
    }
}

/// Where in Clerk's object a column's value lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The object as Clerk sent it.
    Whole,
    /// The member that this path of keys leads to.
    Path(&'static [&'static str]),
    /// `value` of the element of the array `list` whose `id` is the object's member `id`.
    Primary { id: &'static str, list: &'static str, value: &'static str },
}

impl Object {
    /// The column that a table's column of this name shows, if the object has it: see [`Column::scalar_aliases`]
    /// for what `scalar` decides.
    pub fn column(&self, name: &str, scalar: bool) -> Option<&'static Column> {
        let columns: &'static [Column] = self.columns;
        columns.iter().find(|column| {
            column.name == name || column.aliases.contains(&name) || (scalar && column.scalar_aliases.contains(&name))
        })
    }

    /// Whether a request for one object by its id would reach another endpoint of this object: Clerk's ids have a
    /// prefix, but what a query compares them with can be any text, `count` for one.
    pub(crate) fn has_endpoint(&self, request: &Request) -> bool {
        match self.paging {
            Paging::Cursor { count } => *request == Request::new(count),
            Paging::Offset => false,
        }
    }

    /// The column that holds the object's id.
    pub fn id(&self) -> &'static Column {
        let columns: &'static [Column] = self.columns;
        columns.iter().find(|column| column.is_id()).expect("every object has an id")
    }

    /// Whether objects are found by the column: by what it equals, or in the order in which they came.
    pub fn is_looked_up(&self, column: &Column) -> bool {
        self.order(column.name).is_some_and(|order| order.lasts)
            || self.key(column.name).is_some()
            || column.filter(|test| matches!(test, Test::Equal { .. })).is_some()
    }

    /// The order that follows a column, if Clerk knows one.
    pub fn order(&self, column: &str) -> Option<&'static Order> {
        let orders: &'static [Order] = self.orders;
        orders.iter().find(|order| order.column == column)
    }

    /// The key that a column is, if its value alone finds objects.
    pub fn key(&self, column: &str) -> Option<&'static Key> {
        let keys: &'static [Key] = self.keys;
        keys.iter().find(|key| key.column == column)
    }
}

/// A column as most are: the field of its own name, for the person whom it is about.
const fn column(name: &'static str, kind: Kind, source: Source, description: &'static str) -> Column {
    Column {
        name,
        aliases: &[],
        scalar_aliases: &[],
        kind,
        source,
        description,
        filters: &[],
        asks: None,
        visibility: Visibility::Own,
    }
}

/// A condition that Clerk evaluates just as it is meant.
const fn exact(test: Test, parameter: &'static str) -> Filter {
    Filter { test, parameter, exact: true }
}

/// A condition with which Clerk may find more than is meant.
const fn narrows(test: Test, parameter: &'static str) -> Filter {
    Filter { test, parameter, exact: false }
}

impl Column {
    /// Whether it is the object's id.
    pub fn is_id(&self) -> bool {
        self.source == Source::Path(&["id"])
    }

    /// Whether a parameter finds objects by the column's values.
    pub(crate) fn finds(&self, parameter: &str) -> bool {
        let is_value = |filter: &Filter| matches!(filter.test, Test::Equal { .. }) && filter.parameter == parameter;
        self.filters.iter().any(is_value)
    }

    /// The filter that serves a kind of condition.
    pub fn filter(&self, serves: impl Fn(Test) -> bool) -> Option<&'static Filter> {
        let filters: &'static [Filter] = self.filters;
        filters.iter().find(|filter| serves(filter.test))
    }

    const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    const fn scalar_aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.scalar_aliases = aliases;
        self
    }

    const fn filters(mut self, filters: &'static [Filter]) -> Self {
        self.filters = filters;
        self
    }

    /// What a profile shows.
    const fn shared(mut self) -> Self {
        self.visibility = Visibility::Shared;
        self
    }

    /// Nobody's but the backend's.
    const fn private(mut self) -> Self {
        self.visibility = Visibility::Private;
        self
    }

    const fn asks(mut self, parameter: &'static str, value: &'static str) -> Self {
        self.asks = Some((parameter, value));
        self
    }
}

#[cfg(test)]
mod tests;
