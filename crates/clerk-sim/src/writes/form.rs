//! What the form of a write consists of.

use super::given::Given;
use crate::endpoint::Parameter;
use crate::error::ClerkError;
use crate::query::Query;
use crate::state::State;

/// An endpoint that changes something: its method and path, as in Clerk's OpenAPI file, and the fields of its body.
pub struct Write {
    /// Such as `PATCH`.
    pub method: &'static str,
    /// Such as `/users/{user_id}`.
    pub path: &'static str,
    /// Which fields the body has, or each object of it. No body is expected where there are none.
    pub(super) fields: &'static [&'static [Field]],
    /// Whether other fields are refused. Otherwise they are ignored.
    pub is_closed: bool,
    /// Whether a request without a body is refused.
    pub needs_body: bool,
    /// How many objects the body may be an array of, if it is one.
    pub max_objects: Option<usize>,
    pub(super) parameters: &'static [&'static [Parameter]],
    /// The status of what was done.
    pub(super) success: u16,
    /// The status for fields that are refused.
    pub(super) refusal: u16,
    pub(super) act: Act,
}

/// What a write does.
pub(super) enum Act {
    /// It answers with JSON.
    One(fn(&mut State, &Call) -> Result<String, ClerkError>),
    /// As `One`, for a body that is an array: all of its objects.
    Many(fn(&mut State, &[Call]) -> Result<String, ClerkError>),
}

/// A request to a write.
pub(super) struct Call<'a> {
    /// The parts of the path that stand for `{…}`.
    pub(super) ids: &'a [&'a str],
    pub(super) query: &'a Query,
    pub(super) given: Given,
}

impl Call<'_> {
    /// The first id of the path.
    pub(super) fn id(&self) -> &str {
        self.ids.first().copied().unwrap_or_default()
    }

    /// The second id of the path.
    pub(super) fn second_id(&self) -> &str {
        self.ids.get(1).copied().unwrap_or_default()
    }
}

impl Write {
    /// A write without a body.
    pub(super) const fn plain(
        method: &'static str,
        path: &'static str,
        act: fn(&mut State, &Call) -> Result<String, ClerkError>,
    ) -> Write {
        Write {
            method,
            path,
            fields: &[],
            is_closed: false,
            needs_body: false,
            max_objects: None,
            parameters: &[],
            success: 200,
            refusal: 422,
            act: Act::One(act),
        }
    }

    /// A write whose body is required, and may have other fields than these.
    pub(super) const fn with_body(
        method: &'static str,
        path: &'static str,
        fields: &'static [&'static [Field]],
        act: fn(&mut State, &Call) -> Result<String, ClerkError>,
    ) -> Write {
        Write { fields, needs_body: true, ..Write::plain(method, path, act) }
    }

    /// A write whose body is an array of objects.
    pub(super) const fn with_array(
        path: &'static str,
        fields: &'static [&'static [Field]],
        max: usize,
        act: fn(&mut State, &[Call]) -> Result<String, ClerkError>,
    ) -> Write {
        Write {
            method: "POST",
            path,
            fields,
            is_closed: false,
            needs_body: true,
            max_objects: Some(max),
            parameters: &[],
            success: 200,
            refusal: 422,
            act: Act::Many(act),
        }
    }

    /// No other fields.
    pub(super) const fn closed(self) -> Write {
        Write { is_closed: true, ..self }
    }

    /// The body may be left out.
    pub(super) const fn optional(self) -> Write {
        Write { needs_body: false, ..self }
    }

    /// Another status for fields that are refused.
    pub(super) const fn refusing_with(self, status: u16) -> Write {
        Write { refusal: status, ..self }
    }

    /// Another status than 200 for what was done. The answer to 204 has no body.
    pub(super) const fn answering(self, status: u16) -> Write {
        Write { success: status, ..self }
    }

    /// Parameters in the query string.
    pub(super) const fn with_parameters(self, parameters: &'static [&'static [Parameter]]) -> Write {
        Write { parameters, ..self }
    }

    /// The names of the parameters in the query string.
    pub fn parameter_names(&self) -> impl Iterator<Item = &'static str> {
        self.parameters.iter().copied().flatten().map(|parameter| parameter.name)
    }

    /// Every field of the body, or of each object of it.
    pub fn fields(&self) -> impl Iterator<Item = &'static Field> {
        self.fields.iter().copied().flatten()
    }
}

/// A field of a body.
#[derive(Debug)]
pub struct Field {
    /// Such as `email_address`.
    pub name: &'static str,
    /// Whether a body without it is refused.
    pub is_required: bool,
    /// Whether it may be null.
    pub is_nullable: bool,
    pub(super) kind: FieldKind,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum FieldKind {
    Text,
    /// A text with so many characters, at least and at most.
    Length(usize, usize),
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// A time in RFC 3339.
    Time,
    /// A number from the first to the second.
    Integer(i64, i64),
    Boolean,
    True,
    Object,
    /// An object whose values are texts or null.
    Mapping,
    /// An object with these fields and no others.
    Form(&'static [&'static [Field]]),
    /// An array of objects with these fields and no others.
    Forms(&'static [&'static [Field]]),
    /// As `Forms`, with other fields as well.
    OpenForms(&'static [&'static [Field]]),
    /// Any value.
    Any,
    Texts,
    /// As `Texts`, so many at least and at most.
    TextCount(usize, usize),
}

impl Field {
    /// The fields of the object, or of each object of the array, that the value is; none if it is something else.
    pub fn fields(&self) -> impl Iterator<Item = &'static Field> {
        let fields = match self.kind {
            FieldKind::Form(fields) | FieldKind::Forms(fields) | FieldKind::OpenForms(fields) => fields,
            _ => &[],
        };
        fields.iter().copied().flatten()
    }

    pub(super) const fn required(self) -> Field {
        Field { is_required: true, ..self }
    }

    pub(super) const fn nullable(self) -> Field {
        Field { is_nullable: true, ..self }
    }
}

pub(super) const fn field(name: &'static str, kind: FieldKind) -> Field {
    Field { name, is_required: false, is_nullable: false, kind }
}
