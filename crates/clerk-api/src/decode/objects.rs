//! Reads objects out of the body of an answer: the positions of the values that a query uses.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::json::{self, Key};
use super::projection::{Destination, ID, Locator, Projection};

/// The position of a value in the body of an answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

/// Values that are not in the body: their spans begin behind any body.
pub(super) const FALSE: Span = Span { start: u32::MAX, end: 0 };
pub(super) const TRUE: Span = Span { start: u32::MAX, end: 1 };
pub(super) const KEY: Span = Span { start: u32::MAX, end: 2 };

impl Span {
    pub(super) fn of(self, body: &str) -> &str {
        &body[self.start as usize..self.end as usize]
    }
}

/// Deserializes a whole text with a seed, and refuses text after the value.
pub(super) fn parse<'de, S: DeserializeSeed<'de>>(json: &'de str, seed: S) -> Result<S::Value, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let value = seed.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// Deserializes an array of objects.
pub(super) struct Objects<'a> {
    pub(super) body: &'a str,
    pub(super) projection: &'a Projection,
    pub(super) spans: &'a mut Vec<Option<Span>>,
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
pub(super) struct Envelope<'a> {
    pub(super) objects: Objects<'a>,
    pub(super) list_member: &'static str,
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
pub(super) struct Object<'a> {
    pub(super) body: &'a str,
    pub(super) projection: &'a Projection,
    pub(super) spans: &'a mut Vec<Option<Span>>,
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
