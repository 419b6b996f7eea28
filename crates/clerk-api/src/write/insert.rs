//! The request that makes an object from a new row.

use super::check::{check, from_column};
use super::error::{Operation, WriteError};
use super::members::{members, object, replaced};
use super::row::{Row, RowWriter};
use crate::catalog::{Field, FieldKind, Method, Object, Write};
use crate::decode::Locator;
use crate::decode::json;
use crate::http::Request;

/// An object that is to be made: its body, and the values of the path's placeholders.
#[derive(Clone)]
pub struct NewObject {
    object: &'static Object,
    write: &'static Write,
    keys: Vec<String>,
    fields: Vec<(&'static str, String)>,
}

/// A value of the path's placeholders in `attrs`.
const KEY: Field = Field {
    name: "",
    column: None,
    kind: FieldKind::Text { min: 0, max: usize::MAX },
    is_required: true,
    is_nullable: false,
};

impl RowWriter {
    /// The object that a row describes: by its columns, which win, and by the body in `attrs`. A column that is NULL is not
    /// given, so that Clerk's default applies.
    ///
    /// # Errors
    /// Why Clerk would not take it.
    pub fn insert(&self, row: Row) -> Result<NewObject, WriteError> {
        let not_allowed = WriteError::NotAllowed { object: self.object.name, operation: Operation::Insert };
        let write = self.object.writes.insert.as_ref().ok_or(not_allowed)?;
        self.check_depth(row)?;
        let mut new = NewObject { object: self.object, write, keys: Vec::new(), fields: Vec::new() };
        let mut keys: Vec<Option<String>> = vec![None; write.keys().count()];
        let key_position = |name: &str| write.keys().position(|key| key == name);
        let text = |value: &str| json::string(value).unwrap_or(value.into()).into_owned();
        if let Some(body) = self.whole().and_then(|whole| row.get(whole)?.as_deref()) {
            let given = members(body).ok_or(WriteError::NoBody { object: self.object.name })?;
            for (name, value) in &given {
                match (write.field(name), key_position(name)) {
                    (Some(field), _) => {
                        check(self.object, field, name, value.get())?;
                        new.set(field, value.get().to_owned());
                    }
                    (None, Some(key)) => {
                        check(self.object, &KEY, name, value.get())?;
                        keys[key] = Some(text(value.get()));
                    }
                    (None, None) => {
                        let (object, field, operation) = (self.object.name, name.clone(), Operation::Insert);
                        return Err(WriteError::UnknownField { object, field, operation });
                    }
                }
            }
        }
        for position in self.outer_first() {
            let (column, Some(value)) = (&self.columns[position], row[position].as_deref().map(str::trim)) else {
                continue;
            };
            match (&column.locator, column.column) {
                (Locator::Whole, _) => {}
                (Locator::Path(path), None) => {
                    let field = path.first().and_then(|first| write.field(first));
                    let field = field.ok_or_else(|| self.not_insertable(&column.name))?;
                    let value = match &path[1..] {
                        [] => from_column(self.object, field, self.kind_of(field), value)?,
                        below => {
                            let value = replaced(new.get(field), below, value);
                            check(self.object, field, field.name, &value)?;
                            value
                        }
                    };
                    new.set(field, value);
                }
                (_, column_of_object) => {
                    let Some(shown) = column_of_object else { return Err(self.not_insertable(&column.name)) };
                    let fields: &'static [Field] = write.fields;
                    let is_shown = |field: &&Field| self.column_of(field).is_some_and(|other| other.name == shown.name);
                    let field = fields.iter().find(is_shown);
                    if let Some(key) = key_position(shown.name) {
                        keys[key] = Some(text(value));
                    }
                    match field {
                        Some(field) => new.set(field, from_column(self.object, field, shown.kind, value)?),
                        None if key_position(shown.name).is_some() => {}
                        None => return Err(self.not_insertable(&column.name)),
                    }
                }
            }
        }
        for (key, name) in keys.into_iter().zip(write.keys()) {
            let missing = WriteError::Missing { object: self.object.name, field: name };
            new.keys.push(key.filter(|key| !key.is_empty()).ok_or(missing)?);
        }
        if let Some(field) = write.fields.iter().find(|field| field.is_required && new.get(field).is_none()) {
            return Err(WriteError::Missing { object: self.object.name, field: field.name });
        }
        Ok(new)
    }

    fn not_insertable(&self, column: &str) -> WriteError {
        let is_updatable = self.is_updatable(column);
        WriteError::NotInsertable { object: self.object.name, column: column.to_owned(), is_updatable }
    }
}

impl NewObject {
    fn get(&self, field: &Field) -> Option<&str> {
        self.fields.iter().find(|(name, _)| *name == field.name).map(|(_, value)| value.as_str())
    }

    fn set(&mut self, field: &'static Field, value: String) {
        self.fields.retain(|(name, _)| *name != field.name);
        self.fields.push((field.name, value));
    }

    /// The texts that a column of the object stands for, such as all addresses of a user for the primary one.
    pub(super) fn texts(&self, column: &str) -> Vec<String> {
        if let Some(key) = self.write.keys().position(|key| key == column) {
            return self.keys.get(key).cloned().into_iter().collect();
        }
        let is_shown = |field: &&Field| field.column_of(self.object).is_some_and(|shown| shown.name == column);
        let Some(value) = self.write.fields.iter().find(is_shown).and_then(|field| self.get(field)) else {
            return Vec::new();
        };
        match serde_json::from_str::<Vec<String>>(value) {
            Ok(texts) => texts,
            Err(_) => json::string(value).map(|text| text.into_owned()).into_iter().collect(),
        }
    }

    /// Whether a column of the object will have this text, in upper or lower case.
    pub fn has_text(&self, column: &str, text: &str) -> bool {
        self.texts(column).iter().any(|own| own.to_lowercase() == text.to_lowercase())
    }

    fn body(&self) -> String {
        object(self.fields.iter().map(|(name, value)| (*name, value.as_str())))
    }

    /// The request that makes the object.
    pub fn request(&self) -> Option<Request> {
        let body = (!self.write.fields.is_empty()).then(|| self.body());
        Request::write(self.write, &self.keys, body)
    }

    /// Groups objects into those that one request can make: for each request the positions of its objects.
    pub fn groups(new: &[NewObject]) -> Vec<Vec<usize>> {
        let most = |new: &NewObject| new.object.writes.bulk.map_or(1, |bulk| bulk.max);
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for (position, object) in new.iter().enumerate() {
            let has_room = |group: &&mut Vec<usize>| group.len() < most(object) && new[group[0]].keys == object.keys;
            match groups.iter_mut().rev().find(has_room) {
                Some(group) => group.push(position),
                None => groups.push(vec![position]),
            }
        }
        groups
    }

    /// The request that makes several objects, which belong together by [`NewObject::groups`].
    pub fn request_for_all(new: &[&NewObject]) -> Option<Request> {
        match (new, new.first()?.object.writes.bulk) {
            ([one], _) => one.request(),
            (all, Some(bulk)) => {
                let bodies: Vec<_> = all.iter().map(|new| new.body()).collect();
                let body = format!("[{}]", bodies.join(","));
                Request::below(Method::Post, bulk.path, &all[0].keys, Some(body), false)
            }
            _ => None,
        }
    }

    /// The objects in the answer to a request for several of them, one JSON text for each.
    pub fn in_answer(&self, answer: &str) -> Option<Vec<String>> {
        let array = match self.object.writes.bulk?.member {
            Some(member) if json::kind(answer.trim_start()) == "object" => json::member(answer, member)?,
            _ => answer,
        };
        let elements: Vec<Box<serde_json::value::RawValue>> = serde_json::from_str(array).ok()?;
        Some(elements.into_iter().map(|element| element.get().to_owned()).collect())
    }
}
