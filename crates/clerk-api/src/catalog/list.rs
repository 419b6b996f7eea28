//! The endpoints that answer with an object's rows: how their lists are read, which column's values they take, and by
//! which columns they sort.

use super::column::Filter;

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
    pub(super) const fn by_offset(path: &'static str) -> List {
        List::new(path, Paging::Offset { has_total: true })
    }

    /// A list that is read with `limit` and `offset`, and whose pages may be bare arrays.
    pub(super) const fn bare(path: &'static str) -> List {
        List::new(path, Paging::Offset { has_total: false }).params(PAGINATED)
    }

    /// A list that Clerk returns in one answer.
    pub(super) const fn whole(path: &'static str) -> List {
        List::new(path, Paging::Whole)
    }

    /// An endpoint that answers with a single object, or with status 404.
    pub(super) const fn single(path: &'static str) -> List {
        List::new(path, Paging::Single)
    }

    /// Whether the number of all objects can be asked for without reading them.
    pub fn is_countable(&self) -> bool {
        matches!(self.paging, Paging::Cursor { .. } | Paging::Offset { has_total: true } | Paging::Whole)
    }

    pub(super) const fn new(path: &'static str, paging: Paging) -> List {
        List { path, paging, params: &[], max_page_size: 500, member: "data", apart: None }
    }

    pub(super) const fn params(mut self, params: &'static [(&'static str, &'static str)]) -> List {
        self.params = params;
        self
    }

    pub(super) const fn max_page_size(mut self, objects: u32) -> List {
        self.max_page_size = objects;
        self
    }

    pub(super) const fn apart(mut self, parameter: &'static str, value: &'static str) -> List {
        self.apart = Some((parameter, value));
        self
    }

    pub(super) const fn member(mut self, name: &'static str) -> List {
        self.member = name;
        self
    }
}

/// The parameter with which Clerk adds the `total_count` to lists that were bare arrays at first. Its description leaves
/// open whether it does, so these lists are read with and without a total.
pub(super) const PAGINATED: &[(&str, &str)] = &[("paginated", "true")];

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
    /// The form of the ids that the endpoint takes; `None` if it takes any text. Clerk refuses a request with another
    /// value, which is no object's id.
    pub id_form: Option<IdForm>,
}

/// The form of an id: one of these prefixes, an underscore, and so many characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdForm {
    pub prefixes: &'static [&'static str],
    pub length: usize,
    /// Whether the characters are hexadecimal digits. Otherwise they are letters, digits and underscores.
    pub is_hexadecimal: bool,
}

impl IdForm {
    /// Whether a text has the form.
    pub fn fits(&self, id: &str) -> bool {
        let is_character = |byte: u8| match self.is_hexadecimal {
            true => byte.is_ascii_hexdigit(),
            false => byte.is_ascii_alphanumeric() || byte == b'_',
        };
        let rest = |prefix: &str| id.strip_prefix(prefix)?.strip_prefix('_');
        let mut rests = self.prefixes.iter().filter_map(|prefix| rest(prefix));
        rests.any(|rest| rest.len() == self.length && rest.bytes().all(is_character))
    }
}

impl KeyColumn {
    /// An endpoint that answers with the object that has the value, or with status 404.
    pub(super) const fn get(column: &'static str, path: &'static str) -> KeyColumn {
        KeyColumn::list(column, List::single(path))
    }

    /// A list of the objects that have the value.
    pub(super) const fn list(column: &'static str, list: List) -> KeyColumn {
        KeyColumn { column, list, parent: None, is_sortable: false, filters: &[], id_form: None }
    }

    pub(super) const fn parent(mut self, path: &'static str) -> KeyColumn {
        self.parent = Some(path);
        self
    }

    pub(super) const fn sortable(mut self) -> KeyColumn {
        self.is_sortable = true;
        self
    }

    pub(super) const fn filters(mut self, filters: &'static [(&'static str, Filter)]) -> KeyColumn {
        self.filters = filters;
        self
    }

    /// Ids with a prefix and 27 letters, digits and underscores.
    pub(super) const fn ids(mut self, prefixes: &'static [&'static str]) -> KeyColumn {
        self.id_form = Some(IdForm { prefixes, length: 27, is_hexadecimal: false });
        self
    }

    /// Ids with a prefix and 32 hexadecimal digits.
    pub(super) const fn hexadecimal_ids(mut self, prefixes: &'static [&'static str]) -> KeyColumn {
        self.id_form = Some(IdForm { prefixes, length: 32, is_hexadecimal: true });
        self
    }

    /// Whether a value can be the id of an object, so that Clerk takes it.
    pub fn takes(&self, value: &str) -> bool {
        self.id_form.is_none_or(|form| form.fits(value))
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

impl SortColumn {
    /// The time of creation, by which Clerk sorts most lists.
    pub(super) const BY_CREATION: SortColumn =
        SortColumn { column: "created_at", parameter: "created_at", is_stable: true };
}

#[cfg(test)]
mod tests {
    use crate::catalog::object;

    #[test]
    fn ids_of_another_form_are_not_taken() {
        let keys = object("api_keys").unwrap().key_columns;
        let takes = |id: &str| keys.iter().map(|key| key.takes(id)).collect::<Vec<_>>();
        assert_eq!(takes("ak_0123456789abcdefABCDEF0123456789"), [true, false]);
        assert_eq!(takes("user_2LC5u8lHGl0b7R80i6qh0QiNuZ7"), [false, true]);
        for id in ["", "ak_", "ak_g123456789abcdefABCDEF0123456789", "+user_2LC5u8lHGl0b7R80i6qh0QiNuZ7", "false"] {
            assert_eq!(takes(id), [false, false], "{id}");
        }
    }
}
