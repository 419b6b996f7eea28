//! One page of a list: the body as it came, and where in it the values lie that a query uses.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::json::{self, Key};
use crate::catalog::{self, Source};
use crate::checkpoint::Checkpoint;

/// Where in an object one value lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Locator {
    /// The object as Clerk sent it.
    Whole,
    /// The member that this path of keys leads to.
    Path(Vec<String>),
    /// As [`Source::Primary`].
    Primary { id: &'static str, list: &'static str, value: &'static str },
}

impl From<Source> for Locator {
    fn from(source: Source) -> Self {
        match source {
            Source::Whole => Locator::Whole,
            Source::Path(keys) => Locator::Path(keys.iter().map(|key| (*key).to_owned()).collect()),
            Source::Primary { id, list, value } => Locator::Primary { id, list, value },
        }
    }
}

/// Two values that pagination needs stand before those that the query asked for.
const ID: usize = 0;
const CREATED_AT: usize = 1;
const ASKED: usize = 2;

/// The values that a query uses, arranged by the member of the object in which each begins.
pub(crate) struct Projection {
    width: usize,
    whole: Vec<usize>,
    members: HashMap<String, Vec<Slot>>,
    primaries: Vec<(usize, Locator)>,
    /// How many raw members are set aside for `primaries`: two each.
    kept: usize,
}

enum Slot {
    Value { slot: usize, rest: Vec<String> },
    Keep { place: usize },
}

impl Projection {
    /// The values that are asked for of an object of the catalogue.
    pub(crate) fn new(object: &catalog::Object, asked: &[Locator]) -> Self {
        Projection::with_roles(object.id().source, object.created_at().map(|column| column.source), asked)
    }

    /// Nothing but the id of the parent of a list.
    pub(crate) fn of_parent() -> Self {
        Projection::with_roles(Source::Path(&["id"]), None, &[])
    }

    fn with_roles(id: Source, created_at: Option<Source>, asked: &[Locator]) -> Self {
        let mut projection = Projection {
            width: ASKED + asked.len(),
            whole: Vec::new(),
            members: HashMap::new(),
            primaries: Vec::new(),
            kept: 0,
        };
        projection.place(ID, &id.into());
        if let Some(created_at) = created_at {
            projection.place(CREATED_AT, &created_at.into());
        }
        for (index, locator) in asked.iter().enumerate() {
            projection.place(ASKED + index, locator);
        }
        projection
    }

    fn place(&mut self, slot: usize, locator: &Locator) {
        match locator {
            Locator::Whole => self.whole.push(slot),
            Locator::Path(keys) => match keys.split_first() {
                None => self.whole.push(slot),
                Some((first, rest)) => {
                    let target = Slot::Value { slot, rest: rest.to_vec() };
                    self.members.entry(first.clone()).or_default().push(target);
                }
            },
            Locator::Primary { id, list, .. } => {
                for member in [id, list] {
                    let target = Slot::Keep { place: self.kept };
                    self.members.entry((*member).to_owned()).or_default().push(target);
                    self.kept += 1;
                }
                self.primaries.push((slot, locator.clone()));
            }
        }
    }
}

/// A page's body, parsed once, and its objects.
pub struct Page {
    body: String,
    width: usize,
    /// For each object its values in turn, as places in the body.
    spans: Vec<Option<Span>>,
    total_count: Option<u64>,
    checkpoint: Option<Checkpoint>,
}

#[derive(Debug, Clone, Copy)]
struct Span {
    start: u32,
    end: u32,
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page").field("bytes", &self.body.len()).field("objects", &self.len()).finish()
    }
}

/// What is wrong with a body.
pub(crate) struct DecodeError {
    pub(crate) expected: &'static str,
    pub(crate) problem: String,
}

impl Page {
    /// A list in either of Clerk's shapes: a bare array, or `{"data": […], "total_count": n}`.
    pub(crate) fn list(body: Vec<u8>, projection: &Projection) -> Result<Self, DecodeError> {
        let expected = "a list of objects";
        Self::parse(body, projection, expected, |json, objects| match json.trim_start().as_bytes().first() {
            Some(b'[') => parse(json, objects).map(|()| None),
            _ => parse(json, Envelope(objects)),
        })
    }

    /// One object by itself.
    pub(crate) fn one(body: Vec<u8>, projection: &Projection) -> Result<Self, DecodeError> {
        Self::parse(body, projection, "an object", |json, objects| {
            let Objects { body, projection, spans } = objects;
            parse(json, Object { body, projection, spans }).map(|()| None)
        })
    }

    /// One object that came by another way than from [`crate::PageStream`], with the values that are asked for.
    ///
    /// # Errors
    /// If it is not an object with an id: what is wrong with it.
    ///
    /// ```
    /// use clerk_api::{Locator, Page, catalog::object};
    ///
    /// let users = object("users").expect("the catalogue has users");
    /// let username = Locator::Path(vec!["username".into()]);
    /// let page = Page::of_object(users, r#"{"id": "user_1", "username": "ada"}"#, &[username])?;
    /// assert_eq!((page.id(0).as_ref(), page.value(0, 0)), ("user_1", Some("\"ada\"")));
    /// # Ok::<(), String>(())
    /// ```
    pub fn of_object(object: &catalog::Object, json: &str, asked: &[Locator]) -> Result<Self, String> {
        Self::one(json.as_bytes().to_vec(), &Projection::new(object, asked)).map_err(|malformed| malformed.problem)
    }

    /// A list that is read for its `total_count`: one without it is not taken for an empty one.
    pub(crate) fn counted_list(body: Vec<u8>, projection: &Projection) -> Result<Self, DecodeError> {
        let page = Self::list(body, projection)?;
        match page.total_count {
            Some(_) => Ok(page),
            None => Err(DecodeError {
                expected: "a list with its total_count",
                problem: "it has no total_count".to_owned(),
            }),
        }
    }

    /// No object, only `{"total_count": n}`.
    pub(crate) fn count(body: Vec<u8>, projection: &Projection) -> Result<Self, DecodeError> {
        #[derive(Deserialize)]
        struct Count {
            total_count: u64,
        }
        Self::parse(body, projection, "a count", |json, _| {
            serde_json::from_str(json).map(|Count { total_count }| Some(total_count))
        })
    }

    fn parse(
        mut body: Vec<u8>,
        projection: &Projection,
        expected: &'static str,
        read: impl FnOnce(&str, Objects<'_>) -> Result<Option<u64>, serde_json::Error>,
    ) -> Result<Self, DecodeError> {
        json::replace_unstorable_escapes(&mut body);
        let malformed = |problem: String| DecodeError { expected, problem };
        if u32::try_from(body.len()).is_err() {
            return Err(malformed(format!("{} bytes is more than one page can have", body.len())));
        }
        let body = String::from_utf8(body).map_err(|error| malformed(error.utf8_error().to_string()))?;
        let mut spans = Vec::new();
        let objects = Objects { body: &body, projection, spans: &mut spans };
        let total_count = read(&body, objects).map_err(|error| {
            malformed(match error.is_eof() {
                true => format!("it is cut short after {} bytes", body.len()),
                false => error.to_string(),
            })
        })?;
        Ok(Page { body, width: projection.width, spans, total_count, checkpoint: None })
    }

    /// How many objects the page holds.
    pub fn len(&self) -> usize {
        self.spans.len() / self.width
    }

    /// Whether the page holds no object.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The JSON text of one of the values that were asked for; `None` where it is absent or null.
    pub fn value(&self, object: usize, asked: usize) -> Option<&str> {
        self.slot(object, ASKED + asked)
    }

    /// The object's id.
    pub fn id(&self, object: usize) -> Cow<'_, str> {
        // Every object was checked to have one when the page was parsed.
        self.slot(object, ID).and_then(json::string).unwrap_or_default()
    }

    /// When the object was created, in Unix milliseconds, if it says so.
    pub(crate) fn created_at(&self, object: usize) -> Option<i64> {
        self.slot(object, CREATED_AT)?.parse().ok()
    }

    /// How many objects Clerk says that the whole list has.
    pub fn total_count(&self) -> Option<u64> {
        self.total_count
    }

    /// How much of the list is read with this page, where that can be told.
    pub fn checkpoint(&self) -> Option<&Checkpoint> {
        self.checkpoint.as_ref()
    }

    pub(crate) fn set_checkpoint(&mut self, checkpoint: Option<Checkpoint>) {
        self.checkpoint = checkpoint;
    }

    /// Drops the objects for which the question is answered with no.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Page, usize) -> bool) {
        let kept: Vec<bool> = (0..self.len()).map(|object| keep(self, object)).collect();
        let mut slot = 0;
        let width = self.width;
        self.spans.retain(|_| {
            slot += 1;
            kept[(slot - 1) / width]
        });
    }

    fn slot(&self, object: usize, slot: usize) -> Option<&str> {
        let span = (*self.spans.get(object * self.width + slot)?)?;
        Some(&self.body[span.start as usize..span.end as usize])
    }
}

/// Runs a seed over a whole text and refuses what follows it.
fn parse<'de, S: DeserializeSeed<'de>>(json: &'de str, seed: S) -> Result<S::Value, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let value = seed.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// Reads an array of objects.
struct Objects<'a> {
    body: &'a str,
    projection: &'a Projection,
    spans: &'a mut Vec<Option<Span>>,
}

impl<'de> DeserializeSeed<'de> for Objects<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Objects<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an array of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<(), A::Error> {
        while array
            .next_element_seed(Object { body: self.body, projection: self.projection, spans: self.spans })?
            .is_some()
        {}
        Ok(())
    }
}

/// Reads `{"data": […], "total_count": n}`.
struct Envelope<'a>(Objects<'a>);

impl<'de> DeserializeSeed<'de> for Envelope<'_> {
    type Value = Option<u64>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Envelope<'_> {
    type Value = Option<u64>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an array, or an object with \"data\" and \"total_count\"")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut objects = Some(self.0);
        let mut total_count = None;
        while let Some(key) = map.next_key_seed(Key)? {
            match &*key {
                "data" => match objects.take() {
                    Some(objects) => map.next_value_seed(objects)?,
                    None => return Err(A::Error::duplicate_field("data")),
                },
                "total_count" => total_count = Some(map.next_value()?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        match objects {
            None => Ok(total_count),
            Some(_) => Err(A::Error::missing_field("data")),
        }
    }
}

/// Reads one object: adds one place for each value of the projection.
struct Object<'a> {
    body: &'a str,
    projection: &'a Projection,
    spans: &'a mut Vec<Option<Span>>,
}

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.projection.whole.is_empty() {
            return deserializer.deserialize_map(self);
        }
        let raw: &'de RawValue = serde::Deserialize::deserialize(deserializer)?;
        let (first, span) = (self.spans.len(), self.span(raw.get()));
        let (spans, projection) = (self.spans, self.projection);
        serde_json::Deserializer::from_str(raw.get())
            .deserialize_map(Object { body: self.body, projection, spans: &mut *spans })
            .map_err(D::Error::custom)?;
        for slot in &projection.whole {
            spans[first + slot] = span;
        }
        Ok(())
    }
}

impl Object<'_> {
    /// Where a part of the body lies in it; `None` for JSON's null, which SQL sees like an absent value.
    fn span(&self, part: &str) -> Option<Span> {
        if part == "null" {
            return None;
        }
        let start = part.as_ptr() as usize - self.body.as_ptr() as usize;
        // A page's length was checked to fit.
        Some(Span { start: start as u32, end: (start + part.len()) as u32 })
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let projection = self.projection;
        let first = self.spans.len();
        self.spans.resize(first + projection.width, None);
        let mut kept: Vec<Option<&'de str>> = vec![None; projection.kept];
        while let Some(key) = map.next_key_seed(Key)? {
            let Some(targets) = projection.members.get(&*key) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let text = map.next_value::<&'de RawValue>()?.get();
            for target in targets {
                match target {
                    Slot::Value { slot, rest } => {
                        self.spans[first + slot] = json::find(text, rest).and_then(|part| self.span(part));
                    }
                    Slot::Keep { place } => kept[*place] = Some(text),
                }
            }
        }
        for (pair, (slot, locator)) in kept.chunks(2).zip(&projection.primaries) {
            let (Locator::Primary { value, .. }, &[Some(id), Some(list)]) = (locator, pair) else { continue };
            self.spans[first + slot] = primary(id, list, value).and_then(|part| self.span(part));
        }
        match self.spans[first + ID] {
            Some(span) if self.body.as_bytes()[span.start as usize] == b'"' => Ok(()),
            _ => Err(A::Error::missing_field("id")),
        }
    }
}

/// A member of the element whose id is the primary one.
fn primary<'j>(id: &str, list: &'j str, value: &str) -> Option<&'j str> {
    if id == "null" {
        return None;
    }
    let elements: Vec<&'j RawValue> = serde_json::from_str(list).ok()?;
    let element = elements.into_iter().find(|element| json::member(element.get(), "id") == Some(id))?;
    json::member(element.get(), value)
}

#[cfg(test)]
mod tests;
