//! The catalogue of Clerk's objects: their columns, endpoints, filters and events, with one file per object in
//! `objects/`.
//!
//! Everything that depends on a kind of object reads it from here: the tables that IMPORT FOREIGN SCHEMA creates, the
//! validator, pushdown, pagination, mirrors, webhooks, row security and the documentation. To add an object, add a file
//! and name it once in `objects/mod.rs`; no other code in the project names an object.

mod column;
mod objects;

pub use column::{Column, Filter, FilterOp, Kind, Role, Source, Visibility};
pub use objects::{INSTANCE, OBJECTS};

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
    /// The webhook events that change objects of this kind.
    pub events: &'static [Event],
    /// Which of the application's users may see which rows of a mirrored table.
    pub access: Access,
    /// Whether mirrors can contain the object.
    pub mirroring: Mirroring,
}

/// An endpoint that answers with objects: with a list, or with a single one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct List {
    /// The endpoint's path. That of a [`KeyColumn`] contains the column's name in braces in place of a value: as a
    /// segment (`/organizations/{organization_id}/memberships`) or as a parameter (`/sessions?user_id={user_id}`).
    pub path: &'static str,
    pub paging: Paging,
    /// Parameters of every request, without which Clerk leaves out objects or their total.
    pub params: &'static [(&'static str, &'static str)],
    /// The largest page that Clerk returns, in objects.
    pub max_page_size: u32,
    /// The member of the answer that contains the objects, where the answer is not a bare array.
    pub member: &'static str,
    /// A parameter with its value without which Clerk leaves out objects, and with which it leaves out the others. Such a
    /// list is read in two parts. A condition on the parameter's column needs only one of them.
    pub apart: Option<(&'static str, &'static str)>,
}

impl List {
    /// A list that is read with `limit` and `offset`, and whose pages contain the `total_count`.
    const fn by_offset(path: &'static str) -> List {
        List::new(path, Paging::Offset { has_total: true })
    }

    /// A list that is read with `limit` and `offset`, and whose pages may be bare arrays.
    const fn bare(path: &'static str) -> List {
        List::new(path, Paging::Offset { has_total: false }).params(PAGINATED)
    }

    /// A list that Clerk returns in one answer.
    const fn whole(path: &'static str) -> List {
        List::new(path, Paging::Whole)
    }

    /// An endpoint that answers with a single object, or with status 404.
    const fn single(path: &'static str) -> List {
        List::new(path, Paging::Single)
    }

    /// Whether the number of all objects can be asked for without reading them.
    pub fn is_countable(&self) -> bool {
        matches!(self.paging, Paging::Cursor { .. } | Paging::Offset { has_total: true } | Paging::Whole)
    }

    const fn new(path: &'static str, paging: Paging) -> List {
        List { path, paging, params: &[], max_page_size: 500, member: "data", apart: None }
    }

    const fn params(mut self, params: &'static [(&'static str, &'static str)]) -> List {
        self.params = params;
        self
    }

    const fn max_page_size(mut self, objects: u32) -> List {
        self.max_page_size = objects;
        self
    }

    const fn apart(mut self, parameter: &'static str, value: &'static str) -> List {
        self.apart = Some((parameter, value));
        self
    }

    const fn member(mut self, name: &'static str) -> List {
        self.member = name;
        self
    }
}

/// The parameter with which Clerk adds the `total_count` to lists that were bare arrays at first. Its description leaves
/// open whether it does, so these lists are read with and without a total.
const PAGINATED: &[(&str, &str)] = &[("paginated", "true")];

/// How a list is read from its first page to its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paging {
    /// The parameter `cursor` takes the id of the last object that was read. The list is in ascending order of
    /// creation, and it can be limited to ranges of creation time, which are read in parallel.
    Cursor {
        cursor: &'static str,
        /// The endpoint that counts the objects of a range.
        count: &'static str,
        /// The parameter for the earliest time of creation. The bound is exclusive.
        created_after: &'static str,
        /// The parameter for the latest time of creation. The bound is exclusive.
        created_before: &'static str,
    },
    /// The list is read with `limit` and `offset`, oldest object first where it can be sorted. If `has_total`, each page
    /// contains the `total_count`.
    Offset { has_total: bool },
    /// The list has no pages: one answer contains all objects.
    Whole,
    /// The endpoint is no list: it answers with a single object.
    Single,
}

/// The members of a listed object whose elements are the rows of a table, such as the email addresses of users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elements {
    /// The object that the endpoints answer with.
    pub of: &'static str,
    /// Its member that contains the array.
    pub member: &'static str,
}

/// A column whose value is part of an endpoint's path or query.
#[derive(Debug, PartialEq, Eq)]
pub struct KeyColumn {
    /// The column's name.
    pub column: &'static str,
    /// The endpoint that answers with the objects that have the value.
    pub list: List,
    /// The endpoint of the parent itself. If the list is answered with 404, it is empty only where this endpoint
    /// answers with 404 as well. `None` where a parent that does not exist has an empty list.
    pub parent: Option<&'static str>,
    /// Whether the list has the parameter `order_by`.
    pub is_sortable: bool,
    /// Columns by which the endpoint's list can be filtered.
    pub filters: &'static [(&'static str, Filter)],
    /// How ids begin that the endpoint takes; empty if it takes any text. Clerk refuses a request with another value,
    /// which is no object's id.
    pub prefixes: &'static [&'static str],
}

impl KeyColumn {
    /// An endpoint that answers with the object that has the value, or with status 404.
    const fn get(column: &'static str, path: &'static str) -> KeyColumn {
        KeyColumn::list(column, List::single(path))
    }

    /// A list of the objects that have the value.
    const fn list(column: &'static str, list: List) -> KeyColumn {
        KeyColumn { column, list, parent: None, is_sortable: false, filters: &[], prefixes: &[] }
    }

    const fn parent(mut self, path: &'static str) -> KeyColumn {
        self.parent = Some(path);
        self
    }

    const fn sortable(mut self) -> KeyColumn {
        self.is_sortable = true;
        self
    }

    const fn filters(mut self, filters: &'static [(&'static str, Filter)]) -> KeyColumn {
        self.filters = filters;
        self
    }

    const fn prefixes(mut self, prefixes: &'static [&'static str]) -> KeyColumn {
        self.prefixes = prefixes;
        self
    }

    /// Whether a value can be the id of an object, so that Clerk takes it.
    pub fn takes(&self, value: &str) -> bool {
        /// How many letters and digits follow the prefix of an id.
        const ID_LENGTH: usize = 27;
        let is_id = |rest: &str| {
            rest.len() == ID_LENGTH && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        let mut prefixes = self.prefixes.iter();
        self.prefixes.is_empty() || prefixes.any(|prefix| value.strip_prefix(prefix).is_some_and(is_id))
    }

    /// Whether the endpoint answers with at most one object for each value.
    pub fn is_single(&self) -> bool {
        self.list.paging == Paging::Single
    }
}

/// A column by which Clerk sorts a list.
#[derive(Debug)]
pub struct SortColumn {
    /// The column's name. The column is never null.
    pub column: &'static str,
    /// Its name in the parameter `order_by`.
    pub parameter: &'static str,
    /// Whether the column's value never changes, so that no object changes its position while pages are read. An order
    /// by a column that is not stable is reliable only within one page.
    pub is_stable: bool,
}

/// A webhook event that changes objects of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// Clerk's name for it, such as `user.updated`.
    pub type_: &'static str,
    pub change: Change,
}

impl SortColumn {
    /// The time of creation, by which Clerk sorts most lists.
    const BY_CREATION: SortColumn = SortColumn { column: "created_at", parameter: "created_at", is_stable: true };
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
}

#[cfg(test)]
mod tests;
