//! The catalogue: what Clerk has, one file per object in [`objects`].
//!
//! Everything that depends on an object reads its form: the tables that IMPORT FOREIGN SCHEMA creates, the validator,
//! pushdown, pagination, mirrors, webhooks, row security and the documentation. Adding an object means adding a file
//! and naming it once, in [`objects`]; nothing else in the project knows an object by its name.

mod column;
mod objects;

pub use column::{Column, Filter, FilterOp, Kind, Role, Source, Visibility};
pub use objects::{INSTANCE, OBJECTS};

/// The version of Clerk's Backend API that the catalogue describes, sent as `Clerk-API-Version`.
pub const API_VERSION: &str = "2026-05-12";

/// How many values one query parameter takes.
pub const MAX_VALUES: usize = 100;

/// The object of that name.
pub fn object(name: &str) -> Option<&'static Object> {
    OBJECTS.iter().find(|object| object.name == name).copied()
}

/// The object by which an application's users are told apart, or their organizations: see [`Access`].
pub fn object_with_access(access: Access) -> Option<&'static Object> {
    OBJECTS.iter().find(|object| object.access == access).copied()
}

/// The object that is changed by webhook events of this type, and how.
pub fn object_of_event(event_type: &str) -> Option<(&'static Object, Change)> {
    OBJECTS.iter().find_map(|object| {
        let event = object.events.iter().find(|event| event.type_ == event_type)?;
        Some((*object, event.change))
    })
}

/// One kind of object that Clerk keeps, and how it is read.
#[derive(Debug)]
pub struct Object {
    /// What the `object` option of a foreign table calls it, and the name of its imported table.
    pub name: &'static str,
    /// One sentence for the table's comment.
    pub description: &'static str,
    /// The list of all objects of the instance; `None` for an object that can only be listed below a parent, which one
    /// of the `key_columns` names.
    pub list: Option<List>,
    /// The columns by whose value Clerk has an endpoint.
    pub key_columns: &'static [KeyColumn],
    /// The columns by which Clerk sorts the list.
    pub sort_columns: &'static [SortColumn],
    /// The columns of the imported table, in its order.
    pub columns: &'static [Column],
    /// The webhook events that change objects of this kind.
    pub events: &'static [Event],
    /// Which of the application's users may see which rows of a mirrored table.
    pub access: Access,
    /// Whether mirrors can have it.
    pub mirroring: Mirroring,
}

/// An endpoint that lists all objects of the instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct List {
    pub path: &'static str,
    pub paging: Paging,
}

/// How a list is read from its first page to its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paging {
    /// The parameter `cursor` takes the id of the last object seen; the list comes in ascending order of creation,
    /// within ranges of creation time that are read side by side.
    Cursor {
        cursor: &'static str,
        /// The endpoint that counts what a range holds.
        count: &'static str,
        /// The parameter for the earliest time of creation. Clerk excludes the bound.
        created_after: &'static str,
        /// The parameter for the latest time of creation. Clerk excludes the bound.
        created_before: &'static str,
    },
    /// `limit` and `offset`, oldest first; each page tells the `total_count`.
    Offset,
    /// There is one object, and the endpoint answers with it.
    Single,
}

/// A column by whose value Clerk has an endpoint.
#[derive(Debug, PartialEq, Eq)]
pub struct KeyColumn {
    /// The column's name.
    pub column: &'static str,
    /// The endpoint, with the column's value in braces.
    pub path: &'static str,
    /// What the endpoint answers with.
    pub lookup: Lookup,
    /// Columns by which the endpoint's list can be filtered, and the parameter for each, which takes 100 values.
    pub filters: &'static [(&'static str, &'static str)],
}

/// What the endpoint of a [`KeyColumn`] answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// The one object itself, or 404.
    Get,
    /// The list of the objects below a parent, by offset.
    List {
        /// The parent's own endpoint. A list that is answered with 404 is empty only if this is 404 as well.
        parent: &'static str,
        /// Whether the list takes `order_by`.
        is_sortable: bool,
    },
}

/// A column by which Clerk sorts a list.
#[derive(Debug)]
pub struct SortColumn {
    /// A column that is never null.
    pub column: &'static str,
    /// What `order_by` calls it.
    pub parameter: &'static str,
    /// Whether the column's value never changes, so that no object changes its place while pages are read. By a
    /// column that is not stable, only what fits one page can be sorted.
    pub is_stable: bool,
}

/// A webhook event that changes objects of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// Clerk's name for it, such as `user.updated`.
    pub type_: &'static str,
    pub change: Change,
}

impl Event {
    /// An event whose `data` is all of the object, as it is from now on.
    const fn upsert(type_: &'static str) -> Event {
        Event { type_, change: Change::Upsert }
    }

    /// An event whose object is gone.
    const fn delete(type_: &'static str) -> Event {
        Event { type_, change: Change::Delete }
    }
}

/// What is to be done with the object of a webhook event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is now as `data` has it.
    Upsert,
    /// It is gone, and `data` holds little more than its id.
    Delete,
}

/// Which of the application's users may see which rows of a mirrored table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// The application's backend alone.
    Nobody,
    /// A row is a user, whom the claims of a token name by its id: the user sees it.
    User,
    /// A row is an organization: its members see it.
    Organization,
    /// A row says that a user is a member of an organization: both are its parents. The user sees it.
    Membership,
}

/// Whether mirrors can have an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mirroring {
    /// A mirror has it unless it is told otherwise.
    ByDefault,
    /// A mirror has it if it is asked for.
    OnRequest,
    /// It cannot be listed as a whole.
    Never,
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

    /// The column that holds the object's id.
    pub fn id(&self) -> &'static Column {
        self.with_role(|role| role == Role::Id).expect("every object has an id")
    }

    /// The column that holds the time of its creation, if it has one.
    pub fn created_at(&self) -> Option<&'static Column> {
        self.with_role(|role| role == Role::CreatedAt)
    }

    /// The column that holds the time of its last change, if it has one.
    pub fn updated_at(&self) -> Option<&'static Column> {
        self.with_role(|role| role == Role::UpdatedAt)
    }

    /// The column that holds the id of an object of another kind, to which this one belongs.
    pub fn parent(&self, parent: &Object) -> Option<&'static Column> {
        self.with_role(|role| role == Role::Parent(parent.name))
    }

    fn with_role(&self, is_wanted: impl Fn(Role) -> bool) -> Option<&'static Column> {
        let columns: &'static [Column] = self.columns;
        columns.iter().find(|column| column.role.is_some_and(&is_wanted))
    }

    /// The parameter of the object's list that takes ids.
    pub fn ids_parameter(&self) -> Option<&'static str> {
        self.id().filter(|op| matches!(op, FilterOp::Equal { .. })).map(|filter| filter.parameter)
    }

    /// Whether objects are found by the column: by what it equals, or in the order in which they were created.
    pub fn is_looked_up(&self, column: &Column) -> bool {
        self.sort_column(column.name).is_some_and(|sort| sort.is_stable)
            || self.key_column(column.name).is_some()
            || column.filter(|op| matches!(op, FilterOp::Equal { .. })).is_some()
    }

    /// How Clerk sorts by a column, if it does.
    pub fn sort_column(&self, column: &str) -> Option<&'static SortColumn> {
        let sort_columns: &'static [SortColumn] = self.sort_columns;
        sort_columns.iter().find(|sort| sort.column == column)
    }

    /// How Clerk sorts by the time of creation, if it does.
    pub fn by_creation(&self) -> Option<&'static SortColumn> {
        self.sort_column(self.created_at()?.name)
    }

    /// How Clerk sorts by the time of the last change, if it does.
    pub fn by_update(&self) -> Option<&'static SortColumn> {
        self.sort_column(self.updated_at()?.name)
    }

    /// The endpoint by the value of a column, if there is one.
    pub fn key_column(&self, column: &str) -> Option<&'static KeyColumn> {
        let keys: &'static [KeyColumn] = self.key_columns;
        keys.iter().find(|key| key.column == column)
    }

    /// The endpoint that answers with one object by its id, if there is one.
    pub fn get_by_id(&self) -> Option<&'static KeyColumn> {
        self.key_column(self.id().name).filter(|key| key.lookup == Lookup::Get)
    }

    /// Whether its list is read by cursor, so that ranges of creation time can be counted and read by themselves.
    pub fn is_read_by_range(&self) -> bool {
        matches!(self.list, Some(List { paging: Paging::Cursor { .. }, .. }))
    }

    /// The path of the object's list.
    ///
    /// Of an object without a list the columns are said of which one has to be given.
    pub fn list_or_keys(&self) -> Result<List, Vec<&'static str>> {
        self.list.ok_or_else(|| self.key_columns.iter().map(|key| key.column).collect())
    }
}

#[cfg(test)]
mod tests;
