//! One column of an object's table: what it contains, where it is in Clerk's JSON, and which conditions on it Clerk
//! evaluates.

/// One column of an imported table.
#[derive(Debug)]
pub struct Column {
    pub name: &'static str,
    /// Other names under which tables may declare it.
    pub aliases: &'static [&'static str],
    /// Names that mean this column only where a table declares them with a scalar type. Declared with another type,
    /// such as jsonb, they mean the field of that name in Clerk's object.
    pub scalar_aliases: &'static [&'static str],
    pub kind: Kind,
    pub source: Source,
    /// What the column means for its object, where pagination, mirrors or row security depend on it.
    pub role: Option<Role>,
    /// One sentence for the column's comment.
    pub description: &'static str,
    /// The conditions on it that Clerk can evaluate in the object's list.
    pub filters: &'static [Filter],
    /// A query parameter, with its value, without which Clerk does not send the column. It is sent only when a query
    /// uses the column.
    pub extra_param: Option<(&'static str, &'static str)>,
    /// Which of the application's users may see the column, in rows that they may see.
    pub visibility: Visibility,
    /// Whether whoever knows the value can act in somebody's name. Such a column is not part of imported tables and of
    /// mirrors, unless it is named.
    pub is_secret: bool,
}

/// What a column means for its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The object's id, unique in the instance.
    Id,
    /// When the object was created, in Unix milliseconds.
    CreatedAt,
    /// When the object last changed, in Unix milliseconds.
    UpdatedAt,
    /// Whether the user is banned from signing in. Row security shows a banned user no row of a mirror.
    Banned,
    /// The id of the parent, which is an object of this name. The object is deleted together with its parent.
    Parent(&'static str),
}

/// Which of the application's users may see a column, in rows that they may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// The user that the row is about and every user who shares an organization with that user, as on a profile page.
    Shared,
    /// Only the user that the row is about.
    Own,
    /// No user, only the application's backend.
    Private,
}

impl Visibility {
    /// The name that SQL functions and settings use.
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
    /// A phone number in E.164 form. In a column of a numeric type it is the number's digits.
    Phone,
    Boolean,
    Integer,
    /// A time, which Clerk sends in Unix milliseconds.
    Time,
    Json,
    TextArray,
}

impl Kind {
    /// The SQL type that IMPORT FOREIGN SCHEMA declares for it.
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

/// Where in Clerk's JSON object a column's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The object as Clerk sent it.
    Whole,
    /// The member of this name.
    Member(&'static str),
    /// The member that this path of keys leads to.
    Path(&'static [&'static str]),
    /// The member `value` of one element of the array `list`: the element whose own `id` equals the object's member
    /// named by `id`.
    Primary { id: &'static str, list: &'static str, value: &'static str },
    /// The member of the object that contains the row, where rows are [`super::Elements`].
    Owner(&'static str),
    /// Whether the element's own `id` equals this member of the object that contains it.
    IsPrimary { id: &'static str },
    /// The value of the [`super::KeyColumn`] by which the object was asked for. Clerk's object does not contain it.
    Key,
}

/// A condition on a column that Clerk can evaluate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filter {
    pub op: FilterOp,
    /// The query parameter of the object's list.
    pub parameter: &'static str,
    /// Whether Clerk returns exactly the objects that satisfy the condition. Otherwise it may return more.
    pub is_exact: bool,
}

/// Which conditions a [`Filter`] can evaluate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterOp {
    /// `=`, `IN` and `= ANY`, with up to 100 values in one request. Where `has_prefix`, Clerk reads a `+` or `-` before
    /// a value as a prefix that includes or excludes the value.
    Equal { has_prefix: bool },
    /// `=` with one value: one of these, or any value if there are none here. Several values are left to Postgres. If the
    /// filter is exact, no object has another value.
    One { values: &'static [&'static str] },
    /// `>=` and `>` on a time. Clerk's bound is exclusive.
    After,
    /// `<=` and `<` on a time. Clerk's bound is exclusive. The time that Clerk compares may be up to `within`
    /// milliseconds later than the time that it shows.
    Before { within: i64 },
    /// `LIKE` and `ILIKE`: Clerk looks for a text anywhere in the value and ignores case.
    Contains,
    /// A comparison of a boolean column with `true` or `false`.
    Is,
}

impl FilterOp {
    /// Whether Clerk takes a value for the filter's parameter.
    pub fn takes(self, value: &str) -> bool {
        match self {
            FilterOp::One { values: [] } => !value.trim().is_empty(),
            FilterOp::One { values } => values.contains(&value),
            _ => true,
        }
    }
}

/// A column with the most common properties: it has no filter, and only the user that a row is about may see it.
pub(super) const fn column(name: &'static str, kind: Kind, source: Source, description: &'static str) -> Column {
    Column {
        name,
        aliases: &[],
        scalar_aliases: &[],
        kind,
        source,
        role: None,
        description,
        filters: &[],
        extra_param: None,
        visibility: Visibility::Own,
        is_secret: false,
    }
}

/// A column with the value of the member that has the column's name.
pub(super) const fn member(name: &'static str, kind: Kind, description: &'static str) -> Column {
    column(name, kind, Source::Member(name), description)
}

/// The column with the whole object.
pub(super) const fn attrs() -> Column {
    column("attrs", Kind::Json, Source::Whole, "The whole object exactly as Clerk sent it.").private()
}

/// A condition that Clerk evaluates exactly.
pub(super) const fn exact(op: FilterOp, parameter: &'static str) -> Filter {
    Filter { op, parameter, is_exact: true }
}

/// A condition for which Clerk may return more objects than those that satisfy it.
pub(super) const fn narrowing(op: FilterOp, parameter: &'static str) -> Filter {
    Filter { op, parameter, is_exact: false }
}

impl Column {
    /// The first filter whose operation `serves` accepts.
    pub fn filter(&self, serves: impl Fn(FilterOp) -> bool) -> Option<&'static Filter> {
        let filters: &'static [Filter] = self.filters;
        filters.iter().find(|filter| serves(filter.op))
    }

    /// Whether a query parameter takes values that the column is to equal.
    pub(crate) fn is_found_by(&self, parameter: &str) -> bool {
        let is_value = |filter: &Filter| matches!(filter.op, FilterOp::Equal { .. }) && filter.parameter == parameter;
        self.filters.iter().any(is_value)
    }

    pub(super) const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    pub(super) const fn scalar_aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.scalar_aliases = aliases;
        self
    }

    pub(super) const fn filters(mut self, filters: &'static [Filter]) -> Self {
        self.filters = filters;
        self
    }

    pub(super) const fn extra_param(mut self, parameter: &'static str, value: &'static str) -> Self {
        self.extra_param = Some((parameter, value));
        self
    }

    /// Marks the object's id. Every object has exactly one such column.
    pub(super) const fn id(mut self) -> Self {
        self.role = Some(Role::Id);
        self
    }

    /// Marks the time when the object was created.
    pub(super) const fn creation_time(mut self) -> Self {
        self.role = Some(Role::CreatedAt);
        self
    }

    /// Marks the time when the object last changed.
    pub(super) const fn update_time(mut self) -> Self {
        self.role = Some(Role::UpdatedAt);
        self
    }

    /// Marks the column that says whether a user is banned.
    pub(super) const fn banned(mut self) -> Self {
        self.role = Some(Role::Banned);
        self
    }

    /// Marks the id of the parent, which is an object of this name.
    pub(super) const fn parent(mut self, object: &'static str) -> Self {
        self.role = Some(Role::Parent(object));
        self
    }

    /// Shows the column to users who share an organization: see [`Visibility::Shared`].
    pub(super) const fn shared(mut self) -> Self {
        self.visibility = Visibility::Shared;
        self
    }

    /// Marks a secret: see [`Column::is_secret`].
    pub(super) const fn secret(mut self) -> Self {
        self.is_secret = true;
        self.visibility = Visibility::Private;
        self
    }

    /// Hides the column from all users: see [`Visibility::Private`].
    pub(super) const fn private(mut self) -> Self {
        self.visibility = Visibility::Private;
        self
    }
}
