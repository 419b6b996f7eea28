//! One page of a list: its body as received, and the positions of the values that a query uses.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;

use super::elements::Rows;
use super::json;
use super::objects::{Envelope, KEY, Object, Objects, Span, TRUE, parse};
use super::projection::{CREATED_AT, FIRST_COLUMN, ID, Locator, Projection};
use crate::catalog;
use crate::checkpoint::Checkpoint;

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
            rows.retain(&is_kept);
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

#[cfg(test)]
mod tests;
