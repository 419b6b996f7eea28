//! The values of a row, by the columns of the object that the table shows.

use super::check::check_depth;
use super::error::{Operation, WriteError};
use crate::catalog::{Column, Field, Kind, Object, Source, Write};
use crate::decode::{Locator, json};

/// A column of a table.
#[derive(Debug, Clone)]
pub struct TableColumn {
    pub name: String,
    /// The object's column that it shows. `None` for a member of the object that the catalogue has no column for.
    pub column: Option<&'static Column>,
    /// Where its values are in the object.
    pub locator: Locator,
}

/// The values of a row: for each column of the table the JSON text, or `None` for NULL.
pub(super) type Row<'r> = &'r [Option<String>];

/// Turns rows of a table into requests.
#[derive(Debug)]
pub struct RowWriter {
    pub(super) object: &'static Object,
    pub(super) columns: Vec<TableColumn>,
}

impl RowWriter {
    pub fn new(object: &'static Object, columns: Vec<TableColumn>) -> Self {
        RowWriter { object, columns }
    }

    /// Whether the table can be written with an operation.
    ///
    /// # Errors
    /// If Clerk does not allow the operation, or the table has not the columns by which Clerk finds its rows.
    pub fn check_operation(&self, operation: Operation) -> Result<(), WriteError> {
        let writes = &self.object.writes;
        if !Operation::of(self.object).contains(&operation) {
            return Err(WriteError::NotAllowed { object: self.object.name, operation });
        }
        let used: Vec<&Write> = match operation {
            // The values of a new row may all be in attrs.
            Operation::Insert => Vec::new(),
            Operation::Update => writes.updates.iter().map(|update| update.write()).collect(),
            Operation::Delete => writes.delete.iter().collect(),
        };
        let mut keys = used.iter().flat_map(|write| write.keys());
        match keys.find(|key| self.position_of(key).is_none() && !self.is_in_whole(key)) {
            Some(column) => Err(WriteError::NoKey { object: self.object.name, column }),
            None => Ok(()),
        }
    }

    /// Refuses values that are nested too deep for whatever reads them. JSON that is the text of a string is looked at when
    /// it is taken for JSON: see [`from_column`](super::check::from_column).
    pub(super) fn check_depth(&self, row: Row) -> Result<(), WriteError> {
        let mut values = self.columns.iter().zip(row).filter_map(|(column, value)| Some((column, value.as_deref()?)));
        values.try_for_each(|(column, value)| check_depth(self.object, &column.name, value))
    }

    /// The number of the table's column that shows the whole object.
    pub(super) fn whole(&self) -> Option<usize> {
        self.columns.iter().position(|column| column.locator == Locator::Whole)
    }

    pub(super) fn position_of(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|other| other.column.is_some_and(|other| other.name == column))
    }

    /// The numbers of the table's columns in an order in which those that show a value come before those that show a part
    /// of it.
    pub(super) fn outer_first(&self) -> Vec<usize> {
        let depth = |position: &usize| match &self.columns[*position] {
            TableColumn { locator: Locator::Path(path), column: None, .. } => path.len(),
            _ => 0,
        };
        let mut positions: Vec<_> = (0..self.columns.len()).collect();
        positions.sort_by_key(depth);
        positions
    }

    /// The kind of the column that shows a field.
    pub(super) fn kind_of(&self, field: &Field) -> Kind {
        self.column_of(field).map_or(Kind::Json, |column| column.kind)
    }

    /// Whether the whole object, which the table shows, has the value of a column.
    fn is_in_whole(&self, column: &str) -> bool {
        let source = self.object.column(column, true).map(|column| column.source);
        self.whole().is_some() && matches!(source, Some(Source::Member(_) | Source::Path(_)))
    }

    /// The JSON text of a column's value in a row of the table, which shows it by itself or in the whole object.
    pub(super) fn value<'r>(&self, row: Row<'r>, column: &Column) -> Option<&'r str> {
        if let Some(position) = self.position_of(column.name)
            && let Some(value) = row.get(position)?
        {
            return Some(value);
        }
        let whole = row.get(self.whole()?)?.as_deref()?;
        let path = match column.source {
            Source::Member(name) => vec![name.to_owned()],
            Source::Path(path) => path.iter().map(|name| (*name).to_owned()).collect(),
            _ => return None,
        };
        json::find(whole, &path).filter(|value| *value != "null")
    }

    /// The text of a column's value in a row of the table.
    pub fn text(&self, row: &[Option<String>], column: &str) -> Option<String> {
        let value = self.value(row, self.object.column(column, true)?)?;
        Some(json::string(value).unwrap_or(value.into()).into_owned())
    }

    /// The object's column that gives a field its value.
    pub(super) fn column_of(&self, field: &Field) -> Option<&'static Column> {
        field.column_of(self.object)
    }

    /// The values of an endpoint's placeholders for a row that Clerk has.
    pub(super) fn keys(&self, row: Row, write: &Write) -> Result<Vec<String>, WriteError> {
        let key = |column| {
            let missing = WriteError::NoKey { object: self.object.name, column };
            self.text(row, column).filter(|key| !key.is_empty()).ok_or(missing)
        };
        write.keys().map(key).collect()
    }
}
