//! Which values of an object a query uses, and where in the object they are.

use std::collections::HashMap;

use crate::catalog::{self, Paging, Source};

/// Where in an object one value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Locator {
    /// The object as Clerk sent it.
    Whole,
    /// The member that this path of keys leads to.
    Path(Vec<String>),
    /// See [`Source::Primary`].
    Primary { id: &'static str, list: &'static str, value: &'static str },
    /// See [`Source::Owner`].
    Owner(&'static str),
    /// See [`Source::IsPrimary`].
    IsPrimary { id: &'static str },
    /// See [`Source::Key`].
    Key,
}

impl From<Source> for Locator {
    fn from(source: Source) -> Self {
        match source {
            Source::Whole => Locator::Whole,
            Source::Member(name) => Locator::Path(vec![name.to_owned()]),
            Source::Path(keys) => Locator::Path(keys.iter().map(|key| (*key).to_owned()).collect()),
            Source::Primary { id, list, value } => Locator::Primary { id, list, value },
            Source::Owner(member) => Locator::Owner(member),
            Source::IsPrimary { id } => Locator::IsPrimary { id },
            Source::Key => Locator::Key,
        }
    }
}

/// The slots of an object's values: pagination needs the id and the time of creation, and the query's columns follow.
pub(super) const ID: usize = 0;
pub(super) const CREATED_AT: usize = 1;
pub(super) const FIRST_COLUMN: usize = 2;

/// The values that a query uses, grouped by the top-level member of the object in which each of them is.
pub(crate) struct Projection {
    /// How many slots each object has.
    pub(super) width: usize,
    /// The slots that take the whole object.
    pub(super) whole: Vec<usize>,
    pub(super) members: HashMap<String, Vec<Destination>>,
    pub(super) primaries: Vec<(usize, Locator)>,
    /// How many raw members are collected for `primaries`: each of them needs two, its id and its list.
    pub(super) raw_members: usize,
    /// The slots that take the key of the request.
    pub(super) keys: Vec<usize>,
    /// The member of an answer that contains the objects.
    pub(super) list_member: &'static str,
    /// Whether objects without an id are refused.
    pub(super) requires_id: bool,
    /// Where the rows are elements of the objects: what they take from each element and from its owner.
    pub(super) elements: Option<Box<ElementProjection>>,
}

/// The values that a query uses of the elements of an object's array, where these are its rows.
pub(super) struct ElementProjection {
    /// The owner's slot that holds the array.
    pub(super) list: usize,
    pub(super) element: Projection,
    /// The rows' slots for values of the owner, each with the owner's slot that holds it.
    pub(super) owned: Vec<(usize, usize)>,
    /// The rows' slots that say whether the element's id is the one in this slot of the owner.
    pub(super) primary: Vec<(usize, usize)>,
}

/// What is done with the text of a member.
pub(super) enum Destination {
    /// The value that `path` leads to within the member goes into this slot.
    Slot { slot: usize, path: Vec<String> },
    /// The member is collected with the other raw members.
    RawMember { index: usize },
}

impl Projection {
    /// The projection of a query on an object of the catalogue.
    pub(crate) fn new(object: &'static catalog::Object, columns: &[Locator]) -> Self {
        let roles = |object: &catalog::Object| (object.id().source, object.created_at().map(|column| column.source));
        let Some(elements) = object.elements else {
            let (id, created_at) = roles(object);
            return Projection::with_roles(id, created_at, columns).of_list(object);
        };
        // The first slot after the roles is the array, and those after it are what the columns take from the owner.
        let mut owned = vec![Locator::Path(vec![elements.member.to_owned()])];
        let (mut from_owner, mut primary) = (Vec::new(), Vec::new());
        for (index, locator) in columns.iter().enumerate() {
            let (member, slots) = match locator {
                Locator::Owner(member) => (member, &mut from_owner),
                Locator::IsPrimary { id } => (id, &mut primary),
                _ => continue,
            };
            slots.push((FIRST_COLUMN + index, FIRST_COLUMN + owned.len()));
            owned.push(Locator::Path(vec![(*member).to_owned()]));
        }
        let element = Projection { requires_id: false, ..Projection::with_roles(object.id().source, None, columns) };
        let (id, created_at) = roles(object.listed());
        Projection {
            elements: Some(Box::new(ElementProjection { list: FIRST_COLUMN, element, owned: from_owner, primary })),
            ..Projection::with_roles(id, created_at, &owned).of_list(object)
        }
    }

    /// The same projection for the lists of an object, which name the member that contains the objects.
    fn of_list(self, object: &catalog::Object) -> Self {
        let lists = object.list.into_iter().chain(object.key_columns.iter().map(|key| key.list));
        let mut lists = lists.filter(|list| list.paging != Paging::Single);
        Projection { list_member: lists.next().map_or(self.list_member, |list| list.member), ..self }
    }

    /// The projection of a list's parent, of which only the id is needed.
    pub(crate) fn of_parent() -> Self {
        Projection::with_roles(Source::Member("id"), None, &[])
    }

    fn with_roles(id: Source, created_at: Option<Source>, columns: &[Locator]) -> Self {
        let mut projection = Projection {
            width: FIRST_COLUMN + columns.len(),
            whole: Vec::new(),
            members: HashMap::new(),
            primaries: Vec::new(),
            raw_members: 0,
            keys: Vec::new(),
            list_member: "data",
            requires_id: true,
            elements: None,
        };
        projection.add(ID, &id.into());
        if let Some(created_at) = created_at {
            projection.add(CREATED_AT, &created_at.into());
        }
        for (index, locator) in columns.iter().enumerate() {
            projection.add(FIRST_COLUMN + index, locator);
        }
        projection
    }

    fn add(&mut self, slot: usize, locator: &Locator) {
        match locator {
            Locator::Whole => self.whole.push(slot),
            Locator::Path(keys) => match keys.split_first() {
                None => self.whole.push(slot),
                Some((first, rest)) => {
                    let destination = Destination::Slot { slot, path: rest.to_vec() };
                    self.members.entry(first.clone()).or_default().push(destination);
                }
            },
            Locator::Primary { id, list, .. } => {
                for member in [id, list] {
                    let destination = Destination::RawMember { index: self.raw_members };
                    self.members.entry((*member).to_owned()).or_default().push(destination);
                    self.raw_members += 1;
                }
                self.primaries.push((slot, locator.clone()));
            }
            Locator::Key => self.keys.push(slot),
            // The rows' slots are filled from their owner: see `ElementProjection`.
            Locator::Owner(_) | Locator::IsPrimary { .. } => {}
        }
    }
}
