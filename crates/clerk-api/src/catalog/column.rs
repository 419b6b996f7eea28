//! One column of an object's table: what it holds, where it lies in Clerk's JSON, and which conditions on it Clerk
//! evaluates.

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
    /// What the column is for the object, where the project has to know.
    pub role: Option<Role>,
    /// One sentence for the column's comment.
    pub description: &'static str,
    /// The conditions on it that Clerk can evaluate in the object's list.
    pub filters: &'static [Filter],
    /// A query parameter without which Clerk does not send it, given only when a query uses the column.
    pub extra_param: Option<(&'static str, &'static str)>,
    /// Which of the application's own users may see it in a row that they may see.
    pub visibility: Visibility,
}

/// What a column is for its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The object's id, unique in the instance.
    Id,
    /// When the object was created, in Unix milliseconds.
    CreatedAt,
    /// When the object last changed, in Unix milliseconds.
    UpdatedAt,
    /// Whether a user may not sign in: then nothing of a mirror is theirs to see.
    Banned,
    /// The id of the object of this name to which the object belongs: it goes when that one goes.
    Parent(&'static str),
}

/// Which of the application's own users may see a column in a row that they may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// Whoever shares an organization with the user that it is about: what a profile shows.
    Shared,
    /// That user alone.
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
    /// The SQL type that represents it best.
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

/// A condition on a column that Clerk can evaluate.
#[derive(Debug)]
pub struct Filter {
    pub op: FilterOp,
    /// The parameter of the object's list.
    pub parameter: &'static str,
    /// Whether Clerk finds exactly the objects that satisfy the condition; else it may find more.
    pub is_exact: bool,
}

/// Which conditions a [`Filter`] serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterOp {
    /// `=`, `IN` and `= ANY`, with up to 100 values in one request. Where `has_prefix`, Clerk takes a `+` or `-` before
    /// a value for a sign that includes or excludes it.
    Equal { has_prefix: bool },
    /// `>=` and `>` on a time; Clerk excludes the bound.
    After,
    /// `<=` and `<` on a time; Clerk excludes the bound. Clerk compares a time that is up to `within` milliseconds
    /// later than the one it shows.
    Before { within: i64 },
    /// `LIKE` and `ILIKE` with a text somewhere inside; Clerk ignores case.
    Contains,
    /// A boolean's value.
    Is,
}

/// A column as most are: no filter, and for the eyes of the user that it is about.
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
    }
}

/// A condition that Clerk evaluates exactly.
pub(super) const fn exact(op: FilterOp, parameter: &'static str) -> Filter {
    Filter { op, parameter, is_exact: true }
}

/// A condition with which Clerk may find more than what satisfies it.
pub(super) const fn narrowing(op: FilterOp, parameter: &'static str) -> Filter {
    Filter { op, parameter, is_exact: false }
}

impl Column {
    /// The filter that serves a kind of condition.
    pub fn filter(&self, serves: impl Fn(FilterOp) -> bool) -> Option<&'static Filter> {
        let filters: &'static [Filter] = self.filters;
        filters.iter().find(|filter| serves(filter.op))
    }

    /// Whether a parameter finds objects by the column's values.
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

    /// The object's id; every object has one.
    pub(super) const fn id(mut self) -> Self {
        self.role = Some(Role::Id);
        self
    }

    /// The time of its creation.
    pub(super) const fn creation_time(mut self) -> Self {
        self.role = Some(Role::CreatedAt);
        self
    }

    /// The time of its last change.
    pub(super) const fn update_time(mut self) -> Self {
        self.role = Some(Role::UpdatedAt);
        self
    }

    /// Whether the user may not sign in.
    pub(super) const fn banned(mut self) -> Self {
        self.role = Some(Role::Banned);
        self
    }

    /// The id of the object to which this one belongs.
    pub(super) const fn parent(mut self, object: &'static str) -> Self {
        self.role = Some(Role::Parent(object));
        self
    }

    /// What a profile shows.
    pub(super) const fn shared(mut self) -> Self {
        self.visibility = Visibility::Shared;
        self
    }

    /// For the application's backend alone.
    pub(super) const fn private(mut self) -> Self {
        self.visibility = Visibility::Private;
        self
    }
}
