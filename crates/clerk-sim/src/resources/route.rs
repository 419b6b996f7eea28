//! What is said of an endpoint: what it answers, and with which objects.

use crate::endpoint::Endpoint;
use crate::entry::Entry;
use crate::page;
use crate::query::Query;
use crate::state::State;
use crate::table::Row;

/// An endpoint and what it answers.
pub(crate) struct Route {
    pub(crate) endpoint: Endpoint,
    /// The name of the kind of its objects.
    pub(crate) kind: &'static str,
    /// What the first `{…}` of the path is, unless it is the object itself.
    pub(crate) parent: Parent,
    pub(crate) answer: Form,
    /// Fields that are computed when an object is sent.
    pub(crate) embed: Embed,
    /// The status for parameters that are refused.
    pub(crate) refusal: u16,
}

impl Route {
    /// A list that any object of the kind may be in.
    pub(crate) const fn list(kind: &'static str, endpoint: Endpoint, shape: Shape) -> Route {
        let answer = Form::List { shape, keeps: |_, _| true };
        Route { endpoint, kind, parent: Parent::None, answer, embed: no_embed, refusal: 422 }
    }

    /// One object by its id.
    pub(crate) const fn one(kind: &'static str, path: &'static str) -> Route {
        let answer = Form::One { finds: |ask, entry| entry.id() == ask.id };
        let endpoint = Endpoint { path, parameters: &[] };
        Route { endpoint, kind, parent: Parent::None, answer, embed: no_embed, refusal: 422 }
    }

    /// An object as this endpoint shows it.
    pub(crate) fn shown(&self, state: &State, entry: &Entry) -> String {
        let Some((name, value)) = (self.embed)(state, entry) else { return entry.json.clone() };
        let mut out = Vec::new();
        page::write_unclosed(&entry.json, &mut out);
        out.extend_from_slice(format!(r#","{name}":{value}}}"#).as_bytes());
        String::from_utf8_lossy(&out).into_owned()
    }
}

/// What an object in the path is, without which the answer is 404.
#[derive(Clone, Copy)]
pub(crate) enum Parent {
    None,
    User,
    Organization,
    /// An object of the kind with this name.
    Entry(&'static str),
}

pub(crate) enum Form {
    /// The objects that the route keeps.
    List { shape: Shape, keeps: Keeps },
    /// The object that the route finds.
    One { finds: Keeps },
}

/// Whether an object belongs to an answer, apart from the conditions of the parameters.
pub(crate) type Keeps = fn(&Ask, &Entry) -> bool;

/// The name and the JSON text of a field that is computed.
pub(crate) type Embed = fn(&State, &Entry) -> Option<(&'static str, String)>;

#[derive(Clone, Copy)]
pub(crate) enum Shape {
    /// An array.
    Bare,
    /// An object with `total_count` and an array of this name.
    Counted(&'static str),
}

pub(crate) const COUNTED: Shape = Shape::Counted("data");

/// A request.
pub(crate) struct Ask<'a> {
    pub(crate) state: &'a State,
    pub(crate) query: &'a Query,
    /// The id of the parent; empty if there is none.
    pub(crate) parent: &'a str,
    /// The last id of the path.
    pub(crate) id: &'a str,
}

fn no_embed(_: &State, _: &Entry) -> Option<(&'static str, String)> {
    None
}
