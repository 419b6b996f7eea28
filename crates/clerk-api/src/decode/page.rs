//! One page of a list: its body as received, and the positions of the values that a query uses.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::json::{self, Key};
use crate::catalog::{self, Paging, Source};
use crate::checkpoint::Checkpoint;

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
            Source::Path(keys) => Locator::Path(keys.iter().map(|key| (*key).to_owned()).collect()),
            Source::Primary { id, list, value } => Locator::Primary { id, list, value },
            Source::Owner(member) => Locator::Owner(member),
            Source::IsPrimary { id } => Locator::IsPrimary { id },
            Source::Key => Locator::Key,
        }
    }
}

/// The slots of an object's values: pagination needs the id and the time of creation, and the query's columns follow.
const ID: usize = 0;
const CREATED_AT: usize = 1;
const FIRST_COLUMN: usize = 2;

/// The values that a query uses, grouped by the top-level member of the object in which each of them is.
pub(crate) struct Projection {
    /// How many slots each object has.
    width: usize,
    /// The slots that take the whole object.
    whole: Vec<usize>,
    members: HashMap<String, Vec<Destination>>,
    primaries: Vec<(usize, Locator)>,
    /// How many raw members are collected for `primaries`: each of them needs two, its id and its list.
    raw_members: usize,
    /// The slots that take the key of the request.
    keys: Vec<usize>,
    /// The member of an answer that contains the objects.
    list_member: &'static str,
    /// Whether objects without an id are refused.
    requires_id: bool,
    /// Where the rows are elements of the objects: what they take from each element and from its owner.
    elements: Option<Box<ElementProjection>>,
}

/// The values that a query uses of the elements of an object's array, where these are its rows.
struct ElementProjection {
    /// The owner's slot that holds the array.
    list: usize,
    element: Projection,
    /// The rows' slots for values of the owner, each with the owner's slot that holds it.
    owned: Vec<(usize, usize)>,
    /// The rows' slots that say whether the element's id is the one in this slot of the owner.
    primary: Vec<(usize, usize)>,
}

/// What is done with the text of a member.
enum Destination {
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
        Projection::with_roles(Source::Path(&["id"]), None, &[])
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

/// A page's body, which is parsed once, and the positions of its objects' values.
pub struct Page {
    body: String,
    width: usize,
    /// The values' positions in the body: `width` entries for each object, one object after the other.
    spans: Vec<Option<Span>>,
    /// The rows, where they are elements of the objects.
    rows: Option<Rows>,
    /// The JSON text of the key with which the objects were asked for.
    key: Option<String>,
    total_count: Option<u64>,
    checkpoint: Option<Checkpoint>,
}

/// The elements of a page's objects.
struct Rows {
    width: usize,
    spans: Vec<Option<Span>>,
    /// The object that contains each row.
    owners: Vec<usize>,
}

#[derive(Debug, Clone, Copy)]
struct Span {
    start: u32,
    end: u32,
}

/// Values that are not in the body: their spans begin behind any body.
const FALSE: Span = Span { start: u32::MAX, end: 0 };
const TRUE: Span = Span { start: u32::MAX, end: 1 };
const KEY: Span = Span { start: u32::MAX, end: 2 };

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page").field("bytes", &self.body.len()).field("objects", &self.len()).finish()
    }
}

/// Why a body is not the page that was expected.
pub(crate) struct DecodeError {
    pub(crate) expected: &'static str,
    pub(crate) problem: String,
}

impl Page {
    /// A list in either of the forms that Clerk uses: a bare array, or `{"data": […], "total_count": n}`.
    pub(crate) fn list(body: Vec<u8>, projection: &Projection) -> Result<Self, DecodeError> {
        let expected = "a list of objects";
        Self::parse(body, projection, expected, |json, objects| match json.trim_start().as_bytes().first() {
            Some(b'[') => parse(json, objects).map(|()| None),
            _ => parse(json, Envelope { objects, list_member: projection.list_member }),
        })
    }

    /// A body that is one object.
    pub(crate) fn single(body: Vec<u8>, projection: &Projection) -> Result<Self, DecodeError> {
        Self::parse(body, projection, "an object", |json, objects| {
            let Objects { body, projection, spans } = objects;
            parse(json, Object { body, projection, spans }).map(|()| None)
        })
    }

    /// A page of one object that does not come from a [`crate::PageStream`], such as the `data` of a webhook event.
    /// Where the rows are elements of an object, such as the email addresses of a user, the text is that object.
    ///
    /// # Errors
    /// If the text is not an object with an id: the reason.
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
    pub fn of_object(object: &'static catalog::Object, json: &str, columns: &[Locator]) -> Result<Self, String> {
        let page = Self::single(json.as_bytes().to_vec(), &Projection::new(object, columns));
        page.map(Page::into_rows).map_err(|malformed| malformed.problem)
    }

    /// A list that is read for its `total_count`. A list without it is an error, so that it does not count as empty.
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

    /// A body without objects: `{"total_count": n}`.
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
        let problem = |error: serde_json::Error| {
            malformed(match error.is_eof() {
                true => format!("it is cut short after {} bytes", body.len()),
                false => error.to_string(),
            })
        };
        let total_count = read(&body, objects).map_err(problem)?;
        let rows = match &projection.elements {
            Some(elements) => Some(elements.rows(&body, projection.width, &spans).map_err(problem)?),
            None => None,
        };
        Ok(Page { body, width: projection.width, spans, rows, key: None, total_count, checkpoint: None })
    }

    /// Fills in the key with which the objects were asked for.
    pub(crate) fn set_key(&mut self, projection: &Projection, key: &str) {
        if projection.keys.is_empty() {
            return;
        }
        self.key = Some(serde_json::Value::from(key).to_string());
        for object in self.spans.chunks_mut(self.width) {
            projection.keys.iter().for_each(|slot| object[*slot] = Some(KEY));
        }
    }

    /// The page of the rows, where they are elements of the objects; otherwise the page itself.
    pub(crate) fn into_rows(self) -> Page {
        match self.rows {
            Some(Rows { width, spans, .. }) => Page { width, spans, rows: None, ..self },
            None => self,
        }
    }

    /// How many objects the page holds.
    pub fn len(&self) -> usize {
        self.spans.len() / self.width
    }

    /// Whether the page holds no object.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The JSON text of an object's value for one of the query's columns; `None` where it is absent or null.
    pub fn value(&self, object: usize, column: usize) -> Option<&str> {
        self.slot(object, FIRST_COLUMN + column)
    }

    /// The object's id.
    pub fn id(&self, object: usize) -> Cow<'_, str> {
        // Parsing refuses objects without an id, so the default is never used.
        self.slot(object, ID).and_then(json::string).unwrap_or_default()
    }

    /// When the object was created, in Unix milliseconds; `None` if it has no such time.
    pub(crate) fn created_at(&self, object: usize) -> Option<i64> {
        self.slot(object, CREATED_AT)?.parse().ok()
    }

    /// How many objects the whole list has according to Clerk, if the page says so.
    pub fn total_count(&self) -> Option<u64> {
        self.total_count
    }

    /// How much of the list is read with this page, if that is known.
    pub fn checkpoint(&self) -> Option<&Checkpoint> {
        self.checkpoint.as_ref()
    }

    pub(crate) fn set_checkpoint(&mut self, checkpoint: Option<Checkpoint>) {
        self.checkpoint = checkpoint;
    }

    /// Drops the objects for which `keep` returns false.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Page, usize) -> bool) {
        let is_kept: Vec<bool> = (0..self.len()).map(|object| keep(self, object)).collect();
        let mut slot = 0;
        let width = self.width;
        self.spans.retain(|_| {
            slot += 1;
            is_kept[(slot - 1) / width]
        });
        if let Some(rows) = &mut self.rows {
            let mut slot = 0;
            rows.spans.retain(|_| {
                slot += 1;
                is_kept[rows.owners[(slot - 1) / rows.width]]
            });
            // From now on the objects that were kept are counted from 0.
            let renumbered: Vec<usize> = is_kept
                .iter()
                .scan(0, |next, is_kept| Some(std::mem::replace(next, *next + usize::from(*is_kept))))
                .collect();
            rows.owners.retain(|owner| is_kept[*owner]);
            rows.owners.iter_mut().for_each(|owner| *owner = renumbered[*owner]);
        }
    }

    fn slot(&self, object: usize, slot: usize) -> Option<&str> {
        match (*self.spans.get(object * self.width + slot)?)? {
            Span { start: u32::MAX, end } if end == KEY.end => self.key.as_deref(),
            Span { start: u32::MAX, end } => Some(if end == TRUE.end { "true" } else { "false" }),
            span => Some(span.of(&self.body)),
        }
    }
}

impl Span {
    fn of(self, body: &str) -> &str {
        &body[self.start as usize..self.end as usize]
    }
}

impl ElementProjection {
    /// The rows of objects, each of which has `width` spans.
    fn rows(&self, body: &str, width: usize, objects: &[Option<Span>]) -> Result<Rows, serde_json::Error> {
        let mut rows = Rows { width: self.element.width, spans: Vec::new(), owners: Vec::new() };
        for (owner, object) in objects.chunks(width).enumerate() {
            let Some(list) = object[self.list] else { continue };
            let first = rows.spans.len();
            parse(list.of(body), Objects { body, projection: &self.element, spans: &mut rows.spans })?;
            for row in rows.spans[first..].chunks_mut(rows.width) {
                for (slot, owned) in &self.owned {
                    row[*slot] = object[*owned];
                }
                for (slot, id) in &self.primary {
                    let is_same = row[ID].zip(object[*id]).is_some_and(|(row, id)| row.of(body) == id.of(body));
                    row[*slot] = Some(if is_same { TRUE } else { FALSE });
                }
                rows.owners.push(owner);
            }
        }
        Ok(rows)
    }
}

/// Deserializes a whole text with a seed, and refuses text after the value.
fn parse<'de, S: DeserializeSeed<'de>>(json: &'de str, seed: S) -> Result<S::Value, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let value = seed.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// Deserializes an array of objects.
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

/// Deserializes `{"data": […], "total_count": n}`, in which the list may have another name.
struct Envelope<'a> {
    objects: Objects<'a>,
    list_member: &'static str,
}

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
        let mut objects = Some(self.objects);
        let mut total_count = None;
        while let Some(key) = map.next_key_seed(Key)? {
            match &*key {
                key if key == self.list_member => match objects.take() {
                    Some(objects) => map.next_value_seed(objects)?,
                    None => return Err(A::Error::duplicate_field(self.list_member)),
                },
                "total_count" => total_count = Some(map.next_value()?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        match objects {
            None => Ok(total_count),
            Some(_) => Err(A::Error::missing_field(self.list_member)),
        }
    }
}

/// Deserializes one object: appends a position, or `None`, for each slot of the projection.
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
    /// The position of a part of the body; `None` for JSON's null, because both null and an absent value are SQL's
    /// NULL.
    fn span(&self, part: &str) -> Option<Span> {
        if part == "null" {
            return None;
        }
        let start = part.as_ptr() as usize - self.body.as_ptr() as usize;
        // The casts lose nothing: `Page::parse` refuses bodies whose length does not fit into a u32.
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
        let mut raw_members: Vec<Option<&'de str>> = vec![None; projection.raw_members];
        while let Some(key) = map.next_key_seed(Key)? {
            let Some(destinations) = projection.members.get(&*key) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let text = map.next_value::<&'de RawValue>()?.get();
            for destination in destinations {
                match destination {
                    Destination::Slot { slot, path } => {
                        self.spans[first + slot] = json::find(text, path).and_then(|part| self.span(part));
                    }
                    Destination::RawMember { index } => raw_members[*index] = Some(text),
                }
            }
        }
        for (pair, (slot, locator)) in raw_members.chunks(2).zip(&projection.primaries) {
            let (Locator::Primary { value, .. }, &[Some(id), Some(list)]) = (locator, pair) else { continue };
            self.spans[first + slot] = primary(id, list, value).and_then(|part| self.span(part));
        }
        match self.spans[first + ID] {
            Some(span) if self.body.as_bytes()[span.start as usize] == b'"' => Ok(()),
            _ if !projection.requires_id => Ok(()),
            _ => Err(A::Error::missing_field("id")),
        }
    }
}

/// The member `value` of the element of `list` whose id is `id`.
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
