//! The catalogue of Clerk's objects: their columns, endpoints, filters, writes and events, with one file per object in
//! `objects/`.
//!
//! Everything that depends on a kind of object reads it from here: the tables that IMPORT FOREIGN SCHEMA creates, the
//! validator, pushdown, pagination, writes, mirrors, webhooks, row security and the documentation. To add an object, add a file
//! and name it once in `objects/mod.rs`; no other code in the project names an object.

mod column;
mod list;
mod objects;
mod write;

pub use column::{Column, Filter, FilterOp, Kind, Role, Source, Visibility};
use list::PAGINATED;
pub use list::{Elements, IdForm, KeyColumn, List, Paging, SortColumn};
pub use objects::{INSTANCE, OBJECTS};
pub use write::{Answer, Bulk, Field, FieldKind, Method, Update, Write, Writes};

/// The version of Clerk's Backend API that the catalogue describes, sent as `Clerk-API-Version`.
pub const API_VERSION: &str = "2026-05-12";

/// How many values Clerk accepts for one query parameter in one request.
pub const MAX_VALUES: usize = 100;

/// The object that has this name or alias.
pub fn object(name: &str) -> Option<&'static Object> {
    OBJECTS.iter().find(|object| object.name == name || object.aliases.contains(&name)).copied()
}

/// The object that row security uses in this way, such as the object whose rows are users: see [`Access`].
pub fn object_with_access(access: Access) -> Option<&'static Object> {
    OBJECTS.iter().find(|object| object.access == access).copied()
}

/// The object that a webhook event of this type changes, and what the event does to it.
pub fn object_of_event(event_type: &str) -> Option<(&'static Object, Change)> {
    OBJECTS.iter().find_map(|object| {
        let event = object.events.iter().find(|event| event.type_ == event_type)?;
        Some((*object, event.change))
    })
}

/// One kind of object that Clerk stores, and how it is read.
#[derive(Debug)]
pub struct Object {
    /// The value of a foreign table's `object` option, and the name of the imported table.
    pub name: &'static str,
    /// Other values of the option, such as the names that Supabase's Clerk wrapper has for the object.
    pub aliases: &'static [&'static str],
    /// One sentence for the table's comment.
    pub description: &'static str,
    /// The list of all objects of the instance. `None` for an object that can only be listed below a parent; one of the
    /// `key_columns` then holds the parent's id.
    pub list: Option<List>,
    /// Where the rows are not the listed objects themselves, but the elements of an array in each of them.
    pub elements: Option<Elements>,
    /// The columns whose value is part of an endpoint's path or query.
    pub key_columns: &'static [KeyColumn],
    /// The columns by which Clerk sorts the list.
    pub sort_columns: &'static [SortColumn],
    /// The columns of the imported table, in the table's order.
    pub columns: &'static [Column],
    /// How rows are inserted, updated and deleted.
    pub writes: Writes,
    /// The webhook events that change objects of this kind.
    pub events: &'static [Event],
    /// Which of the application's users may see which rows of a mirrored table.
    pub access: Access,
    /// Whether mirrors can contain the object.
    pub mirroring: Mirroring,
}

/// A webhook event that changes objects of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// Clerk's name for it, such as `user.updated`.
    pub type_: &'static str,
    pub change: Change,
}

impl Event {
    /// An event whose `data` is the whole object after the change.
    const fn upsert(type_: &'static str) -> Event {
        Event { type_, change: Change::Upsert }
    }

    /// An event whose `data` is a part of the object after the change.
    const fn partial(type_: &'static str) -> Event {
        Event { type_, change: Change::Partial }
    }

    /// An event about an object that was deleted.
    const fn delete(type_: &'static str) -> Event {
        Event { type_, change: Change::Delete }
    }
}

/// What a webhook event does to its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The object was created or changed, and `data` is the whole object.
    Upsert,
    /// The object was created or changed, and `data` has only some of its members.
    Partial,
    /// The object was deleted, and `data` holds little more than its id.
    Delete,
}

/// Which of the application's users may see which rows of a mirrored table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// No user sees the rows, only the application's backend.
    Nobody,
    /// A row is a user, whose id is in the claims of the user's token. The user sees the row.
    User,
    /// A row is an organization. Its members see the row.
    Organization,
    /// A row is a user's membership in an organization, and both of them are its parents. The user sees the row.
    Membership,
}

/// Whether mirrors can contain an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mirroring {
    /// Mirrors contain the object unless they are created without it.
    ByDefault,
    /// Mirrors contain the object only if it is named when they are created.
    OnRequest,
    /// No mirror contains the object, because it cannot be listed as a whole.
    Never,
}

impl Object {
    /// An object with the most common properties: it belongs to the backend alone, and mirrors contain it on request.
    const BLANK: Object = Object {
        name: "",
        aliases: &[],
        description: "",
        list: None,
        elements: None,
        key_columns: &[],
        sort_columns: &[],
        columns: &[],
        writes: Writes::NONE,
        events: &[],
        access: Access::Nobody,
        mirroring: Mirroring::OnRequest,
    };

    /// The object's column for a table's column of this name, if there is one. `scalar` says whether the table declares
    /// the column with a scalar type: see [`Column::scalar_aliases`].
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

    /// The column that holds the time of creation, if there is one.
    pub fn created_at(&self) -> Option<&'static Column> {
        self.with_role(|role| role == Role::CreatedAt)
    }

    /// The column that holds the time of the last change, if there is one.
    pub fn updated_at(&self) -> Option<&'static Column> {
        self.with_role(|role| role == Role::UpdatedAt)
    }

    /// The column that holds the id of this kind of parent, if objects belong to one.
    pub fn parent(&self, parent: &Object) -> Option<&'static Column> {
        self.with_role(|role| role == Role::Parent(parent.name))
    }

    fn with_role(&self, is_wanted: impl Fn(Role) -> bool) -> Option<&'static Column> {
        let columns: &'static [Column] = self.columns;
        columns.iter().find(|column| column.role.is_some_and(&is_wanted))
    }

    /// The query parameter of the object's list that takes ids, if there is one.
    pub fn ids_parameter(&self) -> Option<&'static str> {
        self.id().filter(|op| matches!(op, FilterOp::Equal { .. })).map(|filter| filter.parameter)
    }

    /// Whether Clerk can find objects by the column: by a value that it equals, or by a time of creation.
    pub fn is_looked_up(&self, column: &Column) -> bool {
        self.sort_column(column.name).is_some_and(|sort| sort.is_stable)
            || self.key_column(column.name).is_some()
            || column.filter(|op| matches!(op, FilterOp::Equal { .. })).is_some()
    }

    /// Whether Clerk can filter the object's list, or a list below a parent, by the column.
    pub fn is_filtered(&self, column: &str) -> bool {
        let mut below = self.key_columns.iter().flat_map(|key| key.filters);
        self.columns.iter().any(|other| other.name == column && !other.filters.is_empty())
            || below.any(|(filtered, _)| *filtered == column)
    }

    /// How Clerk sorts the list by a column, if it does.
    pub fn sort_column(&self, column: &str) -> Option<&'static SortColumn> {
        let sort_columns: &'static [SortColumn] = self.sort_columns;
        sort_columns.iter().find(|sort| sort.column == column)
    }

    /// How Clerk sorts the list by the time of creation, if it does.
    pub fn by_creation(&self) -> Option<&'static SortColumn> {
        self.sort_column(self.created_at()?.name)
    }

    /// How Clerk sorts the list by the time of the last change, if it does.
    pub fn by_update(&self) -> Option<&'static SortColumn> {
        self.sort_column(self.updated_at()?.name)
    }

    /// The endpoint for the values of a column, if there is one.
    pub fn key_column(&self, column: &str) -> Option<&'static KeyColumn> {
        let keys: &'static [KeyColumn] = self.key_columns;
        keys.iter().find(|key| key.column == column)
    }

    /// The endpoint that answers with one object by its id, if there is one.
    pub fn get_by_id(&self) -> Option<&'static KeyColumn> {
        self.key_column(self.id().name).filter(|key| key.is_single())
    }

    /// The object that the endpoints answer with: the object itself, unless its rows are [`Elements`] of another one.
    pub fn listed(&'static self) -> &'static Object {
        self.elements.and_then(|elements| object(elements.of)).unwrap_or(self)
    }

    /// Whether some column is a secret. The column with the whole object contains it as well.
    pub fn has_secret(&self) -> bool {
        self.columns.iter().any(|column| column.is_secret)
    }

    /// The columns of imported tables and of mirrors: all but secrets and what contains them.
    pub fn public_columns(&self) -> impl Iterator<Item = &'static Column> {
        let (columns, has_secret): (&'static [Column], _) = (self.columns, self.has_secret());
        columns.iter().filter(move |column| !(column.is_secret || (has_secret && column.source == Source::Whole)))
    }

    /// Whether the list is read by cursor, so that ranges of creation time can be counted and read separately.
    pub fn is_read_by_range(&self) -> bool {
        self.elements.is_none() && matches!(self.list, Some(List { paging: Paging::Cursor { .. }, .. }))
    }

    /// Whether the number of all rows can be asked for without reading them. That of elements cannot, because Clerk
    /// counts the objects that contain them.
    pub fn is_countable(&self) -> bool {
        self.elements.is_none() && self.list.is_some_and(|list| list.is_countable())
    }

    /// Whether the object's list comes in pages, and a page can be read without those before it.
    pub fn is_paged(&self) -> bool {
        self.list.is_some_and(|list| matches!(list.paging, Paging::Cursor { .. } | Paging::Offset { .. }))
    }
}

#[cfg(test)]
mod tests;
