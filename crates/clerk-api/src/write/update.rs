//! The requests that change a row: those of the endpoints that take what has changed, in the catalogue's order.

use std::collections::BTreeMap;

use super::check::{check, from_column, from_old_column};
use super::error::{Operation, WriteError};
use super::members::{change, combined, difference, members, nested, object, replaced};
use super::row::{Row, RowWriter};
use crate::catalog::{Column, Field, Kind, Update, Write};
use crate::decode::{Locator, json};
use crate::http::Request;

/// What has changed of a row.
#[derive(Default)]
struct Changes {
    /// The new values of fields, in the form in which they are sent.
    fields: BTreeMap<&'static str, String>,
    /// The members of fields that are to be merged.
    merges: BTreeMap<&'static str, String>,
    /// The new values of columns that a request of their own changes.
    actions: Vec<(&'static str, String)>,
}

impl RowWriter {
    /// The requests that make a row what it is to be, each with its endpoint. There is none if nothing has changed.
    ///
    /// Of `attrs` those members count that differ from the object as it is; columns that have changed as well win.
    ///
    /// # Errors
    /// Why Clerk would not take it.
    pub fn update(&self, old: Row, new: Row) -> Result<Vec<(&'static Write, Request)>, WriteError> {
        let changes = self.changes(old, new)?;
        let mut requests = Vec::new();
        let updates: &'static [Update] = self.object.writes.updates;
        for update in updates {
            let write = update.write();
            let body = match update {
                Update::Fields(_) => self.body(&changes, write, old)?,
                Update::Merge(_) => {
                    let merges = write.fields.iter().filter_map(|field| changes.merges.get_key_value(field.name));
                    let merges: Vec<_> = merges.map(|(name, value)| (*name, value.as_str())).collect();
                    (!merges.is_empty()).then(|| object(merges))
                }
                Update::Action { column, value, .. } => {
                    let is_wanted = changes.actions.iter().any(|(other, wanted)| other == column && wanted == value);
                    // An endpoint whose body is required but has no required field takes an empty one.
                    is_wanted.then(|| "{}".to_owned())
                }
            };
            let Some(body) = body else { continue };
            let keys = self.keys(old, write)?;
            let body = (!write.fields.is_empty()).then_some(body);
            let no_key = WriteError::NoKey { object: self.object.name, column: self.object.id().name };
            requests.push((write, Request::write(write, &keys, body).ok_or(no_key)?));
        }
        Ok(requests)
    }

    /// Whether an UPDATE can change a column of the table.
    pub fn is_updatable(&self, column: &str) -> bool {
        let Some(column) = self.columns.iter().find(|other| other.name == column) else { return false };
        match (&column.locator, column.column) {
            (Locator::Whole, _) => true,
            (Locator::Path(path), None) => match path.first().and_then(|first| self.field(first)) {
                Some((Update::Merge(_), _)) => true,
                // A part of a field cannot be sent without the rest of it.
                Some((_, field)) => path.len() == 1 || self.shows(field),
                None => false,
            },
            (_, Some(column)) => self.field_of(column).is_some() || self.actions(column).next().is_some(),
            _ => false,
        }
    }

    fn changes(&self, old: Row, new: Row) -> Result<Changes, WriteError> {
        self.check_depth(new)?;
        let mut changes = Changes::default();
        let whole = self.whole();
        if let Some(whole) = whole
            && old[whole] != new[whole]
        {
            self.add_body(&mut changes, old[whole].as_deref(), new[whole].as_deref())?;
        }
        for position in self.outer_first() {
            let column = &self.columns[position];
            if Some(position) == whole || old[position] == new[position] {
                continue;
            }
            let (before, value) =
                (old[position].as_deref().map(str::trim), new[position].as_deref().map_or("null", str::trim));
            let not_updatable = || WriteError::NotUpdatable { object: self.object.name, column: column.name.clone() };
            match (&column.locator, column.column) {
                (Locator::Path(path), None) => {
                    let (update, field) = path.first().and_then(|first| self.field(first)).ok_or_else(not_updatable)?;
                    match (update, &path[1..]) {
                        (update, []) => {
                            let kind = self.kind_of(field);
                            self.add_value(&mut changes, update, field, kind, before, value)?;
                        }
                        (Update::Merge(_), below) => self.add_nested(&mut changes, field, below, before, value)?,
                        (_, below) if self.shows(field) => {
                            let value = match changes.fields.get(field.name) {
                                Some(whole) => replaced(Some(whole), below, value),
                                None => replaced(self.value_of(field, old)?.as_deref(), below, value),
                            };
                            check(self.object, field, field.name, &value)?;
                            changes.fields.insert(field.name, value);
                        }
                        _ => return Err(not_updatable()),
                    }
                }
                (_, Some(shown)) => match self.field_of(shown) {
                    Some((update, field)) => {
                        self.add_value(&mut changes, update, field, shown.kind, before, value)?;
                    }
                    None => self.add_action(&mut changes, shown, value)?,
                },
                _ => return Err(not_updatable()),
            }
        }
        Ok(changes)
    }

    /// Adds the members of a body that differ from the object as it is.
    fn add_body(&self, changes: &mut Changes, old: Option<&str>, new: Option<&str>) -> Result<(), WriteError> {
        let given = new.and_then(members).ok_or(WriteError::NoBody { object: self.object.name })?;
        for (name, value) in &given {
            let before = old.and_then(|old| json::member(old, name));
            if before == Some(value.get()) {
                continue;
            }
            let columns: &'static [Column] = self.object.columns;
            let acted = columns.iter().find(|column| column.name == name && self.actions(column).next().is_some());
            match (self.field(name), acted) {
                (Some((Update::Merge(_), field)), _) => {
                    check(self.object, field, name, value.get())?;
                    self.add_merge(changes, field, before, value.get())?;
                }
                (Some((_, field)), _) => {
                    check(self.object, field, name, value.get())?;
                    changes.fields.insert(field.name, value.get().to_owned());
                }
                (None, Some(column)) => self.add_action(changes, column, value.get())?,
                (None, None) => {
                    let (object, field, operation) = (self.object.name, name.clone(), Operation::Update);
                    return Err(WriteError::UnknownField { object, field, operation });
                }
            }
        }
        Ok(())
    }

    /// Adds the members of a field that are to be merged.
    fn add_merge(
        &self,
        changes: &mut Changes,
        field: &'static Field,
        old: Option<&str>,
        new: &str,
    ) -> Result<(), WriteError> {
        let change = difference(old, new).map_err(|path| self.null_member(field, &path))?;
        if let Some(change) = change {
            changes.merges.insert(field.name, change);
        }
        Ok(())
    }

    /// Adds the value of a field, which a column of the table shows.
    fn add_value(
        &self,
        changes: &mut Changes,
        update: &Update,
        field: &'static Field,
        kind: Kind,
        old: Option<&str>,
        new: &str,
    ) -> Result<(), WriteError> {
        let value = from_column(self.object, field, kind, new)?;
        if matches!(update, Update::Merge(_)) {
            let old = old.and_then(|old| from_old_column(self.object, field, kind, old).ok());
            return self.add_merge(changes, field, old.as_deref(), &value);
        }
        changes.fields.insert(field.name, value);
        Ok(())
    }

    /// Adds a member inside of a field that is merged, which a column of the table shows by its path.
    fn add_nested(
        &self,
        changes: &mut Changes,
        field: &'static Field,
        path: &[String],
        old: Option<&str>,
        new: &str,
    ) -> Result<(), WriteError> {
        let change = change(old, new).map_err(|below| self.null_member(field, &[path, &below].concat()))?;
        if let Some(change) = change {
            let change = nested(path, &change);
            let merged = changes.merges.get(field.name).map_or(change.clone(), |before| combined(before, &change));
            changes.merges.insert(field.name, merged);
        }
        Ok(())
    }

    fn add_action(&self, changes: &mut Changes, column: &'static Column, value: &str) -> Result<(), WriteError> {
        let values: Vec<_> = self.actions(column).collect();
        let (object, name) = (self.object.name, column.name.to_owned());
        if values.is_empty() {
            return Err(WriteError::NotUpdatable { object, column: name });
        }
        if !values.contains(&value) {
            let values = values.into_iter().map(|value| value.trim_matches('"')).collect();
            return Err(WriteError::NotReachable { object, column: name, values });
        }
        changes.actions.retain(|(other, _)| *other != column.name);
        changes.actions.push((column.name, value.to_owned()));
        Ok(())
    }

    /// The body for those fields of an endpoint that have changed, with those that it requires; `None` if none has.
    fn body(&self, changes: &Changes, write: &Write, old: Row) -> Result<Option<String>, WriteError> {
        if !write.fields.iter().any(|field| changes.fields.contains_key(field.name)) {
            return Ok(None);
        }
        let mut body = Vec::new();
        for field in write.fields {
            match changes.fields.get(field.name) {
                Some(value) => body.push((field.name, value.clone())),
                None if field.is_required => body.push((field.name, self.current(field, old)?)),
                None => {}
            }
        }
        Ok(Some(object(body.iter().map(|(name, value)| (*name, value.as_str())))))
    }

    /// The value that a field has now, which an endpoint requires although it has not changed.
    fn current(&self, field: &'static Field, old: Row) -> Result<String, WriteError> {
        self.value_of(field, old)?.ok_or(WriteError::Missing { object: self.object.name, field: field.name })
    }

    /// The value that a field has in a row, if the row shows it and it is not null.
    fn value_of(&self, field: &'static Field, row: Row) -> Result<Option<String>, WriteError> {
        let shown = self.column_of(field).and_then(|column| Some((column.kind, self.value(row, column)?)));
        if let Some((kind, value)) = shown {
            return from_column(self.object, field, kind, value).map(Some);
        }
        let whole = || json::member(row.get(self.whole()?)?.as_deref()?, field.name);
        Ok(whole().filter(|value| *value != "null").map(str::to_owned))
    }

    /// Whether the table shows a field as a whole.
    fn shows(&self, field: &Field) -> bool {
        self.whole().is_some() || self.column_of(field).is_some_and(|column| self.position_of(column.name).is_some())
    }

    fn null_member(&self, field: &Field, path: &[String]) -> WriteError {
        let field = format!("{}.{}", field.name, path.join("."));
        WriteError::NullMember { object: self.object.name, field }
    }

    /// The endpoint that takes a field of this name.
    fn field(&self, name: &str) -> Option<(&'static Update, &'static Field)> {
        let updates: &'static [Update] = self.object.writes.updates;
        updates.iter().find_map(|update| Some((update, update.write().field(name)?)))
    }

    /// The endpoint that takes the value of a column, and the field in which it does.
    fn field_of(&self, column: &Column) -> Option<(&'static Update, &'static Field)> {
        let updates: &'static [Update] = self.object.writes.updates;
        updates.iter().find_map(|update| {
            let fields: &'static [Field] = update.write().fields;
            let is_shown = |field: &&Field| self.column_of(field).is_some_and(|shown| shown.name == column.name);
            Some((update, fields.iter().find(is_shown)?))
        })
    }

    /// The values that a column can be given by requests of their own.
    fn actions<'c>(&self, column: &'c Column) -> impl Iterator<Item = &'static str> + use<'c> {
        let updates: &'static [Update] = self.object.writes.updates;
        updates.iter().filter_map(move |update| match update {
            Update::Action { column: other, value, .. } if *other == column.name => Some(*value),
            _ => None,
        })
    }
}
