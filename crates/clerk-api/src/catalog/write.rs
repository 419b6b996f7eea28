//! The endpoints that change an object's rows: which fields their bodies have, and what Clerk answers.

use super::Object;
use super::column::{Column, Source};
use super::list::IdForm;

/// How rows of one kind are inserted, updated and deleted. What is missing here, Clerk does not allow.
#[derive(Debug, Clone, Copy)]
pub struct Writes {
    pub insert: Option<Write>,
    /// An endpoint that makes many objects in one request.
    pub bulk: Option<Bulk>,
    /// The endpoints that change a row, in the order in which they are called if an UPDATE needs several of them.
    pub updates: &'static [Update],
    pub delete: Option<Write>,
    /// The columns of which Clerk holds each set unique. Whether there is a row with the same values takes one request
    /// to find out, so that ON CONFLICT can name them.
    pub unique: &'static [&'static [&'static str]],
}

impl Writes {
    /// An object that can only be read.
    pub(super) const NONE: Writes = Writes { insert: None, bulk: None, updates: &[], delete: None, unique: &[] };
}

/// An endpoint that changes something.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Write {
    pub method: Method,
    /// The path. Names of columns in braces stand for their values, each of which is one segment.
    pub path: &'static str,
    /// The members of the body. Where there are none, there is no body. Where there are some, Clerk needs a body, which
    /// is `{}` if all of them are left out.
    pub fields: &'static [Field],
    pub answer: Answer,
    /// Whether the same request may be sent again if its answer was lost: then it changes nothing more.
    pub is_repeatable: bool,
    /// Members of the answer that Clerk shows this once, such as the secret key of a new machine. A mirror does not keep
    /// them.
    pub shown_once: &'static [&'static str],
}

/// The method of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    Get,
    Post,
    Patch,
    Put,
    Delete,
}

impl Method {
    /// Its name in HTTP.
    pub fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Patch => "PATCH",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
        }
    }

    /// The method of this name, in upper or lower case.
    pub fn named(name: &str) -> Option<Method> {
        let all = [Method::Get, Method::Post, Method::Patch, Method::Put, Method::Delete];
        all.into_iter().find(|method| method.name().eq_ignore_ascii_case(name))
    }

    /// Whether the same request may be sent twice and changes nothing more the second time. Clerk's PATCH sets members to
    /// values, so it is one of them.
    pub fn is_idempotent(self) -> bool {
        self != Method::Post
    }
}

/// What a successful answer of a [`Write`] has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The object as it is after the change. That of a DELETE says that Clerk keeps the object.
    Object,
    /// Something else, or nothing. Whoever needs the object asks for it.
    Other,
}

/// An endpoint that makes many objects in one request. Its body is an array of the bodies of [`Writes::insert`], and it
/// makes either all of them or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bulk {
    /// The path, with the same placeholders as that of the single endpoint.
    pub path: &'static str,
    /// How many objects one request may have.
    pub max: usize,
    /// The member of the answer that has the objects, in the order of the request. `None` for a bare array.
    pub member: Option<&'static str>,
}

/// One of the endpoints that change a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Update {
    /// The body has the fields that have changed, and those that Clerk requires.
    Fields(Write),
    /// The fields are JSON objects. The body has those of their members that have changed, which Clerk merges into the
    /// others; null removes a member.
    Merge(Write),
    /// A request that gives a column this value, which is JSON text. None of its fields is required.
    Action { column: &'static str, value: &'static str, write: Write },
}

impl Update {
    pub fn write(&self) -> &Write {
        match self {
            Update::Fields(write) | Update::Merge(write) | Update::Action { write, .. } => write,
        }
    }
}

/// A member of a body.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Field {
    pub name: &'static str,
    /// The column that gives its value. `None` for the column of the same name, or the one that shows the member of that
    /// name. A field without a column can be given in `attrs` alone.
    pub column: Option<&'static str>,
    pub kind: FieldKind,
    pub is_required: bool,
    pub is_nullable: bool,
}

/// Which values a [`Field`] takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FieldKind {
    /// A text of at least and at most so many characters.
    Text {
        min: usize,
        max: usize,
    },
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// An id of this form.
    Id(IdForm),
    /// A text with a time in RFC 3339. A column gives it in Unix milliseconds.
    Time,
    /// A whole number from the first to the second.
    Integer {
        min: i64,
        max: i64,
    },
    /// A number of at least this. Clerk may refuse the bound itself.
    Number {
        min: f64,
    },
    Boolean,
    /// An object with any members.
    Object,
    /// An object with these members, and no others.
    Members(&'static [Field]),
    /// An array of at least and at most so many of these. Where a column gives a single value, it is the only element.
    List {
        of: &'static FieldKind,
        min: usize,
        max: usize,
    },
    /// Any value.
    Any,
}

/// Any text.
pub(super) const TEXT: FieldKind = FieldKind::Text { min: 0, max: usize::MAX };
/// Any whole number.
pub(super) const INTEGER: FieldKind = FieldKind::Integer { min: i64::MIN, max: i64::MAX };
/// An array of texts, however many.
pub(super) const TEXTS: FieldKind = FieldKind::List { of: &TEXT, min: 0, max: usize::MAX };

/// An id with one of these prefixes and 27 letters, digits and underscores.
pub(super) const fn id(prefixes: &'static [&'static str]) -> FieldKind {
    FieldKind::Id(IdForm { prefixes, length: 27, is_hexadecimal: false })
}

/// A member of a body that may be left out.
pub(super) const fn field(name: &'static str, kind: FieldKind) -> Field {
    Field { name, column: None, kind, is_required: false, is_nullable: false }
}

impl Field {
    pub(super) const fn required(self) -> Field {
        Field { is_required: true, ..self }
    }

    pub(super) const fn nullable(self) -> Field {
        Field { is_nullable: true, ..self }
    }

    /// The column of the object that gives the value, if there is one.
    pub fn column_of(&self, object: &Object) -> Option<&'static Column> {
        let columns: &'static [Column] = object.columns;
        let named = columns.iter().find(|column| column.name == self.column.unwrap_or(self.name));
        let shown = columns.iter().find(|column| column.source == Source::Member(self.name));
        if self.column.is_some() { named } else { named.or(shown) }
    }

    /// Names the column that gives the value.
    pub(super) const fn from(self, column: &'static str) -> Field {
        Field { column: Some(column), ..self }
    }
}

impl Write {
    const fn new(method: Method, path: &'static str, fields: &'static [Field]) -> Write {
        Write { method, path, fields, answer: Answer::Object, is_repeatable: true, shown_once: &[] }
    }

    /// Makes an object. A second request would make another one.
    pub(super) const fn post(path: &'static str, fields: &'static [Field]) -> Write {
        Write { is_repeatable: false, ..Write::new(Method::Post, path, fields) }
    }

    /// Changes the fields that the body has.
    pub(super) const fn patch(path: &'static str, fields: &'static [Field]) -> Write {
        Write::new(Method::Patch, path, fields)
    }

    /// Deletes an object. Clerk answers with little more than its id.
    pub(super) const fn delete(path: &'static str) -> Write {
        Write { answer: Answer::Other, ..Write::new(Method::Delete, path, &[]) }
    }

    /// Cancels an object, which Clerk keeps.
    pub(super) const fn cancel(path: &'static str) -> Write {
        Write::new(Method::Delete, path, &[])
    }

    /// Brings an object into a state, in which the same request leaves it.
    pub(super) const fn act(path: &'static str) -> Write {
        Write::new(Method::Post, path, &[])
    }

    /// Gives it a body with these members.
    pub(super) const fn with_fields(self, fields: &'static [Field]) -> Write {
        Write { fields, ..self }
    }

    /// Answers with something else than the object.
    pub(super) const fn answering_otherwise(self) -> Write {
        Write { answer: Answer::Other, ..self }
    }

    pub(super) const fn shown_once(self, members: &'static [&'static str]) -> Write {
        Write { shown_once: members, ..self }
    }

    /// The columns whose values are segments of the path.
    pub fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
    }

    pub fn field(&self, name: &str) -> Option<&'static Field> {
        let fields: &'static [Field] = self.fields;
        fields.iter().find(|field| field.name == name)
    }
}
